"""Runs checks over a recorded inventory: pure, and the same for the same snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from tidegate.discovery.public import GLOBAL, Coverage
from tidegate.findings.checks import Check
from tidegate.findings.checks.base import Hit, Thresholds
from tidegate.findings.checks.facts import INDEXED, Facts
from tidegate.findings.checks.subject import Subject, Unread
from tidegate.findings.domain import CheckState, State
from tidegate.findings.prices.book import PriceBook

REGION_LIST = "regions"  # discovery's name for a list of regions that could not be read
_NOT_ENABLED = "the region is not enabled in this account"
_NOT_COVERED = "not part of the last discovery"
_LAST = "ec2:image"  # its check needs the snapshots met before


class Inventory(Protocol):
    """What checks read of a recorded inventory (discovery.public.Inventory)."""

    @property
    def taken_at(self) -> datetime:
        """When the inventory was taken: the time that checks reckon with."""

    @property
    def coverage(self) -> Sequence[Coverage]:
        """What could be read."""

    def types(self, region: str | None = None) -> Sequence[str]:
        """Resource types there are."""

    def lines(self, region: str | None, type_: str) -> Iterator[dict[str, Any]]:
        """Resources of a type."""


@dataclass(frozen=True)
class Rules:
    """What checks decide by: prices, thresholds by check, and which checks run."""

    evaluators: Sequence[Check]
    prices: PriceBook
    thresholds: Mapping[str, Thresholds]


@dataclass(frozen=True)
class Found:
    """A resource that a check found something about."""

    check: Check
    line: Mapping[str, Any]
    hit: Hit


@dataclass(frozen=True)
class Unknown:
    """A resource that a check could not judge."""

    check: Check
    line: Mapping[str, Any]


Outcome = Found | Unknown


def regions(inventory: Inventory) -> list[str]:
    """The places that are evaluated one by one, sorted: regions, and "global"."""
    return sorted({unit.region for unit in inventory.coverage} | {GLOBAL})


def evaluate(
    inventory: Inventory, region: str, rules: Rules, tell: Callable[[Outcome], None]
) -> list[CheckState]:
    """Judge every resource of a region; `tell` hears of what is found or not known.

    The state of each check that the discovery covered there; "unknown" wins over "found" where a
    part could not be judged, so that nothing is called clean that was not seen (FND-1).
    """
    units = {(unit.region, unit.service): unit for unit in inventory.coverage}
    runs = [
        _Run(check, blocked, region, inventory.taken_at)
        for check in rules.evaluators
        if check.is_global == (region == GLOBAL)
        and (blocked := _blocked(check, region, units)) is not None
    ]
    judges = _judges(runs)
    if judges:
        _judge(inventory, region, rules, judges, tell)
    states = [run.state(units) for run in runs]
    if region == GLOBAL:
        states += _regions_unread(rules.evaluators, units, inventory.taken_at)
    return _merged(states)


@dataclass(frozen=True)
class _Blocked:
    """Why a check cannot judge anything in a region; nothing: it can."""

    reason: str | None = None
    missing: tuple[str, ...] = ()
    stopped: bool = False


class _Run:
    """One evaluator in one region, and what it has seen so far."""

    def __init__(self, check: Check, blocked: _Blocked, region: str, now: datetime) -> None:
        self.now = now
        self.check = check
        self.region = region
        self.blocked = blocked
        self.found = 0
        self.unread: Unread | None = None

    def state(self, units: Mapping[tuple[str, str], Coverage]) -> CheckState:
        """The result."""
        if self.blocked.stopped:
            return self._made("unknown", self.blocked.missing, self.blocked.reason, False)
        if self.unread is not None:
            here = [units[self.region, service] for service in self.check.services]
            denied = {action for unit in here for action in unit.missing_actions}
            missing = tuple(sorted(denied & set(self.check.required_actions)))
            reason = next((unit.reason for unit in here if missing and unit.reason), None)
            return self._made("unknown", missing, reason or self.unread.reason, True)
        return self._made("found" if self.found else "clean", (), None, True)

    def _made(
        self, state: State, missing: tuple[str, ...], reason: str | None, settled: bool
    ) -> CheckState:
        return CheckState(
            self.check.check_id,
            self.region,
            state,
            self.found,
            missing,
            reason,
            settled,
            self.now,
        )


def _blocked(
    check: Check, region: str, units: Mapping[tuple[str, str], Coverage]
) -> _Blocked | None:
    """None: the discovery did not look there, so what was known before stays."""
    first = units.get((region, check.services[0]))
    if first is None or (first.status == "skipped" and first.reason == _NOT_ENABLED):
        return None
    for service in check.services:
        unit = units.get((region, service))
        if unit is None:
            return _Blocked(_NOT_COVERED, (), True)
        if not unit.listed:
            return _Blocked(unit.reason, unit.missing_actions, True)
    return _Blocked()


def _judges(runs: Iterable[_Run]) -> dict[str, list[_Run]]:
    judges: dict[str, list[_Run]] = {}
    for run in runs:
        if not run.blocked.stopped:
            for type_ in run.check.types:
                judges.setdefault(type_, []).append(run)
    return judges


def _judge(
    inventory: Inventory,
    region: str,
    rules: Rules,
    judges: Mapping[str, list[_Run]],
    tell: Callable[[Outcome], None],
) -> None:
    place = None if region == GLOBAL else region
    present = inventory.types(place)
    facts = Facts()
    if region != GLOBAL:
        for type_ in INDEXED:
            if type_ in present:
                for line in inventory.lines(place, type_):
                    facts.learn(line)
    for type_ in sorted(present, key=lambda name: (name == _LAST, name)):
        here = judges.get(type_, [])
        # Images need the snapshots that they are made of, whoever judges those.
        if not here and not (type_ == "ec2:snapshot" and _LAST in judges):
            continue
        for line in inventory.lines(place, type_):
            if type_ == "ec2:snapshot":
                facts.meet(line)
            for run in here:
                _look(run, line, inventory.taken_at, facts, rules, tell)


def _look(
    run: _Run,
    line: Mapping[str, Any],
    now: datetime,
    facts: Facts,
    rules: Rules,
    tell: Callable[[Outcome], None],
) -> None:
    check = run.check
    subject = Subject(line, now, check.reads)
    try:
        hit = check.examine(subject, facts, rules.prices, rules.thresholds[check.check_id])
    except Unread as unread:
        run.unread = run.unread or unread
        tell(Unknown(check, line))
        return
    if hit is not None:
        run.found += 1
        tell(Found(check, line, hit))


def _regions_unread(
    evaluators: Iterable[Check], units: Mapping[tuple[str, str], Coverage], now: datetime
) -> list[CheckState]:
    gap = units.get((GLOBAL, REGION_LIST))
    if gap is None:
        return []
    return [
        CheckState(c.check_id, GLOBAL, "unknown", 0, gap.missing_actions, gap.reason, False, now)
        for c in evaluators
        if not c.is_global
    ]


_RANK: Mapping[State, int] = {"unknown": 0, "found": 1, "clean": 2}


def _merged(states: Iterable[CheckState]) -> list[CheckState]:
    """Two evaluators of one check are one state."""
    merged: dict[str, CheckState] = {}
    for state in states:
        other = merged.get(state.check_id)
        if other is None:
            merged[state.check_id] = state
            continue
        merged[state.check_id] = CheckState(
            state.check_id,
            state.region,
            min(state.state, other.state, key=_RANK.__getitem__),
            state.findings + other.findings,
            tuple(sorted({*state.missing_actions, *other.missing_actions})),
            other.reason or state.reason,
            state.settled and other.settled,
            state.checked_at,
        )
    return list(merged.values())


def total(hits: Iterable[Hit]) -> Decimal:
    """The sum of what is priced."""
    return sum((hit.saving.monthly or Decimal(0) for hit in hits), Decimal(0))
