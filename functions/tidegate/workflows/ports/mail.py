"""E-mail of email and notify nodes: through SES, or through an account of the starter."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
)
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import UserScope

from tidegate.integrations import public as integrations
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import Mail
from tidegate.workflows.ports.journal import EffectUncertain, Journal

_ADDRESS: Final = re.compile(r"[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]{1,255}")
_THROTTLED: Final = frozenset(
    {"TooManyRequestsException", "LimitExceededException", "ThrottlingException"}
)


class StepMail:
    """Mailer of one step.

    `ses` makes a boto3 sesv2 client that repeats nothing by itself; `sender` is a verified
    address; `user` is whose accounts a node may name.
    """

    def __init__(
        self, ses: Callable[[], Any], sender: str | None, journal: Journal, user: UserScope
    ) -> None:
        self._ses = ses
        self._sender = sender
        self._journal = journal
        self._user = user

    def send(self, mail: Mail, *, effect_key: str) -> str:
        """Send once and give the provider's id of the e-mail."""
        if self._sender is None and mail.account_id is None:
            raise StepError("NODE_UNAVAILABLE", "This installation has no sender for e-mail.")
        subject, body = _text(mail)
        for address in (*mail.to, *mail.cc, *mail.bcc):
            if _ADDRESS.fullmatch(address) is None:
                raise StepError("INVALID_DATA", "A recipient is not an e-mail address.")
        answer: str = self._journal.once(
            lambda: (
                self._send(mail, subject, body)
                if mail.account_id is None
                else self._by_account(mail.account_id, mail, subject, body, effect_key)
            )
        )
        return answer

    def _by_account(
        self, account_id: str, mail: Mail, subject: str, body: str, effect_key: str
    ) -> str:
        written = integrations.Mail(mail.to, subject, body, mail.cc, mail.bcc)
        try:
            return integrations.send_mail(self._user, account_id, written, effect_key)
        except integrations.ChannelError as error:
            if error.uncertain:
                # Not a StepError: the journal must keep its claim, or the mail might go out twice.
                raise EffectUncertain(error.message) from error
            raise StepError(error.code, error.message, retryable=error.retryable) from error
        except ServiceUnavailable as error:
            raise StepError(error.code, error.message, retryable=True) from error

    def _send(self, mail: Mail, subject: str, body: str) -> str:
        try:
            answer = self._ses().send_email(
                FromEmailAddress=self._sender,
                Destination={
                    "ToAddresses": list(mail.to),
                    "CcAddresses": list(mail.cc),
                    "BccAddresses": list(mail.bcc),
                },
                Content={
                    "Simple": {
                        "Subject": {"Data": subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": body, "Charset": "UTF-8"}},
                    }
                },
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise StepError(
                "EMAIL_REFUSED", "The mail service did not take the e-mail.",
                retryable=code in _THROTTLED,
            ) from error  # fmt: skip
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            text = "The mail service did not answer."
            raise StepError("EMAIL_FAILED", text, retryable=True) from error
        except BotoCoreError as error:
            # The call had begun: the mail may be on its way.
            raise EffectUncertain("The mail service did not answer.") from error
        return str(answer["MessageId"])


def _text(mail: Mail) -> tuple[str, str]:
    if mail.template is None:
        return " ".join((mail.subject or "").split()), mail.body or ""
    written = integrations.mail_text(mail.template, mail.variables)
    if written is None:
        raise StepError("UNKNOWN_MAIL_TEMPLATE", "There is no such mail template.")
    return written
