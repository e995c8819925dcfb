"""Onboarding table: account.connected, refused, access_lost, disconnected; alerts of accounts."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.domain import Change, Draft, Item

_BY_STATUS = {
    "connected": "account.connected",
    "refused": "account.refused",
    "access_lost": "account.access_lost",
    "disconnected": "account.disconnected",
}

# The alert of a registration: how bad it is, and what there is to say.
_ALERTS = {
    "ACCESS_LOST": ("critical", "the platform can no longer read it. Verify it again."),
    "ACCESS_LEFT": ("warning", "its stack was removed, but the role still lets the platform in."),
    "KEYS_DUE": ("warning", "its access keys are 90 days old. Replace them."),
}


def onboarding_events(change: Change) -> Iterator[Draft]:
    """A registration that reached another lasting status.

    The refusal's code goes out, its fix does not: that text quotes the External ID.
    """
    item = change.new
    if item is None or not change.sk.startswith("ACCOUNT#"):
        return
    alert = change.became("alert")
    if alert in _ALERTS:
        yield _alert(alert, item)
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


def _alert(alert: str, item: Item) -> Draft:
    severity, text = _ALERTS[alert]
    return Draft(
        "system.alert",
        {
            "severity": severity,
            "component": "account",
            "status": alert.lower(),
            "message": f"AWS account {item['account_id']}: {text}",
            "onboarding_id": item["id"],
            "account_id": item["account_id"],
        },
    )
