"""Webhooks and their deliveries."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId
from tidegate_kit.ids import id_from, new_id

from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.routes.router import router
from tidegate.integrations.schemas import Deleted
from tidegate.integrations.webhooks import wiring
from tidegate.integrations.webhooks.domain import Delivery, Webhook
from tidegate.integrations.webhooks.errors import DefaultStays, TooManyWebhooks, WebhookDisabled
from tidegate.integrations.webhooks.schemas import (
    DeliveryList,
    DeliveryModel,
    PathWebhookId,
    Status,
    WebhookCreate,
    WebhookList,
    WebhookModel,
    WebhookPatch,
    WebhookWithSecret,
)

Page = Annotated[PageParams, Depends()]
_PATH = "/user/webhooks"


@router.get(_PATH, permission="integration:read")
def list_webhooks(page: Page, call: CurrentCall) -> WebhookList:
    """The tenant's webhooks, newest first, the default among them."""
    rows, fields = Paging(call, page, {}).slice(wiring.webhooks_of(call.principal.tenant).all())
    return WebhookList(webhooks=[WebhookModel(**_fields(row)) for row in rows], **fields)


@router.post(
    _PATH,
    permission="integration:write",
    status=201,
    idempotent=True,
    secret=True,
    errors=[TooManyWebhooks, ChangedMeanwhile],
)
def create_webhook(body: WebhookCreate, call: CurrentCall) -> WebhookWithSecret:
    """Make a webhook; its secret is shown this once."""
    made = wiring.webhooks_of(call.principal.tenant).create(
        new_id() if call.effect_key is None else id_from(f"webhook\n{call.effect_key}"),
        body.url,
        body.event_types,
        enabled=body.enabled,
    )
    return WebhookWithSecret(**_fields(made.webhook), secret=made.secret)


@router.get(f"{_PATH}/{{webhook_id}}", permission="integration:read")
def get_webhook(webhook_id: PathWebhookId, call: CurrentCall) -> WebhookModel:
    """A webhook without its secret."""
    found = wiring.webhooks_of(call.principal.tenant).get(webhook_id)
    return WebhookModel(**_fields(found))


@router.patch(f"{_PATH}/{{webhook_id}}", permission="integration:write", errors=[ChangedMeanwhile])
def patch_webhook(webhook_id: PathWebhookId, body: WebhookPatch, call: CurrentCall) -> WebhookModel:
    """Change where events go, which ones, and whether."""
    changes = body.model_dump(exclude_unset=True)
    changed = wiring.webhooks_of(call.principal.tenant).change(webhook_id, changes)
    return WebhookModel(**_fields(changed))


@router.delete(
    f"{_PATH}/{{webhook_id}}",
    permission="integration:write",
    errors=[DefaultStays, ChangedMeanwhile],
)
def delete_webhook(webhook_id: PathWebhookId, call: CurrentCall) -> Deleted:
    """Remove a webhook; deliveries under way to it end."""
    wiring.webhooks_of(call.principal.tenant).delete(webhook_id)
    return Deleted(id=webhook_id)


@router.post(
    f"{_PATH}/{{webhook_id}}/rotate-secret",
    permission="integration:write",
    idempotent=True,
    secret=True,
    errors=[ChangedMeanwhile],
)
def rotate_webhook_secret(webhook_id: PathWebhookId, call: CurrentCall) -> WebhookWithSecret:
    """Make a fresh secret, shown this once; the old one signs beside it for 24 h."""
    made = wiring.webhooks_of(call.principal.tenant).rotate(webhook_id)
    return WebhookWithSecret(**_fields(made.webhook), secret=made.secret)


@router.get(f"{_PATH}/{{webhook_id}}/deliveries", permission="integration:read")
def list_deliveries(
    webhook_id: PathWebhookId, page: Page, call: CurrentCall, status: Status = None
) -> DeliveryList:
    """A webhook's deliveries of the last 14 days, newest first."""
    paging = Paging(call, page, {"webhook_id": webhook_id, "status": status})
    rows, total, next_key = wiring.deliveries_of(
        call.principal.tenant, webhook_id, status, paging, call.now
    )
    return DeliveryList(
        deliveries=[_delivery(row) for row in rows], **paging.fields(total, next_key)
    )


@router.post(
    f"{_PATH}/{{webhook_id}}/deliveries/{{delivery_id}}/redeliver",
    permission="integration:write",
    status=202,
    idempotent=True,
    errors=[WebhookDisabled, ChangedMeanwhile],
)
def redeliver(webhook_id: PathWebhookId, delivery_id: PathId, call: CurrentCall) -> DeliveryModel:
    """Deliver again, under the same webhook-id."""
    return _delivery(wiring.outbox_of(call.principal.tenant).redeliver(webhook_id, delivery_id))


def _fields(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id, "url": webhook.url, "event_types": list(webhook.event_types),
        "enabled": webhook.enabled, "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
    }  # fmt: skip


def _delivery(delivery: Delivery) -> DeliveryModel:
    return DeliveryModel(
        id=delivery.id, event_type=delivery.event_type, url=delivery.url, status=delivery.status,
        attempts=delivery.attempts, last_status_code=delivery.last_status_code,
        created_at=delivery.created_at,
    )  # fmt: skip
