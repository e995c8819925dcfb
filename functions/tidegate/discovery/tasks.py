"""Entry points of the discovery state machine."""

from __future__ import annotations

from typing import Any

from tidegate_kit.tenancy import TenantScope

from tidegate.discovery.engine.finish import fail_run, finish
from tidegate.discovery.engine.ports import Engine
from tidegate.discovery.engine.prepare import prepare
from tidegate.discovery.engine.units import fail_unit, read_unit
from tidegate.discovery.wiring import cold_start, engine_for

# What the state machine says about the end of a task, and what the customer may read of it.
_REASONS = {
    "ProviderThrottled": "throttled by the service, also after waiting",
    "ProviderUnavailable": "the service did not answer, also after waiting",
    "ServiceUnavailable": "a service of the platform did not answer",
    "States.Timeout": "it took too long",
    "Sandbox.Timedout": "it took too long",
}
_OTHER_REASON = "it could not be read; the reason is in the log"


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One task of a run: {task, tenant_id, run_id, unit?, error?}; ids only in and out."""
    if event.get("tidegate_ping"):
        return {"pong": True}
    cold_start()
    task = _TASKS[event["task"]]
    return task(engine_for(TenantScope(event["tenant_id"]), context), event)


def _prepare(engine: Engine, event: dict[str, Any]) -> dict[str, Any]:
    ids = {"tenant_id": event["tenant_id"], "run_id": event["run_id"]}
    units = prepare(engine, event["run_id"])
    return {**ids, "units": [{"task": "page", **ids, "unit": unit.key} for unit in units]}


def _page(engine: Engine, event: dict[str, Any]) -> dict[str, Any]:
    done = read_unit(engine, event["run_id"], event["unit"])
    return {**_same(event, "unit"), "task": "page", "done": done}


def _finish(engine: Engine, event: dict[str, Any]) -> dict[str, Any]:
    return {**_same(event), "done": finish(engine, event["run_id"])}


def _fail(engine: Engine, event: dict[str, Any]) -> dict[str, Any]:
    reason = _REASONS.get(str(event.get("error")), _OTHER_REASON)
    if "unit" in event:
        fail_unit(engine, event["run_id"], event["unit"], reason)
        return {**_same(event, "unit"), "done": True}
    fail_run(engine, event["run_id"], reason)
    return {**_same(event), "done": True}


def _same(event: dict[str, Any], *more: str) -> dict[str, Any]:
    return {name: event[name] for name in ("tenant_id", "run_id", *more)}


_TASKS = {"prepare": _prepare, "page": _page, "finish": _finish, "fail": _fail}
