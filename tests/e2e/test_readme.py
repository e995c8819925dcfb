"""The Python shown in README.md runs against the deployed platform."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import RunningCloud


def test_the_readmes_python_runs(
    cloud: RunningCloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    client = cloud.http()  # its own loopback address, so per-IP limits count it alone
    monkeypatch.setattr(httpx, "Client", lambda base_url: client)
    exec(compile(code, "README.md", "exec"), {"API_URL": cloud.config.api_url})  # noqa: S102
    told = capsys.readouterr().out
    assert "status: pending" in told
    assert "set-up still required: True" in told
    assert "the workflow completed with Hello Ada" in told
