"""Errors of webhooks (contract 2.4)."""

from __future__ import annotations

from tidegate_kit.errors import Conflict, PayloadTooLarge


class DefaultStays(Conflict):
    message = "The default webhook signs webhook_url deliveries and cannot be deleted. Disable it."


class TooManyWebhooks(Conflict):
    message = "The tenant has as many webhooks as there may be. Delete one first."


class WebhookDisabled(Conflict):
    message = "The webhook is disabled. Enable it, then deliver again."


class EventTooLarge(PayloadTooLarge):
    message = "The event's data is larger than a webhook may carry."
