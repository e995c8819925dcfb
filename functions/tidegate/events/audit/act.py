"""An act, and what the mappings share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tidegate_kit.ids import is_id

from tidegate.events.domain import Change


@dataclass(frozen=True)
class Actor:
    """Who acted; unknown parts are empty. The log completes the address of a known user."""

    type: Literal["user", "system", "anonymous"]
    id: str = ""
    email: str = ""
    ip: str = ""


@dataclass(frozen=True)
class Act:
    """What is to be audited; details hold no secret. `tenant_id` where the key names none."""

    action: str
    actor: Actor
    resource_type: str
    resource_id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    outcome: Literal["success", "failure"] = "success"
    tenant_id: str | None = None


Auditor = Callable[[Change], Iterable[Act]]


def actor_of(id_: Any, ip: str = "") -> Actor:
    """A user by id; the platform for any other name, which is kept as the id."""
    text = id_ if isinstance(id_, str) else ""
    return Actor("user" if is_id(text) else "system", text, ip=ip)


def moment_of(change: Change) -> datetime:
    """When it happened: the write's own time, else the stream's."""
    stored = change.new.get("updated_at") if change.new is not None else None
    return datetime.fromisoformat(stored) if isinstance(stored, str) else change.recorded_at


def expired(change: Change) -> bool:
    """True for an item that its time to live removed: nobody did that."""
    if change.new is not None or change.old is None or "expires" not in change.old:
        return False
    return float(change.old["expires"]) <= change.recorded_at.timestamp()
