"""What the tests of login share: accounts, refused passwords, answers without what varies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import bcrypt
import httpx
import pytest
from tidegate.identity import wiring
from tidegate.identity.service import passwords
from tidegate_kit.auth.models import UserItem
from tidegate_kit.clock import FixedClock, epoch, system_clock
from tidegate_kit.dynamo import current_store
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.identity import IdentityClient, store_signing_ring


def window_start() -> FixedClock:
    """Now, at the start of a window of attempts, so that no run crosses from one to the next."""
    return FixedClock(datetime.fromtimestamp(epoch(system_clock()) // 900 * 900, UTC))


def login_client(
    platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> IdentityClient:
    """A client whose clock began a little after the signing key was published."""
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "4")
    store_signing_ring(platform, lambda: clock() - timedelta(seconds=2))
    return IdentityClient(platform, clock=clock)


def sign_in(client: ApiClient, email: str, password: str, **options: Any) -> httpx.Response:
    return client.post("/auth/login", json={"email": email, "password": password}, **options)


def account(email: str = "ada@example.com") -> UserItem:
    found = wiring.bootstrap().accounts.find(email)
    assert found is not None
    return found.user


def set_hash(email: str, stored: str) -> None:
    user = account(email)
    user.update(actions=[UserItem.password_hash.set(stored)])


def counted_hashing(spent: list[str]) -> Any:
    """Note each argon2id verification and each bcrypt check."""
    argon2, checkpw = passwords._argon2.verify, bcrypt.checkpw

    class Noting:
        """The hasher, noting what it does."""

        def __getattr__(self, name: str) -> Any:
            return getattr(original, name)

        def verify(self, *args: Any) -> Any:
            spent.append("argon2")
            return argon2(*args)

    def noted(*args: Any) -> bool:
        spent.append("bcrypt")
        return checkpw(*args)

    original = passwords._argon2
    stack = patch.multiple(passwords, _argon2=Noting())
    return _Both(stack, patch.object(bcrypt, "checkpw", noted))


class _Both:
    def __init__(self, *patches: Any) -> None:
        self._patches = patches

    def __enter__(self) -> None:
        for one in self._patches:
            one.__enter__()

    def __exit__(self, *error: Any) -> None:
        for one in reversed(self._patches):
            one.__exit__(*error)


def scan(prefix: str) -> list[dict[str, Any]]:
    store = current_store()
    request = {"TableName": store.table_name("identity"), "ConsistentRead": True}
    answer = store.connection.dispatch("Scan", request)
    return [item for item in answer["Items"] if item["pk"]["S"].startswith(prefix)]
