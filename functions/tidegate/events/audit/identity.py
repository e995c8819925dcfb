"""Identity table: logins and their refusals, members and their roles, invitations, the tenant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.events.audit.act import Act, Actor, actor_of, expired
from tidegate.events.domain import Change, Item


def identity_acts(change: Change) -> Iterator[Act]:
    """What members did, and what was done to them."""
    if change.pk == "ERASURES":
        yield from _erasure(change)
    elif change.tenant_id is None or change.pk != f"T#{change.tenant_id}":
        return
    elif change.sk == "TENANT":
        yield from _tenant(change)
    elif change.sk.startswith("FAILURE#"):
        yield from _failure(change)
    elif change.sk.startswith("INVITE#"):
        yield from _invitation(change)
    elif change.sk.startswith("USER#"):
        yield from _session(change) if "#SESSION#" in change.sk else _user(change)


def _session(change: Change) -> Iterator[Act]:
    item = change.new
    if item is None:
        return
    actor = actor_of(item["user_id"], item["ip"])
    if change.old is None:
        yield Act("auth.login", actor, "session", item["id"], {"user_agent": item["user_agent"]})
    elif change.became("revoked_at"):
        yield Act("auth.session_ended", actor_of(item["user_id"]), "session", item["id"])


def _failure(change: Change) -> Iterator[Act]:
    item = change.inserted
    if item is None:
        return
    user_id = item.get("user_id") or ""
    yield Act(
        "auth.login",
        Actor("anonymous", ip=item["ip"]),
        "user",
        user_id,
        {"path": item["path"], "status": int(item["status"]), "code": item["code"]},
        outcome="failure",
    )


def _user(change: Change) -> Iterator[Act]:
    old, item = change.old, change.new
    if item is None:
        return  # its erasure tells who did it
    if old is None:
        yield Act("member.joined", actor_of(item["id"]), "user", item["id"], _standing(item))
        return
    if _standing(old) != _standing(item):
        yield Act(
            "member.changed",
            actor_of(item.get("updated_by") or ""),
            "user",
            item["id"],
            {"before": _standing(old), "after": _standing(item)},
        )
    if change.became("password_hash"):
        yield Act("member.password_changed", actor_of(item["id"]), "user", item["id"])
    if change.became("email"):
        yield Act("member.email_changed", actor_of(item["id"]), "user", item["id"])


def _standing(item: Item) -> dict[str, Any]:
    return {
        "roles": sorted(item.get("roles") or {"user"}),
        "is_owner": bool(item.get("is_owner", False)),
        "is_active": bool(item.get("is_active", True)),
    }


def _erasure(change: Change) -> Iterator[Act]:
    item = change.inserted
    kind, _, rest = change.sk.partition("#")
    tenant_id, _, user_id = rest.partition("#")
    if item is not None and kind == "USER":
        by = actor_of(item.get("requested_by") or "")
        yield Act("member.removed", by, "user", user_id, tenant_id=tenant_id)


def _invitation(change: Change) -> Iterator[Act]:
    item = change.new or change.old
    if item is None or expired(change):
        return
    details = {"roles": sorted(item.get("roles") or ())}
    nobody = Actor("user")  # the record does not say who
    if change.old is None:
        by = item.get("invited_by")
        host = nobody if by is None else actor_of(by)
        yield Act("invitation.created", host, "invitation", item["id"], details)
    elif change.became("status") == "accepted":
        yield Act("invitation.accepted", nobody, "invitation", item["id"], details)
    elif change.new is None and item["status"] == "pending":
        yield Act("invitation.withdrawn", nobody, "invitation", item["id"], details)


def _tenant(change: Change) -> Iterator[Act]:
    item = change.new
    if item is None:
        return
    if change.old is None:
        yield Act("tenant.created", Actor("system"), "tenant", item["id"], {"name": item["name"]})
        return
    for name in ("is_active", "name"):
        if item.get(name) != change.old.get(name):
            by = actor_of(item.get("updated_by") or "")
            yield Act("tenant.changed", by, "tenant", item["id"], {name: item.get(name)})
