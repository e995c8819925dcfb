"""The kit's store on the strict double: transactions, batches, errors, scope (H3 to H5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from tidegate_kit import dynamo
from tidegate_kit.dynamo import (
    ConditionFailed,
    Store,
    Table,
    Transaction,
    batch_get,
    batch_write,
    current_store,
    scoped_store,
    store_errors,
)
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import Settings

from tests.fakes.races import race

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Row(Table):
    """A row of the platform table."""

    class Meta:
        table_name = "platform"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    value = NumberAttribute(default=0)


def row(number: int, value: int = 0) -> Row:
    return Row("T#kit", f"ROW#{number:04d}", value=value, created_at=NOW, updated_at=NOW)


@pytest.fixture(autouse=True)
def store(platform: Settings) -> Store:
    return current_store()


def values() -> dict[str, int]:
    return {item.sk: int(item.value) for item in Row.query("T#kit", consistent_read=True)}


Answer = Callable[[dict[str, Any], Callable[[], Any]], Any]


@contextmanager
def intercepted(operation: str, *answers: Answer) -> Iterator[list[dict[str, Any]]]:
    """Answer the first calls of an operation by `answers`, the rest really; the requests seen."""
    real = BaseClient._make_api_call
    seen: list[dict[str, Any]] = []

    def call(self: Any, name: str, arguments: dict[str, Any]) -> Any:
        if name != operation:
            return real(self, name, arguments)
        seen.append(arguments)
        if len(seen) <= len(answers):
            return answers[len(seen) - 1](arguments, lambda: real(self, name, arguments))
        return real(self, name, arguments)

    with patch.object(BaseClient, "_make_api_call", call):
        yield seen


def fails(code: str, *reasons: str) -> Answer:
    def answer(arguments: dict[str, Any], real: Callable[[], Any]) -> Any:
        response: Any = {"Error": {"Code": code, "Message": "table arn:aws:dynamodb:x"}}
        if reasons:
            response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
        raise ClientError(response, "TransactWriteItems")

    return answer


# ------------------------------------------------------------ transactions


def test_all_or_none_is_written() -> None:
    row(1, 1).save()
    transaction = Transaction()
    transaction.save(row(2, 2), Row.pk.does_not_exist(), name="new")
    transaction.update(row(1), [Row.value.add(10)], Row.value == 99, name="stale")
    transaction.check(Row, "T#kit", "ROW#0003", Row.pk.exists(), name="parent")
    transaction.delete(row(4), Row.pk.exists(), name="gone")
    assert len(transaction) == 4
    with pytest.raises(ConditionFailed) as lost:
        transaction.commit()
    assert lost.value.names == {"stale", "parent", "gone"}
    assert values() == {"ROW#0001": 1}


@pytest.mark.parametrize("loser", ["check", "delete", "put", "update", "put2", "check2"])
def test_the_lost_condition_is_named_whatever_the_order(loser: str) -> None:
    for number in range(6):
        row(number, number).save()
    transaction = Transaction()

    def condition(name: str) -> Any:
        return Row.value == 99 if name == loser else Row.pk.exists()

    transaction.update(row(3), [Row.value.set(1)], condition("update"), name="update")
    transaction.save(row(2), condition("put"), name="put")
    transaction.check(Row, "T#kit", "ROW#0000", condition("check"), name="check")
    transaction.save(row(4), condition("put2"), name="put2")
    transaction.delete(row(1), condition("delete"), name="delete")
    transaction.check(Row, "T#kit", "ROW#0005", condition("check2"), name="check2")
    with pytest.raises(ConditionFailed) as lost:
        transaction.commit()
    assert lost.value.names == {loser}


@pytest.mark.hazard("H3")
@pytest.mark.bite("tidegate_kit.dynamo._CONFLICT", replacement=frozenset())
@pytest.mark.parametrize(
    "conflict",
    [("TransactionCanceledException", "TransactionConflict", "None"),
     ("TransactionCanceledException", "None", "TransactionConflict"),
     ("TransactionInProgressException",), ("TransactionConflictException",)],
    ids=["first", "second", "in-progress", "conflict"],
)  # fmt: skip
def test_conflicts_are_retried_within_bounds(conflict: tuple[str, ...]) -> None:
    """H3: conflicts are retried with growing jitter, then 503; the writes happen once."""
    pauses: list[float] = []
    transaction = Transaction(token="t" * 8, pause=pauses.append)
    transaction.save(row(1, 1))
    transaction.update(row(2), [Row.value.add(1)])
    with intercepted("TransactWriteItems", *[fails(*conflict)] * 5) as seen:
        try:
            transaction.commit()
        except ServiceUnavailable:
            pytest.fail("a conflict that ended was not outlasted")
    assert len(seen) == 6
    assert {request["ClientRequestToken"] for request in seen} == {"t" * 8}
    assert values() == {"ROW#0001": 1, "ROW#0002": 1}
    assert len(pauses) == 5
    assert all(0 <= pause <= 0.02 * 2**number for number, pause in enumerate(pauses))
    for_ever = intercepted("TransactWriteItems", *[fails(*conflict)] * 99)
    with for_ever as seen, pytest.raises(ServiceUnavailable) as given_up:
        transaction.commit()
    assert len(seen) == 6
    assert "arn:" not in given_up.value.message


@pytest.mark.hazard("H3")
def test_a_lost_condition_is_never_retried() -> None:
    """H3: ConditionalCheckFailed, alone or beside a conflict, is the caller's decision at once."""
    transaction = Transaction(pause=lambda _: pytest.fail("retried"))
    transaction.save(row(1), name="one")
    transaction.save(row(2), name="two")
    reasons = ("TransactionConflict", "ConditionalCheckFailed")
    mixed = intercepted("TransactWriteItems", fails("TransactionCanceledException", *reasons))
    with mixed as seen, pytest.raises(ConditionFailed) as lost:
        transaction.commit()
    assert (lost.value.names, len(seen)) == ({"two"}, 1)


@pytest.mark.parametrize(
    "answer",
    [fails("ThrottlingException"), fails("AccessDeniedException"), fails("ValidationException"),
     fails("TransactionCanceledException", "ThrottlingError", "None")],
)  # fmt: skip
def test_other_failures_are_503(answer: Answer) -> None:
    transaction = Transaction()
    transaction.save(row(1))
    transaction.save(row(2))
    with intercepted("TransactWriteItems", *[answer] * 9), pytest.raises(ServiceUnavailable):
        transaction.commit()
    refused = intercepted("PutItem", *[answer] * 9)
    with refused, pytest.raises(ServiceUnavailable), store_errors():
        row(1).save()


def test_an_unreachable_store_is_503() -> None:
    def unreachable(arguments: Any, real: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.example")

    for operation in ("PutItem", "Query", "TransactWriteItems", "BatchGetItem", "BatchWriteItem"):
        down = intercepted(operation, *[unreachable] * 9)
        with down, pytest.raises(ServiceUnavailable), store_errors():
            _do(operation)


def _do(operation: str) -> None:
    if operation == "PutItem":
        row(1).save()
    elif operation == "Query":
        list(Row.query("T#kit"))
    elif operation == "BatchGetItem":
        batch_get([(Row, "T#kit", "ROW#0001")])
    elif operation == "BatchWriteItem":
        batch_write([row(1)])
    else:
        transaction = Transaction()
        transaction.save(row(1))
        transaction.commit()


def test_one_of_sixteen_creates_the_item() -> None:
    def create(worker: int, rnd: int) -> None:
        transaction = Transaction()
        transaction.save(row(rnd, worker), Row.pk.does_not_exist(), name="new")
        transaction.update(row(9999), [Row.value.add(1)])
        transaction.commit()

    outcome = race(16, create, rounds=25)
    outcome.assert_one_winner(loses_with=ConditionFailed)
    assert values()["ROW#9999"] == 25


# ----------------------------------------------------------------- batches


def _leaves(count: int) -> Answer:
    """Really handle all but the last `count` requests of a batch."""

    def answer(arguments: dict[str, Any], real: Callable[[], Any]) -> Any:
        ((table, wanted),) = arguments["RequestItems"].items()
        keys = wanted["Keys"] if isinstance(wanted, dict) else wanted
        left = keys[len(keys) - count :]
        done = keys[: len(keys) - count]
        result: dict[str, Any] = {"Responses": {}}
        if done:
            if isinstance(wanted, dict):
                arguments["RequestItems"] = {table: {**wanted, "Keys": done}}
            else:
                arguments["RequestItems"] = {table: done}
            result = real()
        if isinstance(wanted, dict):
            return {**result, "UnprocessedKeys": {table: {"Keys": left}}}
        return {**result, "UnprocessedItems": {table: left}}

    return answer


@pytest.mark.hazard("H5")
@pytest.mark.bite("tidegate_kit.dynamo._ATTEMPTS", replacement=1)
@pytest.mark.parametrize("left", [1, 4, 5], ids=["one", "most", "all"])
def test_unprocessed_keys_are_asked_again(left: int) -> None:
    """H5: keys left unprocessed are read again; what is absent is None, in the order asked."""
    for number in range(4):
        row(number, number).save()
    wanted = [(Row, "T#kit", f"ROW#{number:04d}") for number in (3, 9, 1, 0, 2)]
    pauses: list[float] = []
    with intercepted("BatchGetItem", _leaves(left), _leaves(min(left, 1))) as seen:
        try:
            found = batch_get(wanted, pause=pauses.append)
        except ServiceUnavailable:
            pytest.fail("gave up although the keys were there")
    assert [item and int(item.value) for item in found] == [3, None, 1, 0, 2]
    assert len(seen) == 3
    assert len(pauses) == 2
    assert all(request["RequestItems"] for request in seen)


@pytest.mark.hazard("H5")
def test_keys_unprocessed_for_ever_are_503_and_never_absent() -> None:
    """H5: a key that stays unprocessed is an error, not an absent item."""
    row(1).save()
    for_ever = intercepted("BatchGetItem", *[_leaves(1)] * 99)
    with for_ever as seen, pytest.raises(ServiceUnavailable):
        batch_get([(Row, "T#kit", "ROW#0001")], pause=lambda _: None)
    assert len(seen) == 6


@pytest.mark.hazard("H4")
@pytest.mark.bite("tidegate_kit.dynamo._ATTEMPTS", replacement=1)
@pytest.mark.parametrize("left", [1, 20, 25], ids=["one", "most", "all"])
def test_unprocessed_items_are_written_again(left: int) -> None:
    """H4: items left unprocessed are sent again until all are written; 25 a call."""
    puts = [row(number, number) for number in range(60)]
    with intercepted("BatchWriteItem", _leaves(left), _leaves(1)) as seen:
        try:
            batch_write(puts, pause=lambda _: None)
        except ServiceUnavailable:
            pytest.fail("gave up although the items could be written")
    assert values() == {f"ROW#{number:04d}": number for number in range(60)}
    assert max(len(next(iter(r["RequestItems"].values()))) for r in seen) == 25
    batch_write([row(100)], [row(number) for number in range(60)])
    assert list(values()) == ["ROW#0100"]
    batch_write()


@pytest.mark.hazard("H4")
def test_items_unprocessed_for_ever_are_503() -> None:
    """H4: an item that stays unprocessed is an error."""
    with intercepted("BatchWriteItem", *[_leaves(1)] * 99), pytest.raises(ServiceUnavailable):
        batch_write([row(1), row(2)], pause=lambda _: None)


# ------------------------------------------------------------------- scope


def test_a_scoped_store_serves_only_its_block() -> None:
    platform_store = current_store()
    scoped = Store(platform_store.prefix, platform_store.region, credentials=("a", "b", "c"))
    with scoped_store(scoped):
        assert current_store() is scoped
        with scoped_store(None):
            assert current_store() is platform_store
        seen: list[Store] = []
        thread = threading.Thread(target=lambda: seen.append(current_store()))
        thread.start()
        thread.join()
        assert seen == [platform_store]
    assert current_store() is platform_store


def test_without_a_store_nothing_is_read() -> None:
    dynamo.configure_store(None)
    with pytest.raises(RuntimeError, match="configure_store"):
        current_store()
