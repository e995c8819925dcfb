"""Mails of this domain, as plain text: subject and body (AUTH-17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import logger

from tidegate.identity.service.recovery import Offered

_RESET = """\
Hello {first_name},

someone asked to reset the password of your Tidegate account. To choose a new one, open

  {link}

The link works once, for 30 minutes. If it was not you, ignore this mail: nothing has changed.
"""


@dataclass(frozen=True)
class Mail:
    """One plain-text mail."""

    to: str
    subject: str
    body: str


class Mailer(Protocol):
    """Sends mail."""

    def send(self, mail: Mail) -> None:
        """Raises ServiceUnavailable where the mail service does not take it."""


def reset_mail(offered: Offered, base_url: str) -> Mail:
    """The mail with the reset link, built on the configured base URL only (C9)."""
    # In the fragment, so that the token reaches no server log on its way to the page (A21).
    link = f"{base_url}/reset-password#token={offered.token}"
    name = " ".join(offered.first_name.split())
    return Mail(
        offered.email, "Reset your Tidegate password", _RESET.format(first_name=name, link=link)
    )


class SesMailer:
    """Mailer on SES v2. `ses` is a boto3 sesv2 client; `sender` a verified address."""

    def __init__(self, ses: Any, sender: str) -> None:
        self._ses = ses
        self._sender = sender

    def send(self, mail: Mail) -> None:
        content = {
            "Simple": {
                "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                "Body": {"Text": {"Data": mail.body, "Charset": "UTF-8"}},
            }
        }
        try:
            self._ses.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [mail.to]},
                Content=content,
            )
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"ses: {error}") from error


class NoMailer:
    """Says in the log that no sender is configured; the mail is dropped."""

    def send(self, mail: Mail) -> None:
        logger.warning("no mail is sent: MAIL_FROM is not set", subject=mail.subject)
