"""Onboarding table: what became of connections, and their keys."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.audit.act import Act, actor_of
from tidegate.events.domain import Change


def connection_acts(change: Change) -> Iterator[Act]:
    """A connection that was asked for or reached another status, keys that were given.

    Neither the External ID nor a fix that quotes it is told, nor any part of a key.
    """
    item = change.new
    if item is None or not change.sk.startswith("ACCOUNT#"):
        return
    actor = actor_of(item["actor"])
    details = {
        "account_id": item["account_id"],
        "connection_method": item["method"],
        "tier": item["tier"],
    }
    status = change.became("status")
    if status is not None:
        refused = status in ("refused", "access_lost")
        if status == "refused":
            details["refusal_code"] = item["refusal_code"]
        yield Act(
            f"connection.{status}",
            actor,
            "connection",
            item["id"],
            details,
            outcome="failure" if refused else "success",
        )
    elif change.became("tier") is not None:
        yield Act("connection.tier_changed", actor, "connection", item["id"], details)
    if change.became("keys_set_at") is not None:
        yield Act("connection.keys_set", actor, "connection", item["id"], details)
