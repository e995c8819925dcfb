"""E-mail through a user's own SMTP server: TLS always, on checked addresses only.

SMTP cannot say afterwards whether it took a mail, so a sending that died on the way stays
uncertain and is not repeated. Message-ID is made from the effect's key.
"""

from __future__ import annotations

import contextlib
import hashlib
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Final

from tidegate_kit.outbound import OpenSocket, OutboundFailed, OutboundRefused
from tidegate_kit.outbound.client import trusted_context

from tidegate.integrations.channels.base import ChannelError, Found, Mail, Message, Sending
from tidegate.integrations.channels.ses import address_of, subject_of

PORTS: Final = frozenset({25, 465, 587, 2525})
_TLS_FROM_THE_START: Final = 465
_SECONDS: Final = 10.0

OpenMail = Callable[[str, int, float], OpenSocket]


@dataclass(frozen=True)
class SmtpConfiguration:
    """A user's mail server (INT-2)."""

    host: str
    port: int
    username: str
    from_address: str
    password: str = field(repr=False)


class Smtp:
    """Adapter of one SMTP account. `open_socket` connects to (host, port) or refuses."""

    max_octets = 1024 * 1024

    def __init__(
        self,
        configuration: SmtpConfiguration,
        open_socket: OpenMail,
        context: Callable[[], ssl.SSLContext] = trusted_context,
    ) -> None:
        self._at = configuration
        self._open = open_socket
        self._context = context

    def check(self) -> None:
        """Connect, encrypt, log in."""
        with self._session() as session:
            session.noop()

    def resolve(self, handle: str) -> str:
        """The address itself."""
        return address_of(handle)

    def send(self, message: Message, key: str) -> str:
        """Send a plain-text mail and give its Message-ID."""
        return self.send_mail(Mail((message.to,), subject_of(message), message.text), key)

    def send_mail(self, mail: Mail, key: str) -> str:
        """Hand one mail over to the server."""
        written = self._written(mail, key)
        recipients = [address_of(one) for one in (*mail.to, *mail.cc, *mail.bcc)]
        with self._session() as session:
            try:
                refused = session.send_message(written, self._at.from_address, recipients)
            except smtplib.SMTPRecipientsRefused as error:
                raise _answered(error, _worst(error.recipients)) from error
            except smtplib.SMTPResponseException as error:
                raise _answered(error, error.smtp_code) from error
            except (OSError, smtplib.SMTPException) as error:
                text = "The mail server broke off while it took the e-mail."
                raise ChannelError("PROVIDER_UNAVAILABLE", text, uncertain=True) from error
            if refused:
                text = "The mail server refused some of the recipients."
                raise ChannelError("MESSAGE_REFUSED", text, uncertain=True)
        return str(written["Message-ID"])

    def _written(self, mail: Mail, key: str) -> EmailMessage:
        """As it is sent. Its Message-ID is made from `key`; blind copies are not in it."""
        written = EmailMessage()
        written["From"], written["To"] = self._at.from_address, ", ".join(mail.to)
        if mail.cc:
            written["Cc"] = ", ".join(mail.cc)
        written["Subject"] = mail.subject
        domain = self._at.from_address.rpartition("@")[2]
        written["Message-ID"] = f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"
        written.set_content(mail.text)
        return written

    def find(self, message: Message, sending: Sending) -> Found:
        """SMTP has no memory."""
        return Found("unknown")

    @contextlib.contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        session = self._connected()
        try:
            yield session
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                session.quit()
            session.close()

    def _connected(self) -> smtplib.SMTP:
        session: smtplib.SMTP | None = None
        try:
            opened = self._open(self._at.host, self._at.port, _SECONDS)
            session = _Session(self._at, opened, self._context)
            session.login(self._at.username, self._at.password)
        except OutboundRefused as error:
            text = "The mail server's address is not allowed."
            raise ChannelError("ADDRESS_REFUSED", text) from error
        except smtplib.SMTPAuthenticationError as error:
            _close(session)
            text = "The mail server refuses the account's credentials."
            raise ChannelError("ACCOUNT_REFUSED", text) from error
        except ssl.SSLCertVerificationError as error:
            text = "The mail server's certificate is not trusted."
            raise ChannelError("ACCOUNT_REFUSED", text) from error
        except smtplib.SMTPNotSupportedError as error:
            _close(session)
            text = "The mail server offers no encryption or no login."
            raise ChannelError("ACCOUNT_REFUSED", text) from error
        except (OutboundFailed, OSError, smtplib.SMTPException) as error:
            _close(session)
            text = "The mail server could not be reached."
            raise ChannelError("PROVIDER_UNAVAILABLE", text, retryable=True) from error
        return session


class _Session(smtplib.SMTP):
    """A session over a socket that was opened by somebody else, encrypted before the login."""

    def __init__(
        self, at: SmtpConfiguration, opened: OpenSocket, context: Callable[[], ssl.SSLContext]
    ) -> None:
        self._opened: socket.socket = opened.sock
        if at.port == _TLS_FROM_THE_START:
            self._opened = context().wrap_socket(opened.sock, server_hostname=at.host)
        try:
            super().__init__(at.host, at.port, local_hostname="localhost", timeout=_SECONDS)
            self.ehlo()
            # Plain text only to this machine itself, which only development may call.
            if at.port != _TLS_FROM_THE_START and not (
                opened.local and not self.has_extn("starttls")
            ):
                self.starttls(context=context())
                self.ehlo()
        except BaseException:
            self._opened.close()
            raise

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return self._opened


def _close(session: smtplib.SMTP | None) -> None:
    if session is not None:
        session.close()


def _worst(recipients: dict[str, tuple[int, bytes]]) -> int:
    return max((code for code, _ in recipients.values()), default=550)


def _answered(error: Exception, code: int) -> ChannelError:
    if 400 <= code < 500:
        return ChannelError(
            "PROVIDER_UNAVAILABLE", "The mail server asks to try again later.", retryable=True
        )
    return ChannelError("MESSAGE_REFUSED", "The mail server refused the e-mail.")
