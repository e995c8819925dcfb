"""Stored webhooks and deliveries, the outgoing call, and the tasks around the machine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import standardwebhooks
import svix.webhooks
from tidegate.integrations import public
from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.webhooks import tasks, wiring
from tidegate.integrations.webhooks.domain import KEPT, Delivery, Try, Webhook
from tidegate.integrations.webhooks.repository import (
    Deliveries,
    DynamoDeliveries,
    DynamoWebhooks,
    Webhooks,
)
from tidegate.integrations.webhooks.service import sender
from tidegate.integrations.webhooks.service.sender import HttpSender, Letter, Outcome
from tidegate.workflows.domain import Execution
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import Notice
from tidegate.workflows.ports.build import PortParts, ports_of
from tidegate.workflows.repository.blobs import inline_blob
from tidegate.workflows.repository.ledger import DynamoLedger
from tidegate.workflows.settings import WorkflowsSettings
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ids import new_id
from tidegate_kit.outbound import OutboundClient, OutboundPolicy
from tidegate_kit.settings import Settings, read_settings, settings_of
from tidegate_kit.tenancy import TenantScope
from tidegate_kit.webhooks import new_webhook_secret

from tests.builders.settings import ENVIRONMENT, PREFIX, REGION
from tests.builders.webhooks import DeliveryMachine, bus_event, delivery_machine
from tests.builders.workflows import ENVIRONMENT as WORKFLOWS
from tests.fakes.faults import SideEffect, enumerate_faults
from tests.fakes.recorded import vectors
from tests.fakes.strict_aws import StrictAws
from tests.fakes.tables import empty_tables
from tests.fakes.webhook_receiver import Answer, Receiver, receiving
from tests.fakes.webhooks import MemoryDeliveries, MemoryWebhooks, answered

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hook(**changes: Any) -> Webhook:
    values: dict[str, Any] = {
        "id": new_id(), "created_at": NOW, "updated_at": NOW, "url": "https://a.example.com/",
        "event_types": ("*",), "enabled": True, "secret": "sealed", **changes,
    }  # fmt: skip
    return Webhook(**values)


def delivery(**changes: Any) -> Delivery:
    values: dict[str, Any] = {
        "id": new_id(), "created_at": NOW, "updated_at": NOW, "webhook_id": "default",
        "event_type": "plan.approved", "url": "https://a.example.com/", "fixed_url": False,
        "body": "{}", "occurred_at": NOW, "due_at": NOW, **changes,
    }  # fmt: skip
    return Delivery(**values)


@pytest.fixture(params=["memory", "dynamo"])
def webhooks(request: pytest.FixtureRequest) -> Iterator[Webhooks]:
    if request.param == "memory":
        yield MemoryWebhooks()
    else:
        request.getfixturevalue("platform")
        yield DynamoWebhooks(TenantScope(new_id()))


@pytest.fixture(params=["memory", "dynamo"])
def deliveries(request: pytest.FixtureRequest) -> Iterator[Deliveries]:
    if request.param == "memory":
        yield MemoryDeliveries()
    else:
        request.getfixturevalue("platform")
        yield DynamoDeliveries(TenantScope(new_id()))


def test_webhooks_come_back_as_stored_newest_first(webhooks: Webhooks) -> None:
    older = hook(previous_secret="old", rotated_at=NOW, disabled_reason="x", delivered_at=NOW)
    newer = hook(created_at=NOW + timedelta(seconds=1), event_types=("plan.approved", "*"))
    for one in (older, newer):
        webhooks.save(one)
    assert webhooks.all() == [newer, older]
    assert webhooks.get(older.id) == older
    assert webhooks.get(new_id()) is None


def test_a_webhook_changes_only_from_what_was_read(webhooks: Webhooks) -> None:
    first = hook()
    webhooks.save(first)
    second = replace(first, enabled=False, version=2)
    webhooks.save(second)
    for stale in (first, second, replace(first, version=4)):
        with pytest.raises(ChangedMeanwhile):
            webhooks.save(stale)
    with pytest.raises(ChangedMeanwhile):
        webhooks.delete(first)
    webhooks.delete(second)
    assert webhooks.all() == []


def test_deliveries_come_back_as_stored(deliveries: Deliveries) -> None:
    tried = (Try(NOW, 500, "status 500", 12), Try(NOW, None, "timeout", 15000))
    one = delivery(
        status="failed", attempts=2, tries=2, round=3, restarts=1, last_error="timeout",
        history=tried, execution_id="run", due_at=NOW + timedelta(microseconds=7),
    )  # fmt: skip
    deliveries.save(one)
    assert deliveries.get(one.id, NOW) == one
    two = replace(one, status="delivered", last_status_code=200, version=2)
    deliveries.save(two)
    assert deliveries.get(one.id, NOW) == two
    for stale in (one, two):
        with pytest.raises(ChangedMeanwhile):
            deliveries.save(stale)


@pytest.mark.hazard("H15")
def test_deliveries_are_kept_14_days(deliveries: Deliveries) -> None:
    """H15: a delivery whose time is over is gone from reads and lists, though still stored."""
    one = delivery()
    deliveries.save(one)
    end = NOW + KEPT
    last = end - timedelta(seconds=1)
    assert deliveries.get(one.id, last) == one
    assert deliveries.page("default", None, 0, 10, None, last)[1] == 1
    assert deliveries.get(one.id, end) is None
    assert deliveries.page("default", None, 0, 10, None, end) == ([], 0, None)


def test_deliveries_are_listed_by_webhook_and_status(deliveries: Deliveries) -> None:
    rows = [
        delivery(created_at=NOW + timedelta(seconds=n), status="dead" if n % 2 else "delivered")
        for n in range(7)
    ]
    for row in (*rows, delivery(webhook_id=new_id())):
        deliveries.save(row)
    newest = rows[::-1]
    first, total, key = deliveries.page("default", None, 0, 3, None, NOW)
    assert (first, total) == (newest[:3], 7)
    second, _, key = deliveries.page("default", None, 0, 3, key, NOW)
    assert second == newest[3:6]
    assert deliveries.page("default", None, 0, 3, key, NOW) == (newest[6:], 7, None)
    assert deliveries.page("default", None, 6, 3, None, NOW) == (newest[6:], 7, None)
    assert deliveries.page("default", None, 9, 3, None, NOW) == ([], 7, None)
    dead = [row for row in newest if row.status == "dead"]
    assert deliveries.page("default", "dead", 0, 3, None, NOW) == (dead, 3, None)
    assert deliveries.page("default", "pending", 0, 3, None, NOW) == ([], 0, None)


@pytest.mark.hazard("B1")
@pytest.mark.bite("tidegate_kit.tenancy.TenantScope.pk", lambda scope: "T#one")
def test_tenants_do_not_see_each_others(platform: Settings) -> None:
    """B1: webhooks and deliveries of another tenant are as absent ones."""
    mine, other = TenantScope(new_id()), TenantScope(new_id())
    one, two = hook(), delivery()
    DynamoWebhooks(mine).save(one)
    DynamoDeliveries(mine).save(two)
    assert DynamoWebhooks(other).get(one.id) is None
    assert DynamoWebhooks(other).all() == []
    assert DynamoDeliveries(other).get(two.id, NOW) is None
    assert DynamoDeliveries(other).page("default", None, 0, 10, None, NOW)[1] == 0


# ---- the outgoing call -------------------------------------------------------------------------


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


SECRET = new_webhook_secret()
POLICY = OutboundPolicy(development=True)


def send(url: str) -> Outcome:
    letter = Letter(new_id(), url, b'{"a":1}', (SECRET,))
    return HttpSender(OutboundClient(POLICY)).send(letter, system_clock())


def test_a_letter_arrives_signed_for_foreign_verifiers(receiver: Receiver) -> None:
    outcome = send(receiver.url("/in"))
    assert (outcome.delivered, outcome.tried.status_code) == (True, 200)
    (call,) = receiver.came("/in")
    assert call.body == b'{"a":1}'
    assert call.headers["content-type"] == "application/json"
    for library in (standardwebhooks, svix.webhooks):
        library.Webhook(SECRET).verify(call.body, dict(call.headers))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_delivers(receiver: Receiver, status: int) -> None:
    receiver.answers["/in"] = [Answer(status, {"content-encoding": "gzip"})]
    assert send(receiver.url("/in")).delivered


@pytest.mark.hazard("F6")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(receiver: Receiver, status: int) -> None:
    """F6: a receiver that redirects gets no second call, and the delivery fails."""
    location = {"location": receiver.url("/elsewhere")}
    receiver.answers["/in"] = [Answer(status, location)]
    outcome = send(receiver.url("/in"))
    assert (outcome.delivered, outcome.tried.error) == (False, "redirect")
    assert outcome.tried.status_code == status
    assert receiver.came("/elsewhere") == []


@pytest.mark.hazard("F10")
@pytest.mark.bite("tidegate.integrations.webhooks.service.sender.ATTEMPT_SECONDS", 30.0)
def test_a_slow_receiver_is_left_after_15_seconds(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F10: the whole attempt has 15 s (here a third of one); what comes later is a failure."""
    release = threading.Event()
    receiver.answers["/in"] = [Answer(before=lambda: assert_released(release))]
    genuine, given = OutboundClient.request, []

    def hurried(self: OutboundClient, *arguments: Any, **options: Any) -> Any:
        given.append(options["timeout"])
        return genuine(self, *arguments, **{**options, "timeout": 0.3})

    monkeypatch.setattr(OutboundClient, "request", hurried)
    try:
        outcome = send(receiver.url("/in"))
    finally:
        release.set()
    assert (outcome.delivered, outcome.tried.error) == (False, "timeout")
    assert given == [15.0]


def assert_released(release: threading.Event) -> None:
    assert release.wait(20)


def test_other_failures_of_receivers_are_outcomes(receiver: Receiver) -> None:
    """Down, breaking off, refusing, asking for time: none of them is an error of ours."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert send(f"http://127.0.0.1:{port}/").tried.error == "connect"
    receiver.answers["/busy"] = [Answer(429, {"retry-after": "77"})]
    busy = send(receiver.url("/busy"))
    assert (busy.wait, busy.gone) == (timedelta(seconds=77), False)
    receiver.answers["/gone"] = [Answer(410)]
    assert send(receiver.url("/gone")).gone
    refused = send("https://10.0.0.1/")
    assert str(refused.tried.error).startswith("refused")
    assert refused.tried.status_code is None


@pytest.mark.hazard("F20")
@pytest.mark.bite("tidegate.integrations.webhooks.service.sender._ANSWER_BYTES", 10**7)
def test_the_receivers_answer_is_capped_and_kept_nowhere(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F20: of an endless answer 1 KiB is read; neither body nor headers are kept."""
    canary = "canary-answer-4711"
    receiver.answers["/in"] = [Answer(200, {"x-canary": canary}, canary.encode() * 50_000)]
    kept: list[int] = []
    genuine = OutboundClient.request

    def watched(self: OutboundClient, *arguments: Any, **options: Any) -> Any:
        answer = genuine(self, *arguments, **options)
        kept.append(len(answer.body))
        return answer

    monkeypatch.setattr(OutboundClient, "request", watched)
    outcome = send(receiver.url("/in"))
    assert outcome.delivered
    assert kept == [sender._ANSWER_BYTES]
    assert kept[0] <= 1024
    assert canary not in repr(outcome)


# ---- the tasks ---------------------------------------------------------------------------------


@dataclass
class Post:
    """The receiver of the double: keeps letters, answers as told."""

    letters: list[Letter] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=lambda: [answered(200, NOW)])

    def send(self, sender: HttpSender, letter: Letter, now: datetime) -> Outcome:
        self.letters.append(letter)
        return self.outcomes[min(len(self.letters), len(self.outcomes)) - 1]


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    taken = Post()
    monkeypatch.setattr(HttpSender, "send", lambda *given: taken.send(*given))
    return taken


@pytest.fixture
def machine(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> DeliveryMachine:
    monkeypatch.setenv("DATA_BUCKET", "tidegate-test-data")
    return delivery_machine(monkeypatch)


def subscribe(scope: TenantScope, *types: str) -> Webhook:
    return wiring.webhooks_of(scope).create(
        new_id(), "https://hooks.example.com/in", types or ("*",), enabled=True
    ).webhook  # fmt: skip


def test_an_event_of_the_bus_is_delivered_once(machine: DeliveryMachine, post: Post) -> None:
    scope = TenantScope(new_id())
    one = subscribe(scope, "plan.approved")
    event = bus_event(scope.tenant_id, "plan.approved")
    told = [tasks.dispatch(event, None)["deliveries"] for _ in range(3)]
    assert told[0] == told[1] == told[2]
    machine.follow()
    machine.follow()
    (given,) = machine.inputs()
    assert given == {"tenant_id": scope.tenant_id, "delivery_id": told[0][0], "round": 1}
    assert machine.attempt() == [{**given, "next": "done", "seconds": 0}]
    assert machine.attempt() == [{**given, "next": "done", "seconds": 0}]
    (letter,) = post.letters
    assert letter.id == told[0][0]
    rows, total, _ = DynamoDeliveries(scope).page(one.id, None, 0, 10, None, system_clock())
    assert (total, rows[0].status) == (1, "delivered")
    machine.follow()
    assert len(machine.inputs()) == 1
    wiring.outbox_of(scope).redeliver(one.id, told[0][0])
    machine.follow()
    assert {given["round"] for given in machine.inputs()} == {1, 2}


def test_events_of_no_tenant_or_of_another_are_not_delivered(
    machine: DeliveryMachine, post: Post
) -> None:
    subscribe(TenantScope(new_id()))
    assert tasks.dispatch(bus_event(None, "system.alert"), None) == {"deliveries": []}
    assert tasks.dispatch(bus_event(new_id(), "system.alert"), None) == {"deliveries": []}
    machine.follow()
    assert (machine.inputs(), post.letters) == ([], [])


@pytest.mark.hazard("H8")
def test_a_change_that_cannot_be_followed_is_named(
    machine: DeliveryMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H8: one record whose machine does not start comes again; its neighbours start."""
    scope = TenantScope(new_id())
    subscribe(scope)
    for _ in range(3):
        tasks.dispatch(bus_event(scope.tenant_id, "plan.approved"), None)
    records = [
        {"dynamodb": {"NewImage": row, "SequenceNumber": row["id"]["S"]}}
        for row in machine.rows()
        if row["sk"]["S"].startswith("DELIVERY#")
    ]
    poison = records[1]["dynamodb"]["SequenceNumber"]
    genuine = wiring.launch

    def launch(scope: TenantScope, delivery_id: str, round_: int) -> None:
        if delivery_id == poison:
            raise ServiceUnavailable
        genuine(scope, delivery_id, round_)

    monkeypatch.setattr(wiring, "launch", launch)
    answer = tasks.follow({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": poison}]}
    assert {one["delivery_id"] for one in machine.inputs()} == {
        record["dynamodb"]["SequenceNumber"] for record in records
    } - {poison}


def test_a_machine_that_died_is_replaced(machine: DeliveryMachine, post: Post) -> None:
    scope = TenantScope(new_id())
    subscribe(scope)
    tasks.dispatch(bus_event(scope.tenant_id, "plan.approved"), None)
    machine.follow()
    (given,) = machine.inputs()
    ended = {"detail": {"status": "FAILED", "input": json.dumps(given)}}
    assert tasks.machine_ended(ended, None) == {"restarted": True}
    assert tasks.machine_ended(ended, None) == {"restarted": False}
    assert tasks.machine_ended({"detail": {"input": "{}"}}, None) == {"restarted": False}
    machine.follow()
    assert sorted(one["round"] for one in machine.inputs()) == [1, 2]
    machine.attempt()
    assert len(post.letters) == 1


@pytest.mark.hazard("D13")
def test_naughty_strings_arrive_as_they_were(machine: DeliveryMachine, post: Post) -> None:
    """D13: 515 hostile strings in an event's data arrive byte-equal, signed."""
    scope = TenantScope(new_id())
    subscribe(scope)
    texts: list[str] = json.loads(vectors("blns.json").read_text())
    event = bus_event(scope.tenant_id, "plan.approved", data={"texts": texts})
    tasks.dispatch(json.loads(json.dumps(event)), None)
    machine.follow()
    machine.attempt()
    (letter,) = post.letters
    assert json.loads(letter.body)["data"]["texts"] == texts
    assert len(texts) > 500


def test_deliver_is_what_other_domains_call(machine: DeliveryMachine, post: Post) -> None:
    scope = TenantScope(new_id())
    one = subscribe(scope)
    made = public.deliver(scope, type="plan.approved", data={"n": 1}, source_id="s")
    assert made == public.deliver(scope, type="plan.approved", data={"n": 1}, source_id="s")
    fixed = public.deliver(
        scope, type="plan.approved", data={}, source_id="s", url="https://b.example.com/"
    )
    assert len({*made, *fixed}) == 2
    kept = DynamoDeliveries(scope)
    urls = {str(kept.get(each, system_clock()).url) for each in (*made, *fixed)}  # type: ignore[union-attr]
    assert urls == {one.url, "https://b.example.com/"}


# ---- faults ------------------------------------------------------------------------------------


@dataclass
class Flow:
    """One tenant with one webhook, on fresh tables."""

    scope: TenantScope
    machine: DeliveryMachine
    post: Post
    event: dict[str, Any]
    hook: Webhook

    def run(self) -> None:
        """The event, its row, its machine's first step."""
        tasks.dispatch(self.event, None)
        self.machine.follow()
        self.machine.attempt()

    def stored(self) -> list[Delivery]:
        return DynamoDeliveries(self.scope).page(
            self.hook.id, None, 0, 10, None, system_clock()
        )[0]  # fmt: skip


@pytest.fixture
def fresh(
    platform: Settings,
    strict_aws: StrictAws,
    table_specs: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., AbstractContextManager[Flow]]:
    """Fresh tables, tenant and machine for each case."""
    monkeypatch.setenv("DATA_BUCKET", "tidegate-test-data")

    @contextmanager
    def make(*outcomes: Outcome) -> Iterator[Flow]:
        client = boto3.client("dynamodb", region_name=REGION)
        empty_tables(client, [one for one in table_specs if one.name == f"{PREFIX}-integrations"])
        sfn = boto3.client("stepfunctions", region_name=REGION)
        for one in sfn.list_state_machines()["stateMachines"]:
            sfn.delete_state_machine(stateMachineArn=one["stateMachineArn"])
        settings_of.cache_clear()
        machine, post = delivery_machine(monkeypatch), Post()
        post.outcomes = list(outcomes) or post.outcomes
        monkeypatch.setattr(HttpSender, "send", lambda *given: post.send(*given))
        scope = TenantScope(new_id())
        event = bus_event(scope.tenant_id, "plan.approved")
        yield Flow(scope, machine, post, event, subscribe(scope))

    return make


POSTED = SideEffect(
    "tidegate.integrations.webhooks.service.sender.HttpSender.send",
    throttled=lambda: ServiceUnavailable(),
    lost=lambda: ServiceUnavailable(),
)


@pytest.mark.hazard("H1")
@pytest.mark.bite("tidegate.integrations.webhooks.service.outbox.delivery_id", lambda *_: new_id())
def test_no_fault_loses_or_doubles_a_delivery(fresh: Any) -> None:
    """H1: from the event to the receiver: one delivery, one machine, one webhook-id, one record."""

    def check(flow: Flow) -> None:
        stored = flow.stored()
        assert [one.status for one in stored] == ["delivered"], stored
        assert stored[0].attempts == 1
        assert {letter.id for letter in flow.post.letters} == {stored[0].id}
        assert len(flow.post.letters) <= 2, "sent again although it was recorded"
        assert len(flow.machine.inputs()) == 1

    enumerate_faults(
        flow=Flow.run, redeliver=Flow.run, invariants=check, fresh=fresh,
        name="deliver an event", side_effects=[POSTED],
        counts=lambda service, operation: operation not in ("Scan", "ListExecutions",
                                                            "DescribeExecution"),
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_no_fault_leaves_a_gone_receiver_enabled(fresh: Any) -> None:
    """H1: a 410 disables the webhook and ends the delivery, whichever call dies."""

    def check(flow: Flow) -> None:
        assert [one.status for one in flow.stored()] == ["dead"]
        assert not wiring.webhooks_of(flow.scope).get(flow.hook.id).enabled

    enumerate_faults(
        flow=Flow.run, redeliver=Flow.run, invariants=check,
        fresh=lambda: fresh(answered(410, NOW)), name="a receiver that is gone",
        side_effects=[POSTED],
        counts=lambda service, operation: operation not in ("Scan", "ListExecutions",
                                                            "DescribeExecution"),
    )  # fmt: skip


def test_a_notify_node_of_channel_webhook_is_delivered_once(
    machine: DeliveryMachine, post: Post
) -> None:
    """The step may run again after its effect: the deliveries are the same ones."""
    scope = TenantScope(new_id())
    execution = Execution(
        id=new_id(), workflow_id=new_id(), workflow_version=1, status="running", trigger="api",
        principal=new_id(), started_at=NOW, input=inline_blob({}), timeout_seconds=60,
    )  # fmt: skip
    parts: Any = PortParts(
        settings=read_settings(WorkflowsSettings, {**ENVIRONMENT, **WORKFLOWS}),
        scope=scope, ledger=DynamoLedger(scope), executions=None, approvals=None, logs=None,  # type: ignore[arg-type]
        blobs=None, start_child=None, decide=None, clock=system_clock, ids=new_id,  # type: ignore[arg-type]
    )  # fmt: skip
    notices = ports_of(parts, execution, "tell", set()).notices
    assert notices is not None
    notice = Notice("webhook", "Stopped", "i-1 is stopping", "warning")
    with pytest.raises(StepError, match="NO_RECIPIENT"):
        notices.notify(notice, effect_key="key")
    subscribe(scope, "system.alert")
    for _ in range(3):
        notices.notify(notice, effect_key="key")
    machine.follow()
    machine.attempt()
    (letter,) = post.letters
    data = json.loads(letter.body)["data"]
    assert (data["severity"], data["message"]) == ("warning", "Stopped: i-1 is stopping")
    assert data["execution_id"] == execution.id
