"""What the hazard tests of onboarding share."""

from __future__ import annotations

from typing import Any

import pytest
from tidegate_kit.observability import logger

from tests.builders.members import SignedIn
from tests.builders.onboarding import World

ABSENT = "7d5f1a52-1f57-4c3c-9f0e-7d5f6f1d2b11"


def verdict(answer: Any) -> str | None:
    return None if answer.status_code < 300 else str(answer.json()["error"]["code"])


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Every log line so far, as it is written."""
    return "\n".join(logger.registered_formatter.format(record) for record in caplog.records)


def send_keys(world: World, member: SignedIn, keys: tuple[str, str], **body: Any) -> Any:
    return world.client.post(
        "/onboarding/connect/credentials",
        json={"access_key_id": keys[0], "secret_access_key": keys[1], **body},
        headers=member.headers,
    )
