"""What a run may be given, by pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from tidegate_kit.errors import Detail, Unprocessable

from tidegate.pipelines.executions import PipelineName

_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=/-]{0,199}", re.ASCII)
_MAX_DAYS: Final = 400
_FIRST: Final = date(2000, 1, 1)


def check(pipeline: PipelineName, given: Mapping[str, Any], today: date) -> None:
    """Refuse unknown and malformed parameters. Raises Unprocessable naming each."""
    known = _KNOWN[pipeline]
    problems = [
        Detail(f"parameters.{str(name)[:64]}", "is not a parameter of this pipeline")
        for name in given
        if name not in known
    ]
    problems += [
        Detail(f"parameters.{name}", text)
        for name, test in known.items()
        if name in given and (text := test(given[name], today)) is not None
    ]
    if not problems and pipeline == "cost-ingest":
        problems = _span(given, today)
    if problems:
        raise Unprocessable(details=problems[:20])


def _accounts(value: Any, today: date) -> str | None:
    if not isinstance(value, list) or not 1 <= len(value) <= 100:
        return "is a list of 1 to 100 accounts"
    if not all(isinstance(one, str) and _ACCOUNT.fullmatch(one) for one in value):
        return "holds accounts of 12 digits"
    return None


def _day(value: Any, today: date) -> str | None:
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError):
        return "is a date, YYYY-MM-DD"
    if not _FIRST <= day <= today or value != day.isoformat():
        return "is a date between 2000-01-01 and today, YYYY-MM-DD"
    return None


def _file(value: Any, today: date) -> str | None:
    if not isinstance(value, str) or _FILE.fullmatch(value) is None or ".." in value:
        return "is the name of an uploaded file"
    return None


def _span(given: Mapping[str, Any], today: date) -> list[Detail]:
    if "start" not in given:
        return []
    start = date.fromisoformat(given["start"])
    end = date.fromisoformat(given["end"]) if "end" in given else today
    if start > end:
        return [Detail("parameters.start", "must not be after end")]
    if end - start > timedelta(days=_MAX_DAYS):
        return [Detail("parameters.start", f"at most {_MAX_DAYS} days are read")]
    return []


_KNOWN: Mapping[PipelineName, Mapping[str, Callable[[Any, date], str | None]]] = {
    "inventory-scan": {"account_ids": _accounts},
    "cost-ingest": {
        "account_ids": _accounts,
        "start": _day,
        "end": _day,
        "focus_file": _file,
    },
    "findings-refresh": {},
    "model-retrain": {},
    "savings-ledger": {"day": _day},
}
