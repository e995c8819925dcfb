"""The tables of the deployment, seen from outside: identity, and rows of one owner.

Global: nothing here belongs to a tenant's requests; erasing reads whole tables, which no request
may do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException
from tidegate_kit.dynamo import current_store, scoped_store
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope, UserScope

_BATCH = 25
_TRIES = 8


class GlobalTables:
    """Tables on DynamoDB."""

    def names(self) -> list[str]:
        """Every table of this deployment, by logical name."""
        prefix = f"{current_store().prefix}-"
        found: list[str] = []
        start: dict[str, Any] = {}
        while True:
            answer = _call("ListTables", {**start})
            names = [str(name) for name in answer["TableNames"]]
            found += [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
            if "LastEvaluatedTableName" not in answer:
                return found
            start = {"ExclusiveStartTableName": answer["LastEvaluatedTableName"]}

    def arn_of(self, logical: str) -> str:
        """The ARN of a table. Raises ServiceUnavailable."""
        name = current_store().table_name(logical)
        return str(_call("DescribeTable", {"TableName": name})["Table"]["TableArn"])

    def stage_of(self, logical: str) -> str | None:
        """The stage in the table's health marker; None where it has none."""
        key = {"pk": {"S": "HEALTH"}, "sk": {"S": "MARKER"}}
        name = current_store().table_name(logical)
        found = _call("GetItem", {"TableName": name, "Key": key, "ConsistentRead": True})
        stage: str | None = found.get("Item", {}).get("stage", {}).get("S")
        return stage

    def erase_tenant(self, logical: str, scope: TenantScope, keep: frozenset[str]) -> int:
        """Delete every row of a tenant, and every global row that names it; how many.

        `keep`: sort keys of rows to leave for later.
        """
        values = {":pk": {"S": scope.pk}, ":id": {"S": scope.tenant_id}}
        found = "begins_with(pk, :pk) OR tenant_id = :id"
        return self._erase(logical, found, values, keep)

    def erase_user(self, logical: str, scope: UserScope) -> int:
        """Delete every private row of a user; how many."""
        values = {":pk": {"S": scope.pk}}
        name = current_store().table_name(logical)
        request = {
            "TableName": name, "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": values, "ProjectionExpression": "pk, sk",
            "ConsistentRead": True,
        }  # fmt: skip
        return self._delete(name, _pages("Query", request), frozenset())

    def erase_sessions(self, scope: UserScope) -> int:
        """Delete a removed user's sessions; how many."""
        name = current_store().table_name("identity")
        request = {
            "TableName": name,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
            "ExpressionAttributeValues": {
                ":pk": {"S": scope.tenant.pk}, ":sk": {"S": f"USER#{scope.user_id}#"},
            },
            "ProjectionExpression": "pk, sk", "ConsistentRead": True,
        }  # fmt: skip
        return self._delete(name, _pages("Query", request), frozenset())

    def _erase(self, logical: str, found: str, values: dict[str, Any], keep: frozenset[str]) -> int:
        name = current_store().table_name(logical)
        request = {
            "TableName": name, "FilterExpression": found, "ExpressionAttributeValues": values,
            "ProjectionExpression": "pk, sk", "ConsistentRead": True,
        }  # fmt: skip
        return self._delete(name, _pages("Scan", request), keep)

    def _delete(self, name: str, rows: Iterator[dict[str, Any]], keep: frozenset[str]) -> int:
        count, batch = 0, []
        for row in rows:
            if row["sk"]["S"] in keep:
                continue
            batch.append({"DeleteRequest": {"Key": {"pk": row["pk"], "sk": row["sk"]}}})
            if len(batch) == _BATCH:
                _write(name, batch)
                count, batch = count + len(batch), []
        if batch:
            _write(name, batch)
        return count + len(batch)


def _call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        with scoped_store(None):
            answer: dict[str, Any] = current_store().connection.dispatch(operation, request)
    except (ClientError, BotoCoreError, PynamoDBException) as error:
        raise ServiceUnavailable(log=f"{operation}: {error}") from error
    return answer


def _pages(operation: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    start: dict[str, Any] = {}
    while True:
        answer = _call(operation, {**request, **start})
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _write(name: str, batch: list[dict[str, Any]]) -> None:
    pending: list[dict[str, Any]] = batch
    for _ in range(_TRIES):
        answer = _call("BatchWriteItem", {"RequestItems": {name: pending}})
        pending = answer.get("UnprocessedItems", {}).get(name, [])
        if not pending:
            return
    raise ServiceUnavailable(log=f"{len(pending)} deletes stayed unprocessed")
