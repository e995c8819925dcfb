"""In-memory twins of the webhook repositories, and a sender that answers as told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.webhooks.domain import KEPT, Delivery, DeliveryStatus, Try, Webhook
from tidegate.integrations.webhooks.repository import place_of
from tidegate.integrations.webhooks.service.sender import Letter, Outcome


class MemoryWebhooks:
    """The webhooks of one tenant."""

    def __init__(self) -> None:
        self.stored: dict[str, Webhook] = {}

    def all(self) -> list[Webhook]:
        return sorted(self.stored.values(), key=lambda one: (one.created_at, one.id), reverse=True)

    def get(self, webhook_id: str) -> Webhook | None:
        return self.stored.get(webhook_id)

    def save(self, webhook: Webhook) -> None:
        _expect(self.stored.get(webhook.id), webhook.version - 1)
        self.stored[webhook.id] = webhook

    def delete(self, webhook: Webhook) -> None:
        _expect(self.stored.get(webhook.id), webhook.version)
        del self.stored[webhook.id]


class MemoryDeliveries:
    """The deliveries of one tenant."""

    def __init__(self) -> None:
        self.stored: dict[str, Delivery] = {}

    def get(self, delivery_id: str, now: datetime) -> Delivery | None:
        found = self.stored.get(delivery_id)
        return found if found is not None and found.updated_at + KEPT > now else None

    def save(self, delivery: Delivery) -> None:
        _expect(self.stored.get(delivery.id), delivery.version - 1)
        self.stored[delivery.id] = delivery

    def page(
        self,
        webhook_id: str,
        status: DeliveryStatus | None,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
        now: datetime,
    ) -> tuple[list[Delivery], int, dict[str, Any] | None]:
        rows = [
            one
            for one in self.stored.values()
            if one.webhook_id == webhook_id
            and status in (None, one.status)
            and one.updated_at + KEPT > now
        ]
        rows.sort(key=place_of, reverse=True)
        total = len(rows)
        if start is not None:
            rows = [one for one in rows if place_of(one) < start["at"]]
        page = rows[skip : skip + limit]
        more = len(rows) > skip + limit
        return page, total, {"at": place_of(page[-1])} if more else None


def _expect(stored: Webhook | Delivery | None, version: int) -> None:
    if (0 if stored is None else stored.version) != version:
        raise ChangedMeanwhile


@dataclass
class ScriptedSender:
    """Gives its outcomes in order, the last for ever, and keeps the letters."""

    outcomes: list[Outcome]
    letters: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter, now: datetime) -> Outcome:
        self.letters.append(letter)
        return self.outcomes[min(len(self.letters), len(self.outcomes)) - 1]


def answered(status: int, now: datetime, **more: Any) -> Outcome:
    """The outcome of an answer with that status."""
    delivered = 200 <= status < 300
    error = None if delivered else f"status {status}"
    return Outcome(Try(now, status, error, 5), delivered=delivered, gone=status == 410, **more)
