"""Thresholds of a tenant over the defaults of the checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, ServiceUnavailable, Unprocessable

from tidegate.findings.checks import CHECKS
from tidegate.findings.errors import ChangedMeanwhile
from tidegate.findings.repository import ExceptionStore, Thresholds

_TRIES = 5


class ThresholdService:
    """What counts as waste, for one tenant."""

    def __init__(self, store: ExceptionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def effective(self) -> Thresholds:
        """Every check's thresholds: the tenant's where set, else the defaults."""
        return merged(self._store.thresholds()[0])

    def merge(self, given: Mapping[str, Mapping[str, Any]]) -> Thresholds:
        """Take over what is given and keep the rest. Raises Unprocessable; all or nothing."""
        wanted = checked(given)
        for _ in range(_TRIES):
            stored, version = self._store.thresholds()
            for check_id, values in wanted.items():
                stored[check_id] = {**stored.get(check_id, {}), **values}
            try:
                self._store.set_thresholds(stored, version, self._clock())
            except ChangedMeanwhile:
                continue
            return merged(stored)
        raise ServiceUnavailable(log="thresholds change all the time")


def merged(given: Mapping[str, Mapping[str, Decimal]]) -> Thresholds:
    """Defaults with `given` over them; what is no longer a threshold is left out."""
    return {
        check_id: {
            name: given.get(check_id, {}).get(name, default)
            for name, default in check.defaults.items()
        }
        for check_id, check in CHECKS.items()
    }


def checked(given: Mapping[str, Mapping[str, Any]]) -> Thresholds:
    """Numbers within the limits of known thresholds. Raises Unprocessable naming each problem."""
    problems: list[Detail] = []
    found: Thresholds = {}
    for check_id, values in given.items():
        check = CHECKS.get(check_id)
        if check is None:
            problems.append(Detail("checks", "names a check that does not exist"))
            continue
        for name, value in values.items():
            limit = check.limits.get(name)
            number = _number(value)
            place = f"checks.{check_id}"
            if limit is None:
                problems.append(Detail(place, "names a threshold that the check does not have"))
            elif number is None or not limit.low <= number <= limit.high:
                text = f"{name} must be a number of {limit.unit} from {limit.low} to {limit.high}"
                problems.append(Detail(place, text))
            else:
                found.setdefault(check_id, {})[name] = number
    if problems:
        raise Unprocessable(details=problems)
    return found


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and len(str(value)) <= 30 else None


def known_checks(ids: Iterable[str] | None) -> tuple[str, ...]:
    """The ids, each once; all when None. Raises Unprocessable for one that does not exist."""
    if ids is None:
        return tuple(CHECKS)
    wanted = tuple(dict.fromkeys(ids))
    if any(id_ not in CHECKS for id_ in wanted):
        raise Unprocessable(details=[Detail("check_ids", "names a check that does not exist")])
    return wanted
