"""Environments are built once, by one process at a time, and never left half made."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from infra.local import environments
from infra.local.environments import ensure


class Builder:
    """Stands in for venv and pip: notes how often, and how many at once, it was asked."""

    def __init__(self) -> None:
        self.built = self.now = self.most = 0
        self.entered = threading.Event()

    def create(self, environment: Path, **options: Any) -> None:
        assert options["clear"]
        self.now += 1
        self.most = max(self.most, self.now)
        self.entered.set()
        (environment / "bin").mkdir(parents=True, exist_ok=True)

    def install(self, python: Path, arguments: list[str]) -> None:
        self.built += 1
        self.now -= 1


def test_two_starts_build_one_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that start in a new clone: one builds, the other waits and uses it."""
    builder = Builder()
    monkeypatch.setattr(environments.venv, "create", builder.create)
    monkeypatch.setattr(environments, "pip_install", builder.install)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one==1\n")
    half_made = tmp_path / "env" / "bin"
    half_made.mkdir(parents=True)
    (half_made / "python").touch()
    starts = [
        threading.Thread(target=ensure, args=(tmp_path / "env", requirements, "test"))
        for _ in range(8)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert (builder.built, builder.most) == (1, 1)
    requirements.write_text("one==2\n")
    ensure(tmp_path / "env", requirements, "test")
    assert builder.built == 2
