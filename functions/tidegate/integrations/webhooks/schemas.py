"""Requests and answers of the webhook routes (contract 2.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import Field, StringConstraints, model_validator
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Timestamp
from tidegate_kit.http.schema import Line, NotNull

from tidegate.integrations.webhooks.domain import DeliveryStatus

_ID = r"^(default|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$"
PathWebhookId = Annotated[str, Path(pattern=_ID)]
Status = Annotated[DeliveryStatus | None, Query()]
Url = Annotated[Line, StringConstraints(min_length=1, max_length=2000)]
EventType = Annotated[Line, StringConstraints(min_length=1, max_length=100)]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=50)]


def _once(types: list[str] | None) -> None:
    if types is not None and len(set(types)) != len(types):
        raise ValueError("event_types repeat a type")


class WebhookCreate(RequestModel):
    """POST /user/webhooks."""

    url: Url
    event_types: EventTypes = Field(default=["*"])
    enabled: bool = True

    @model_validator(mode="after")
    def _no_repeats(self) -> WebhookCreate:
        _once(self.event_types)
        return self


class WebhookPatch(RequestModel):
    """PATCH /user/webhooks/{id}: only what is sent changes."""

    url: Annotated[Url | None, NotNull] = None
    event_types: Annotated[EventTypes | None, NotNull] = None
    enabled: Annotated[bool | None, NotNull] = None

    @model_validator(mode="after")
    def _no_repeats(self) -> WebhookPatch:
        _once(self.event_types)
        return self


class WebhookModel(ApiModel):
    """A webhook. `secret` is told by create and rotate-secret alone."""

    id: str
    url: str = Field(description="Empty on a default webhook that was given none.")
    event_types: list[str]
    enabled: bool
    created_at: Timestamp
    updated_at: Timestamp


class WebhookWithSecret(WebhookModel):
    """A webhook as made or rotated by this call; the secret is shown this once."""

    secret: str = Field(repr=False)


class WebhookList(PageFields):
    """GET /user/webhooks."""

    webhooks: list[WebhookModel]


class DeliveryModel(ApiModel):
    """One event on its way to one address; its id is the webhook-id of every attempt."""

    id: str
    event_type: str
    url: str
    status: DeliveryStatus
    attempts: int
    last_status_code: int | None
    created_at: Timestamp


class DeliveryList(PageFields):
    """GET /user/webhooks/{id}/deliveries."""

    deliveries: list[DeliveryModel]
