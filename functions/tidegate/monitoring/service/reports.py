"""From cells to the numbers of contract 2.7: totals and series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from tidegate.monitoring.domain import (
    LABELS,
    NOTHING,
    STEP,
    Cell,
    Granularity,
    Kind,
    buckets,
    floor,
    total_of,
)
from tidegate.monitoring.errors import RangeUnusable
from tidegate.monitoring.repository.metrics import Metrics

Report = Literal["system", "usage", "performance"]
MAX_RANGE = timedelta(days=90)
MAX_POINTS = 1500
_RATE_MINUTES = 5
_MILLI, _SECOND = 1_000, 1_000_000
_DOLLAR = 1_000_000_000  # in nano-dollars
Number = float | None


@dataclass(frozen=True)
class Totals:
    """The numbers of GET /monitoring/metrics that are counted."""

    requests: Cell
    requests_per_minute: float
    executions: Cell
    executions_last_hour: int
    ai: Cell


@dataclass(frozen=True)
class Series:
    """One line of a chart; a point is null where nothing can be said."""

    name: str
    unit: str
    labels: Mapping[str, str]
    points: Sequence[tuple[datetime, Number]]
    total: Number


@dataclass(frozen=True)
class Window:
    """What a series is asked for."""

    start: datetime
    end: datetime
    granularity: Granularity
    group_by: str | None = None


@dataclass(frozen=True)
class _Line:
    """How one series is read from cells."""

    name: str
    unit: str
    kind: Kind
    value: Callable[[Cell], Number]
    # The value of one part of the platform alone (cells of kind `probe`).
    part: str | None = field(default=None)


def _count(cell: Cell) -> Number:
    return cell.count


def _cost(cell: Cell) -> Number:
    return round(cell.cost_nanos / _DOLLAR, 9)


def _error_rate(cell: Cell) -> Number:
    return round(cell.failed / cell.count, 4) if cell.count else None


def _percent(cell: Cell) -> Number:
    # A gauge in percent is measured as a duration of so many thousandths.
    return cell.average(_MILLI)


LINES: Mapping[Report, tuple[_Line, ...]] = {
    "system": (
        _Line("cpu_usage", "percent", "probe", _percent, "cpu"),
        _Line("memory_usage", "percent", "probe", _percent, "memory"),
        _Line("store_latency", "ms", "probe", lambda cell: cell.average(_MILLI), "store"),
    ),
    "usage": (
        _Line("requests", "count", "request", _count),
        _Line("executions", "count", "execution", _count),
        _Line("ai_requests", "count", "ai", _count),
        _Line("ai_tokens", "tokens", "ai", lambda cell: cell.tokens),
        _Line("ai_cost", "USD", "ai", _cost),
        _Line("aws_calls", "count", "aws", _count),
        _Line("aws_cost", "USD", "aws", _cost),
    ),
    "performance": (
        _Line("p50", "ms", "request", lambda cell: cell.percentile(0.50)),
        _Line("p95", "ms", "request", lambda cell: cell.percentile(0.95)),
        _Line("p99", "ms", "request", lambda cell: cell.percentile(0.99)),
        _Line("error_rate", "ratio", "request", _error_rate),
    ),
}


def totals(metrics: Metrics, now: datetime) -> Totals:
    """Everything ever counted, and the last minutes and hour."""
    recent = now - timedelta(minutes=_RATE_MINUTES - 1)
    lately = metrics.cells("request", "minute", "all", floor(recent, "minute"), now)
    hour_ago = floor(now - timedelta(minutes=59), "minute")
    last_hour = metrics.cells("execution", "minute", "all", hour_ago, now)
    return Totals(
        requests=metrics.total("request"),
        requests_per_minute=round(total_of(cell for _, _, cell in lately).count / _RATE_MINUTES, 3),
        executions=metrics.total("execution"),
        executions_last_hour=total_of(cell for _, _, cell in last_hour).count,
        ai=metrics.total("ai"),
    )


def window_of(
    start: datetime | None,
    end: datetime | None,
    granularity: Granularity,
    group_by: str | None,
    now: datetime,
) -> Window:
    """The range asked for, by default the last 24 hours. Raises RangeUnusable."""
    end = end or now
    start = start or end - timedelta(days=1)
    if start >= end:
        raise RangeUnusable("from", "must be before to")
    if end - start > MAX_RANGE:
        raise RangeUnusable("from", "is more than 90 days before to")
    if (end - floor(start, granularity)) / STEP[granularity] > MAX_POINTS:
        raise RangeUnusable("granularity", f"gives more than {MAX_POINTS} points in this range")
    return Window(start, end, granularity, group_by)


def series(metrics: Metrics, system: Metrics, report: Report, window: Window) -> list[Series]:
    """The lines of a report. `system` holds the probes, which are the platform's own.

    With group_by only the lines that know this grouping are given, one for each value.
    """
    found: list[Series] = []
    for line in LINES[report]:
        if line.kind == "probe":
            if window.group_by is None:
                found += _lines(system, line, window, "part")
        elif window.group_by is None:
            found += _lines(metrics, line, window, "all")
        elif window.group_by in LABELS[line.kind]:
            found += _lines(metrics, line, window, window.group_by)
    return found


def _lines(metrics: Metrics, line: _Line, window: Window, label: str) -> list[Series]:
    size = "minute" if window.granularity == "minute" else "hour"
    first = floor(window.start, window.granularity)
    by_value: dict[str, dict[datetime, Cell]] = {}
    for at, value, cell in metrics.cells(line.kind, size, label, first, window.end):
        points = by_value.setdefault(value, {})
        bucket = floor(at, window.granularity)
        points[bucket] = points.get(bucket, NOTHING).plus(cell)
    if line.part is not None:
        by_value = {"": by_value.get(line.part, {})}
    elif label == "all":
        by_value = by_value or {"": {}}
    starts = buckets(window.start, window.end, window.granularity)
    return [
        Series(
            line.name, line.unit, {} if label in ("all", "part") else {label: value},
            [(at, line.value(cells.get(at, NOTHING))) for at in starts],
            line.value(total_of(cells.values())),
        )
        for value, cells in sorted(by_value.items())
    ]  # fmt: skip


def as_dict(found: Totals) -> dict[str, dict[str, Number]]:
    """{application, workflows, ai_usage} as the contract names them."""
    requests, executions, ai = found.requests, found.executions, found.ai
    cost = round(ai.cost_nanos / _DOLLAR, 9)
    return {
        "application": {
            "total_requests": requests.count,
            "successful_requests": requests.ok,
            "failed_requests": requests.failed,
            "average_response_time": requests.average(_MILLI),
            "requests_per_minute": found.requests_per_minute,
        },
        "workflows": {
            "total_executions": executions.count,
            "successful_executions": executions.ok,
            "failed_executions": executions.failed,
            "average_execution_time": executions.average(_SECOND),
            "executions_last_hour": found.executions_last_hour,
        },
        "ai_usage": {
            "total_requests": ai.count,
            "total_cost": cost,
            "tokens_used": ai.tokens,
            "average_cost_per_request": round(cost / ai.count, 9) if ai.count else None,
        },
    }
