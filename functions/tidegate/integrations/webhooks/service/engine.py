"""One step of a delivery's machine: attempt, record, say what comes next (INT-6)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from tidegate_kit.clock import Clock
from tidegate_kit.crypto import SealBroken
from tidegate_kit.observability import logger
from tidegate_kit.webhooks import event_body

from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.webhooks.domain import (
    MAX_RESTARTS,
    Delivery,
    Webhook,
    next_wait,
    silent_since,
)
from tidegate.integrations.webhooks.repository import Deliveries, Webhooks
from tidegate.integrations.webhooks.service.management import WebhookService
from tidegate.integrations.webhooks.service.sender import Letter, Outcome, Sender

# What an execution came to, for a delivery that names one; None: it is no longer kept.
Outcomes = Callable[[str], dict[str, Any] | None]
_SUCCESS_NOTED_EVERY = timedelta(hours=1)
FAILING = "It was disabled because a delivery failed to its last attempt and none succeeded."
GONE_REASON = "It was disabled because the receiver answered 410 Gone."


@dataclass(frozen=True)
class Next:
    """What the machine does now: end, or attempt again after so many whole seconds."""

    next: Literal["done", "wait"]
    seconds: int = 0


class Engine:
    """Deliveries of one tenant.

    Every step reads the stored row first and records by condition on it, so a repeated or late
    step adds nothing. A receiver may get an attempt twice when the step dies between the send and
    its record: then under the same webhook-id.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        webhooks: Webhooks,
        service: WebhookService,
        sender: Sender,
        outcomes: Outcomes,
        clock: Clock,
        share: Callable[[], float],
    ) -> None:
        self._deliveries = deliveries
        self._webhooks = webhooks
        self._service = service
        self._sender = sender
        self._outcomes = outcomes
        self._clock = clock
        self._share = share

    def attempt(self, wanted: str, round_: int) -> Next:
        """Attempt what is due. Raises ServiceUnavailable."""
        now = self._clock()
        delivery = self._deliveries.get(wanted, now)
        if delivery is None or delivery.round != round_ or delivery.ended:
            return Next("done")
        if delivery.due_at > now:
            return _wait(delivery.due_at - now)
        webhook = self._webhooks.get(delivery.webhook_id)
        hindrance = _hindrance(delivery, webhook)
        if webhook is None or hindrance is not None:
            return self._record(self._dead(delivery, hindrance or "", now))
        body = self._body(delivery)
        if body is None:
            return self._record(self._dead(delivery, "the execution is no longer kept", now))
        try:
            secrets = self._service.secrets(webhook).at(now)
        except SealBroken:
            # Another secret must never sign instead (F19).
            logger.error("webhook secret does not open", webhook_id=webhook.id)
            return self._record(self._dead(delivery, "the secret cannot be read", now))
        url = delivery.url if delivery.fixed_url else webhook.url
        outcome = self._sender.send(Letter(delivery.id, url, body, secrets), now)
        return self._settle(replace(delivery, url=url), webhook, outcome)

    def restart(self, wanted: str, round_: int) -> bool:
        """See to a delivery whose machine died: start another, or give up; True if it acted."""
        now = self._clock()
        delivery = self._deliveries.get(wanted, now)
        if delivery is None or delivery.round != round_ or delivery.ended:
            return False
        if delivery.restarts >= MAX_RESTARTS:
            self._record(self._dead(delivery, "the platform could not attempt it", now))
            return True
        again = replace(
            delivery, round=delivery.round + 1, restarts=delivery.restarts + 1, updated_at=now,
            version=delivery.version + 1,
        )  # fmt: skip
        self._record(again)
        return True

    def _settle(self, delivery: Delivery, webhook: Webhook, outcome: Outcome) -> Next:
        now = self._clock()
        tried = delivery.tried(outcome.tried, now)
        logger.info(
            "webhook attempt", delivery_id=delivery.id, webhook_id=webhook.id,
            attempt=tried.attempts, status=outcome.tried.status_code, error=outcome.tried.error,
            duration_ms=outcome.tried.millis,
        )  # fmt: skip
        if outcome.delivered:
            self._note_success(webhook, delivery, now)
            return self._record(_next(tried, "delivered"))
        own = not delivery.fixed_url
        if outcome.gone:
            # Disabled first: dying in between, the next step finds it disabled and ends as well.
            if own:
                self._service.disable(webhook.id, GONE_REASON)
            return self._record(_next(tried, "dead"))
        wait = next_wait(tried.tries, outcome.wait, self._share)
        if wait is not None:
            return self._record(replace(_next(tried, "failed"), due_at=now + wait))
        if own and silent_since(webhook, delivery):
            self._service.disable(webhook.id, FAILING)
        return self._record(_next(tried, "dead"))

    def _note_success(self, webhook: Webhook, delivery: Delivery, now: datetime) -> None:
        noted = webhook.delivered_at
        if delivery.fixed_url or (noted is not None and noted > now - _SUCCESS_NOTED_EVERY):
            return
        try:
            self._webhooks.save(replace(webhook, delivered_at=now, version=webhook.version + 1))
        except ChangedMeanwhile:
            logger.info("webhook changed meanwhile", webhook_id=webhook.id)

    def _record(self, delivery: Delivery) -> Next:
        try:
            self._deliveries.save(delivery)
        except ChangedMeanwhile:
            # Another step of this delivery recorded first, or it was redelivered: that row rules.
            stored = self._deliveries.get(delivery.id, self._clock())
            if stored is None or stored.round != delivery.round:
                return Next("done")
            delivery = stored
        if delivery.ended:
            return Next("done")
        return _wait(delivery.due_at - self._clock())

    def _dead(self, delivery: Delivery, reason: str, now: datetime) -> Delivery:
        return replace(_next(delivery, "dead"), last_error=reason, updated_at=now)

    def _body(self, delivery: Delivery) -> bytes | None:
        if delivery.body is not None or delivery.execution_id is None:
            return None if delivery.body is None else delivery.body.encode()
        data = self._outcomes(delivery.execution_id)
        if data is None:
            return None
        return event_body(delivery.event_type, delivery.occurred_at, data)


def _hindrance(delivery: Delivery, webhook: Webhook | None) -> str | None:
    if webhook is None:
        return "the webhook was deleted"
    if delivery.fixed_url:
        return None
    if not webhook.enabled:
        return "the webhook is disabled"
    return None if webhook.url else "the webhook has no address"


def _next(delivery: Delivery, status: Literal["delivered", "failed", "dead"]) -> Delivery:
    return replace(delivery, status=status, version=delivery.version + 1)


def _wait(left: timedelta) -> Next:
    # Rounded up: a machine that comes a moment early would only be sent away again.
    return Next("wait", max(0, math.ceil(left.total_seconds())))
