"""From an event to its deliveries: rows, from whose stream the machines are started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope
from tidegate_kit.webhooks import event_body

from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.webhooks.domain import (
    DEFAULT_ID,
    MAX_BODY_BYTES,
    Delivery,
    Webhook,
    delivery_id,
)
from tidegate.integrations.webhooks.errors import EventTooLarge, WebhookDisabled
from tidegate.integrations.webhooks.repository import Deliveries
from tidegate.integrations.webhooks.service.management import WebhookService

DEAD_LETTERED = "webhook.dead_lettered"


@dataclass(frozen=True)
class Told:
    """An event to deliver. `source_id` names it: the same one again makes no further delivery.

    execution_id: the body is made from that execution's outcome when it is sent (WF-13).
    """

    type: str
    data: Mapping[str, Any]
    source_id: str
    occurred_at: datetime
    execution_id: str | None = None


class Outbox:
    """Deliveries of one tenant's events. A row is the promise; nothing is sent here."""

    def __init__(
        self,
        scope: TenantScope,
        webhooks: WebhookService,
        deliveries: Deliveries,
        clock: Clock,
    ) -> None:
        self._scope = scope
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._clock = clock

    def tell(self, event: Told) -> list[str]:
        """Ids of the event's deliveries, one for each webhook that wants it.

        Raises EventTooLarge, ServiceUnavailable.
        """
        receivers = [
            webhook
            for webhook in self._webhooks.all()
            if webhook.wants(event.type) and not _is_own_failure(webhook, event)
        ]
        return [self._put(event, webhook.id, webhook.url, fixed=False) for webhook in receivers]

    def tell_url(self, event: Told, url: str) -> str:
        """The id of the event's delivery to one address, signed by the default webhook (WF-13)."""
        return self._put(event, self._webhooks.default().id, url, fixed=True)

    def redeliver(self, webhook_id: str, wanted: str) -> Delivery:
        """Deliver again, under the same webhook-id. Raises NotFound, WebhookDisabled,
        ChangedMeanwhile."""
        old = self.get(webhook_id, wanted)
        webhook = self._webhooks.get(webhook_id)
        if not webhook.enabled and not old.fixed_url:
            raise WebhookDisabled
        now = self._clock()
        again = replace(
            old, status="pending", tries=0, restarts=0, round=old.round + 1, due_at=now,
            updated_at=now, version=old.version + 1,
        )  # fmt: skip
        self._deliveries.save(again)
        return again

    def get(self, webhook_id: str, wanted: str) -> Delivery:
        """A delivery of that webhook. Raises NotFound."""
        self._webhooks.get(webhook_id)
        found = self._deliveries.get(wanted, self._clock())
        if found is None or found.webhook_id != webhook_id:
            raise NotFound
        return found

    def _put(self, event: Told, webhook_id: str, url: str, *, fixed: bool) -> str:
        now = self._clock()
        body = None
        if event.execution_id is None:
            body = event_body(event.type, event.occurred_at, event.data).decode()
            if len(body.encode()) > MAX_BODY_BYTES:
                raise EventTooLarge
        made = Delivery(
            id=delivery_id(
                self._scope.tenant_id, webhook_id, url if fixed else None, event.source_id
            ),
            created_at=now,
            updated_at=now,
            webhook_id=webhook_id,
            event_type=event.type,
            url=url,
            fixed_url=fixed,
            body=body,
            execution_id=event.execution_id,
            occurred_at=event.occurred_at,
            due_at=now,
        )
        try:
            self._deliveries.save(made)
        except ChangedMeanwhile:
            return made.id  # told before: the same event came again (EVT-5)
        return made.id


def _is_own_failure(webhook: Webhook, event: Told) -> bool:
    """A webhook that does not answer is not told so through itself."""
    return event.type == DEAD_LETTERED and event.data.get("webhook_id") in (webhook.id, DEFAULT_ID)
