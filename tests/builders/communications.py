"""A user with accounts, targets and local providers, for tests of communications."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from tidegate.integrations import tasks, wiring
from tidegate.integrations.domain import Target
from tidegate.integrations.service.accounts import Upsert
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import UserScope

from tests.fakes.social import instagram, twitter

TWITTER = Upsert("tw", "social", {"provider": "twitter", "access_token": twitter.TOKEN})
INSTAGRAM = Upsert("ig", "social", {"provider": "instagram", "access_token": instagram.TOKEN})
MAIL = Upsert("mail", "email", {"provider": "ses"})


@dataclass
class RecordingSes:
    """SES that takes every mail and, where asked to, tells of it by an event."""

    taken: list[dict[str, Any]] = field(default_factory=list)
    untold: list[dict[str, Any]] = field(default_factory=list)
    hook: Callable[[str], None] = lambda stage: None

    def send_email(self, **request: Any) -> dict[str, str]:
        """SendEmail of sesv2."""
        self.hook("before")
        message_id = f"ses-{len(self.taken)}"
        self.taken.append(request)
        tags = {one["Name"]: [one["Value"]] for one in request.get("EmailTags", [])}
        self.untold.append({"messageId": message_id, "tags": tags})
        self.hook("after")
        return {"MessageId": message_id}

    def get_account(self) -> dict[str, Any]:
        """GetAccount of sesv2."""
        return {"SendingEnabled": True}

    def tell(self) -> None:
        """Deliver the events of what was sent."""
        while self.untold:
            mail = self.untold.pop(0)
            tasks.mail_sent({"detail-type": "Email Sent", "detail": {"mail": mail}}, None)

    def sent_to(self, address: str) -> int:
        """How many mails the address has got."""
        return sum(address in one["Destination"]["ToAddresses"] for one in self.taken)


def install_ses(monkeypatch: pytest.MonkeyPatch) -> RecordingSes:
    """The double in place of SES, for messages; with a sender and a configuration set."""
    ses = RecordingSes()
    monkeypatch.setenv("MAIL_FROM", "ops@example.com")
    monkeypatch.setenv("MAIL_CONFIGURATION_SET", "tidegate-test")
    monkeypatch.setattr(wiring, "single_attempt_client", lambda service, region: ses)
    return ses


def connect(scope: UserScope, *accounts: Upsert) -> None:
    """Store accounts."""
    wiring.accounts_of(scope).put(accounts, lambda index: "")


def add_targets(scope: UserScope, count: int, now: datetime) -> list[Target]:
    """Targets person0, person1 ... with a name on every channel."""
    made = [
        Target(
            id=new_id(), created_at=now, updated_at=now, name=f"Person {n}",
            email=f"person{n}@example.com", twitter_username=f"person{n}",
            instagram_username=f"person{n}",
        )
        for n in range(count)
    ]  # fmt: skip
    for start in range(0, count, 100):
        wiring.DynamoTargets(scope).save(made[start : start + 100])
    return made
