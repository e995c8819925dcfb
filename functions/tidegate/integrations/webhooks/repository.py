"""Webhooks and deliveries of one tenant, each changed only from the version last read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, Protocol

from pynamodb.expressions.condition import Condition
from tidegate_kit.clock import epoch, iso
from tidegate_kit.dynamo import ConditionFailed, batch_get, store_errors
from tidegate_kit.tenancy import TenantScope, key

from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.models import RecordItem
from tidegate.integrations.webhooks.domain import KEPT, Delivery, DeliveryStatus, Try, Webhook
from tidegate.integrations.webhooks.models import DeliveryItem, WebhookItem


class Webhooks(Protocol):
    """The webhooks of one tenant; reads are strongly consistent."""

    def all(self) -> list[Webhook]:
        """Newest first."""

    def get(self, webhook_id: str) -> Webhook | None:
        """One webhook."""

    def save(self, webhook: Webhook) -> None:
        """Store version 1, or the version after the one read. Raises ChangedMeanwhile."""

    def delete(self, webhook: Webhook) -> None:
        """Remove. Raises ChangedMeanwhile if it is not as it was read."""


class Deliveries(Protocol):
    """The deliveries of one tenant's webhooks."""

    def get(self, delivery_id: str, now: datetime) -> Delivery | None:
        """One delivery, by a consistent read; None also when it is no longer kept (H15)."""

    def save(self, delivery: Delivery) -> None:
        """Store version 1, or the version after the one read. Raises ChangedMeanwhile."""

    def page(
        self,
        webhook_id: str,
        status: DeliveryStatus | None,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
        now: datetime,
    ) -> tuple[list[Delivery], int, dict[str, Any] | None]:
        """Newest first: the rows of a page, the total, and the key to go on from."""


def place_of(delivery: Delivery) -> str:
    """The place in the list by creation: fixed-width time, so that text order is time order."""
    created = delivery.created_at.astimezone(UTC)
    return f"{created.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}#{delivery.id}"


class DynamoWebhooks:
    """Webhooks on the table `integrations`."""

    def __init__(self, scope: TenantScope) -> None:
        self._pk = scope.pk

    def all(self) -> list[Webhook]:
        with store_errors():
            rows = list(
                WebhookItem.query(
                    self._pk, WebhookItem.sk.startswith("WEBHOOK#"), consistent_read=True
                )
            )
        found = [_webhook(row) for row in rows]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)

    def get(self, webhook_id: str) -> Webhook | None:
        (item,) = batch_get([(WebhookItem, self._pk, key("WEBHOOK", webhook_id))])
        return None if item is None else _webhook(item)

    def save(self, webhook: Webhook) -> None:
        values = {each.name: getattr(webhook, each.name) for each in fields(webhook)}
        values["event_types"] = list(webhook.event_types)
        _save(WebhookItem(self._pk, key("WEBHOOK", webhook.id), **values))

    def delete(self, webhook: Webhook) -> None:
        item = WebhookItem(self._pk, key("WEBHOOK", webhook.id))
        try:
            with store_errors():
                item.delete(condition=WebhookItem.version == webhook.version)
        except ConditionFailed as lost:
            raise ChangedMeanwhile from lost


class DynamoDeliveries:
    """Deliveries on the table `integrations`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def get(self, delivery_id: str, now: datetime) -> Delivery | None:
        (item,) = batch_get([(DeliveryItem, self._scope.pk, key("DELIVERY", delivery_id))])
        if item is None or int(item.expires) <= epoch(now):
            return None
        return _delivery(item)

    def save(self, delivery: Delivery) -> None:
        values = {each.name: getattr(delivery, each.name) for each in fields(delivery)}
        values["history"] = [{**asdict(one), "at": iso(one.at)} for one in delivery.history]
        _save(
            DeliveryItem(
                self._scope.pk,
                key("DELIVERY", delivery.id),
                gsi1pk=self._list_of(delivery.webhook_id),
                gsi1sk=place_of(delivery),
                tenant_id=self._scope.tenant_id,
                expires=epoch(delivery.updated_at + KEPT),
                **values,
            )
        )

    def page(
        self,
        webhook_id: str,
        status: DeliveryStatus | None,
        skip: int,
        limit: int,
        start: Mapping[str, Any] | None,
        now: datetime,
    ) -> tuple[list[Delivery], int, dict[str, Any] | None]:
        condition = DeliveryItem.expires > epoch(now)
        if status is not None:
            condition &= DeliveryItem.status == status
        rows: list[DeliveryItem] = []
        for row in self._newest(webhook_id, condition, None if start is None else start["at"]):
            if skip > 0:
                skip -= 1
                continue
            rows.append(row)
            if len(rows) > limit:
                break
        with store_errors():
            total = DeliveryItem.by_webhook.count(
                self._list_of(webhook_id), filter_condition=condition
            )
        next_key = {"at": rows[limit - 1].gsi1sk} if len(rows) > limit else None
        return [_delivery(row) for row in rows[:limit]], int(total), next_key

    def _newest(
        self, webhook_id: str, condition: Condition, below: str | None
    ) -> Iterator[DeliveryItem]:
        older = None if below is None else DeliveryItem.gsi1sk < below
        with store_errors():
            yield from DeliveryItem.by_webhook.query(
                self._list_of(webhook_id), older, condition, scan_index_forward=False
            )

    def _list_of(self, webhook_id: str) -> str:
        return f"{self._scope.pk}#{key('WH', webhook_id)}"


def _save(item: RecordItem) -> None:
    first = item.version == 1
    expected = (
        RecordItem.pk.does_not_exist() if first else RecordItem.version == int(item.version) - 1
    )
    try:
        with store_errors():
            item.save(condition=expected)
    except ConditionFailed as lost:
        raise ChangedMeanwhile from lost


def _webhook(item: WebhookItem) -> Webhook:
    values: dict[str, Any] = {each.name: getattr(item, each.name) for each in fields(Webhook)}
    values["version"] = int(item.version)
    values["event_types"] = tuple(item.event_types)
    return Webhook(**values)


_COUNTS = ("version", "attempts", "tries", "round", "restarts")


def _delivery(item: DeliveryItem) -> Delivery:
    values: dict[str, Any] = {each.name: getattr(item, each.name) for each in fields(Delivery)}
    values.update({name: int(values[name]) for name in _COUNTS})
    if item.last_status_code is not None:
        values["last_status_code"] = int(item.last_status_code)
    values["history"] = tuple(
        Try(datetime.fromisoformat(one["at"]), one["status_code"], one["error"], one["millis"])
        for one in item.history
    )
    return Delivery(**values)
