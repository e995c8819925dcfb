"""Between items of the onboarding table and domain objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidegate_kit.tenancy import key

from tidegate.onboarding.domain import ROTATE_KEYS_AFTER, Check, Lease, Refusal, Registration
from tidegate.onboarding.models import (
    AccountItem,
    ConnectedItem,
    PointerItem,
)

CONNECTED = "CONNECTED"  # partition of the listing (global)


@dataclass(frozen=True)
class ConnectedRef:
    """Where a connected registration lies."""

    tenant_id: str
    onboarding_id: str


def listing_key(ref: ConnectedRef) -> str:
    """Sort key of a registration in the listing."""
    return key(ref.tenant_id, ref.onboarding_id)


def listing_item(registration: Registration) -> ConnectedItem:
    """The item by which the daily re-probe finds a registration."""
    return ConnectedItem(
        CONNECTED, listing_key(ConnectedRef(registration.tenant_id, registration.id)),
        tenant_id=registration.tenant_id, onboarding_id=registration.id,
        created_at=registration.updated_at, updated_at=registration.updated_at,
    )  # fmt: skip


def pointer_item(registration: Registration) -> PointerItem:
    """The item that tells the tenant of a registration."""
    return PointerItem(
        key("ONBOARDING", registration.id), "TENANT", tenant_id=registration.tenant_id,
        created_at=registration.created_at, updated_at=registration.updated_at,
    )  # fmt: skip


# Attributes that the item spells as the registration does.
_SAME = (
    "revision", "id", "tenant_id", "account_id", "method", "tier", "label", "status", "actor",
    "external_id", "role_name", "role_arn", "template_key", "template_copy", "connected_at",
    "last_verified_at", "disconnected_at", "discovery_run_id", "last_discovery_run_id",
    "last_discovery_at", "sealed_keys", "access_key_masked", "keys_set_at", "stack_id",
    "stack_removed_at", "alert", "alert_at", "created_at", "updated_at",
)  # fmt: skip


def attributes_of(registration: Registration) -> dict[str, Any]:
    """What is stored of a registration, besides its keys."""
    values: dict[str, Any] = {name: vars(registration)[name] for name in _SAME}
    values["regions"] = list(registration.regions)
    values["checks"] = [[c.name, c.passed, c.detail] for c in registration.checks] or None
    if registration.refusal is not None:
        values["refusal_code"] = registration.refusal.code
        values["refusal_fix"] = registration.refusal.fix
    if registration.lease is not None:
        values["lease_token"] = registration.lease.token
        values["lease_until"] = registration.lease.until
    if registration.keys_set_at is not None:
        values["keys_due_at"] = registration.keys_set_at + ROTATE_KEYS_AFTER
    return {name: value for name, value in values.items() if value is not None}


def registration_of(item: AccountItem) -> Registration:
    """The registration of an item."""
    stored: dict[str, Any] = item.attribute_values
    values: dict[str, Any] = {name: stored.get(name) for name in _SAME}
    values["revision"] = int(item.revision)
    values["regions"] = tuple(item.regions)
    values["checks"] = tuple(Check(*row) for row in stored.get("checks") or [])
    if stored.get("refusal_code") is not None:
        values["refusal"] = Refusal(stored["refusal_code"], stored.get("refusal_fix") or "")
    if stored.get("lease_token") is not None:
        values["lease"] = Lease(stored["lease_token"], stored["lease_until"])
    return Registration(**values)
