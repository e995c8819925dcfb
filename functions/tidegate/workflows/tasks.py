"""Entry points without HTTP: the step function, the table's stream, ended machines, sweeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tidegate_kit.clock import iso, system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.observability import logger
from tidegate_kit.streams import follow_each
from tidegate_kit.tenancy import TenantScope

from tidegate.identity.public import member, tenant_is_active, tenants
from tidegate.workflows import wiring
from tidegate.workflows.domain import Execution
from tidegate.workflows.ports.approvals import approval_id_of
from tidegate.workflows.service.steps import Answer, Steps

_SYSTEM = "system"
_FOLLOWED = frozenset({"execution", "approval"})


def step(event: Mapping[str, Any], context: object) -> Answer:
    """Step Functions: {tenant_id, execution_id, action, step_id?, task_token?, error?}, ids only.

    Raises StepRetryable and StepFailed, which the machine knows by name.
    """
    wiring.start_task()
    tenant_id, execution_id = str(event["tenant_id"]), str(event["execution_id"])
    logger.thread_safe_append_keys(tenant_id=tenant_id, execution_id=execution_id)
    try:
        steps = wiring.services_of(TenantScope(tenant_id), _SYSTEM).steps
        return _dispatch(steps, execution_id, event)
    finally:
        logger.thread_safe_clear_keys()


def _dispatch(steps: Steps, execution_id: str, event: Mapping[str, Any]) -> Answer:
    step_id = str(event.get("step_id", ""))  # the end of an execution has no step
    match event["action"]:
        case "run":
            return steps.run(execution_id, step_id, event.get("task_token"))
        case "resume":
            return steps.resume(execution_id, step_id)
        case "fail":
            return steps.fail(execution_id, step_id, str(event["error"]))
        case "gate":
            return steps.gate(execution_id, step_id, str(event["task_token"]))
        case "finish":
            return steps.finish(execution_id)
        case action:
            raise ValueError(f"unknown action {action!r}")


def follow(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Stream of the table: launch, release, stop and clean up what a committed write asks for.

    Everything here is idempotent, so a record may come again. Names the records to bring again.
    """
    wiring.start_task()
    return follow_each(event, _follow, "a change of the workflows table was not followed")


def _follow(change: Mapping[str, Any]) -> None:
    new, old = change.get("NewImage", {}), change.get("OldImage", {})
    image = new or old
    if _text(image, "sk") == "SCHEDULE":
        service, _ = wiring.schedules_of(TenantScope(_text(image, "tenant_id")))
        service.follow(_text(image, "workflow_id"))
        return
    if not new and _text(old, "sk").startswith("WF#"):
        wiring.forget_machine(_text(old, "id"))
        return
    kind = _text(new, "kind")
    if kind not in _FOLLOWED or _text(new, "status") == _text(old, "status"):
        return
    services = wiring.services_of(TenantScope(_text(new, "tenant_id")), _SYSTEM)
    if kind == "approval":
        services.approvals.settle(services.repositories.approvals.get(_text(new, "id")))
        return
    execution = services.repositories.executions.find(_text(new, "id"))
    if execution is not None:
        _follow_execution(services, execution)


def _follow_execution(services: wiring.Services, execution: Execution) -> None:
    if execution.ended:
        services.repositories.ledger.cancel_open(
            execution, execution.completed_at or execution.started_at
        )
        if execution.status != "completed":
            services.executions.halt(execution)
            _close_approvals(services, execution)
        services.executions.release(execution.workflow_id)
    elif execution.status == "queued":
        services.executions.release(execution.workflow_id)
    else:
        services.executions.launch(execution)


def _close_approvals(services: wiring.Services, execution: Execution) -> None:
    for step in services.repositories.ledger.steps(execution.id):
        if step.type == "approval" and step.status in ("cancelled", "failed"):
            try:
                services.approvals.close(approval_id_of(execution.id, step.step_id))
            except NotFound:
                continue  # it failed before anybody was asked


def _text(image: Mapping[str, Any], name: str) -> str:
    return str(image.get(name, {}).get("S", ""))


def scheduled(event: Mapping[str, Any], context: object) -> dict[str, str | None]:
    """EventBridge Scheduler: {tenant_id, workflow_id, scheduled_time}; starts at most one run."""
    wiring.start_task()
    scope = TenantScope(str(event["tenant_id"]))
    at = str(event["scheduled_time"])
    if not at[:4].isdigit():
        # A scheduler that does not fill in the time: one run a minute, as fast as schedules go.
        at = iso(system_clock().replace(second=0, microsecond=0))
    service, _ = wiring.schedules_of(scope)
    started = service.tick(str(event["workflow_id"]), at, lambda owner: _may_act(scope, owner))
    return {"execution_id": None if started is None else started.id}


def _may_act(scope: TenantScope, owner: str) -> bool:
    found = member(scope, owner)
    return found is not None and found.is_active and tenant_is_active(scope)


def machine_ended(event: Mapping[str, Any], context: object) -> dict[str, bool]:
    """EventBridge, "Step Functions Execution Status Change": see to an execution that ended (E19).

    Runs of a distributed Map have names of their own and are left out.
    """
    wiring.start_task()
    detail = event["detail"]
    given = json.loads(detail.get("input") or "{}")
    tenant_id, execution_id = given.get("tenant_id"), given.get("execution_id")
    if not isinstance(tenant_id, str) or detail.get("name") != execution_id:
        return {"ended": False}
    services = wiring.services_of(TenantScope(tenant_id), _SYSTEM)
    return {"ended": services.executions.reconcile(str(execution_id))}


def sweep(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Every five minutes: end executions whose machine has died, start what was left behind."""
    wiring.start_task()
    seen = ended = 0
    for scope in tenants():
        services = wiring.services_of(scope, _SYSTEM)
        for execution_id in services.repositories.executions.open_ids():
            seen += 1
            try:
                ended += services.executions.reconcile(execution_id)
            except Exception:
                # One broken execution must not keep the others from being swept.
                logger.exception("an execution was not swept", execution_id=execution_id)
    logger.info("executions swept", seen=seen, ended=ended)
    return {"seen": seen, "ended": ended}
