"""Identity table: tenant.created, user.registered."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.domain import Change, Draft


def identity_events(change: Change) -> Iterator[Draft]:
    """A new tenant, a new user. The user's address stays out: archives outlive a deletion."""
    item = change.inserted
    if item is None or change.tenant_id is None:
        return
    kind, _, rest = change.sk.partition("#")
    if change.sk == "TENANT":
        yield Draft("tenant.created", {"id": item["id"], "name": item["name"]})
    elif kind == "USER" and "#" not in rest:
        yield Draft(
            "user.registered",
            {
                "user_id": item["id"],
                "roles": sorted(item.get("roles") or {"user"}),
                "is_owner": bool(item["is_owner"]),
            },
        )
