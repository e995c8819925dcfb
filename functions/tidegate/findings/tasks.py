"""Entry points of the refresh machine and of the event that starts it."""

from __future__ import annotations

from typing import Any

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import system_clock
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.findings.prices.book import baseline
from tidegate.findings.prices.loader import load
from tidegate.findings.service import refresh
from tidegate.findings.service.refresh import Parts
from tidegate.findings.settings import FindingsSettings
from tidegate.findings.wiring import parts_of, price_cache, start_task

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
    parts = parts_of(scope)
    account_id = detail["data"]["account_id"]
    if gone(parts, account_id):
        return {"refresh_id": None}
    launch = refresh.launcher(
        settings.findings_refresh_machine_arn, settings.aws_region, scope.tenant_id
    )
    started = refresh.start(
        parts,
        launch,
        refresh_id=named_by(detail),
        account_ids=[account_id],
        check_ids=None,
        trigger="event",
        exclusive=False,
    )
    return {"refresh_id": started.id}


def named_by(detail: dict[str, Any]) -> str:
    """The id of the refresh that an event starts: the event's own."""
    return str(detail["id"])


def gone(parts: Parts, account_id: str) -> bool:
    """True when nothing is known of an account: its tenant was deleted, its events are late."""
    return account_id not in parts.living.every()


def load_prices(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Weekly: take the list prices of the baseline's regions from the AWS Price List API.

    Each region is stored on its own, so one that dies is followed by a whole one next time.
    """
    if event.get("tidegate_ping"):
        return {"pong": True}
    start_task()
    cache, book = price_cache(), baseline()
    # The API has endpoints in a few regions only, this one among them.
    client = platform_client("pricing", "us-east-1")
    date = system_clock().date().isoformat()
    stored: dict[str, int] = {}
    for region in book.regions():
        figures = load(client, book, region, date)
        if figures:
            cache.put(region, figures)
        stored[region] = len(figures)
    return {"stored": stored}
