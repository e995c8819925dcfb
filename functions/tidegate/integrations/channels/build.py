"""From an account's configuration to its adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tidegate_kit.clock import Clock
from tidegate_kit.outbound import OpenSocket, OutboundClient

from tidegate.integrations.channels.api import JsonApi
from tidegate.integrations.channels.base import Adapter, Channel
from tidegate.integrations.channels.instagram import Instagram
from tidegate.integrations.channels.ses import Ses
from tidegate.integrations.channels.smtp import Smtp, SmtpConfiguration
from tidegate.integrations.channels.twitter import Twitter
from tidegate.integrations.domain import AccountType

# The longest text of a message, in octets of UTF-8.
MAX_OCTETS: Final[Mapping[Channel, int]] = {
    "email": Ses.max_octets,
    "twitter": Twitter.max_octets,
    "instagram": Instagram.max_octets,
}


@dataclass(frozen=True)
class ChannelParts:
    """What adapters are made of on this deployment. `ses` makes a client on first use."""

    outbound: OutboundClient
    open_mail: Callable[[str, int, float], OpenSocket]
    ses: Callable[[], Any]
    mail_from: str | None
    mail_events: str | None
    twitter_base_url: str
    instagram_base_url: str
    clock: Clock

    def platform_mail(self) -> Ses:
        """The adapter of the platform's own sender."""
        return Ses(self.ses, self.mail_from, self.mail_events, self.clock)

    def mailer(self, configuration: Mapping[str, Any]) -> Ses | Smtp:
        """The adapter of an e-mail account's configuration."""
        if configuration.get("provider") == "ses":
            return self.platform_mail()
        return Smtp(smtp_configuration(configuration), self.open_mail)

    def adapter(self, kind: AccountType, configuration: Mapping[str, Any]) -> Adapter | None:
        """The adapter of an account; None where it is no channel."""
        channel = channel_of(kind, configuration)
        if channel is None:
            return None
        if channel == "email":
            return self.mailer(configuration)
        token = str(configuration.get("access_token", ""))
        if channel == "twitter":
            return Twitter(JsonApi(self.outbound, self.twitter_base_url, token))
        return Instagram(JsonApi(self.outbound, self.instagram_base_url, token))


def channel_of(kind: AccountType, configuration: Mapping[str, Any]) -> Channel | None:
    """The channel an account serves: a social one needs `provider` and `access_token`."""
    if kind == "email":
        return "email"
    token = configuration.get("access_token")
    if kind != "social" or not isinstance(token, str) or not _printable(token):
        return None
    match configuration.get("provider"):
        case "twitter" | "x":
            return "twitter"
        case "instagram":
            return "instagram"
    return None


def smtp_configuration(configuration: Mapping[str, Any]) -> SmtpConfiguration:
    """The SMTP part of a checked configuration (INT-2)."""
    return SmtpConfiguration(
        host=configuration["host"],
        port=configuration["port"],
        username=configuration["username"],
        from_address=configuration["from_address"],
        password=configuration["password"],
    )


def _printable(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token and 1 <= len(token) <= 4000
