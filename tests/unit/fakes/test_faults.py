"""The fault injector catches a flow that loses state and passes one that does not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.fakes import faults
from tests.fakes.dotted import resolve
from tests.fakes.faults import (
    Injector,
    Killed,
    Kind,
    SideEffect,
    enumerate_faults,
    fault_report,
)
from tests.fakes.strict_aws import strict_aws


@dataclass
class World:
    """One table and a mailbox."""

    client: Any
    mails: list[str] = field(default_factory=list)

    def put(self, key: str, **options: Any) -> None:
        self.client.put_item(TableName="t", Item={"pk": {"S": key}}, **options)

    def keys(self) -> list[str]:
        return sorted(item["pk"]["S"] for item in self.client.scan(TableName="t")["Items"])


@pytest.fixture(autouse=True)
def own_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flows here fail on purpose: they stay out of the run's figures."""
    monkeypatch.setattr(faults, "REPORTS", [])


MAILBOX: list[str] = []


def send_mail(text: str) -> None:
    """Stands for an HTTP call."""
    MAILBOX.append(text)


@contextlib.contextmanager
def world() -> Iterator[World]:
    MAILBOX.clear()
    with strict_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        yield World(client)


def naive(w: World) -> None:
    """Claims first, then writes: a kill in between loses the second row for ever."""
    try:
        w.put("claim", ConditionExpression="attribute_not_exists(pk)")
    except w.client.exceptions.ConditionalCheckFailedException:
        return
    w.put("account")


def atomic(w: World) -> None:
    """Both rows in one transaction; a repetition is recognised."""
    rows = [
        {
            "Put": {
                "TableName": "t",
                "Item": {"pk": {"S": key}},
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for key in ("claim", "account")
    ]
    with contextlib.suppress(w.client.exceptions.TransactionCanceledException):
        w.client.transact_write_items(TransactItems=rows)


def both_rows(w: World) -> None:
    assert w.keys() == ["account", "claim"]


def test_a_flow_that_loses_state_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    report = fault_report(naive, naive, both_rows, world, name="naive")
    lost = {(case.number, case.kind) for case in report.violations}
    assert lost == {
        (1, Kind.ANSWER_LOST_AFTER),
        (1, Kind.KILL_AFTER),
        (2, Kind.THROTTLE_BEFORE),
        (2, Kind.KILL_BEFORE),
    }
    assert "faults: naive: 2 calls, 8 cases, 4 violated" in capsys.readouterr().out
    with pytest.raises(AssertionError, match=r"2 dynamodb\.PutItem kill-before: Killed"):
        enumerate_faults(naive, naive, both_rows, world)


def test_a_transaction_survives_every_fault() -> None:
    report = enumerate_faults(atomic, atomic, both_rows, world)
    assert report.calls == ("dynamodb.TransactWriteItems",)
    assert [case.outcome for case in report.cases] == [
        "ClientError",
        "Killed",
        "ConnectionClosedError",
        "Killed",
    ]


def test_side_effects_are_numbered_in_the_same_series() -> None:
    def flow(w: World) -> None:
        w.put("a")
        send_mail("hello")
        w.put("b")

    def at_most(w: World) -> None:
        assert w.keys() == ["a", "b"]
        assert 1 <= len(MAILBOX) <= 4

    effect = SideEffect(f"{__name__}.send_mail", throttled=lambda: TimeoutError("busy"))
    report = enumerate_faults(flow, flow, at_most, world, side_effects=[effect])
    assert report.calls == ("dynamodb.PutItem", effect.target, "dynamodb.PutItem")
    assert [c.outcome for c in report.cases if c.number == 2] == [
        "TimeoutError",
        "Killed",
        "ConnectionResetError",
        "Killed",
    ]


def test_a_dead_process_makes_no_calls() -> None:
    def cleans_up(w: World) -> None:
        try:
            w.put("a")
        finally:
            w.put("tidy")

    with world() as w:
        injector = Injector(1, Kind.KILL_AFTER)
        with injector.active(), pytest.raises(Killed):
            cleans_up(w)
        assert w.keys() == ["a"]


def test_hiding_a_kill_is_a_violation() -> None:
    def hides(w: World) -> None:
        with contextlib.suppress(BaseException):
            w.put("a")

    report = fault_report(hides, hides, lambda w: None, world, kinds=[Kind.KILL_BEFORE])
    assert "survived its own death" in str(report.violations[0])


def test_a_redelivery_may_only_raise_what_is_tolerated() -> None:
    def once(w: World) -> None:
        w.put("a", ConditionExpression="attribute_not_exists(pk)")

    kinds = [Kind.KILL_AFTER]
    with pytest.raises(AssertionError, match="plain redelivery"):
        fault_report(once, once, lambda w: None, world, kinds=kinds)
    enumerate_faults(once, once, lambda w: None, world, kinds=kinds, tolerated=(ClientError,))


def test_resolve_reports_what_is_missing() -> None:
    assert resolve(f"{__name__}.World.put") == (World, "put")
    with pytest.raises(AttributeError, match="nothing"):
        resolve(f"{__name__}.nothing")
    with pytest.raises(ModuleNotFoundError):
        resolve("no_such_package.module.name")
