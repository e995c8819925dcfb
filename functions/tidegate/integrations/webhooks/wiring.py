"""Builds the webhook services of one tenant. Knows nothing of HTTP requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clients import kms_sealer, platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import identify
from tidegate_kit.outbound import OutboundClient, OutboundPolicy
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.events.public import EVENT_TYPES
from tidegate.integrations.settings import WebhookStarterSettings
from tidegate.integrations.vault import Vault
from tidegate.integrations.webhooks.domain import Delivery, DeliveryStatus
from tidegate.integrations.webhooks.repository import DynamoDeliveries, DynamoWebhooks
from tidegate.integrations.webhooks.service.management import WebhookService
from tidegate.integrations.webhooks.service.outbox import Outbox


class Slice(Protocol):
    """Where a list page starts and how long it is."""

    @property
    def skip(self) -> int:
        """Rows before it."""

    @property
    def page_size(self) -> int:
        """Rows wanted."""

    @property
    def start(self) -> dict[str, Any] | None:
        """The key of the last row before it."""


@cache
def _configure(settings: Settings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "integrations")


def start_task() -> None:
    """What a function without HTTP needs before its first read; once per process."""
    _configure(settings_of(Settings))


def webhooks_of(scope: TenantScope, clock: Clock = system_clock) -> WebhookService:
    """Webhooks of a tenant."""
    vault = Vault(kms_sealer(settings_of(Settings)), scope)
    return WebhookService(DynamoWebhooks(scope), vault, _check_url, EVENT_TYPES, clock)


def outbox_of(scope: TenantScope, clock: Clock = system_clock) -> Outbox:
    """What turns a tenant's events into deliveries."""
    return Outbox(scope, webhooks_of(scope, clock), DynamoDeliveries(scope), clock)


def deliveries_of(
    scope: TenantScope,
    webhook_id: str,
    status: DeliveryStatus | None,
    page: Slice,
    now: datetime,
) -> tuple[list[Delivery], int, Mapping[str, Any] | None]:
    """A page of a webhook's deliveries, the total, and where the next page starts.

    Raises NotFound for a webhook that is not the tenant's.
    """
    webhooks_of(scope).get(webhook_id)
    return DynamoDeliveries(scope).page(
        webhook_id, status, page.skip, page.page_size, page.start, now
    )


def launch(scope: TenantScope, delivery_id: str, round_: int) -> None:
    """Start the machine of one round of a delivery; once, however often it is asked.

    Raises ServiceUnavailable.
    """
    settings = settings_of(WebhookStarterSettings)
    client = platform_client("stepfunctions", settings.aws_region)
    ids = {"tenant_id": scope.tenant_id, "delivery_id": delivery_id, "round": round_}
    try:
        client.start_execution(
            stateMachineArn=settings.webhook_machine_arn,
            name=f"{delivery_id}-{round_}",
            input=json.dumps(ids),
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
            raise ServiceUnavailable(log=f"stepfunctions: {error}") from error
    except BotoCoreError as error:
        raise ServiceUnavailable(log=f"stepfunctions: {error}") from error


def _check_url(url: str) -> None:
    outbound_client().check(url, allow_local=True)


def outbound_client() -> OutboundClient:
    """The one client for addresses given by users; kept for the process."""
    return _client_of(OutboundPolicy.of(settings_of(Settings)))


@cache
def _client_of(policy: OutboundPolicy) -> OutboundClient:
    return OutboundClient(policy)
