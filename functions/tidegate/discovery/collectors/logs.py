"""CloudWatch log groups, with what was written to them in 90 days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tidegate.discovery.collectors.base import (
    Collector,
    Draft,
    Page,
    Read,
    Reader,
    plain,
    read_tags,
)
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, Wanted, measure

DESCRIBE = Read("logs", "describe_log_groups", "logs:DescribeLogGroups")
TAGS = Read("logs", "list_tags_for_resource", "logs:ListTagsForResource")
_WRITTEN = Series("incoming_bytes", "AWS/Logs", "IncomingBytes", "Sum", 90)
_PAGE_SIZE = 50


class LogGroups(Collector):
    """logs:log-group."""

    service = "logs"
    types = ("logs:log-group",)
    reads = (DESCRIBE, TAGS, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of log groups."""
        answer = reader.call(DESCRIBE, limit=_PAGE_SIZE, nextToken=token)
        drafts = [_draft(reader, group) for group in answer.get("logGroups", [])]
        measure(reader, [Wanted(d, _WRITTEN, {"LogGroupName": str(d.name)}) for d in drafts])
        return reader.page([draft.found() for draft in drafts], answer.get("nextToken"))


def _draft(reader: Reader, group: dict[str, Any]) -> Draft:
    name = group["logGroupName"]
    draft = Draft(
        arn=reader.target.arn("logs", f"log-group:{name}"),
        type="logs:log-group",
        region=reader.target.region,
        name=name,
    )
    created = group.get("creationTime")
    if created is not None:
        draft.attributes["created_at"] = plain(datetime.fromtimestamp(created / 1000, UTC))
    draft.attributes["retention_days"] = group.get("retentionInDays")
    draft.attributes["log_class"] = group.get("logGroupClass", "STANDARD")
    if "storedBytes" in group:
        draft.measure("stored_bytes", group["storedBytes"])
    else:
        draft.measure("stored_bytes", None, known=False)
    read_tags(reader, draft, TAGS, lambda data: data.get("tags"), resourceArn=draft.arn)
    return draft
