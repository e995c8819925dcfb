"""Records of the domain and the rules of a configuration; pure (INT-2)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from tidegate_kit.errors import Detail

AccountType = Literal["calendar", "crm", "email", "social"]
MAX_CONFIGURATION_BYTES = 16 * 1024
MAX_DEPTH = 16
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}\.[^@\s.]{1,63}")


@dataclass(frozen=True, kw_only=True)
class Record:
    """What every stored record has. `version` counts its writes, from 1."""

    id: str
    created_at: datetime
    updated_at: datetime
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class Account(Record):
    """A user's integration account; `configuration` is sealed JSON."""

    account_type: AccountType
    configuration: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Target(Record):
    """Somebody a user writes to. An inactive one is kept and not shown (INT-3)."""

    name: str
    email: str | None = None
    twitter_username: str | None = None
    instagram_username: str | None = None
    notes: str | None = None
    active: bool = True


@dataclass(frozen=True, kw_only=True)
class Secret(Record):
    """A tenant's secret by name; `value` is sealed. `updated_by`: whom the audit log names."""

    value: str = field(repr=False)
    updated_by: str | None = None


HealthStatus = Literal["healthy", "degraded", "unhealthy", "unknown"]
_UNHEALTHY_AFTER = 3


@dataclass(frozen=True, kw_only=True)
class Health(Record):
    """What the checks of an account found; `id` is the account's. `failures`: in a row."""

    status: HealthStatus
    failures: int
    last_checked_at: datetime
    last_success_at: datetime | None
    last_error: str | None

    def following(self, old: Health) -> Health:
        """As the record after `old`, of which it takes over nothing."""
        return replace(self, version=old.version + 1)


def health_after(account_id: str, old: Health | None, error: str | None, now: datetime) -> Health:
    """The health after one more check; `error` None means that it passed.

    One or two failures after a success are degraded; three in a row, or a first check that fails,
    are unhealthy.
    """
    failures = 0 if error is None else (0 if old is None else old.failures) + 1
    success = now if error is None else (None if old is None else old.last_success_at)
    lasting = failures >= _UNHEALTHY_AFTER or success is None
    status: HealthStatus = "healthy" if error is None else "unhealthy" if lasting else "degraded"
    return Health(
        id=account_id, created_at=now if old is None else old.created_at, updated_at=now,
        version=1 if old is None else old.version + 1, status=status, failures=failures,
        last_checked_at=now, last_success_at=success, last_error=error,
    )  # fmt: skip


@dataclass(frozen=True)
class Tool:
    """What an account lets a workflow do."""

    name: str
    account_id: str
    account_type: AccountType
    connected: bool
    actions: tuple[str, ...]
    node_types: tuple[str, ...]


_ABILITIES: dict[AccountType, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "calendar": (("create_event",), ("calendar_event",)),
    "crm": (("call_api",), ("http",)),
    "email": (("send_email", "send_message"), ("email", "message")),
    "social": (("send_message",), ("message",)),
}


def tool_of(account: Account) -> Tool:
    """The tool that an account is."""
    actions, node_types = _ABILITIES[account.account_type]
    name = f"{account.account_type}:{account.id}"
    return Tool(name, account.id, account.account_type, True, actions, node_types)


def configuration_problems(kind: AccountType, given: Mapping[str, Any]) -> list[Detail]:
    """What is missing or malformed in a configuration (INT-2); none means it can be stored."""
    if depth(given) > MAX_DEPTH:
        return [Detail("configuration", f"is nested more than {MAX_DEPTH} levels deep")]
    if len(json.dumps(given, ensure_ascii=False).encode(errors="replace")) > (
        MAX_CONFIGURATION_BYTES
    ):
        return [Detail("configuration", f"is larger than {MAX_CONFIGURATION_BYTES} bytes")]
    return [
        Detail(f"configuration.{name}", message)
        for name, (accepts, message) in _required(kind, given).items()
        if not accepts(given.get(name))
    ]


def depth(node: Any) -> int:
    """Levels of nesting; a scalar has none."""
    if isinstance(node, Mapping):
        return 1 + max(map(depth, node.values()), default=0)
    if isinstance(node, list):
        return 1 + max(map(depth, node), default=0)
    return 0


_Check = tuple[Callable[[Any], bool], str]


def _required(kind: AccountType, given: Mapping[str, Any]) -> dict[str, _Check]:
    text: _Check = (_is_text, "is required")
    if kind == "crm":
        return {"base_url": text, "api_key": text}
    if kind == "calendar":
        return {"provider": (lambda value: value == "google", "must be google")}
    if kind == "social" or (kind == "email" and given.get("provider") == "ses"):
        return {}
    return {
        "provider": (lambda value: value == "smtp", "must be ses or smtp"),
        "host": (_is_host, "must be a host name"),
        "port": (_is_port, "must be a port"),
        "username": text,
        "password": text,
        "from_address": (_is_email, "must be an e-mail address"),
    }


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 2000


def _is_host(value: Any) -> bool:
    return isinstance(value, str) and _HOST.fullmatch(value) is not None


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535


def _is_email(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value) is not None
