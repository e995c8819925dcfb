"""What a channel adapter is. Adapters are stateless; who was written to is kept elsewhere."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol

Channel = Literal["email", "twitter", "instagram"]
CHANNELS: Final[tuple[Channel, ...]] = ("email", "twitter", "instagram")


@dataclass(frozen=True)
class Message:
    """One message. `to`: as the provider's `resolve` gave it. `tags`: for the provider's log."""

    to: str
    subject: str | None
    text: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mail:
    """One plain-text e-mail to several."""

    to: tuple[str, ...]
    subject: str
    text: str
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()


class Mailer(Protocol):
    """What sends e-mail to several at once."""

    def send_mail(self, mail: Mail, key: str) -> str:
        """Send, and give the mail's id. Raises ChannelError."""


@dataclass(frozen=True)
class Sending:
    """A sending whose end nobody knows: since when, and which of the provider's ids are others'."""

    key: str
    since: datetime
    known_ids: Container[str]


@dataclass(frozen=True)
class Found:
    """What the provider knows of a sending.

    sent: it has the message. absent: it has not, and will not. later: ask again. unknown: this
    provider cannot say.
    """

    state: Literal["sent", "absent", "later", "unknown"]
    message_id: str = ""


class ChannelError(Exception):
    """A provider did not do what was asked.

    retryable: another try may succeed. uncertain: it may have happened all the same.
    `message` holds no text of the provider and no credential.
    """

    def __init__(
        self, code: str, message: str, *, retryable: bool = False, uncertain: bool = False
    ) -> None:
        self.code = code
        self.message = message
        self.retryable = retryable
        self.uncertain = uncertain
        super().__init__(f"{code}: {message}")


class Adapter(Protocol):
    """One account at one provider. Every method raises ChannelError."""

    # The longest text, in octets of UTF-8.
    max_octets: int

    def check(self) -> None:
        """Ask the provider who we are: proves address and credentials, sends nothing."""

    def resolve(self, handle: str) -> str:
        """The provider's name for the user of that handle."""

    def send(self, message: Message, key: str) -> str:
        """Send, and give the provider's id of the message. `key` names the effect."""

    def find(self, message: Message, sending: Sending) -> Found:
        """Whether a message was sent whose sending died on the way."""
