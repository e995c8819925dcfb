"""A change of one stored item, and the event that follows from it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidegate_kit.clock import iso

Item = Mapping[str, Any]
SCHEMA_VERSION = 1
# The types of EVT-4, which webhooks subscribe to. A typing slip is refused, not published.
EVENT_TYPES = frozenset(
    {
        "tenant.created",
        "user.registered",
        "account.connected",
        "account.refused",
        "account.access_lost",
        "account.disconnected",
        "discovery.completed",
        "finding.opened",
        "finding.resolved",
        "plan.approved",
        "plan.executed",
        "plan.undone",
        "workflow.execution.started",
        "workflow.execution.completed",
        "workflow.execution.failed",
        "workflow.execution.cancelled",
        "workflow.execution.timed_out",
        "approval.requested",
        "approval.decided",
        "approval.expired",
        "policy.changed",
        "integration.unhealthy",
        "model.promoted",
        "pipeline.completed",
        "pipeline.failed",
        "webhook.dead_lettered",
        "budget.exceeded",
        "system.alert",
    }
)


@dataclass(frozen=True)
class Change:
    """One record of a table's stream. `table` is the logical name; `sequence` its place."""

    table: str
    sequence: str
    pk: str
    sk: str
    old: Item | None
    new: Item | None
    recorded_at: datetime

    @property
    def tenant_id(self) -> str | None:
        """The tenant whose item this is; None for global items."""
        kind, _, rest = self.pk.partition("#")
        return rest.partition("#")[0] if kind == "T" else None

    @property
    def inserted(self) -> Item | None:
        """The new item, if there was none before."""
        return self.new if self.old is None else None

    def became(self, attribute: str) -> Any:
        """The attribute's new value if this write changed it, else None."""
        if self.new is None:
            return None
        before = self.old.get(attribute) if self.old is not None else None
        after = self.new.get(attribute)
        return after if after != before else None


@dataclass(frozen=True)
class Draft:
    """What a mapping says: the event's type and its data, chosen field by field, no secret."""

    type: str
    data: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.type not in EVENT_TYPES:
            raise ValueError(f"{self.type!r} is not an event type")


Mapper = Callable[[Change], Iterable[Draft]]


@dataclass(frozen=True)
class Event:
    """An event as it goes to the bus."""

    type: str
    domain: str
    detail: Mapping[str, Any]
    namespace: str = "tidegate"

    @property
    def source(self) -> str:
        """EventBridge's source."""
        return f"{self.namespace}.{self.domain}"


def event_id(change: Change, kind: str) -> str:
    """The same record gives the same id, so a redelivered event is known (EVT-5). UUID4-shaped."""
    text = "\n".join((change.table, change.pk, change.sk, change.sequence, kind))
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def make_event(change: Change, draft: Draft) -> Event:
    """The event of EVT-4. Raises ValueError for a draft on an item of no tenant."""
    if change.tenant_id is None or change.new is None:
        raise ValueError(f"{draft.type} needs a tenant's item")
    occurred = change.new.get("updated_at")
    moment = datetime.fromisoformat(occurred) if isinstance(occurred, str) else change.recorded_at
    return Event(
        type=draft.type,
        domain=change.table,
        detail={
            "id": event_id(change, draft.type),
            "tenant_id": change.tenant_id,
            "occurred_at": iso(moment),
            "request_id": change.new.get("request_id"),
            "schema_version": SCHEMA_VERSION,
            "data": dict(draft.data),
        },
    )
