"""E-mail through Amazon SES.

SendEmail has no idempotency token. Each message carries tags that name its record; the event
"Email Sent" of the configuration set brings them back, and closes the record of a sending that
died on the way (see tasks.mail_sent). Without a configuration set such a sending stays uncertain.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
)
from tidegate_kit.clock import Clock

from tidegate.integrations.channels.base import ChannelError, Found, Mail, Message, Sending

_ADDRESS: Final = re.compile(r"[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]{1,255}")
_THROTTLED: Final = frozenset(
    {"TooManyRequestsException", "LimitExceededException", "ThrottlingException", "Throttling"}
)
# SES publishes a send within seconds; one that is not told of by then did not happen.
EVENT_BOUND: Final = timedelta(minutes=10)


class Ses:
    """Adapter of the platform's sender. `ses` must not repeat calls by itself."""

    max_octets = 1024 * 1024

    def __init__(
        self, ses: Callable[[], Any], sender: str | None, events: str | None, clock: Clock
    ) -> None:
        """`sender`: a verified address. `events`: a configuration set that publishes sends."""
        self._ses = ses
        self._sender = sender
        self._events = events
        self._clock = clock

    def check(self) -> None:
        """Whether the platform may send."""
        self._from()
        try:
            answer = self._ses().get_account()
        except (ClientError, BotoCoreError) as error:
            text = "The mail service did not answer."
            raise ChannelError("PROVIDER_UNAVAILABLE", text, retryable=True) from error
        if not answer.get("SendingEnabled", False):
            raise ChannelError("ACCOUNT_REFUSED", "Sending is switched off in the mail service.")

    def resolve(self, handle: str) -> str:
        """The address itself."""
        return address_of(handle)

    def send(self, message: Message, key: str) -> str:
        """Send a plain-text mail; its tags bring the event of its sending back to us."""
        more: dict[str, Any] = {}
        if self._events is not None:
            tags = [{"Name": name, "Value": value} for name, value in message.tags.items()]
            more = {"ConfigurationSetName": self._events, "EmailTags": tags}
        mail = Mail((message.to,), subject_of(message), message.text)
        return self._sent(mail, more)

    def send_mail(self, mail: Mail, key: str) -> str:
        """Send one mail to several; gives SES's id of it."""
        return self._sent(mail, {})

    def _sent(self, mail: Mail, more: dict[str, Any]) -> str:
        sender = self._from()
        try:
            answer = self._ses().send_email(
                FromEmailAddress=sender,
                Destination={
                    "ToAddresses": list(mail.to),
                    "CcAddresses": list(mail.cc),
                    "BccAddresses": list(mail.bcc),
                },
                Content={
                    "Simple": {
                        "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": mail.text, "Charset": "UTF-8"}},
                    }
                },
                **more,
            )
        except ClientError as error:
            raise _refused(error) from error
        except BotoCoreError as error:
            sent_nothing = isinstance(
                error, EndpointConnectionError | ConnectTimeoutError | NoCredentialsError
            )
            text = "The mail service did not answer."
            raise ChannelError(
                "PROVIDER_UNAVAILABLE", text, retryable=True, uncertain=not sent_nothing
            ) from error
        return str(answer["MessageId"])

    def find(self, message: Message, sending: Sending) -> Found:
        """Whether the mail was sent is told by an event; it has until EVENT_BOUND to come."""
        if self._events is None:
            return Found("unknown")
        over = self._clock() - sending.since > EVENT_BOUND
        return Found("absent" if over else "later")

    def _from(self) -> str:
        if self._sender is None:
            text = "This installation has no sender for e-mail."
            raise ChannelError("ACCOUNT_REFUSED", text)
        return self._sender


def address_of(text: str) -> str:
    """The text, if it is one plain address. Raises ChannelError."""
    if _ADDRESS.fullmatch(text) is None:
        raise ChannelError("RECIPIENT_UNKNOWN", "The target's e-mail is no address.")
    return text


def subject_of(message: Message) -> str:
    """One line: the subject, or the start of the text."""
    line = " ".join((message.subject or message.text).split())
    return line if len(line) <= 200 else f"{line[:199]}\u2026"


def _refused(error: ClientError) -> ChannelError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED:
        text = "The mail service asks for patience."
        return ChannelError("PROVIDER_RATE_LIMITED", text, retryable=True)
    if status >= 500:
        text = "The mail service failed."
        return ChannelError("PROVIDER_UNAVAILABLE", text, retryable=True, uncertain=True)
    return ChannelError("MESSAGE_REFUSED", "The mail service did not take the e-mail.")
