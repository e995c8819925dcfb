"""Creates the platform's DynamoDB tables from ``template.yaml``.

The test tables are the deployed tables: keys, indexes, TTL, streams and point-in-time
recovery are read from the template, so schema and tests cannot drift.

    specs = load_tables(ROOT / "template.yaml", {"TablePrefix": "test"})
    create_tables(boto3.client("dynamodb"), specs)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.cloudformation import Resolver, TemplateError, load_template

_COPIED = (
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "Tags",
    "TableClass",
    "DeletionProtectionEnabled",
)


@dataclass(frozen=True)
class TableSpec:
    """One table: what ``CreateTable`` takes, and what is switched on afterwards."""

    logical_id: str
    create: Mapping[str, Any]
    ttl_attribute: str | None = None
    point_in_time_recovery: bool = False

    @property
    def name(self) -> str:
        """The table's resolved name."""
        return str(self.create["TableName"])

    @property
    def partition_key(self) -> str:
        """The attribute that is the partition key of the base table."""
        return next(
            str(key["AttributeName"])
            for key in self.create["KeySchema"]
            if key["KeyType"] == "HASH"
        )


def _int_throughput(value: Mapping[str, Any]) -> dict[str, int]:
    return {key: int(amount) for key, amount in value.items()}


def table_spec(logical_id: str, properties: Mapping[str, Any]) -> TableSpec:
    """Translates resolved ``AWS::DynamoDB::Table`` properties to API parameters."""
    if "TableName" not in properties:
        raise TemplateError(f"table {logical_id} has no TableName: tests need a stable name")
    create: dict[str, Any] = {key: properties[key] for key in _COPIED if key in properties}
    create.setdefault("BillingMode", "PROVISIONED")
    if "ProvisionedThroughput" in properties:
        create["ProvisionedThroughput"] = _int_throughput(properties["ProvisionedThroughput"])
    if "GlobalSecondaryIndexes" in create:
        create["GlobalSecondaryIndexes"] = [
            {
                key: _int_throughput(value) if key == "ProvisionedThroughput" else value
                for key, value in index.items()
                if key in ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")
            }
            for index in create["GlobalSecondaryIndexes"]
        ]
    stream = properties.get("StreamSpecification") or {}
    if "StreamViewType" in stream:
        create["StreamSpecification"] = {
            "StreamEnabled": True,
            "StreamViewType": stream["StreamViewType"],
        }
    encryption = properties.get("SSESpecification") or {}
    if encryption.get("SSEEnabled"):
        create["SSESpecification"] = {
            "Enabled": True,
            **{key: encryption[key] for key in ("SSEType", "KMSMasterKeyId") if key in encryption},
        }
    ttl = properties.get("TimeToLiveSpecification") or {}
    recovery = properties.get("PointInTimeRecoverySpecification") or {}
    return TableSpec(
        logical_id=logical_id,
        create=create,
        ttl_attribute=str(ttl["AttributeName"]) if ttl.get("Enabled") else None,
        point_in_time_recovery=bool(recovery.get("PointInTimeRecoveryEnabled")),
    )


def load_tables(
    template: Path | Mapping[str, Any],
    parameters: Mapping[str, str] | None = None,
    **pseudo: Any,
) -> list[TableSpec]:
    """Every DynamoDB table of the template, names resolved with ``parameters``.

    ``pseudo`` is passed to :class:`Resolver` (``region``, ``account_id``, ``attributes``).
    """
    document = load_template(template) if isinstance(template, Path) else template
    resolver = Resolver(document, parameters, **pseudo)
    tables = resolver.resources("AWS::DynamoDB::Table")
    specs = [table_spec(logical_id, properties) for logical_id, properties in tables.items()]
    names = [spec.name for spec in specs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TemplateError(f"two tables share a name: {', '.join(twice)}")
    return specs


def create_tables(client: Any, specs: Iterable[TableSpec]) -> dict[str, str]:
    """Creates the tables at the client's endpoint; returns logical id -> table name."""
    created: dict[str, str] = {}
    for spec in specs:
        client.create_table(**spec.create)
        if spec.ttl_attribute:
            client.update_time_to_live(
                TableName=spec.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": spec.ttl_attribute},
            )
        if spec.point_in_time_recovery:
            client.update_continuous_backups(
                TableName=spec.name,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
        created[spec.logical_id] = spec.name
    return created


def dump_tables(client: Any, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Every item of every table, in a stable order: compare before and after a refusal."""
    dump: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        items: list[dict[str, Any]] = []
        for page in client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
            items.extend(page["Items"])
        dump[name] = sorted(items, key=lambda item: repr(sorted(item.items())))
    return dump


def empty_tables(client: Any, specs: Iterable[TableSpec]) -> None:
    """Deletes every item, so that one set of tables serves many cases."""
    for spec in specs:
        keys = [str(key["AttributeName"]) for key in spec.create["KeySchema"]]
        for item in dump_tables(client, [spec.name])[spec.name]:
            client.delete_item(TableName=spec.name, Key={key: item[key] for key in keys})
