"""Which of a user's accounts serves which channel, and what a target is called there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

    def connected(self) -> dict[Channel, Account]:
        """The account of each channel that has one: the newest."""
        found: dict[Channel, Account] = {}
        for account in self._accounts.all():
            if account.account_type in _TYPES:
                channel = channel_of(account.account_type, self._plain(account))
                if channel is not None:
                    found.setdefault(channel, account)
        return found

    def adapter(self, channel: Channel) -> Adapter | None:
        """The adapter of a channel; None where no account serves it."""
        account = self.connected().get(channel)
        if account is None:
            return None
        return self._adapter(account.account_type, self._plain(account))


def handle_of(target: Target, channel: Channel) -> str | None:
    """What the target is called on a channel."""
    if channel == "email":
        return target.email
    return target.twitter_username if channel == "twitter" else target.instagram_username
