"""E-mail through an account that a user names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate.integrations.channels import ChannelError, Mail, Mailer
from tidegate.integrations.domain import Account
from tidegate.integrations.repository import Records

MakeMailer = Callable[[Mapping[str, Any]], Mailer]


class MailingService:
    """Mails of one user through his accounts."""

    def __init__(
        self,
        accounts: Records[Account],
        plain: Callable[[Account], dict[str, Any]],
        mailer: MakeMailer,
    ) -> None:
        self._accounts = accounts
        self._plain = plain
        self._mailer = mailer

    def send(self, account_id: str, mail: Mail, effect_key: str) -> str:
        """Send and give the mail's id. Raises ChannelError, ServiceUnavailable."""
        (account,) = self._accounts.get([account_id])
        if account is None or account.account_type != "email":
            raise ChannelError("UNKNOWN_ACCOUNT", "There is no such e-mail account.")
        return self._mailer(self._plain(account)).send_mail(mail, effect_key)
