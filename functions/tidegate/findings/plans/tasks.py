"""Entry points of plans without HTTP: the machine's tasks, decided approvals, the sweep."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.errors import NotFound
from tidegate_kit.observability import identify, logger
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.findings.plans.runs import Runs
from tidegate.findings.plans.settings import PlanSettings
from tidegate.findings.plans.wiring import plan_service, runs_of
from tidegate.identity.public import tenants


@cache
def _configure(settings: PlanSettings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "findings")


def _start() -> None:
    settings: PlanSettings = settings_of(PlanSettings)
    _configure(settings)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """One task of a run: {task, tenant_id, plan_id, run_id, item_id?}; ids only in and out.

    Raises ServiceUnavailable and Superseded, after which the machine calls again.
    """
    if event.get("tidegate_ping"):
        return {"pong": True}
    _start()
    logger.thread_safe_append_keys(tenant_id=event["tenant_id"], plan_id=event["plan_id"])
    try:
        return _TASKS[event["task"]](runs_of(TenantScope(event["tenant_id"])), event)
    finally:
        logger.thread_safe_clear_keys()


def _begin(runs: Runs, event: Mapping[str, Any]) -> dict[str, Any]:
    ids = _same(event)
    items = runs.begin(event["plan_id"], event["run_id"])
    return {**ids, "items": [{**ids, "item_id": item_id} for item_id in items]}


def _item(runs: Runs, event: Mapping[str, Any]) -> dict[str, Any]:
    look = runs.item(event["plan_id"], event["run_id"], event["item_id"])
    return {
        **_same(event),
        "item_id": event["item_id"],
        "done": look.done,
        "wait_seconds": look.wait_seconds,
    }


def _finish(runs: Runs, event: Mapping[str, Any]) -> dict[str, Any]:
    plan = runs.finish(event["plan_id"], event["run_id"])
    return {**_same(event), "status": None if plan is None else plan.status}


def _same(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in ("tenant_id", "plan_id", "run_id")}


_TASKS = {"begin": _begin, "item": _item, "finish": _finish}


def approval_closed(event: dict[str, Any], context: object) -> dict[str, Any]:
    """EventBridge's approval.decided and approval.expired: settle the plan that it is about.

    What the approval says is read from governance, never from the event.
    """
    if event.get("tidegate_ping"):
        return {"pong": True}
    _start()
    detail = event["detail"]
    told = detail["data"]
    if told["subject_type"] != "plan":
        return {"settled": None}
    try:
        plan = plan_service(TenantScope(detail["tenant_id"])).settle(str(told["subject_id"]))
    except NotFound:
        return {"settled": None}  # the tenant is gone, or never had such a plan
    return {"settled": plan.status}


def sweep(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Every five minutes: plans whose time is over, runs that nobody started or ended."""
    if event.get("tidegate_ping"):
        return {"pong": True}
    _start()
    seen = 0
    for scope in tenants():
        seen += runs_of(scope).sweep(plan_service(scope))
    logger.info("plans swept", seen=seen)
    return {"seen": seen}
