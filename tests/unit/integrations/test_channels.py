"""Channel adapters against local servers that behave as the providers document (INT-4, INT-7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from tidegate.integrations.channels import Channel, ChannelError, Found, Mail, Message, Sending
from tidegate.integrations.channels.api import JsonApi
from tidegate.integrations.channels.build import channel_of
from tidegate.integrations.channels.instagram import Instagram
from tidegate.integrations.channels.ses import EVENT_BOUND, Ses
from tidegate.integrations.channels.smtp import PORTS, Smtp, SmtpConfiguration
from tidegate.integrations.channels.twitter import Twitter
from tidegate_kit.clock import FixedClock
from tidegate_kit.outbound import (
    OutboundClient,
    OutboundFailed,
    OutboundPolicy,
    OutboundRefused,
    checked_socket,
)

from tests.builders.tls import Authority
from tests.fakes.local_server import Problem, json_app, serving
from tests.fakes.social import instagram as ig
from tests.fakes.social import twitter as tw
from tests.fakes.social.smtp import FakeMailServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = OutboundPolicy(development=True)
CLIENT = OutboundClient(POLICY)


def message(to: str, text: str = "Hello") -> Message:
    return Message(to, None, text)


@pytest.fixture
def x() -> Iterator[tuple[tw.FakeTwitter, Twitter]]:
    server = tw.FakeTwitter(lambda: NOW)
    server.add_user("Ada_1")
    with serving(json_app(server)) as url:
        yield server, Twitter(JsonApi(CLIENT, url, tw.TOKEN))


@pytest.fixture
def insta() -> Iterator[tuple[ig.FakeInstagram, Instagram]]:
    server = ig.FakeInstagram(lambda: NOW)
    for number in range(60):
        server.add_person(f"person.{number}")
    with serving(json_app(server)) as url:
        yield server, Instagram(JsonApi(CLIENT, f"{url}/v24.0", ig.TOKEN))


def problem_of(call: Any) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        call()
    return caught.value


def test_twitter_writes_to_a_user_by_name(x: tuple[tw.FakeTwitter, Twitter]) -> None:
    server, adapter = x
    adapter.check()
    to = adapter.resolve("@ada_1")
    event_id = adapter.send(message(to), "key")
    assert server.sent_to("ada_1") == ["Hello"]
    since = Sending("key", NOW, frozenset())
    assert adapter.find(message(to), since) == Found("sent", event_id)
    # What belongs to another effect, is another text, or is older, is not it.
    assert adapter.find(message(to), Sending("key", NOW, {event_id})) == Found("absent")
    assert adapter.find(message(to, "Bye"), since) == Found("absent")
    later = Sending("key", NOW + timedelta(hours=1), frozenset())
    assert adapter.find(message(to), later) == Found("absent")


@pytest.mark.parametrize("handle", ["nobody", "a b", "../me", "x" * 16, "", "@@ada_1"])
def test_an_unknown_twitter_name_is_told(x: tuple[tw.FakeTwitter, Twitter], handle: str) -> None:
    server, adapter = x
    error = problem_of(lambda: adapter.resolve(handle))
    assert (error.code, error.retryable) == ("RECIPIENT_UNKNOWN", False)
    assert server.events == []


def test_twitter_errors_say_whether_to_try_again(x: tuple[tw.FakeTwitter, Twitter]) -> None:
    server, adapter = x
    to = adapter.resolve("ada_1")
    server.limited = 1
    limited = problem_of(lambda: adapter.send(message(to), "key"))
    assert (limited.code, limited.retryable, limited.uncertain) == (
        "PROVIDER_RATE_LIMITED", True, False,
    )  # fmt: skip
    refused = problem_of(lambda: adapter.send(message("1"), "key"))
    assert (refused.code, refused.retryable) == ("MESSAGE_REFUSED", False)

    def broken(stage: str, request: Any) -> None:
        raise Problem(503, {})

    server.hook = broken
    lost = problem_of(lambda: adapter.send(message(to), "key"))
    assert (lost.retryable, lost.uncertain) == (True, True)
    stranger = Twitter(JsonApi(CLIENT, "http://127.0.0.1:49151", "t"))
    nobody = problem_of(lambda: stranger.send(message(to), "key"))
    assert (nobody.retryable, nobody.uncertain) == (True, False)


def test_credentials_that_are_refused_are_told_and_not_shown(
    x: tuple[tw.FakeTwitter, Twitter], insta: tuple[ig.FakeInstagram, Instagram]
) -> None:
    for adapter, kind in ((x[1], Twitter), (insta[1], Instagram)):
        api = adapter._api
        other = kind(JsonApi(CLIENT, api.base_url, "canary-4711-token"))
        error = problem_of(other.check)
        assert (error.code, error.retryable) == ("ACCOUNT_REFUSED", False)
        assert "canary" not in str(error)
        assert "canary" not in repr(other._api.client)


def test_instagram_writes_to_somebody_who_wrote_first(
    insta: tuple[ig.FakeInstagram, Instagram],
) -> None:
    server, adapter = insta
    adapter.check()
    to = adapter.resolve("Person.59")  # on the third page
    message_id = adapter.send(message(to), "key")
    assert server.sent_to("person.59") == ["Hello"]
    assert adapter.find(message(to), Sending("key", NOW, frozenset())) == Found("sent", message_id)
    assert adapter.find(message(to), Sending("key", NOW, {message_id})) == Found("absent")
    error = problem_of(lambda: adapter.resolve("stranger"))
    assert (error.code, error.retryable) == ("RECIPIENT_UNKNOWN", False)


@pytest.mark.parametrize(
    ("code", "expected", "retryable"),
    [(4, "PROVIDER_RATE_LIMITED", True), (190, "ACCOUNT_REFUSED", False),
     (10, "MESSAGE_REFUSED", False), (2, "PROVIDER_UNAVAILABLE", True)],
)  # fmt: skip
def test_instagram_errors_are_told_apart(
    insta: tuple[ig.FakeInstagram, Instagram], code: int, expected: str, retryable: bool
) -> None:
    server, adapter = insta
    to = adapter.resolve("person.1")
    server.problems.append(ig.graph_error(400, code, "private text of the provider"))
    error = problem_of(lambda: adapter.send(message(to), "key"))
    assert (error.code, error.retryable, error.uncertain) == (expected, retryable, code == 2)
    assert "private text" not in str(error)


class StubSes:
    """Answers of SES, one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[dict[str, Any]] = []

    def send_email(self, **request: Any) -> Any:
        self.sent.append(request)
        answer = self.answers.pop(0) if self.answers else {"MessageId": "m-1"}
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_account(self) -> dict[str, Any]:
        return {"SendingEnabled": True}


def ses_error(code: str, status: int = 400) -> ClientError:
    metadata: Any = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "SendEmail")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ses_error("TooManyRequestsException", 429), ("PROVIDER_RATE_LIMITED", True, False)),
        (ses_error("MessageRejected"), ("MESSAGE_REFUSED", False, False)),
        (ses_error("InternalFailure", 500), ("PROVIDER_UNAVAILABLE", True, True)),
        (ReadTimeoutError(endpoint_url="x"), ("PROVIDER_UNAVAILABLE", True, True)),
        (EndpointConnectionError(endpoint_url="x"), ("PROVIDER_UNAVAILABLE", True, False)),
    ],
)
def test_ses_errors_say_whether_the_mail_may_be_out(
    answer: Exception, expected: tuple[str, bool, bool]
) -> None:
    ses = StubSes(answer)
    adapter = Ses(lambda: ses, "ops@example.com", "set", lambda: NOW)
    error = problem_of(lambda: adapter.send(message("a@example.com"), "key"))
    assert (error.code, error.retryable, error.uncertain) == expected


def test_ses_mails_carry_what_names_their_record() -> None:
    ses = StubSes()
    adapter = Ses(lambda: ses, "ops@example.com", "set", lambda: NOW)
    tagged = Message("a@example.com", None, "First line\nsecond", {"tidegate-message": "abc"})
    assert adapter.send(tagged, "key") == "m-1"
    (sent,) = ses.sent
    assert sent["ConfigurationSetName"] == "set"
    assert sent["EmailTags"] == [{"Name": "tidegate-message", "Value": "abc"}]
    assert sent["Content"]["Simple"]["Subject"]["Data"] == "First line second"
    with pytest.raises(ChannelError, match="RECIPIENT_UNKNOWN"):
        adapter.resolve("a@example.com\nBcc: b@example.com")
    with pytest.raises(ChannelError, match="ACCOUNT_REFUSED"):
        Ses(lambda: ses, None, None, lambda: NOW).check()


def test_ses_waits_for_the_event_before_a_mail_counts_as_not_sent() -> None:
    clock = FixedClock(NOW)
    adapter = Ses(lambda: None, "ops@example.com", "set", clock)
    sending = Sending("key", NOW, frozenset())
    assert adapter.find(message("a@example.com"), sending) == Found("later")
    clock.advance(seconds=EVENT_BOUND.total_seconds() + 1)
    assert adapter.find(message("a@example.com"), sending) == Found("absent")
    blind = Ses(lambda: None, "ops@example.com", None, clock)
    assert blind.find(message("a@example.com"), sending) == Found("unknown")


def smtp(server: FakeMailServer, port: int, trust: Authority | None = None) -> Smtp:
    at = SmtpConfiguration("localhost", port, server.username, "ops@example.com", server.password)
    return Smtp(
        at,
        lambda host, number, seconds: checked_socket(
            host, number, POLICY, ports=PORTS, timeout=seconds
        ),
        *([trust.trust] if trust else []),
    )


def test_smtp_encrypts_signs_in_and_hands_over(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = FakeMailServer(context=authority.server_context("localhost"))
    with server.serving() as port:
        adapter = smtp(server, port, authority)
        adapter.check()
        mail = Mail(("a@example.com",), "Subject", "Text\n.dot", bcc=("b@example.com",))
        first = adapter.send_mail(mail, "key")
        assert adapter.send_mail(mail, "key") == first
        assert adapter.send_mail(mail, "other") != first
    sender, recipients, taken = server.taken[0]
    assert "ops@example.com" in sender
    assert recipients == ["a@example.com", "b@example.com"]
    assert (taken["Subject"], taken["Bcc"], taken["Message-ID"]) == ("Subject", None, first)
    # Encrypted before the login.
    assert server.lines.index("STARTTLS") < server.lines.index("AUTH")


@pytest.mark.hazard("F11")
@pytest.mark.bite(
    "tidegate.integrations.channels.smtp._Session.starttls",
    lambda session, context: session.docmd("NOOP"),
)
def test_a_password_goes_to_no_server_that_is_not_trusted(tmp_path: Path) -> None:
    """F11: a mail server with a certificate of another name or authority gets no password."""
    authority = Authority(tmp_path)
    strangers = [
        FakeMailServer(context=Authority(tmp_path).server_context("localhost")),
        FakeMailServer(context=authority.server_context("other.example.com")),
        FakeMailServer(context=authority.server_context("localhost", expired=True)),
    ]
    for server in strangers:
        with server.serving() as port:
            adapter = smtp(server, port, authority)
            error = problem_of(lambda: adapter.send(message("a@example.com"), "key"))  # noqa: B023
        assert "AUTH" not in server.lines
        assert (error.code, error.uncertain) == ("ACCOUNT_REFUSED", False)


def test_smtp_errors_say_whether_the_mail_may_be_out() -> None:
    outcomes = {}
    for case in ("550 5.1.1 nobody", "451 later", "data", "after"):
        server = FakeMailServer()
        if case in ("data", "after"):
            server.break_at = case
        else:
            server.reply_to_rcpt = case
        with server.serving() as port:
            error = problem_of(lambda: smtp(server, port).send(message("a@example.com"), "key"))  # noqa: B023
        outcomes[case] = (error.code, error.retryable, error.uncertain)
    assert outcomes == {
        "550 5.1.1 nobody": ("MESSAGE_REFUSED", False, False),
        "451 later": ("PROVIDER_UNAVAILABLE", True, False),
        "data": ("PROVIDER_UNAVAILABLE", False, True),
        "after": ("PROVIDER_UNAVAILABLE", False, True),
    }
    wrong = FakeMailServer()
    with wrong.serving() as port:
        at = SmtpConfiguration("localhost", port, "ada", "ops@example.com", "wrong-canary")
        adapter = Smtp(at, smtp(wrong, port)._open)
        error = problem_of(adapter.check)
    assert error.code == "ACCOUNT_REFUSED"
    assert "canary" not in str(error) + repr(at)


@pytest.mark.hazard("F2")
@pytest.mark.bite("tidegate_kit.outbound.target.is_public", returns=True)
def test_mail_servers_are_public_too() -> None:
    """F2: SMTP goes to no private, loopback or metadata address, and to no other port."""
    dialled: list[Any] = []
    production = OutboundPolicy(development=False)

    def dial(address: tuple[str, int], timeout: float) -> Any:
        dialled.append(address)
        raise ConnectionRefusedError

    for host, answers in (
        ("mail.example.com", ["10.0.0.1"]),
        ("mail.example.com", ["93.184.216.34", "127.0.0.1"]),
        ("169.254.169.254", []),
        ("127.0.0.1", []),
        ("[::1]", []),
        ("localhost", ["127.0.0.1"]),
    ):
        with pytest.raises((OutboundRefused, OutboundFailed)):
            checked_socket(
                host, 587, production, ports=PORTS, timeout=1.0,
                resolver=lambda name, port: answers, dial=dial,  # noqa: B023
            )  # fmt: skip
    with pytest.raises(OutboundRefused):
        checked_socket(
            "mail.example.com", 6379, production, ports=PORTS, timeout=1.0,
            resolver=lambda name, port: ["93.184.216.34"], dial=dial,
        )  # fmt: skip
    assert dialled == []


@pytest.mark.parametrize(
    ("kind", "configuration", "expected"),
    [
        ("email", {"provider": "ses"}, "email"),
        ("social", {"provider": "twitter", "access_token": "t"}, "twitter"),
        ("social", {"provider": "x", "access_token": "t"}, "twitter"),
        ("social", {"provider": "instagram", "access_token": "t"}, "instagram"),
        ("social", {"provider": "instagram"}, None),
        ("social", {"provider": "other", "access_token": "t"}, None),
        ("social", {"provider": "twitter", "access_token": "a\r\nb"}, None),
        ("social", {"provider": ["twitter"], "access_token": "t"}, None),
        ("crm", {"provider": "twitter", "access_token": "t"}, None),
    ],
)
def test_what_channel_an_account_serves(
    kind: Any, configuration: dict[str, Any], expected: Channel | None
) -> None:
    assert channel_of(kind, configuration) == expected
