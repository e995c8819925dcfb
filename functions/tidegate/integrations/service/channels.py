"""Which of a user's accounts serves which channel, and what a target is called there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tidegate.integrations.channels import Adapter, Channel
from tidegate.integrations.channels.build import channel_of
from tidegate.integrations.domain import Account, AccountType, Target
from tidegate.integrations.repository import Records

MakeAdapter = Callable[[AccountType, Mapping[str, Any]], Adapter | None]
_TYPES: Final[frozenset[AccountType]] = frozenset({"email", "social"})


class ChannelService:
    """Channels of one user. `plain` opens an account's configuration."""

    def __init__(
        self,
        accounts: Records[Account],
        plain: Callable[[Account], dict[str, Any]],
        adapter: MakeAdapter,
    ) -> None:
        self._accounts = accounts
        self._plain = plain
        self._adapter = adapter

    def connected(self) -> frozenset[Channel]:
        """The channels that an account serves."""
        return frozenset(channel for channel, _, _ in self._opened())

    def adapter(self, channel: Channel) -> Adapter | None:
        """The adapter of a channel's newest account; None where no account serves it."""
        for served, account, configuration in self._opened():
            if served == channel:
                return self._adapter(account.account_type, configuration)
        return None

    def _opened(self) -> Iterator[tuple[Channel, Account, dict[str, Any]]]:
        """Channel, account and opened configuration, newest account first."""
        for account in self._accounts.all():
            if account.account_type in _TYPES:
                configuration = self._plain(account)
                channel = channel_of(account.account_type, configuration)
                if channel is not None:
                    yield channel, account, configuration


def handle_of(target: Target, channel: Channel) -> str | None:
    """What the target is called on a channel."""
    if channel == "email":
        return target.email
    return target.twitter_username if channel == "twitter" else target.instagram_username
