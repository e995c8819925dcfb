"""DynamoDB facts that moto does not know.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
and .../Constraints.html; tokens: .../APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from tests.fakes.strict_aws import dynamodb_schema as schema
from tests.fakes.strict_aws.call import OK, BaseRule, Call
from tests.fakes.strict_aws.identity import Clock

MAX_BATCH_WRITE, MAX_BATCH_GET = 25, 100
MAX_DIGITS, MAX_NESTING = 38, 32
MAX_TRANSACTION = 4 * 1024 * 1024
MAX_BATCH_BYTES = 16 * 1024 * 1024
TOKEN_LIFE = dt.timedelta(minutes=10)
_EXPRESSIONS = (
    "ConditionExpression",
    "UpdateExpression",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
)
_PLACEHOLDER = re.compile(r"[:#][\w]+")


def attribute_size(value: Mapping[str, Any]) -> int:
    """Bytes of one typed value (CapacityUnitCalculations in the developer guide)."""
    (kind, content), *_ = value.items()
    if kind in ("S", "B"):
        return len(content.encode() if isinstance(content, str) else bytes(content))
    if kind == "N":
        return len(content.strip("-").replace(".", "").strip("0")) // 2 + 2
    if kind in ("SS", "BS", "NS"):
        return sum(attribute_size({kind[0]: item}) for item in content)
    if kind == "L":
        return 3 + sum(1 + attribute_size(item) for item in content)
    if kind == "M":
        return 3 + sum(1 + len(k.encode()) + attribute_size(v) for k, v in content.items())
    return 1


def item_size(item: Mapping[str, Any]) -> int:
    """Bytes of a whole item: attribute names and values."""
    return sum(len(name.encode()) + attribute_size(value) for name, value in item.items())


def _bodies(call: Call) -> list[Mapping[str, Any]]:
    """The parts of a call that carry expressions of their own."""
    if call.operation in ("TransactWriteItems", "TransactGetItems"):
        items = call.params.get("TransactItems") or []
        return [body for item in items for body in item.values()]
    if call.operation == "BatchGetItem":
        return list((call.params.get("RequestItems") or {}).values())
    return [call.params]


class DynamoDb(BaseRule):
    """Refuses what the service refuses, replays tokens, and can let indexes lag."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._tokens: dict[tuple[str, str, str], tuple[str, dt.datetime, Any]] = {}
        self._stale: dict[tuple[str, str], Any] | None = None

    def before(self, call: Call) -> Mapping[str, Any] | None:
        """Validates the request; answers a replayed transaction."""
        if call.service != "dynamodb":
            return None
        try:
            self._batch(call)
            self._values(call, call.params, 0)
            self._placeholders(call)
            self._start_key(call)
            self._transaction_size(call)
        except (TypeError, AttributeError, KeyError):
            return None  # mistyped parameters: botocore's own validation names them
        if call.operation == "TransactWriteItems":
            return self._replay(call)
        return None

    def after(self, call: Call, response: Any) -> None:
        """Remembers the token of a transaction that succeeded."""
        if call.is_("dynamodb", "TransactWriteItems"):
            key = self._token_key(call)
            if key is not None and key not in self._tokens:
                self._tokens[key] = (_fingerprint(call), self.clock(), copy.deepcopy(response))

    # ------------------------------------------------------------ validation

    def _batch(self, call: Call) -> None:
        requests = call.params.get("RequestItems") or {}
        if call.operation == "BatchWriteItem":
            writes = [entry for entries in requests.values() for entry in entries]
            if len(writes) > MAX_BATCH_WRITE:
                raise call.validation_error("Too many items requested for the BatchWriteItem call")
            puts = [entry["PutRequest"]["Item"] for entry in writes if "PutRequest" in entry]
            if sum(map(item_size, puts)) > MAX_BATCH_BYTES:
                raise call.validation_error("The BatchWriteItem request exceeds 16 MB")
        if call.operation == "BatchGetItem":
            count = sum(len(entry.get("Keys") or []) for entry in requests.values())
            if count > MAX_BATCH_GET:
                raise call.validation_error("Too many items requested for the BatchGetItem call")

    def _values(self, call: Call, node: Any, depth: int) -> None:
        """Checks numbers and the nesting of every typed value in the request."""
        if depth > MAX_NESTING:
            raise call.validation_error(
                "Nesting Levels have exceeded supported limits: "
                "Attributes in the item have nested levels beyond supported limit"
            )
        if isinstance(node, list):
            for item in node:
                self._values(call, item, depth)
        elif isinstance(node, Mapping):
            for kind, content in node.items():
                if len(node) == 1 and kind == "N" and isinstance(content, str):
                    self._number(call, content)
                elif len(node) == 1 and kind == "NS" and isinstance(content, list):
                    for number in content:
                        self._number(call, number)
                else:
                    container = len(node) == 1 and (
                        (kind == "M" and isinstance(content, Mapping))
                        or (kind == "L" and isinstance(content, list))
                    )
                    self._values(call, content, depth + 1 if container else depth)

    def _number(self, call: Call, text: Any) -> None:
        try:
            number = Decimal(str(text))
        except InvalidOperation:
            return  # moto refuses what is not a number
        if not number.is_finite():
            raise call.validation_error(
                "The parameter cannot be converted to a numeric value: " + str(text)
            )
        digits = len("".join(map(str, number.as_tuple().digits)).strip("0"))
        if digits > MAX_DIGITS:
            raise call.validation_error(
                "Attempting to store more than 38 significant digits in a Number"
            )
        if number and not -130 <= number.adjusted() <= 125:
            large = number.adjusted() > 0
            raise call.validation_error(
                "Number overflow. Attempting to store a number with magnitude larger "
                "than supported range"
                if large
                else "Number underflow. Attempting to store a number with magnitude smaller "
                "than supported range"
            )

    def _placeholders(self, call: Call) -> None:
        for body in _bodies(call):
            used = set(_PLACEHOLDER.findall(" ".join(str(body.get(x) or "") for x in _EXPRESSIONS)))
            for name in ("ExpressionAttributeValues", "ExpressionAttributeNames"):
                unused = sorted(set(body.get(name) or {}) - used)
                if unused:
                    raise call.validation_error(
                        f"Value provided in {name} unused in expressions: "
                        f"keys: {{{', '.join(unused)}}}"
                    )

    def _start_key(self, call: Call) -> None:
        start = call.params.get("ExclusiveStartKey")
        if call.operation not in ("Query", "Scan") or start is None:
            return
        table = schema.find_table(call.account, call.region, call.params["TableName"])
        if table is None:
            return
        index = call.params.get("IndexName")
        types = schema.attribute_types(table)
        keys = schema.key_schema(table)
        expected = set(keys.values())
        if index is not None:
            keys = schema.key_schema(table, index)
            expected |= set(keys.values())
        good = set(start) == expected and all(
            isinstance(value, Mapping) and set(value) == {types[name]}
            for name, value in start.items()
        )
        if not good:
            raise call.validation_error(
                "The provided starting key is invalid: "
                "The provided key element does not match the schema"
            )
        if call.operation == "Query":
            bound = schema.query_partition(call.params, keys["HASH"])
            if bound is not None and start[keys["HASH"]] != bound:
                raise call.validation_error(
                    "The provided starting key is outside query boundaries "
                    "based on provided conditions"
                )

    def _transaction_size(self, call: Call) -> None:
        if call.operation != "TransactWriteItems":
            return
        size = 0
        for body in _bodies(call):
            values = body.get("ExpressionAttributeValues") or {}
            size += item_size(body.get("Item") or body.get("Key") or {}) + item_size(values)
        if size > MAX_TRANSACTION:
            raise call.validation_error(
                "The aggregate size of the items in the transaction exceeds 4 MB"
            )

    # ------------------------------------------------------- idempotent tokens

    def _token_key(self, call: Call) -> tuple[str, str, str] | None:
        token = call.params.get("ClientRequestToken")
        return None if token is None else (call.account, call.region, str(token))

    def _replay(self, call: Call) -> Mapping[str, Any] | None:
        key = self._token_key(call)
        if key is None or key not in self._tokens:
            return None
        fingerprint, when, response = self._tokens[key]
        if self.clock() - when >= TOKEN_LIFE:
            del self._tokens[key]
            return None
        if fingerprint != _fingerprint(call):
            raise call.error(
                "IdempotentParameterMismatchException",
                "The ClientRequestToken was used with other parameters in the last 10 minutes",
            )
        answer = copy.deepcopy(response)
        return answer if isinstance(answer, dict) else dict(OK)

    # -------------------------------------------------------------- index lag

    @contextlib.contextmanager
    def index_lag(self) -> Iterator[None]:
        """While it lasts, index reads see the tables as they were when it began."""
        self._stale = {
            (account, region): copy.deepcopy(dict(backend.tables))
            for account, regions in dynamodb_backends.items()
            for region, backend in regions.items()
        }
        try:
            yield
        finally:
            self._stale = None

    @contextlib.contextmanager
    def reading(self, call: Call) -> Iterator[None]:
        """Serves one call from the stale copy when it reads a lagging index."""
        stale = (self._stale or {}).get((call.account, call.region))
        if stale is None or call.service != "dynamodb" or not call.params.get("IndexName"):
            yield
            return
        backend = schema.backend(call.account, call.region)
        live = dict(backend.tables)
        try:
            backend.tables.update(stale)
            yield
        finally:
            backend.tables.update(live)


def _fingerprint(call: Call) -> str:
    # Return values and capacity reports may differ between the tries, the items may not.
    items = call.params.get("TransactItems")
    return json.dumps(items, sort_keys=True, default=repr)
