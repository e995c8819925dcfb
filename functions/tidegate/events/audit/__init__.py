"""From a change to what the audit log says of it (GOV-5): one pure function a table.

An act goes over the bus to the function that appends to the tenant's log. Its source is outside
`tidegate.`, so that no webhook and no other follower of events hears of it.
"""

from __future__ import annotations

from typing import Any

from tidegate_kit.clock import iso

from tidegate.events.audit.act import Act, Auditor, moment_of
from tidegate.events.audit.approvals import approval_acts
from tidegate.events.audit.findings import plan_acts
from tidegate.events.audit.governance import governance_acts
from tidegate.events.audit.identity import identity_acts
from tidegate.events.audit.integrations import secret_acts
from tidegate.events.audit.onboarding import connection_acts
from tidegate.events.domain import SCHEMA_VERSION, Change, Event, event_id

NAMESPACE = "tidegate-internal"
TYPE = "audit.recorded"

AUDITORS: dict[str, Auditor] = {
    "identity": identity_acts,
    "onboarding": connection_acts,
    "integrations": secret_acts,
    "workflows": approval_acts,
    "governance": governance_acts,
    "findings": plan_acts,
}


def audit_events(change: Change) -> list[Event]:
    """What is to be audited of a change, as internal events; the same record, the same ids."""
    auditor = AUDITORS.get(change.table)
    acts = [] if auditor is None else list(auditor(change))
    return [_event(change, number, act) for number, act in enumerate(acts)]


def _event(change: Change, number: int, act: Act) -> Event:
    tenant_id = act.tenant_id or change.tenant_id
    if tenant_id is None:
        raise ValueError(f"{act.action} needs a tenant's item")
    item: Any = change.new or change.old or {}
    return Event(
        type=TYPE,
        domain="audit",
        namespace=NAMESPACE,
        detail={
            "id": event_id(change, f"audit {number}"),
            "tenant_id": tenant_id,
            "occurred_at": iso(moment_of(change)),
            "request_id": item.get("request_id"),
            "schema_version": SCHEMA_VERSION,
            "data": {
                "action": act.action,
                "actor": vars(act.actor),
                "resource": {"type": act.resource_type, "id": act.resource_id},
                "outcome": act.outcome,
                "details": dict(act.details),
            },
        },
    )
