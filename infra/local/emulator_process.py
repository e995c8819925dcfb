"""Start and stop the emulator, and clean up after one that was killed."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.local import artefacts, processes
from infra.local.config import LOOPBACK, LocalCloud, LocalCloudError
from infra.local.environments import python_of
from infra.local.progress import note, step

START_SECONDS = 60.0
LARGEST_LOG = 20 * 1024 * 1024


def record_of(cloud: LocalCloud) -> Path:
    """Pid record of the emulator."""
    return cloud.run_dir / "ministack.pid"


def log_of(cloud: LocalCloud) -> Path:
    """Log of the emulator."""
    return cloud.log_dir / "ministack.log"


def is_running(cloud: LocalCloud) -> bool:
    """Whether this cloud's emulator process runs."""
    return processes.running(record_of(cloud)) is not None


def start(cloud: LocalCloud) -> bool:
    """Start the emulator unless it runs; return whether it was started now.

    Raises LocalCloudError with the end of its log when it does not come up.
    """
    running = processes.running(record_of(cloud))
    if running is not None and running.version != artefacts.own_version():
        with step("restarting the emulator, its code has changed"):
            stop(cloud)
    elif running is not None:
        if not _answers(f"{cloud.aws_endpoint}/_ministack/health"):
            raise LocalCloudError(
                f"the emulator of {cloud.home} runs but does not answer on {cloud.aws_endpoint}; "
                "was it started on another port?\n  Run 'make down', then 'make up'."
            )
        return False
    ended = end_orphans(cloud)
    if ended:
        note(f"ended {ended} runtime process(es) that an earlier emulator left behind")
    processes.require_port(cloud.aws_port, "the emulated AWS API", "TIDEGATE_LOCAL_AWS_PORT")
    for folder in (cloud.state_dir, cloud.tmp_dir, cloud.log_dir, cloud.runtimes_dir):
        folder.mkdir(parents=True, exist_ok=True)
    _turn_logs(cloud.log_dir)
    with step("starting the emulator") as shown:
        process = processes.start(
            [str(python_of(cloud.emulator_env)), "-m", "infra.local.emulator"],
            record=record_of(cloud),
            log=log_of(cloud),
            env=environment(cloud),
            cwd=cloud.root,
            version=artefacts.own_version(),
        )
        wait_healthy(
            f"{cloud.aws_endpoint}/_ministack/health", process, log_of(cloud), "the emulator"
        )
        shown.detail = cloud.aws_endpoint
    return True


def _turn_logs(folder: Path) -> None:
    """Keep one older part of every log that has grown large."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))


def stop(cloud: LocalCloud) -> str:
    """Stop the emulator gracefully (its state is kept) and end what it left behind."""
    outcome = processes.stop(record_of(cloud), grace=25.0)
    end_orphans(cloud)
    return outcome


def environment(cloud: LocalCloud) -> dict[str, str]:
    """The emulator's whole environment: functions inherit it, so nothing of the caller's leaks."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "AUTH": "true",
        "AWS_ENDPOINT_URL": cloud.aws_endpoint,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(cloud.aws_port),
        "IOT_MTLS_ENABLED": "0",
        "LOCAL_LOG_DIR": str(cloud.log_dir),
        "LOCAL_RUNTIMES_DIR": str(cloud.runtimes_dir),
        "LOG_LEVEL": "INFO",
        "MINISTACK_ACCOUNT_ID": cloud.platform_account,
        "MINISTACK_REGION": cloud.region,
        "PERSIST_STATE": "1",
        "PYTHONNOUSERSITE": "1",
        "S3_DATA_DIR": str(cloud.state_dir / "s3"),
        "S3_PERSIST": "1",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(cloud.state_dir),
        "TMPDIR": str(cloud.tmp_dir),
    }


def wait_healthy(url: str, process: subprocess.Popen[bytes], log: Path, what: str) -> None:
    """Wait until *url* answers; raise with the end of *log* if it does not within a minute."""
    if processes.wait_until(
        lambda: process.poll() is not None or _answers(url), START_SECONDS
    ) and (process.poll() is None):
        return
    state = "ended" if process.poll() is not None else "does not answer"
    raise LocalCloudError(
        f"{what} {state}; the end of {log}:\n{processes.tail(log)}\n"
        "  Run 'make down', then 'make up'; 'python -m infra.local reset' forgets the data."
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (loopback only)
            return bool(answer.status == 200)
    except OSError:
        return False


def end_orphans(cloud: LocalCloud) -> int:
    """End runtime processes that outlived their emulator; return how many there were.

    Only processes that recorded themselves, and only while no emulator runs.
    """
    ended = 0
    if is_running(cloud) or not cloud.runtimes_dir.is_dir():
        return ended
    for path in sorted(cloud.runtimes_dir.iterdir()):
        recorded = processes.read_record(path)
        if recorded is not None and recorded.alive():
            processes.end(recorded, grace=2.0)
            ended += 1
        path.unlink(missing_ok=True)
    return ended


def ask(cloud: LocalCloud, question: str) -> Any:
    """Put one of the localizer's own questions (``types``, ``save``) to the emulator."""
    url = f"{cloud.aws_endpoint}/_local/{question}"
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 (loopback only)
        return json.load(answer)


def wait_for(condition: Callable[[], bool], seconds: float, complaint: str) -> None:
    """Poll *condition*; raise LocalCloudError with *complaint* when it stays false."""
    started = time.monotonic()
    if not processes.wait_until(condition, seconds):
        raise LocalCloudError(f"{complaint} (waited {time.monotonic() - started:.0f} s)")
