"""Cells, percentiles and series (contract 2.7, MON-4)."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from tidegate.monitoring import exposition
from tidegate.monitoring.domain import (
    LABELS,
    MAX_CLASS,
    NOTHING,
    Cell,
    Measurement,
    buckets,
    cell_of,
    class_of,
    floor,
    middle_of,
    total_of,
)
from tidegate.monitoring.errors import RangeUnusable
from tidegate.monitoring.service import reports
from tidegate.monitoring.service.sources import calls_in, execution_in

from tests.fakes.monitoring import MemoryMetrics

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def request(number: int, at: datetime = NOW, **changes: Any) -> Measurement:
    fields: dict[str, Any] = {
        "ok": number % 4 != 0, "micros": 1000 * (number + 1),
        "labels": {"route": f"GET /{number % 3}", "user": f"u{number % 2}"},
    }  # fmt: skip
    return Measurement(f"r{number}", "request", at, **{**fields, **changes})


@given(st.lists(st.integers(1, 10**8), min_size=1, max_size=80), st.sampled_from([0.5, 0.95, 0.99]))
@limits(max_examples=50)
def test_percentiles_are_within_nine_percent_of_the_exact_rank(
    durations: list[int], share: float
) -> None:
    cell = total_of(cell_of(request(n, micros=micros)) for n, micros in enumerate(durations))
    exact = sorted(durations)[max(1, math.ceil(share * len(durations))) - 1] / 1000
    told = cell.percentile(share)
    assert told is not None
    assert abs(told - exact) <= 0.0906 * exact + 0.001


def test_classes_rise_with_the_duration_and_end() -> None:
    classes = [class_of(micros) for micros in (0, 1, 2, 3, 1000, 10**6, 10**9, 10**15)]
    assert classes == sorted(classes)
    assert classes[0] == 0
    assert classes[-1] == MAX_CLASS
    assert middle_of(0) == 0


def test_sums_do_not_depend_on_order_or_grouping() -> None:
    cells = [cell_of(request(n)) for n in range(40)]
    whole = total_of(cells)
    random.Random(7).shuffle(cells)
    assert total_of([total_of(cells[:13]), total_of(cells[13:])]) == whole
    assert whole.count == whole.ok + whole.failed == 40


def test_the_average_is_null_of_nothing_and_has_three_decimals() -> None:
    assert NOTHING.average(1000) is None
    assert NOTHING.percentile(0.5) is None
    assert Cell(3, 0, 10_000).average(1000) == 3.333


def test_totals_are_successes_plus_failures_and_their_mean() -> None:
    metrics = MemoryMetrics()
    metrics.add([request(n, NOW - timedelta(minutes=n)) for n in range(20)], NOW)
    metrics.add([request(0)], NOW)
    told = reports.as_dict(reports.totals(metrics, NOW))
    assert told["application"] == {
        "total_requests": 20, "successful_requests": 15, "failed_requests": 5,
        "average_response_time": 10.5, "requests_per_minute": 1.0,
    }  # fmt: skip
    assert told["workflows"]["average_execution_time"] is None
    assert told["ai_usage"]["average_cost_per_request"] is None


@pytest.mark.parametrize("granularity", ["minute", "hour", "day"])
def test_a_series_holds_what_was_counted_once(granularity: Any) -> None:
    metrics = MemoryMetrics()
    metrics.add([request(n, NOW - timedelta(minutes=17 * n)) for n in range(60)], NOW)
    window = reports.window_of(NOW - timedelta(days=1), NOW, granularity, None, NOW)
    (requests, *_) = reports.series(metrics, metrics, "usage", window)
    assert len(requests.points) == len(buckets(window.start, window.end, granularity))
    assert sum(value or 0 for _, value in requests.points) == requests.total
    grouped = reports.window_of(window.start, NOW, granularity, "route", NOW)
    by_route = reports.series(metrics, metrics, "usage", grouped)
    assert {one.labels["route"] for one in by_route} == {"GET /0", "GET /1", "GET /2"}
    assert sum(one.total or 0 for one in by_route) == requests.total


def test_a_bucket_without_requests_counts_zero_and_has_no_percentile() -> None:
    metrics = MemoryMetrics()
    window = reports.window_of(None, None, "hour", None, NOW)
    by_name = {one.name: one for one in reports.series(metrics, metrics, "performance", window)}
    assert {value for _, value in by_name["p99"].points} == {None}
    assert {value for _, value in by_name["error_rate"].points} == {None}
    (requests, *_) = reports.series(metrics, metrics, "usage", window)
    assert {value for _, value in requests.points} == {0}


@pytest.mark.parametrize(
    ("start", "end", "granularity", "field"),
    [
        (NOW, NOW, "hour", "from"),
        (NOW, NOW - timedelta(1), "hour", "from"),
        (NOW - timedelta(days=90, seconds=1), NOW, "day", "from"),
        (NOW - timedelta(minutes=1501), NOW, "minute", "granularity"),
        (NOW - timedelta(hours=1501), NOW, "hour", "granularity"),
    ],
)
def test_ranges_are_limited(start: datetime, end: datetime, granularity: Any, field: str) -> None:
    with pytest.raises(RangeUnusable) as refused:
        reports.window_of(start, end, granularity, None, NOW)
    assert refused.value.details[0].field == field


def test_ninety_days_and_fifteen_hundred_points_are_allowed() -> None:
    assert reports.window_of(NOW - timedelta(days=90), NOW, "day", None, NOW).end == NOW
    whole = floor(NOW, "minute")
    window = reports.window_of(whole - timedelta(minutes=1500), whole, "minute", None, NOW)
    assert len(buckets(window.start, window.end, "minute")) == 1500


def test_the_scrape_is_valid_text_exposition() -> None:
    metrics = MemoryMetrics()
    metrics.add([request(n) for n in range(5)], NOW)
    scraped = exposition.text(
        reports.totals(metrics, NOW), {"uptime": 1.5}, {"version": 'a"b\\c\nd'}
    )
    assert 'tidegate_requests_total{outcome="success"} 3\n' in scraped
    assert 'tidegate_requests_total{outcome="failure"} 2\n' in scraped
    assert 'tidegate_info{version="a\\"b\\\\c\\nd"} 1\n' in scraped
    assert scraped.endswith("\n")
    names = [line.split()[2] for line in scraped.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    for line in scraped.splitlines():
        assert line.startswith(("# HELP tidegate_", "# TYPE tidegate_", "tidegate_"))


def line(**changes: Any) -> dict[str, Any]:
    record = {
        "message": "call", "timestamp": "2026-03-04T05:06:07.000+00:00", "route": "GET /x",
        "status": 200, "Latency": 12.5, "tenant_id": "t", "user_id": "u",
    }  # fmt: skip
    return {"id": "e1", "message": json.dumps({**record, **changes})}


def test_only_readable_lines_of_calls_are_counted() -> None:
    events = [
        line(), {**line(status=404, tenant_id=None, user_id=None), "id": "e2"},
        {"id": "e3", "message": "START RequestId: 1"}, {"id": "e4", "message": "[1]"},
        {"id": "e5", "message": '{"message": "other"}'},
        {**line(status="many"), "id": "e6"}, {"id": "e7", "message": '{"message":"call"}'},
    ]  # fmt: skip
    (tenant, first), (nobody, second) = calls_in(events)
    assert (tenant, nobody) == ("t", None)
    assert (first.ok, first.micros, dict(first.labels)) == (
        True,
        12_500,
        {"route": "GET /x", "user": "u"},
    )
    assert (second.ok, dict(second.labels)) == (False, {"route": "GET /x"})


@pytest.mark.parametrize(
    ("kind", "ok"),
    [("completed", True), ("failed", False), ("cancelled", False), ("timed_out", False)],
)
def test_an_execution_is_counted_at_its_end(kind: str, ok: bool) -> None:
    event = {
        "detail-type": f"workflow.execution.{kind}",
        "detail": {
            "id": "1", "tenant_id": "t", "occurred_at": "2026-03-04T05:06:08Z",
            "data": {
                "execution_id": "x", "workflow_id": "w",
                "started_at": "2026-03-04T05:06:06.500Z", "completed_at": "2026-03-04T05:06:08Z",
            },
        },
    }  # fmt: skip
    found = execution_in(event)
    assert found is not None
    tenant, one = found
    assert (tenant, one.id, one.ok, one.micros) == ("t", "x", ok, 1_500_000)
    assert execution_in({**event, "detail-type": "workflow.execution.started"}) is None


def test_every_label_of_the_contract_belongs_to_a_kind() -> None:
    told = {label for labels in LABELS.values() for label in labels} - {"part"}
    assert told == {"route", "user", "workflow", "account", "model"}
