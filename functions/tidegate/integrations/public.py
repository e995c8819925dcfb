"""What other domains may use: a tenant's secrets, and messages to targets. Without FastAPI."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.tenancy import TenantScope, UserScope

from tidegate.integrations.channels import Channel, ChannelError, Mail
from tidegate.integrations.errors import UnknownSecret
from tidegate.integrations.mail_templates import mail_text
from tidegate.integrations.service.credentials import Credential
from tidegate.integrations.service.sending import Draft
from tidegate.integrations.webhooks.service.outbox import Told
from tidegate.integrations.webhooks.wiring import outbox_of
from tidegate.integrations.wiring import (
    accounts_of,
    credentials_of,
    mailing_of,
    secrets_of,
    sending_of,
)

__all__ = [
    "Channel",
    "ChannelError",
    "Credential",
    "Mail",
    "UnknownSecret",
    "account_ids",
    "credential",
    "deliver",
    "mail_text",
    "secret",
    "secret_names",
    "send_mail",
    "send_message",
]


def secret(scope: TenantScope, name: str) -> str:
    """The plain value of a tenant's secret. Raises UnknownSecret, SealBroken, ServiceUnavailable.

    The caller's role needs kms:Decrypt on the data key and reads of the table `integrations`.
    """
    return secrets_of(scope).value(name)


def secret_names(scope: TenantScope) -> frozenset[str]:
    """The names that `secret` knows now."""
    return frozenset(one.id for one in secrets_of(scope).all())


def send_message(
    scope: UserScope,
    target_id: str,
    channel: Channel,
    subject: str | None,
    body: str,
    effect_key: str,
    clock: Clock = system_clock,
) -> str:
    """Send one message to a user's target and give the provider's id of it.

    One `effect_key`, target and channel make one message, however often this is called and
    whatever died in between. `subject` is for e-mail; None takes the start of the body. Raises
    ChannelError (`retryable` says whether to call again), ServiceUnavailable.
    """
    return sending_of(scope, clock).send(target_id, Draft(channel, subject, body, effect_key))


def send_mail(scope: UserScope, account_id: str, mail: Mail, effect_key: str) -> str:
    """Send an e-mail through a user's account of type email, and give its id.

    Not repeated by itself: the caller remembers whether it happened. Raises ChannelError,
    ServiceUnavailable.
    """
    return mailing_of(scope).send(account_id, mail, effect_key)


def account_ids(scope: UserScope) -> frozenset[str]:
    """The ids of a user's accounts, for checking what a definition names."""
    return frozenset(one.id for one in accounts_of(scope).find(None))


def credential(scope: UserScope, account_id: str, url: str) -> Credential:
    """The header by which a user's account of type crm authorises a request of `url`.

    Only for the scheme, host and port of the account's base_url. Raises ChannelError
    (UNKNOWN_ACCOUNT, ADDRESS_REFUSED, ACCOUNT_REFUSED), SealBroken, ServiceUnavailable. The caller
    hides `secret` from whatever it keeps of the answer.
    """
    return credentials_of(scope).header(account_id, url)


def deliver(
    scope: TenantScope,
    *,
    type: str,
    data: Mapping[str, Any],
    source_id: str,
    url: str | None = None,
    occurred_at: datetime | None = None,
    clock: Clock = system_clock,
) -> list[str]:
    """Deliver an event by webhook and give the ids of its deliveries (INT-5, INT-6).

    To `url`, signed by the tenant's default webhook; without one to every webhook that wants
    `type`. The same `source_id` again makes no further delivery. Nothing is sent here: rows are
    written, from whose stream the engine starts. Raises EventTooLarge (over 256 KiB),
    ServiceUnavailable. The caller's role needs the table `integrations` and, for a tenant's first
    delivery, kms:GenerateDataKey.
    """
    outbox = outbox_of(scope, clock)
    event = Told(type, data, source_id, occurred_at or clock())
    return outbox.tell(event) if url is None else [outbox.tell_url(event, url)]
