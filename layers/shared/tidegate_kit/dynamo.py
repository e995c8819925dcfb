"""PynamoDB base: table names, one shared client, transactions, batch reads, encrypted cursors.

Repositories are the only callers outside this package (design section 4.5).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self, TypeVar

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.connection import Connection, TableConnection
from pynamodb.connection.base import MetaTable
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from tidegate_kit.dynamo_answers import read_items_directly
from tidegate_kit.errors import ApiError, PayloadTooLarge, ServiceUnavailable

M = TypeVar("M", bound=Model)
R = TypeVar("R")

_CONDITION = "ConditionalCheckFailed"
_TOO_LARGE = "exceeded the maximum allowed size"
_CONFLICT = {
    "TransactionConflict",
    "TransactionInProgressException",
    "TransactionConflictException",
}
_ATTEMPTS = 6
_BATCH = 25  # writes of one BatchWriteItem
_WRITE_CHUNK = 25  # DynamoDB's limit for one BatchWriteItem
POOL_CONNECTIONS = 20


# Every table has this layout (template.yaml); several models share one table.
_LAYOUT: dict[str, Any] = {
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gsi1pk", "gsi1sk")
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "gsi1",
            "KeySchema": [
                {"AttributeName": "gsi1pk", "KeyType": "HASH"},
                {"AttributeName": "gsi1sk", "KeyType": "RANGE"},
            ],
        }
    ],
    "LocalSecondaryIndexes": [],
}


class ConditionFailed(Exception):
    """A conditional write lost. `names` holds the names given to the failing transaction items."""

    def __init__(self, names: frozenset[str] = frozenset()) -> None:
        self.names = names
        super().__init__(f"condition failed: {sorted(names)}")


class Store:
    """Connections to the tables of one deployment: names are `<prefix>-<logical name>`."""

    def __init__(
        self,
        prefix: str,
        region: str,
        *,
        credentials: tuple[str, str, str] | None = None,
        patient: bool = True,
    ) -> None:
        """`patient` False: short time-outs and one retry, to probe a store that may be down."""
        access, secret, token = credentials or (None, None, None)
        self.prefix = prefix
        self.region = region
        self._credentials = credentials
        self._sibling: Store | None = None
        self.connection = Connection(
            region=region,
            connect_timeout_seconds=2 if patient else 1,
            read_timeout_seconds=5 if patient else 2,
            max_retry_attempts=4 if patient else 1,
            max_pool_connections=POOL_CONNECTIONS,
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )
        read_items_directly(self.connection.session)
        self._tables: dict[type[Model], TableConnection] = {}
        self._adding = threading.Lock()  # a local server answers in several threads

    def impatient(self) -> Store:
        """The same store through a client that gives up within seconds."""
        if self._sibling is None:
            self._sibling = Store(
                self.prefix, self.region, credentials=self._credentials, patient=False
            )
        return self._sibling

    def pool(self) -> tuple[int, int]:
        """(connections in use, connections kept open) of the client's pool; at most 20 together."""
        # botocore offers no public view of urllib3's pools; the versions are pinned.
        session: Any = self.connection.client._endpoint.http_session
        pools = session._manager.pools
        active = idle = 0
        for name in pools.keys():  # noqa: SIM118 - not a mapping
            queue = pools[name].pool
            idle += sum(entry is not None for entry in queue.queue)
            active += queue.maxsize - queue.qsize()
        return active, idle

    def table_name(self, logical: str) -> str:
        """The physical name of a table."""
        return f"{self.prefix}-{logical}"

    def table(self, model: type[Table]) -> TableConnection:
        """The connection of a model's table; every model shares one client."""
        found = self._tables.get(model)
        if found is not None:
            return found
        with self._adding:
            name = self.table_name(model.Meta.table_name)
            if name not in self.connection._tables:
                self.connection.add_meta_table(MetaTable({"TableName": name, **_LAYOUT}))
            table = TableConnection(name, region=self.region)
            table.connection = self.connection
            self._tables[model] = table
        return self._tables[model]


_platform_store: Store | None = None
_scoped_store: ContextVar[Store | None] = ContextVar("tidegate_scoped_store", default=None)


def configure_store(store: Store | None) -> None:
    """Set the process's store; called once at cold start and by test fixtures."""
    global _platform_store
    _platform_store = store


def current_store() -> Store:
    """The tenant-scoped store inside `scoped_store`, else the platform's own."""
    store = _scoped_store.get() or _platform_store
    if store is None:
        raise RuntimeError("no store configured: call configure_store() at cold start")
    return store


@contextmanager
def scoped_store(store: Store | None) -> Iterator[None]:
    """Reach tables with tenant-scoped credentials inside the block (design section 4.5).

    None gives the platform's own store back, for global items and transactions that hold one.
    """
    token = _scoped_store.set(store)
    try:
        yield
    finally:
        _scoped_store.reset(token)


class Table(Model):
    """Base model: keys, version and times of every item.

    A domain derives one base on its table (`Meta.table_name`, the logical name), and its models
    from that one: PynamoDB inherits attributes and Meta.
    """

    class Meta:
        table_name = "abstract"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    schema_version = NumberAttribute(default=1)
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()

    @classmethod
    def _get_connection(cls) -> TableConnection:
        return current_store().table(cls)

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """An instance of a stored item, upgraded first (H27)."""
        return super().from_raw_data(cls.upgrade(data))

    @classmethod
    def upgrade(cls, data: dict[str, Any]) -> dict[str, Any]:
        """A stored item of an earlier schema version as one of today's; override where they differ.

        `data` is in DynamoDB's own form ({"name": {"S": "x"}}) and must not be changed.
        """
        return data


def _response_code(error: PynamoDBException) -> str | None:
    # A broken connection has no answer, where PynamoDB's own property would raise.
    answer = getattr(error.cause, "response", None) or {}
    code: str | None = answer.get("Error", {}).get("Code")
    return code


@contextmanager
def store_errors() -> Iterator[None]:
    """Map PynamoDB errors (H3, H11).

    A lost condition -> ConditionFailed, an item above 400 KB -> 413 (D7), all else -> 503.
    """
    try:
        yield
    except PynamoDBException as error:
        if _response_code(error) == "ConditionalCheckFailedException":
            raise ConditionFailed from error
        raise _unwritten(error) from error


def _unwritten(error: PynamoDBException) -> ApiError:
    text = str(error)
    reasons = error.cancellation_reasons if isinstance(error, TransactWriteError) else []
    told = [text, str(error.cause), *(str(reason.message) for reason in reasons if reason)]
    if any(_TOO_LARGE in one for one in told):
        return PayloadTooLarge("What is to be stored is larger than 400 KB.", log=text)
    return ServiceUnavailable(log=text)


class Transaction:
    """Collects writes of several items and commits them all or none.

    Each write has a `name`; `ConditionFailed.names` says which conditions lost. Conflicts with
    concurrent transactions are retried with jitter, a bounded number of times (H3), under one
    client request token, so an answer lost on the way does not apply the writes twice.
    """

    def __init__(self, token: str | None = None, pause: Callable[[float], None] = time.sleep):
        self._token = token
        self._pause = pause
        self._steps: list[tuple[str, Callable[[TransactWrite], None]]] = []
        self._order: dict[str, list[str]] = {"check": [], "delete": [], "put": [], "update": []}

    def __len__(self) -> int:
        return len(self._steps)

    def _add(self, kind: str, name: str, step: Callable[[TransactWrite], None]) -> None:
        self._steps.append((name, step))
        self._order[kind].append(name)

    def save(self, model: Model, condition: Condition | None = None, *, name: str = "") -> None:
        """Put an item."""
        self._add("put", name, lambda tx: tx.save(model, condition=condition))

    def update(
        self,
        model: Model,
        actions: Sequence[Action],
        condition: Condition | None = None,
        *,
        name: str = "",
    ) -> None:
        """Update an item."""
        self._add(
            "update", name, lambda tx: tx.update(model, actions=list(actions), condition=condition)
        )

    def delete(self, model: Model, condition: Condition | None = None, *, name: str = "") -> None:
        """Delete an item."""
        self._add("delete", name, lambda tx: tx.delete(model, condition=condition))

    def check(
        self,
        model: type[Model],
        pk: str,
        sk: str,
        condition: Condition,
        *,
        name: str = "",
    ) -> None:
        """Require a condition on an item that is not written."""
        self._add("check", name, lambda tx: tx.condition_check(model, pk, sk, condition=condition))

    def commit(self) -> None:
        """Write. Raises ConditionFailed, or ServiceUnavailable when conflicts do not end."""
        for attempt in range(_ATTEMPTS):
            try:
                with TransactWrite(
                    connection=current_store().connection, client_request_token=self._token
                ) as tx:
                    for _, step in self._steps:
                        step(tx)
                return
            except TransactWriteError as error:
                names = self._lost(error)
                if names is not None:
                    raise ConditionFailed(names) from error
                if not self._conflicted(error) or attempt == _ATTEMPTS - 1:
                    raise _unwritten(error) from error
                self._pause(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
            except PynamoDBException as error:
                raise _unwritten(error) from error

    def _lost(self, error: TransactWriteError) -> frozenset[str] | None:
        # PynamoDB sends checks, deletes, puts, updates in this order, and reasons come in it.
        order = [
            name for kind in ("check", "delete", "put", "update") for name in self._order[kind]
        ]
        reasons = list(error.cancellation_reasons)
        lost = {
            name
            for name, reason in zip(order, reasons, strict=False)
            if reason is not None and reason.code == _CONDITION
        }
        return frozenset(lost) if lost else None

    @staticmethod
    def _conflicted(error: TransactWriteError) -> bool:
        codes = {reason.code for reason in error.cancellation_reasons if reason is not None}
        return bool(codes & _CONFLICT) or _response_code(error) in _CONFLICT


def batch_get(
    wanted: Sequence[tuple[type[M], str, str]],
    *,
    consistent: bool = True,
    pause: Callable[[float], None] = time.sleep,
) -> list[M | None]:
    """Read up to 100 items of one table in one call, in the order asked; None where absent.

    Keys that the service leaves unprocessed are asked again with back-off and end in 503, never
    in "absent" (H5).
    """
    if not wanted:
        return []
    store = current_store()
    table = store.table(wanted[0][0])  # type: ignore[arg-type]
    pending = [{"pk": {"S": pk}, "sk": {"S": sk}} for _, pk, sk in wanted]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for attempt in range(_ATTEMPTS):
        request = {
            "RequestItems": {table.table_name: {"Keys": pending, "ConsistentRead": consistent}}
        }
        try:
            answer = store.connection.dispatch("BatchGetItem", request)
        except PynamoDBException as error:
            raise ServiceUnavailable(log=str(error)) from error
        except Exception as error:
            raise ServiceUnavailable(log=repr(error)) from error
        for item in answer.get("Responses", {}).get(table.table_name, []):
            found[(item["pk"]["S"], item["sk"]["S"])] = item
        pending = answer.get("UnprocessedKeys", {}).get(table.table_name, {}).get("Keys", [])
        if not pending:
            break
        pause(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
    if pending:
        raise ServiceUnavailable(log=f"{len(pending)} keys stayed unprocessed")
    return [
        model.from_raw_data(found[(pk, sk)]) if (pk, sk) in found else None
        for model, pk, sk in wanted
    ]


def batch_write(
    puts: Sequence[Model] = (),
    deletes: Sequence[Model] = (),
    *,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Put and delete any number of items of one table, 25 a call, unconditionally.

    What the service leaves unprocessed is sent again with back-off; what stays unprocessed ends in
    ServiceUnavailable (H4). Not atomic: a caller that is killed repeats the whole batch.
    """
    first = next(iter((*puts, *deletes)), None)
    if first is None:
        return
    store = current_store()
    table = store.table(type(first))  # type: ignore[arg-type]
    requests = [{"PutRequest": {"Item": model.serialize(null_check=True)}} for model in puts]
    requests += [{"DeleteRequest": {"Key": _key_of(model)}} for model in deletes]
    for start in range(0, len(requests), _WRITE_CHUNK):
        _write_chunk(store, table.table_name, requests[start : start + _WRITE_CHUNK], pause)


def _key_of(model: Model) -> dict[str, Any]:
    data = model.serialize(null_check=False)
    return {"pk": data["pk"], "sk": data["sk"]}


def _write_chunk(
    store: Store,
    table_name: str,
    pending: list[dict[str, Any]],
    pause: Callable[[float], None],
) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            answer = store.connection.dispatch(
                "BatchWriteItem", {"RequestItems": {table_name: pending}}
            )
        except Exception as error:
            raise ServiceUnavailable(log=repr(error)) from error
        pending = answer.get("UnprocessedItems", {}).get(table_name, [])
        if not pending:
            return
        pause(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
    raise ServiceUnavailable(log=f"{len(pending)} writes stayed unprocessed")


def _unprocessed(answer: dict[str, Any], table: str) -> list[dict[str, Any]]:
    left: list[dict[str, Any]] = answer.get("UnprocessedItems", {}).get(table, [])
    return left


def batch_delete(
    model: type[Model],
    keys: Sequence[tuple[str, str]],
    *,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Delete items by (pk, sk), 25 in a call; returns how many.

    What the service leaves unprocessed is sent again with back-off and ends in 503, never in
    "deleted" (H4).
    """
    store = current_store()
    table = store.table(model).table_name  # type: ignore[arg-type]
    for start in range(0, len(keys), _BATCH):
        pending: list[dict[str, Any]] = [
            {"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}}
            for pk, sk in keys[start : start + _BATCH]
        ]
        for attempt in range(_ATTEMPTS):
            try:
                answer = store.connection.dispatch(
                    "BatchWriteItem", {"RequestItems": {table: pending}}
                )
            except Exception as error:
                raise ServiceUnavailable(log=repr(error)) from error
            pending = _unprocessed(answer, table)
            if not pending:
                break
            pause(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
        if pending:
            raise ServiceUnavailable(log=f"{len(pending)} deletes stayed unprocessed")
    return len(keys)
