"""Only recorded processes are ended, and only while they are the recorded ones."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from infra.local import emulator_process, processes
from infra.local.config import LocalCloud, LocalCloudError

SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


def start(folder: Path, program: str) -> Path:
    record, log = folder / "p.pid", folder / "p.log"
    processes.start(
        [sys.executable, "-c", program], record=record, log=log, env=dict(os.environ), cwd=folder
    )
    assert processes.wait_until(lambda: "ready" in log.read_text(), 10)
    return record


def test_start_and_stop(tmp_path: Path) -> None:
    record = start(tmp_path, SLEEP)
    running = processes.running(record)
    assert running is not None
    assert processes.stop(record, grace=10) == "stopped"
    assert not running.alive()
    assert not record.exists()
    assert processes.stop(record) == "was not running"


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    record = start(tmp_path, STUBBORN)
    assert processes.stop(record, grace=0.3).startswith("killed")


def test_a_pid_that_belongs_to_somebody_else_is_left_alone(tmp_path: Path) -> None:
    record = start(tmp_path, SLEEP)
    mine = processes.read_record(record)
    assert mine is not None
    stale = tmp_path / "stale.pid"
    stale.write_text(json.dumps({"pid": mine.pid, "mark": "of an earlier process"}))
    assert processes.stop(stale) == "was not running"
    assert mine.alive()
    assert not stale.exists()
    processes.stop(record, grace=10)


@pytest.mark.parametrize("text", ["", "12", "{}", '{"pid": "x", "mark": "y"}'])
def test_a_broken_record_is_no_process(tmp_path: Path, text: str) -> None:
    record = tmp_path / "p.pid"
    record.write_text(text)
    assert processes.running(record) is None
    assert not record.exists()


def test_orphans_of_a_killed_emulator_are_ended(tmp_path: Path) -> None:
    cloud = LocalCloud(home=tmp_path)
    cloud.runtimes_dir.mkdir(parents=True)
    orphan = processes.read_record(start(tmp_path, SLEEP).rename(cloud.runtimes_dir / "1"))
    assert orphan is not None
    (cloud.runtimes_dir / "2").write_text("{}")
    assert emulator_process.end_orphans(cloud) == 1
    assert not orphan.alive()
    assert not list(cloud.runtimes_dir.iterdir())


def test_a_taken_port_is_explained() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalCloudError, match=f"port {port}.*TIDEGATE_X=<port> make up"):
            try:
                processes.require_port(port, "a test", "TIDEGATE_X")
            except LocalCloudError as error:
                raise LocalCloudError(str(error).replace("\n", " ")) from error


def test_functions_inherit_nothing_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    environment = emulator_process.environment(LocalCloud())
    assert "AWS_PROFILE" not in environment
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert environment["AUTH"] == "true"
    assert environment["BIND_HOST"] == "127.0.0.1"
