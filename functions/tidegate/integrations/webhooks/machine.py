"""Builds what the delivery machine calls. Apart from `wiring`, because it asks workflows, which
themselves deliver through this domain."""

from __future__ import annotations

import random
from functools import partial

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.tenancy import TenantScope

from tidegate.integrations.webhooks.repository import DynamoDeliveries, DynamoWebhooks
from tidegate.integrations.webhooks.service.engine import Engine
from tidegate.integrations.webhooks.service.sender import HttpSender
from tidegate.integrations.webhooks.wiring import outbound_client, webhooks_of
from tidegate.workflows.public.outcomes import execution_outcome


def engine_of(scope: TenantScope, clock: Clock = system_clock) -> Engine:
    """What attempts a tenant's deliveries."""
    return Engine(
        DynamoDeliveries(scope), DynamoWebhooks(scope), webhooks_of(scope, clock),
        HttpSender(outbound_client()), partial(execution_outcome, scope), clock, random.random,
    )  # fmt: skip
