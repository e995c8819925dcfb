"""Builds the onboarding services on this deployment."""

from __future__ import annotations

import time
from datetime import datetime
from functools import cache

from tidegate_kit.aws_session import IMPATIENT, CustomerAccess
from tidegate_kit.clients import kms_sealer, platform_client
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.ids import new_id
from tidegate_kit.observability import identify
from tidegate_kit.outbound import OutboundClient, OutboundPolicy
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.onboarding.callback import PATIENCE, StackCallback
from tidegate.onboarding.copies import S3TemplateCopies
from tidegate.onboarding.credentials import KeyConnector
from tidegate.onboarding.keys import KeyReader
from tidegate.onboarding.probes import Prober
from tidegate.onboarding.repository import (
    DynamoGlobalRegistry,
    DynamoRegistrations,
    Registrations,
)
from tidegate.onboarding.reprobe import Reprobe, TenantServices
from tidegate.onboarding.responses import HttpResponseSender, ResponseSender
from tidegate.onboarding.service import Requests, signed_template_tenant
from tidegate.onboarding.settings import OnboardingSettings
from tidegate.onboarding.verification import Patience, Verifier

registry = DynamoGlobalRegistry()


def clock() -> datetime:
    """The current instant; every service of this module takes it."""
    return system_clock()


def settings() -> OnboardingSettings:
    """The settings of this process, read once."""
    found: OnboardingSettings = settings_of(OnboardingSettings)
    return found


def start_task() -> OnboardingSettings:
    """What a function without HTTP needs before its first read; once per process."""
    found = settings()
    _configure(found)
    return found


@cache
def _configure(settings: OnboardingSettings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "onboarding")


def store_of(tenant_id: str) -> Registrations:
    """The registrations of a tenant."""
    return DynamoRegistrations(TenantScope(tenant_id))


def requests(tenant_id: str) -> Requests:
    """The onboarding requests of a tenant."""
    found = settings()
    copies = S3TemplateCopies(platform_client("s3", found.aws_region), found.data_bucket)
    return Requests(store_of(tenant_id), copies, found, clock, new_id)


def signed_template(onboarding_id: str, exp: str | None, sig: str, now: datetime) -> str:
    """The template behind a signed link. Raises InvalidSignature."""
    tenant_id = signed_template_tenant(registry, store_of, onboarding_id, exp, sig, now)
    return requests(tenant_id).template(onboarding_id)


def verifier(settings: Settings, tenant_id: str) -> Verifier:
    """The verifier of a tenant's registrations."""
    prober = Prober(
        lambda tenant: CustomerAccess(settings, tenant, clock, IMPATIENT),
        settings.onboarding_role_arn,
        settings.aws_region,
        new_id,
        clock,
    )
    return Verifier(
        store_of(tenant_id), registry, prober, settings.onboarding_role_arn, clock, new_id
    )


def key_connector(settings: Settings, tenant_id: str) -> KeyConnector:
    """The connector of a tenant's accounts by access keys."""
    access = CustomerAccess(settings, tenant_id, clock, IMPATIENT)
    return KeyConnector(
        store_of(tenant_id),
        KeyReader(access.with_keys, settings.aws_region),
        kms_sealer(settings),
        settings.platform_account,
        clock,
        new_id,
    )


def reprobe(settings: Settings) -> Reprobe:
    """The sweep over every tenant's connected accounts."""

    def services(tenant_id: str) -> TenantServices:
        return TenantServices(
            store_of(tenant_id),
            verifier(settings, tenant_id),
            key_connector(settings, tenant_id),
        )

    return Reprobe(registry, services)


def patience() -> Patience:
    """Up to four minutes for IAM to propagate (EVT-2)."""
    return Patience(PATIENCE, time.sleep)


def stack_callback(settings: Settings, tenant_id: str, waiting: Patience) -> StackCallback:
    """The decider of call-backs that name a tenant's registration."""
    return StackCallback(store_of(tenant_id), verifier(settings, tenant_id), waiting, clock)


def response_sender(settings: OnboardingSettings) -> ResponseSender:
    """Answers stacks in the region of the call-back topic."""
    policy = OutboundPolicy.of(settings)
    region = settings.callback_topic_arn.split(":")[3]
    return HttpResponseSender(OutboundClient(policy), policy, region, settings.extra_response_hosts)
