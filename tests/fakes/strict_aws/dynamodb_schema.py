"""Reads key schemas and condition expressions of moto's DynamoDB tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.dynamodb.models import dynamodb_backends


def backend(account: str, region: str) -> Any:
    """moto's DynamoDB backend of one account and region."""
    return dynamodb_backends[account][region]


def table_name(name_or_arn: str) -> str:
    """The bare name of a table given by name or ARN."""
    return name_or_arn.split(":table/", 1)[-1].split("/", 1)[0]


def find_table(account: str, region: str, name: str) -> Any | None:
    """moto's table object, or None when there is no such table."""
    return backend(account, region).tables.get(table_name(name))


def key_schema(table: Any, index: str | None = None) -> dict[str, str]:
    """Key kind (``HASH``, ``RANGE``) -> attribute name, of the table or an index."""
    schema = table.schema
    if index is not None:
        every = [*table.indexes, *table.global_indexes]
        schema = next((item.schema for item in every if item.name == index), [])
    return {item["KeyType"]: item["AttributeName"] for item in schema}


def attribute_types(table: Any) -> dict[str, str]:
    """Attribute name -> ``S``, ``N`` or ``B`` for every key attribute."""
    return {item["AttributeName"]: item["AttributeType"] for item in table.attr}


def scalar(value: Any) -> str | None:
    """The text of a typed key value (``{"S": "x"}``)."""
    if isinstance(value, Mapping) and len(value) == 1:
        content = next(iter(value.values()))
        return content.decode("latin-1") if isinstance(content, bytes) else str(content)
    return None


def query_partition(params: Mapping[str, Any], attribute: str) -> Any | None:
    """The typed value that a Query binds to the partition key, or None."""
    legacy = params.get("KeyConditions", {}).get(attribute)
    if legacy:
        return (legacy.get("AttributeValueList") or [None])[0]
    names: Mapping[str, str] = params.get("ExpressionAttributeNames") or {}
    spellings = [attribute, *(alias for alias, name in names.items() if name == attribute)]
    expression = str(params.get("KeyConditionExpression", ""))
    for spelling in spellings:
        pattern = rf"(?<![\w#.]){re.escape(spelling)}\s*=\s*(:\w+)"
        match = re.search(pattern, expression)
        if match:
            return (params.get("ExpressionAttributeValues") or {}).get(match.group(1))
    return None
