"""Onboarding table: account.connected, refused, access_lost, disconnected."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.domain import Change, Draft

_BY_STATUS = {
    "connected": "account.connected",
    "refused": "account.refused",
    "access_lost": "account.access_lost",
    "disconnected": "account.disconnected",
}


def onboarding_events(change: Change) -> Iterator[Draft]:
    """A registration that reached another lasting status.

    The refusal's code goes out, its fix does not: that text quotes the External ID.
    """
    item = change.new
    if item is None or not change.sk.startswith("ACCOUNT#"):
        return
    status = change.became("status")
    if status not in _BY_STATUS:
        return
    data = {
        "onboarding_id": item["id"],
        "account_id": item["account_id"],
        "connection_method": item["method"],
        "tier": item["tier"],
    }
    if status == "refused":
        data["refusal_code"] = item["refusal_code"]
    yield Draft(_BY_STATUS[status], data)
