"""Builds the services of one call."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from tidegate_kit.clients import kms_sealer, single_attempt_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.outbound import OutboundClient, OutboundPolicy, parse_target, socket_opener
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope, UserScope

from tidegate.integrations.channels.build import ChannelParts
from tidegate.integrations.channels.smtp import PORTS
from tidegate.integrations.repository import (
    DynamoAccounts,
    DynamoMessages,
    DynamoSecrets,
    DynamoTargets,
)
from tidegate.integrations.service.accounts import AccountService
from tidegate.integrations.service.channels import ChannelService
from tidegate.integrations.service.credentials import CredentialService
from tidegate.integrations.service.mailing import MailingService
from tidegate.integrations.service.messages import MessageService
from tidegate.integrations.service.secrets import SecretService
from tidegate.integrations.service.sending import SendingService
from tidegate.integrations.service.targets import TargetService
from tidegate.integrations.settings import ChannelSettings
from tidegate.integrations.vault import Vault

if TYPE_CHECKING:
    from tidegate_kit.http import Call


def accounts_for(call: Call) -> AccountService:
    """Accounts of the caller."""
    return accounts_of(call.principal.user)


def accounts_of(scope: UserScope, clock: Clock = system_clock) -> AccountService:
    """Accounts of a user; built for steps of workflows too."""
    return AccountService(DynamoAccounts(scope), _vault(scope), _check_url, clock)


def channels_of(scope: UserScope, clock: Clock = system_clock) -> ChannelService:
    """Channels of a user."""
    parts = channel_parts(settings_of(ChannelSettings), clock)
    return ChannelService(DynamoAccounts(scope), accounts_of(scope).plain, parts.adapter)


def sending_of(scope: UserScope, clock: Clock = system_clock) -> SendingService:
    """Messages of a user."""
    messages = MessageService(DynamoMessages(scope), clock, new_id)
    return SendingService(scope, DynamoTargets(scope), channels_of(scope, clock), messages)


def mailing_of(scope: UserScope) -> MailingService:
    """Mails of a user through his accounts."""
    parts = channel_parts(settings_of(ChannelSettings))
    return MailingService(DynamoAccounts(scope), accounts_of(scope).plain, parts.mailer)


def credentials_of(scope: UserScope) -> CredentialService:
    """Credentials of a user's accounts."""
    return CredentialService(DynamoAccounts(scope), accounts_of(scope).plain, _origin)


def channel_parts(settings: ChannelSettings, clock: Clock = system_clock) -> ChannelParts:
    """What adapters are made of."""
    policy = OutboundPolicy.of(settings)
    return ChannelParts(
        outbound=outbound_client(policy),
        open_mail=socket_opener(policy, PORTS),
        ses=partial(single_attempt_client, "sesv2", settings.aws_region),
        mail_from=settings.mail_from,
        mail_events=settings.mail_configuration_set,
        twitter_base_url=settings.twitter_base_url,
        instagram_base_url=settings.instagram_base_url,
        clock=clock,
    )


def targets_for(call: Call) -> TargetService:
    """Communication targets of the caller."""
    return TargetService(DynamoTargets(call.principal.user), system_clock, new_id)


def secrets_of(scope: TenantScope) -> SecretService:
    """Secrets of a tenant; built for steps of workflows too."""
    return SecretService(DynamoSecrets(scope), _vault(scope), system_clock)


def _vault(scope: TenantScope | UserScope) -> Vault:
    return Vault(kms_sealer(settings_of(Settings)), scope)


def _check_url(url: str) -> None:
    outbound_client(OutboundPolicy.of(settings_of(Settings))).check(url, allow_local=True)


def _origin(url: str) -> tuple[str, str, int]:
    # The reading by which the outbound client dials: no second parser that could disagree.
    target = parse_target(url, OutboundPolicy.of(settings_of(Settings)), allow_local=True)
    return target.scheme, target.host, target.port


@cache
def outbound_client(policy: OutboundPolicy) -> OutboundClient:
    """The one client for addresses given by users; kept for the process."""
    return OutboundClient(policy)
