"""Entry points without HTTP: the audit log's events, the expiry of approvals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope

from tidegate.governance import wiring
from tidegate.governance.domain import Actor, AuditAct
from tidegate.identity.public import tenant_exists, tenants


def append_audit(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """An internal event from the bus: enter what it tells; the same event again changes nothing.

    Raises what keeps it from being entered, so that it comes again and at last is a dead letter.
    """
    wiring.start_task()
    detail = event["detail"]
    scope = TenantScope(str(detail["tenant_id"]))
    if not tenant_exists(scope):
        # What is still under way when a tenant is deleted must not begin its log anew.
        logger.info("not audited: the tenant is gone", tenant_id=scope.tenant_id)
        return {"added": 0}
    return {"added": wiring.audit_of(scope).append([_act(detail)])}


def _act(detail: Mapping[str, Any]) -> AuditAct:
    told = detail["data"]
    return AuditAct(
        source_id=str(detail["id"]),
        at=datetime.fromisoformat(str(detail["occurred_at"])),
        actor=Actor(**told["actor"]),
        action=str(told["action"]),
        resource_type=str(told["resource"]["type"]),
        resource_id=str(told["resource"]["id"]),
        outcome=told["outcome"],
        request_id=str(detail.get("request_id") or ""),
        details=told["details"],
    )


def expire_approvals(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Every five minutes: close the pending approvals whose time is over (EVT-6)."""
    wiring.start_task()
    closed = failed = 0
    for scope in tenants():
        try:
            closed += wiring.approvals_of(scope).expire_due()
        except Exception:
            # One tenant's trouble must not keep the others' approvals open.
            logger.exception("approvals not expired", tenant_id=scope.tenant_id)
            failed += 1
    logger.info("approvals expired", closed=closed, failed=failed)
    if failed:
        raise RuntimeError(f"approvals of {failed} tenants were not expired")
    return {"closed": closed}
