"""A mail server on loopback: EHLO, STARTTLS, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA (RFC 5321)."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any


@dataclass
class FakeMailServer:
    """One account; keeps what it took. `context` None offers no encryption.

    `break_at`: hang up at "data" (before the mail is taken) or "after" (taken, answer lost).
    """

    username: str = "ada"
    password: str = "smtp-password-canary"
    context: ssl.SSLContext | None = None
    reply_to_rcpt: str = "250 ok"
    break_at: str = ""
    taken: list[tuple[str, list[str], Message]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator[int]:
        """The port of the running server."""
        mail = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                _Dialogue(mail, self).run()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        with Server(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            try:
                yield int(server.server_address[1])
            finally:
                server.shutdown()
                thread.join(5)


class _Dialogue:
    """One connection."""

    def __init__(self, mail: FakeMailServer, handler: socketserver.StreamRequestHandler) -> None:
        self.mail = mail
        self.reader: Any = handler.rfile
        self.writer: Any = handler.wfile
        self.socket = handler.connection
        self.signed_in = False
        self.sender = ""
        self.recipients: list[str] = []

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        self.writer.flush()

    def read(self) -> str:
        return str(self.reader.readline().decode().rstrip("\r\n"))

    def run(self) -> None:
        self.say("220 mail.example ESMTP")
        while line := self.read():
            self.mail.lines.append(line.split(" ")[0])
            verb, _, rest = line.partition(" ")
            act = getattr(self, f"do_{verb.lower()}", None)
            if act is None:
                self.say("502 not known")
            elif act(rest) == "bye":
                return

    def do_ehlo(self, rest: str) -> None:
        offers = ["250-mail.example", "250-AUTH PLAIN LOGIN"]
        if self.mail.context is not None and not isinstance(self.socket, ssl.SSLSocket):
            offers.append("250-STARTTLS")
        self.say(*offers, "250 SIZE 1000000")

    def do_starttls(self, rest: str) -> str | None:
        if self.mail.context is None:
            self.say("502 no")
            return None
        self.say("220 go")
        try:
            self.socket = self.mail.context.wrap_socket(self.socket, server_side=True)
        except OSError:
            return "bye"  # the client does not trust us
        self.reader, self.writer = self.socket.makefile("rb"), self.socket.makefile("wb")
        return None

    def do_auth(self, rest: str) -> None:
        kind, _, first = rest.partition(" ")
        if kind.upper() == "PLAIN":
            given = base64.b64decode(first).decode().split("\0")[1:]
        else:
            self.say("334 UGFzc3dvcmQ6")
            given = [base64.b64decode(first).decode(), base64.b64decode(self.read()).decode()]
        self.signed_in = given == [self.mail.username, self.mail.password]
        self.say("235 welcome" if self.signed_in else "535 5.7.8 no")

    def do_mail(self, rest: str) -> None:
        self.sender, self.recipients = rest, []
        self.say("250 ok" if self.signed_in else "530 5.7.0 sign in")

    def do_rcpt(self, rest: str) -> None:
        self.recipients.append(rest.partition("<")[2].partition(">")[0])
        self.say(self.mail.reply_to_rcpt)

    def do_data(self, rest: str) -> str | None:
        self.say("354 go on")
        body = b""
        while (line := self.reader.readline()) not in (b".\r\n", b""):
            body += line[1:] if line.startswith(b"..") else line
        if self.mail.break_at == "data":
            return "bye"
        parsed = message_from_bytes(body, policy=default)
        self.mail.taken.append((self.sender, list(self.recipients), parsed))
        if self.mail.break_at == "after":
            return "bye"
        self.say("250 taken")
        return None

    def do_rset(self, rest: str) -> None:
        self.say("250 ok")

    def do_noop(self, rest: str) -> None:
        self.say("250 ok")

    def do_quit(self, rest: str) -> str:
        self.say("221 bye")
        return "bye"
