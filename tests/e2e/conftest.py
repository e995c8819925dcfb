"""One local cloud for all end-to-end tests: the real template.yaml on its own ports and folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tidegate_kit.ids import new_id

from infra.local import cloud as local
from infra.local import processes
from infra.local.aws import client
from infra.local.config import LocalCloud
from tests.fakes.google_calendar.app import CLIENT_ID, CLIENT_SECRET
from tests.fakes.openai_server import KEY as AI_KEY

_addresses = (f"127.0.{a}.{b}" for a, b in itertools.product(range(1, 250), range(2, 250)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """End-to-end tests are marked e2e and share one worker, so one cloud serves them all."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group("e2e"))


@dataclass(frozen=True)
class RunningCloud:
    """A deployed platform and the ways into it."""

    config: LocalCloud
    outputs: dict[str, Any]
    google_port: int = 0
    social_port: int = 0
    ai_port: int = 0

    def http(self, token: str | None = None) -> httpx.Client:
        """A client with its own loopback address, so per-IP limits count it alone."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.HTTPTransport(local_address=next(_addresses))
        return httpx.Client(
            base_url=self.config.api_url, headers=headers, transport=transport, timeout=60
        )

    def aws(self, service: str, account: str | None = None, region: str = "us-east-1") -> Any:
        """A boto3 client as the root of the platform (or of another account)."""
        return client(replace(self.config, region=region), service, account)


@dataclass(frozen=True)
class Owner:
    """A registered owner of a new tenant, signed in."""

    email: str
    password: str
    http: httpx.Client
    profile: dict[str, Any]


def _google(port: int) -> dict[str, str]:
    """Template parameters of a Google on this machine; the calendar's test serves it."""
    url = f"http://127.0.0.1:{port}"
    return {
        "GoogleClientId": CLIENT_ID,
        "GoogleClientSecret": CLIENT_SECRET,
        "GoogleBaseUrl": url,
        "GoogleTokenUrl": f"{url}/token",
        "GoogleRevokeUrl": f"{url}/revoke",
    }


def _social(port: int) -> dict[str, str]:
    """Template parameters of an X and an Instagram on this machine; see test_integrations.py."""
    url = f"http://127.0.0.1:{port}"
    return {"TwitterBaseUrl": url, "InstagramBaseUrl": f"{url}/v24.0"}


def _ai(port: int) -> dict[str, str]:
    """Template parameters of an OpenAI-compatible server on this machine; see test_ai.py."""
    return {"AiBaseUrl": f"http://127.0.0.1:{port}/v1", "AiApiKey": AI_KEY}


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """The platform on free ports and in a folder of its own, stopped at the end."""
    home = tmp_path_factory.mktemp("cloud")
    google_port, social_port = processes.free_port(), processes.free_port()
    ai_port = processes.free_port()
    config = replace(
        LocalCloud(),
        home=home,
        stack_name="tidegate-e2e",
        parameters=_google(google_port) | _social(social_port) | _ai(ai_port),
    ).with_ports(processes.free_port(), processes.free_port())
    try:
        outputs = local.up(config)
        yield RunningCloud(config, outputs, google_port, social_port, ai_port)
    finally:
        local.down(config)


@pytest.fixture(scope="session")
def new_owner(cloud: RunningCloud) -> Callable[[], Owner]:
    """Registers and signs in a new owner over HTTP."""

    def make() -> Owner:
        email, password = f"{new_id()}@example.com", f"pw-{new_id()}"
        http = cloud.http()
        registered = http.post(
            "/api/auth/register",
            json={
                "email": email, "password": password, "first_name": "Ada",
                "last_name": "Example", "company": "Example",
            },
        )  # fmt: skip
        assert registered.status_code == 201, registered.text
        login = http.post("/api/auth/login", json={"email": email, "password": password})
        assert login.status_code == 200, login.text
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        return Owner(email, password, http, http.get("/api/auth/me").json())

    return make
