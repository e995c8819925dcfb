"""What an account adds to a request of a workflow (contract 2.5, node http)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from tidegate_kit.outbound import OutboundRefused

from tidegate.integrations.channels import ChannelError
from tidegate.integrations.domain import Account
from tidegate.integrations.repository import Records


@dataclass(frozen=True)
class Credential:
    """A header that authorises a request, and the secret in it, to be hidden from answers."""

    name: str
    value: str = field(repr=False)
    secret: str = field(repr=False)


class CredentialService:
    """Credentials of one user's accounts of type crm, the only ones that carry an API key.

    `origin` gives scheme, host and port of an address as they are dialled, or raises
    OutboundRefused.
    """

    def __init__(
        self,
        accounts: Records[Account],
        plain: Callable[[Account], dict[str, Any]],
        origin: Callable[[str], Hashable],
    ) -> None:
        self._accounts = accounts
        self._plain = plain
        self._origin = origin

    def header(self, account_id: str, url: str) -> Credential:
        """The account's credential for a call of `url`, given to the origin of its base_url alone.

        Raises ChannelError UNKNOWN_ACCOUNT, ADDRESS_REFUSED, ACCOUNT_REFUSED; ServiceUnavailable.
        """
        # An id with a key's separator is no id (B12).
        (account,) = self._accounts.get([account_id]) if "#" not in account_id else [None]
        if account is None or account.account_type != "crm":
            raise ChannelError("UNKNOWN_ACCOUNT", "There is no such account with an API key.")
        configuration = self._plain(account)
        if not self._belongs(url, str(configuration["base_url"])):
            text = "The account's API key goes to scheme, host and port of its base_url alone."
            raise ChannelError("ADDRESS_REFUSED", text)
        key = str(configuration["api_key"])
        if not (key.isascii() and key.isprintable()):
            raise ChannelError("ACCOUNT_REFUSED", "The api_key cannot be sent in a header.")
        return Credential("Authorization", f"Bearer {key}", key)

    def _belongs(self, url: str, base_url: str) -> bool:
        try:
            return self._origin(url) == self._origin(base_url)
        except OutboundRefused:
            return False
