"""The Python that Lambda runs, if this machine has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LAMBDA_PYTHON = "3.13"


def lambda_python() -> Path | None:
    """An interpreter of Lambda's minor version, or None.

    ``TIDEGATE_PYTHON313`` names one; else the path and pyenv's versions are searched.
    """
    return next((path for path in _candidates() if version_of(path) == LAMBDA_PYTHON), None)


def _candidates() -> Iterator[Path]:
    named = os.environ.get("TIDEGATE_PYTHON313")
    if named:
        yield Path(named)
    yield Path(sys.executable)
    found = shutil.which(f"python{LAMBDA_PYTHON}")
    if found:
        yield Path(found)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(root.glob(f"versions/{LAMBDA_PYTHON}.*/bin/python{LAMBDA_PYTHON}"))


def version_of(python: Path) -> str:
    """``major.minor`` of an interpreter, empty if it does not run (a pyenv shim may not)."""
    try:
        done = subprocess.run(
            [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def compile_folder(python: Path, folder: Path, shown_as: str) -> None:
    """Compile *folder* with unchecked-hash bytecode, which loads without looking at sources.

    *shown_as* replaces the folder in tracebacks (``/opt/python`` or ``/var/task``).
    """
    subprocess.run(
        [
            str(python),
            *("-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"),
            *("-s", str(folder), "-p", shown_as),
            str(folder),
        ],
        check=False,  # a template file of a package that is no Python must not stop the build
        capture_output=True,
    )
