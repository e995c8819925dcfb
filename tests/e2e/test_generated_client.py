"""A client generated from docs/openapi.json, driven against the local cloud (GEN-2)."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.architecture.sources import ROOT
from tests.e2e.conftest import Owner, RunningCloud
from tests.fakes.openai_server import openai_server

PACKAGE = "tidegate_client"
# Bodies that are no JSON are handed over as they are.
CONFIG = """\
content_type_overrides:
  text/calendar: application/octet-stream
  image/svg+xml: application/octet-stream
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a generated client."""
    folder = tmp_path_factory.mktemp("client")
    config = folder / "config.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    tools = Path(sys.executable).parent
    done = subprocess.run(
        [
            str(tools / "openapi-python-client"), "generate",
            "--path", str(ROOT / "docs" / "openapi.json"), "--meta", "none",
            "--config", str(config), "--output-path", str(folder / PACKAGE),
            "--fail-on-warning",
        ],
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    try:
        yield folder
    finally:
        sys.path.remove(str(folder))
        for name in [one for one in sys.modules if one.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


class Generated:
    """The generated package: modules by name."""

    def api(self, tag: str, operation: str) -> ModuleType:
        """The module of an operation."""
        return importlib.import_module(f"{PACKAGE}.api.{tag}.{operation}")

    def model(self, name: str) -> Any:
        """A model."""
        return getattr(importlib.import_module(f"{PACKAGE}.models"), name)

    def client(self, owner: Owner, base: str) -> Any:
        """A client that is signed in."""
        kind = importlib.import_module(f"{PACKAGE}.client").AuthenticatedClient
        token = owner.http.headers["Authorization"].removeprefix("Bearer ")
        return kind(base_url=base, token=token)


def _healthy(operation: Any, client: Any, seconds: float = 30) -> bool:
    """Whether health becomes healthy; what it found of a provider is kept for ten seconds."""
    deadline = time.monotonic() + seconds
    while operation.sync(client=client)["status"] != "healthy":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def test_the_generated_client_works(
    generated: Path, cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    """Profile, targets, calendar, a workflow and an error, with models of the document's shapes."""
    made, owner = Generated(), new_owner()
    for base in (cloud.config.api_url, f"{cloud.config.api_url}/api"):
        client = made.client(owner, base)
        # The configured server of models runs only here: without it health is degraded (MON-1).
        with openai_server(cloud.ai_port):
            assert _healthy(made.api("monitoring", "monitoring_health"), client)
        profile = made.api("profile", "profile_get_profile").sync(client=client)
        assert profile.email == owner.email
        fields = made.model("TargetFields")(name="Ada", email="ada@example.com")
        target = made.api("integrations", "integrations_create_target").sync(
            client=client, body=fields
        )
        assert (target.name, target.email, target.active) == ("Ada", "ada@example.com", True)
        listed = made.api("integrations", "integrations_list_targets").sync(client=client)
        assert target.id in [one.id for one in listed.targets]
        gone = made.api("integrations", "integrations_delete_target").sync(target.id, client=client)
        assert gone.deleted is True
        lost = made.api("integrations", "integrations_get_target").sync_detailed(
            target.id, client=client
        )
        assert lost.status_code == 404
        assert lost.parsed.error.code == "NOT_FOUND"
        refused = made.api("integrations", "integrations_initiate_communications").sync_detailed(
            client=client, body=made.model("InitiateRequest")(message="Hello")
        )
        assert refused.status_code == 409
        assert refused.parsed.error.code == "INTEGRATION_REQUIRED"
        workflows = made.api("workflows", "workflows_list_workflows").sync(client=client)
        assert workflows.total == 0
