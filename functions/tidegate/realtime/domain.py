"""Connections, events and frames; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidegate_kit.clock import iso

EVENT_TYPES = frozenset(
    {"workflow_execution_update", "system_alert", "error_notification", "metrics_update"}
)
KEPT = timedelta(hours=24)
TICKET_LIFE = timedelta(seconds=60)
MAX_AGE = timedelta(hours=2)
MAX_FRAME_OCTETS = 32 * 1024
_MAX_SEQUENCE = 10**15
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Event:
    """One message of a tenant; `user_id` set: for that member's eyes alone."""

    sequence: int
    type: str
    data: Mapping[str, Any]
    at: datetime
    user_id: str | None


@dataclass(frozen=True)
class Connection:
    """An open socket. `last_sent`: every event up to it was sent or is not for it."""

    id: str
    tenant_id: str
    user_id: str
    client_id: str
    session_id: str
    types: frozenset[str]
    last_sent: int
    wake: int
    truncated: bool
    connected_at: datetime


@dataclass(frozen=True)
class Ticket:
    """Who may open one socket, and under which client id."""

    tenant_id: str
    user_id: str
    session_id: str
    client_id: str
    issued_at: datetime


def is_client_id(text: str) -> bool:
    """True for 1 to 64 of [A-Za-z0-9_-]."""
    return _CLIENT_ID.fullmatch(text) is not None


def sequence_of(text: object) -> int | None:
    """A sequence number from a query string or frame; None for anything else (B22)."""
    if isinstance(text, bool):
        return None
    if isinstance(text, int):
        return text if 0 <= text <= _MAX_SEQUENCE else None
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 16:
        return sequence_of(int(text))
    return None


def visible(event: Event, connection: Connection) -> bool:
    """Whether a connection gets an event: type subscribed, and not another member's own."""
    mine = event.user_id is None or event.user_id == connection.user_id
    return mine and event.type in connection.types


def message(event: Event) -> str:
    """The frame of an event: {type, data, timestamp, sequence}."""
    return _frame(
        {
            "type": event.type,
            "data": event.data,
            "timestamp": iso(event.at),
            "sequence": event.sequence,
        }
    )


def control(action: str, ok: bool, now: datetime) -> str:
    """The frame of a reply: {type: control, data: {action, ok}, timestamp}, without sequence."""
    return _frame({"type": "control", "data": {"action": action, "ok": ok}, "timestamp": iso(now)})


def _frame(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
