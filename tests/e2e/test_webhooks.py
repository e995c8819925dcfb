"""Webhooks on the local cloud: bus, stream, delivery machine and a receiver on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import standardwebhooks
import svix.webhooks

from tests.builders.workflows import chain, node
from tests.e2e.conftest import Owner, RunningCloud
from tests.fakes.webhook_receiver import Answer, Received, Receiver, receiving

_PATIENCE = 60.0
CANARY = "canary-4711-in-the-data"
COMPLETED = "workflow.execution.completed"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def http(new_owner: Callable[[], Owner]) -> httpx.Client:
    return new_owner().http


def made(answer: httpx.Response, status: int = 201) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def webhook(http: httpx.Client, url: str, *event_types: str) -> dict[str, Any]:
    return made(
        http.post("/api/user/webhooks", json={"url": url, "event_types": list(event_types)})
    )


def run(http: httpx.Client, **options: Any) -> dict[str, Any]:
    """Run a workflow of one step."""
    body = {"name": "W", "definition": chain(node("a", output={"text": CANARY}))}
    workflow = made(http.post("/api/workflows", json=body))
    return made(http.post(f"/api/workflows/{workflow['id']}/execute", json=options), 202)


def deliveries(
    http: httpx.Client, webhook_id: str, wanted: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """Ask for a webhook's deliveries until they are as wanted."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        seen: list[dict[str, Any]] = made(
            http.get(f"/api/user/webhooks/{webhook_id}/deliveries"), 200
        )["deliveries"]
        if wanted(seen):
            return seen
        assert time.monotonic() < deadline, f"never came to be: {seen}"
        time.sleep(0.2)


def only(status: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda seen: [one["status"] for one in seen] == [status]


def verified(call: Received, secret: str) -> dict[str, Any]:
    """The event, accepted by two foreign verifiers."""
    for library in (standardwebhooks, svix.webhooks):
        library.Webhook(secret).verify(call.body, dict(call.headers))
    return call.event


def test_an_execution_is_told_to_a_webhook_and_to_its_webhook_url(
    http: httpx.Client, receiver: Receiver, cloud: RunningCloud
) -> None:
    hook = webhook(http, receiver.url("/events"), COMPLETED)
    secret = made(http.post("/api/user/webhooks/default/rotate-secret"), 200)["secret"]
    started = run(http, webhook_url=receiver.url("/asked"), input_data={"a": CANARY})
    (told,) = receiver.wait("/events", 1)
    event = verified(told, hook["secret"])
    assert event["type"] == COMPLETED
    assert event["data"]["execution_id"] == started["execution_id"]
    assert CANARY not in told.body.decode()
    (asked,) = receiver.wait("/asked", 1)
    outcome = verified(asked, secret)
    assert outcome["type"] == COMPLETED
    data = outcome["data"]
    assert data["output_data"] == {"text": CANARY}
    assert (data["status"], data["error"]) == ("completed", None)
    assert data["workflow_version"] == 1
    assert {"started_at", "completed_at", "duration", "workflow_id"} <= set(data)
    (delivery,) = deliveries(http, hook["id"], only("delivered"))
    assert delivery["id"] == told.id
    assert (delivery["attempts"], delivery["last_status_code"]) == (1, 200)
    sfn = cloud.aws("stepfunctions")
    (machine,) = [
        one["stateMachineArn"]
        for one in sfn.list_state_machines()["stateMachines"]
        if "WebhookDelivery" in one["name"]
    ]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{told.id}-1"
    history = json.dumps(sfn.get_execution_history(executionArn=arn), default=str)
    assert told.id in history
    for secret_text in (CANARY, hook["secret"], receiver.url("/events")):
        assert secret_text not in history


def test_a_receiver_that_was_down_gets_the_same_message_again(
    http: httpx.Client, receiver: Receiver
) -> None:
    receiver.answers["/down"] = [Answer(500), Answer(204)]
    hook = webhook(http, receiver.url("/down"), COMPLETED)
    run(http)
    first, second = receiver.wait("/down", 2)
    assert (first.id, first.body) == (second.id, second.body)
    verified(second, hook["secret"])
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 4
    (delivery,) = deliveries(http, hook["id"], only("delivered"))
    assert (delivery["attempts"], delivery["last_status_code"]) == (2, 204)


def test_a_receiver_that_is_gone_is_disabled_and_others_hear_of_it(
    http: httpx.Client, receiver: Receiver
) -> None:
    receiver.answers["/gone"] = [Answer(410), Answer(200)]
    hook = webhook(http, receiver.url("/gone"), COMPLETED)
    watcher = webhook(http, receiver.url("/watch"), "webhook.dead_lettered", "system.alert")
    run(http)
    (dead,) = deliveries(http, hook["id"], only("dead"))
    told = {call.event["type"]: call.event["data"] for call in receiver.wait("/watch", 2)}
    assert told["webhook.dead_lettered"]["delivery_id"] == dead["id"]
    assert told["system.alert"]["component"] == "webhook"
    assert watcher["id"] != hook["id"]
    path = f"/api/user/webhooks/{hook['id']}"
    assert made(http.get(path), 200)["enabled"] is False
    again = f"{path}/deliveries/{dead['id']}/redeliver"
    assert http.post(again).status_code == 409
    made(http.patch(path, json={"enabled": True}), 200)
    assert made(http.post(again), 202)["status"] == "pending"
    first, second = receiver.wait("/gone", 2)
    assert (first.id, first.body) == (second.id, second.body)
    deliveries(http, hook["id"], only("delivered"))
