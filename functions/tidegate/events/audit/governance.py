"""Governance table: policies and approvals."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.audit.act import Act, actor_of
from tidegate.events.audit.approvals import approval_acts
from tidegate.events.domain import Change


def governance_acts(change: Change) -> Iterator[Act]:
    """A policy's new version, or what became of an approval."""
    item = change.inserted
    if item is not None and change.sk.startswith("POLICYV#"):
        yield Act(
            f"policy.{item['change']}",
            actor_of(item["created_by"]),
            "policy",
            item["id"],
            {
                "name": item["name"],
                "version": int(item["version"]),
                "enabled": bool(item["enabled"]),
            },
        )
    yield from approval_acts(change)
