"""Integrations table: a tenant's secrets, by name alone."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.audit.act import Act, Actor, actor_of
from tidegate.events.domain import Change


def secret_acts(change: Change) -> Iterator[Act]:
    """A secret that was stored, replaced or removed."""
    item = change.new or change.old
    if item is None or not change.sk.startswith("SECRET#"):
        return
    by = item.get("updated_by")
    actor = Actor("user") if by is None else actor_of(by)  # older records do not say who
    if change.new is None:
        yield Act("secret.deleted", actor, "secret", item["id"])
    elif change.old is None:
        yield Act("secret.stored", actor, "secret", item["id"])
    elif change.became("value") is not None:
        yield Act("secret.replaced", actor, "secret", item["id"])
