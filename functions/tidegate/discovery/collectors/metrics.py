"""CloudWatch measurements of the resources of one page, by GetMetricData.

Limits of one call (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/
API_GetMetricData.html): 500 queries, 100,800 data points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from tidegate_kit.clock import iso

from tidegate.discovery.collectors.base import UNKNOWN, Answer, Draft, Read, Reader, Vanished

GET_METRIC_DATA = Read("cloudwatch", "get_metric_data", "cloudwatch:GetMetricData")
HOUR, DAY = 3600, 86400
_MAX_QUERIES = 500
_MAX_POINTS = 100_800
_MAX_ANSWERS = 50  # pages of one call: far above what the two limits allow


@dataclass(frozen=True)
class Series:
    """One measurement. `shape`: one number over all days, or the list of hourly values.

    One number: {"value": number or null, "datapoints": int, "days": int}; null where CloudWatch
    has no data point (for counters that is "nothing happened", for gauges "not measured").
    Hours: {"start": time, "period": 3600, "days": int, "values": [number or null]}, oldest first.
    """

    name: str
    namespace: str
    metric: str
    stat: Literal["Sum", "Maximum", "Average", "SampleCount"]
    days: int
    period: int = DAY
    shape: Literal["number", "hours"] = "number"

    @property
    def points(self) -> int:
        """Data points of one query."""
        return self.days * DAY // self.period + 1


@dataclass(frozen=True)
class Wanted:
    """One series of one resource."""

    draft: Draft
    series: Series
    dimensions: Mapping[str, str]


def measure(reader: Reader, wanted: Sequence[Wanted], *, region: str | None = None) -> None:
    """Fill the drafts' measurements; unknown where GetMetricData was denied or incomplete."""
    # The end is a full hour, so a page that is read again asks for the same values.
    end = reader.target.now.replace(minute=0, second=0, microsecond=0)
    for batch in _batches(wanted):
        _measure_batch(reader, batch, end, region)


def measure_each(
    reader: Reader,
    drafts: Iterable[Draft],
    series: Sequence[Series],
    dimensions: Callable[[Draft], Mapping[str, str]],
) -> None:
    """`measure` every series of every draft."""
    measure(reader, [Wanted(one, part, dimensions(one)) for one in drafts for part in series])


def _batches(wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    # One call has one start: series of equal length go together.
    for days in sorted({item.series.days for item in wanted}):
        batch: list[Wanted] = []
        points = 0
        for item in (one for one in wanted if one.series.days == days):
            if len(batch) == _MAX_QUERIES or points + item.series.points > _MAX_POINTS:
                yield batch
                batch, points = [], 0
            batch.append(item)
            points += item.series.points
        if batch:
            yield batch


def _measure_batch(reader: Reader, batch: list[Wanted], end: datetime, region: str | None) -> None:
    start = end - timedelta(days=batch[0].series.days)
    queries = [_query(f"q{number}", item) for number, item in enumerate(batch)]
    points: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
    complete = set(points)
    token: str | None = None
    for _ in range(_MAX_ANSWERS):
        answer = _answer(reader, queries, start, end, token, region)
        if not answer.known or answer.data is None:
            complete = set()
            break
        for result in answer.data.get("MetricDataResults", []):
            if result.get("StatusCode") in ("Forbidden", "InternalError"):
                complete.discard(result["Id"])
            values = zip(result.get("Timestamps", []), result.get("Values", []), strict=False)
            points.setdefault(result["Id"], {}).update(values)
        token = answer.data.get("NextToken")
        if not token:
            break
    else:
        complete = set()
    for number, item in enumerate(batch):
        key = f"q{number}"
        item.draft.measure(
            item.series.name,
            _reduced(item.series, points[key], start) if key in complete else None,
            known=key in complete,
        )


def _answer(
    reader: Reader,
    queries: list[dict[str, Any]],
    start: datetime,
    end: datetime,
    token: str | None,
    region: str | None,
) -> Answer:
    try:
        return reader.nested(
            GET_METRIC_DATA,
            region=region,
            MetricDataQueries=queries,
            StartTime=start,
            EndTime=end,
            NextToken=token,
        )
    except Vanished:
        return UNKNOWN  # "not found" here is not about the resources of the page


def _query(key: str, item: Wanted) -> dict[str, Any]:
    series = item.series
    return {
        "Id": key,
        "MetricStat": {
            "Metric": {
                "Namespace": series.namespace,
                "MetricName": series.metric,
                "Dimensions": [{"Name": n, "Value": v} for n, v in item.dimensions.items()],
            },
            "Period": series.period,
            "Stat": series.stat,
        },
        "ReturnData": True,
    }


def _reduced(series: Series, points: Mapping[datetime, float], start: datetime) -> dict[str, Any]:
    if series.shape == "hours":
        hours = series.days * DAY // series.period
        values: list[float | None] = [None] * hours
        for moment, value in points.items():
            index = int((moment - start).total_seconds()) // series.period
            if 0 <= index < hours:
                values[index] = round(value, 3)
        return {"start": iso(start), "period": series.period, "days": series.days, "values": values}
    return {
        "value": _total(series, list(points.values())),
        "datapoints": len(points),
        "days": series.days,
    }


def _total(series: Series, values: list[float]) -> float | None:
    if not values:
        return None
    if series.stat in ("Sum", "SampleCount"):
        return round(sum(values), 6)
    if series.stat == "Maximum":
        return round(max(values), 6)
    return round(sum(values) / len(values), 6)
