"""The two virtual environments of the local cloud, built from pinned files when absent or stale."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.config import LocalCloud, LocalCloudError
from infra.local.progress import step

MARKER = ".requirements.sha256"


def ensure_environments(cloud: LocalCloud) -> None:
    """Create or refresh the emulator's and the functions' environments."""
    ensure(cloud.emulator_env, cloud.root / "requirements" / "ministack.txt", "emulator")
    ensure(cloud.runtime_env, cloud.root / "requirements" / "runtime.txt", "Lambda runtime")


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / "bin" / "python"


def ensure(environment: Path, requirements: Path, name: str) -> None:
    """Make *environment* hold what *requirements* pins; does nothing when it already does."""
    if not requirements.is_file():
        raise LocalCloudError(f"{requirements} is missing: restore it with git")
    marker = environment / MARKER
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    with _alone(environment):
        if marker.is_file() and marker.read_text() == digest:
            return
        with step(f"installing the {name} environment (once; needs the package index)"):
            # Cleared: one that was cut off half way may have no pip.
            venv.create(environment, with_pip=True, symlinks=True, clear=True)
            pip_install(python_of(environment), ["-r", str(requirements)])
            marker.write_text(digest)


@contextmanager
def _alone(environment: Path) -> Iterator[None]:
    """One process at a time: two local clouds may start together in a new clone."""
    environment.parent.mkdir(parents=True, exist_ok=True)
    with environment.with_name(environment.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pip_install(python: Path, arguments: list[str]) -> None:
    """Run ``pip install`` quietly; raise with pip's own words when it fails."""
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = "\n".join(
            line for line in done.stderr.splitlines() if not line.startswith("WARNING")
        )
        raise LocalCloudError(
            f"pip could not install {' '.join(arguments)}:\n{words[-2000:]}\n"
            "  Check that the package index of your pip configuration is reachable, "
            "then run the command again."
        )
