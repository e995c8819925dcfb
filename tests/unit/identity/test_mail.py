"""The reset mail, and what sends it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from tidegate.identity import wiring
from tidegate.identity.mail import Mail, NoMailer, SesMailer, reset_mail
from tidegate.identity.service.recovery import Offered
from tidegate_kit.errors import ServiceUnavailable

MAIL = Mail("ada@example.com", "Subject", "Body")


class Ses:
    """Records what SES v2 would be asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._error = error

    def send_email(self, **request: Any) -> None:
        if self._error is not None:
            raise self._error
        self.asked.append(request)


def test_ses_is_asked_for_one_plain_text_mail() -> None:
    ses = Ses()
    SesMailer(ses, "noreply@example.com").send(MAIL)
    (asked,) = ses.asked
    assert asked["FromEmailAddress"] == "noreply@example.com"
    assert asked["Destination"] == {"ToAddresses": ["ada@example.com"]}
    assert asked["Content"]["Simple"]["Body"]["Text"]["Data"] == "Body"


def test_a_mail_service_that_is_away_is_not_swallowed() -> None:
    broken = Ses(EndpointConnectionError(endpoint_url="https://ses"))
    with pytest.raises(ServiceUnavailable):
        SesMailer(broken, "noreply@example.com").send(MAIL)


def test_names_cannot_break_the_mail() -> None:
    offered = Offered("ada@example.com", "{link}\nBcc: eve@example.com", "TOKEN")
    mail = reset_mail(offered, "https://tidegate.example.com")
    assert mail.body.startswith("Hello {link} Bcc: eve@example.com,\n")
    assert mail.body.count("https://tidegate.example.com/reset-password#token=TOKEN") == 1
    assert "TOKEN" not in repr(offered)


@pytest.mark.parametrize(("sender", "kind"), [("", NoMailer), ("a@example.com", SesMailer)])
def test_the_sender_decides(
    environment: None, monkeypatch: pytest.MonkeyPatch, sender: str, kind: type[Any]
) -> None:
    monkeypatch.setenv("MAIL_FROM", sender)
    assert isinstance(wiring.mailer(), kind)
