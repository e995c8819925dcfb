"""Every router in one app, for tests that hold for the platform as a whole."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest
from tidegate import routers
from tidegate_kit.settings import Settings, settings_of

from tests.architecture.deployment import own_settings
from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.workflows import ENVIRONMENT, install_engine, make_bucket


class Caller(ApiClient):
    """Each call comes from another address, so that no limit by address answers first."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(routers.ROUTERS, settings)
        self._addresses = (f"198.51.{i // 250 % 250}.{i % 250 + 1}" for i in itertools.count())

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        options.setdefault("client_ip", next(self._addresses))
        return super().request(method, path, **options)


def owner() -> SignedIn:
    """A new tenant's owner."""
    return sign_in(roles=("client",), is_owner=True)


def whole_platform(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """All domains with the settings of every function, and machines that run in this process."""
    for name, value in {**own_settings(), **ENVIRONMENT}.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    install_engine(monkeypatch)
    settings_of.cache_clear()
    return Caller(platform)
