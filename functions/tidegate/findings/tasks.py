"""Entry points of the refresh machine and of the event that starts it."""

from __future__ import annotations

from typing import Any

from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.findings.service import refresh
from tidegate.findings.service.refresh import Parts
from tidegate.findings.settings import FindingsSettings
from tidegate.findings.wiring import parts_of, start_task

# What the state machine says about the end of a task, and what the customer may read of it.
_REASONS = {
    "ServiceUnavailable": "a service of the platform did not answer",
    "States.Timeout": "it took too long",
    "Sandbox.Timedout": "it took too long",
}
_OTHER_REASON = "it could not be evaluated; the reason is in the log"


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One task of a refresh: {task, tenant_id, refresh_id, account_id?, after?, error?}.

    Ids only in and out.
    """
    if event.get("tidegate_ping"):
        return {"pong": True}
    start_task()
    task = _TASKS[event["task"]]
    return task(parts_of(TenantScope(event["tenant_id"]), context), event)


def _prepare(parts: Parts, event: dict[str, Any]) -> dict[str, Any]:
    accounts = refresh.accounts_of(parts, event["refresh_id"])
    same = _same(event)
    return {
        **same,
        "accounts": [{**same, "account_id": account, "after": ""} for account in accounts],
    }


def _account(parts: Parts, event: dict[str, Any]) -> dict[str, Any]:
    after = refresh.evaluate_account(
        parts, event["refresh_id"], event["account_id"], event["after"]
    )
    return {**_same(event, "account_id"), "after": after or "", "done": after is None}


def _finish(parts: Parts, event: dict[str, Any]) -> dict[str, Any]:
    done = refresh.finish(parts, event["refresh_id"])
    return {**_same(event), "status": done.status}


def _fail(parts: Parts, event: dict[str, Any]) -> dict[str, Any]:
    reason = _REASONS.get(str(event.get("error")), _OTHER_REASON)
    account = str(event.get("account_id", "*"))
    refresh.fail_account(parts, event["refresh_id"], account, reason)
    return _same(event)


def _same(event: dict[str, Any], *more: str) -> dict[str, Any]:
    return {name: event[name] for name in ("tenant_id", "refresh_id", *more)}


_TASKS = {"prepare": _prepare, "account": _account, "finish": _finish, "fail": _fail}


def follow_discovery(event: dict[str, Any], context: object) -> dict[str, Any]:
    """EventBridge's discovery.completed: refresh that account.

    The refresh is named by the event, so an event that comes twice is one refresh (EVT-5). It
    takes no lease: discoveries of several accounts may end at once.
    """
    if event.get("tidegate_ping"):
        return {"pong": True}
    start_task()
    settings: FindingsSettings = settings_of(FindingsSettings)
    detail = event["detail"]
    scope = TenantScope(detail["tenant_id"])
    launch = refresh.launcher(
        settings.findings_refresh_machine_arn, settings.aws_region, scope.tenant_id
    )
    started = refresh.start(
        parts_of(scope),
        launch,
        refresh_id=detail["id"],
        account_ids=[detail["data"]["account_id"]],
        check_ids=None,
        trigger="event",
        exclusive=False,
    )
    return {"refresh_id": started.id}
