"""DynamoDB tables, with consumed capacity of 14 days (dynamodb-overprovisioned)."""

from __future__ import annotations

from collections.abc import Mapping
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

LIST = Read("dynamodb", "list_tables", "dynamodb:ListTables")
DESCRIBE = Read("dynamodb", "describe_table", "dynamodb:DescribeTable")
TAGS = Read("dynamodb", "list_tags_of_resource", "dynamodb:ListTagsOfResource")
_READ = Series(
    "consumed_read_hours", "AWS/DynamoDB", "ConsumedReadCapacityUnits", "Sum", 14, HOUR, "hours"
)
_WRITE = Series(
    "consumed_write_hours", "AWS/DynamoDB", "ConsumedWriteCapacityUnits", "Sum", 14, HOUR, "hours"
)
_PAGE_SIZE = 50


class DynamoDbTables(Collector):
    """dynamodb:table."""

    service = "dynamodb"
    types = ("dynamodb:table",)
    reads = (LIST, DESCRIBE, TAGS, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of tables."""
        answer = reader.call(LIST, Limit=_PAGE_SIZE, ExclusiveStartTableName=token)
        drafts = each(answer.get("TableNames", []), lambda name: _draft(reader, name))
        provisioned = [
            draft for draft in drafts if draft.attributes.get("billing_mode") == "PROVISIONED"
        ]
        measure_each(
            reader, provisioned, (_READ, _WRITE), lambda draft: {"TableName": str(draft.name)}
        )
        return reader.page(
            [draft.found() for draft in drafts], answer.get("LastEvaluatedTableName")
        )


def _draft(reader: Reader, name: str) -> Draft:
    draft = Draft(
        arn=reader.target.arn("dynamodb", f"table/{name}"),
        type="dynamodb:table",
        region=reader.target.region,
        name=name,
    )
    answer = reader.nested(DESCRIBE, TableName=name)
    if answer.data is None:
        draft.unknown.update(("billing_mode", "provisioned", "indexes", "created_at"))
        draft.unknown.update(("metrics.bytes", "metrics.items"))
        draft.unknown.update((f"metrics.{_READ.name}", f"metrics.{_WRITE.name}"))
    else:
        _describe(draft, answer.data["Table"])
    draft.take_tags(reader.nested(TAGS, ResourceArn=draft.arn), lambda data: data.get("Tags"))
    return draft


def _describe(draft: Draft, table: Mapping[str, Any]) -> None:
    draft.state = table.get("TableStatus")
    # Tables that were never switched have no summary: they are provisioned.
    mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    draft.attributes.update(pick(table, created_at="CreationDateTime"))
    draft.attributes["billing_mode"] = mode
    draft.attributes["table_class"] = table.get("TableClassSummary", {}).get(
        "TableClass", "STANDARD"
    )
    draft.attributes["provisioned"] = _throughput(table)
    draft.attributes["indexes"] = [
        {"name": index.get("IndexName"), "provisioned": _throughput(index)}
        for index in table.get("GlobalSecondaryIndexes", [])
    ]
    draft.measure("bytes", table.get("TableSizeBytes"), known="TableSizeBytes" in table)
    draft.measure("items", table.get("ItemCount"), known="ItemCount" in table)


def _throughput(described: Mapping[str, Any]) -> dict[str, Any]:
    return pick(
        described.get("ProvisionedThroughput", {}),
        read_units="ReadCapacityUnits",
        write_units="WriteCapacityUnits",
    )
