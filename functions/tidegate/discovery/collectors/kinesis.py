"""Kinesis data streams, with traffic of 14 days (kinesis-oversharded)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import (
    Collector,
    Draft,
    Page,
    Read,
    Reader,
    each,
    pick,
)
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, HOUR, Series, measure_each

LIST = Read("kinesis", "list_streams", "kinesis:ListStreams")
DESCRIBE = Read("kinesis", "describe_stream_summary", "kinesis:DescribeStreamSummary")
TAGS = Read("kinesis", "list_tags_for_stream", "kinesis:ListTagsForStream")
_SERIES = (
    Series("incoming_bytes_hours", "AWS/Kinesis", "IncomingBytes", "Sum", 14, HOUR, "hours"),
    Series("incoming_records_hours", "AWS/Kinesis", "IncomingRecords", "Sum", 14, HOUR, "hours"),
    Series("read_bytes_hours", "AWS/Kinesis", "GetRecords.Bytes", "Sum", 14, HOUR, "hours"),
)
_PAGE_SIZE = 50


class KinesisStreams(Collector):
    """kinesis:stream."""

    service = "kinesis"
    types = ("kinesis:stream",)
    reads = (LIST, DESCRIBE, TAGS, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of streams; the token is the last name of the page before."""
        answer = reader.call(LIST, Limit=_PAGE_SIZE, ExclusiveStartStreamName=token)
        names: list[str] = answer.get("StreamNames", [])
        drafts = each(names, lambda name: _draft(reader, name))
        measure_each(reader, drafts, _SERIES, lambda draft: {"StreamName": str(draft.name)})
        more = names[-1] if names and answer.get("HasMoreStreams") else None
        return reader.page([draft.found() for draft in drafts], more)


def _draft(reader: Reader, name: str) -> Draft:
    draft = Draft(
        arn=reader.target.arn("kinesis", f"stream/{name}"),
        type="kinesis:stream",
        region=reader.target.region,
        name=name,
    )
    answer = reader.nested(DESCRIBE, StreamName=name)
    if answer.data is None:
        draft.unknown.update(("mode", "shards", "retention_hours", "created_at"))
    else:
        summary: dict[str, Any] = answer.data["StreamDescriptionSummary"]
        draft.state = summary.get("StreamStatus")
        draft.attributes.update(
            pick(
                summary,
                shards="OpenShardCount",
                retention_hours="RetentionPeriodHours",
                created_at="StreamCreationTimestamp",
                consumers="ConsumerCount",
            )
        )
        draft.attributes["mode"] = summary.get("StreamModeDetails", {}).get(
            "StreamMode", "PROVISIONED"
        )
    draft.take_tags(reader.nested(TAGS, StreamName=name), lambda data: data.get("Tags"))
    return draft
