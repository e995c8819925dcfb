"""What follows from changes of workflows, webhooks and accounts (EVT-4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.events.test_publisher import TENANT, USER, publish, record, types

RUN = "3f6d8a10-1b2c-4d3e-8f4a-5b6c7d8e9f00"
STAMP = "2026-01-02T03:04:05.000000+0000"
CANARY = "canary-4711"


def execution(status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": RUN, "kind": "execution", "tenant_id": TENANT, "workflow_id": USER,
        "workflow_version": 3, "status": status, "trigger": "api", "principal": USER,
        "started_at": STAMP, "updated_at": STAMP, "input": json.dumps({"text": CANARY}),
        "output": json.dumps({"text": CANARY}), "webhook_url": f"https://{CANARY}.example.com/",
        "request_id": "r-1", **more,
    }  # fmt: skip


def changed(new: dict[str, Any] | None, old: dict[str, Any] | None = None) -> Any:
    return record("workflows", new, old, sk=f"EX#{RUN}")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, "running", ["workflow.execution.started"]),
        (None, "queued", []),
        ("queued", "running", ["workflow.execution.started"]),
        ("running", "waiting", []),
        ("waiting", "running", []),
        ("running", "running", []),
        ("running", "completed", ["workflow.execution.completed"]),
        ("waiting", "failed", ["workflow.execution.failed"]),
        ("queued", "cancelled", ["workflow.execution.cancelled"]),
        ("running", "timed_out", ["workflow.execution.timed_out"]),
        ("completed", "completed", []),
    ],
)
def test_executions_are_told_when_they_start_and_end(
    old: str | None, new: str, expected: list[str]
) -> None:
    before = None if old is None else execution(old)
    bus, failed = publish(changed(execution(new), before))
    assert (types(bus), failed) == (expected, [])


@pytest.mark.hazard("H20")
def test_an_execution_tells_what_happened_and_no_data_of_the_tenant() -> None:
    """H20: input, output, error text and webhook_url of an execution are on no event."""
    error = json.dumps({"code": "HTTP_ERROR", "message": CANARY, "step_id": "call"})
    new = execution("failed", completed_at=STAMP, error=error)
    bus, _ = publish(changed(new, execution("running")))
    (told,) = bus.events
    assert told.detail["data"] == {
        "execution_id": RUN, "workflow_id": USER, "workflow_version": 3, "status": "failed",
        "trigger": "api", "started_at": "2026-01-02T03:04:05Z",
        "completed_at": "2026-01-02T03:04:05Z",
        "error": {"code": "HTTP_ERROR", "step_id": "call"},
    }  # fmt: skip
    assert CANARY not in json.dumps(dict(told.detail))
    assert (told.domain, told.detail["request_id"]) == ("workflows", "r-1")


def test_other_items_of_the_table_tell_nothing() -> None:
    for sk in ("WF#x", "LOG#x", "WFCOUNT"):
        bus, failed = publish(record("workflows", {"status": "running"}, None, sk=sk))
        assert (types(bus), failed) == ([], [])
    step = {"status": "completed", "execution_id": RUN}
    bus, failed = publish(record("workflows", step, pk=f"T#{TENANT}#E#{RUN}", sk="STEP#a"))
    assert (types(bus), failed) == ([], [])
    bus, failed = publish(changed(None, execution("completed")))
    assert (types(bus), failed) == ([], [])


def approval(status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": RUN, "kind": "approval", "tenant_id": TENANT, "execution_id": RUN,
        "workflow_id": USER, "step_id": "ask", "title": "Stop it?", "status": status, "quorum": 1,
        "requested_by": USER, "expires_at": STAMP, "updated_at": STAMP, "task_token": CANARY,
        **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, "pending", ["approval.requested"]),
        ("pending", "approved", ["approval.decided"]),
        ("pending", "rejected", ["approval.decided"]),
        ("pending", "expired", ["approval.expired"]),
        ("pending", "cancelled", []),
        ("approved", "approved", []),
    ],
)
def test_approvals_of_steps_are_told(old: str | None, new: str, expected: list[str]) -> None:
    before = None if old is None else approval(old)
    bus, _ = publish(record("workflows", approval(new), before, sk=f"APPROVAL#{RUN}"))
    assert types(bus) == expected
    assert CANARY not in json.dumps([dict(event.detail) for event in bus.events])


def delivery(status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": RUN, "kind": "delivery", "tenant_id": TENANT, "webhook_id": USER,
        "event_type": "plan.approved", "url": f"https://{CANARY}.example.com/", "status": status,
        "attempts": 8, "last_status_code": 500, "body": CANARY, "updated_at": STAMP, **more,
    }  # fmt: skip


def told_of(new: dict[str, Any], old: dict[str, Any] | None) -> Any:
    bus, failed = publish(record("integrations", new, old, sk=f"DELIVERY#{RUN}"))
    assert failed == []
    return bus


def test_a_dead_delivery_is_told_once_and_without_its_address() -> None:
    bus = told_of(delivery("dead"), delivery("failed"))
    (event,) = bus.events
    assert (event.type, event.detail["data"]) == (
        "webhook.dead_lettered",
        {"webhook_id": USER, "delivery_id": RUN, "event_type": "plan.approved", "attempts": 8,
         "last_status_code": 500},
    )  # fmt: skip
    assert CANARY not in json.dumps(dict(event.detail))
    for new, old in (
        (delivery("dead"), delivery("dead")), (delivery("delivered"), delivery("pending")),
        (delivery("pending"), None), (delivery("pending"), delivery("dead")),
        (delivery("dead", event_type="webhook.dead_lettered"), delivery("failed")),
    ):  # fmt: skip
        assert types(told_of(new, old)) == []


def test_a_webhook_that_the_platform_disabled_raises_an_alert() -> None:
    def hook(reason: str | None) -> dict[str, Any]:
        return {"id": USER, "url": f"https://{CANARY}/", "enabled": reason is None,
                "disabled_reason": reason, "secret": CANARY, "updated_at": STAMP}  # fmt: skip

    bus, _ = publish(record("integrations", hook("gone"), hook(None), sk=f"WEBHOOK#{USER}"))
    (event,) = bus.events
    assert event.type == "system.alert"
    assert event.detail["data"]["status"] == "disabled"
    assert CANARY not in json.dumps(dict(event.detail))
    bus, _ = publish(record("integrations", hook(None), hook("gone"), sk=f"WEBHOOK#{USER}"))
    assert types(bus) == []


def test_an_account_that_turns_unhealthy_is_told_once() -> None:
    def health(status: str) -> dict[str, Any]:
        return {"id": "tw", "status": status, "failures": 3, "last_error": CANARY,
                "updated_at": STAMP}  # fmt: skip

    pk = f"T#{TENANT}#U#{USER}"
    for old, expected in (
        ("degraded", ["integration.unhealthy"]), (None, ["integration.unhealthy"]),
        ("unhealthy", []),
    ):  # fmt: skip
        before = None if old is None else health(old)
        bus, failed = publish(
            record("integrations", health("unhealthy"), before, sk="HEALTH#tw", pk=pk)
        )
        assert (types(bus), failed) == (expected, [])
        for event in bus.events:
            assert event.detail["tenant_id"] == TENANT
            assert event.detail["data"] == {"account_id": "tw", "user_id": USER}
    bus, _ = publish(
        record("integrations", health("healthy"), health("unhealthy"), sk="HEALTH#tw", pk=pk)
    )
    assert types(bus) == []


@pytest.mark.parametrize("alert", ["ACCESS_LOST", "ACCESS_LEFT", "KEYS_DUE"])
def test_alerts_of_accounts_are_system_alerts(alert: str) -> None:
    def account(raised: str | None) -> dict[str, Any]:
        return {"id": USER, "account_id": "222222222222", "status": "connected", "alert": raised,
                "external_id": CANARY, "updated_at": STAMP}  # fmt: skip

    sk = f"ACCOUNT#{USER}"
    bus, failed = publish(record("onboarding", account(alert), account(None), sk=sk))
    (event,) = bus.events
    assert (event.type, failed) == ("system.alert", [])
    data = event.detail["data"]
    assert (data["component"], data["status"]) == ("account", alert.lower())
    assert data["severity"] in ("warning", "critical")
    assert CANARY not in json.dumps(dict(event.detail))
    for new, old in ((account(alert), account(alert)), (account(None), account(alert))):
        bus, _ = publish(record("onboarding", new, old, sk=sk))
        assert types(bus) == []
