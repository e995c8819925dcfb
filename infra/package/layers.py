"""Install a layer for a target: Lambda's arm64, or this machine for the import proof."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from infra.local.artefacts import source_files
from infra.local.environments import pip_install
from infra.package.interpreters import LAMBDA_PYTHON

# Lambda's Python 3.13 runs on Amazon Linux 2023 (glibc 2.34).
ARM64_PLATFORMS = (
    *(f"manylinux_2_{minor}_aarch64" for minor in (34, 31, 28, 27, 26, 24, 17)),
    "manylinux2014_aarch64",
)


def layer_folders(root: Path) -> list[Path]:
    """The source folders of all layers."""
    return sorted(path for path in (root / "layers").iterdir() if any(source_files(path)))


def install(content: Path, python: Path, target: str) -> None:
    """Fill the ``python`` folder of a layer.

    *target* is ``arm64`` for Lambda, or a ``major.minor`` version for this machine.
    """
    requirements = content / "requirements.txt"
    python.mkdir(parents=True)
    if not requirements.is_file():
        _copy(content, python)
        return
    arguments = ["--no-deps", "--only-binary=:all:", "--no-compile", "--implementation", "cp"]
    if target == "arm64":
        arguments += ["--python-version", LAMBDA_PYTHON]
        for platform in ARM64_PLATFORMS:
            arguments += ["--platform", platform]
    else:
        arguments += ["--python-version", target]
    pip_install(
        Path(sys.executable), [*arguments, "--target", str(python), "-r", str(requirements)]
    )


def _copy(content: Path, python: Path) -> None:
    for path in source_files(content):
        copied = python / path.relative_to(content)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)


def foreign_binaries(python: Path) -> list[str]:
    """Compiled modules that are not for 64-bit Arm Linux."""
    wrong = []
    for path in python.rglob("*.so*"):
        with path.open("rb") as binary:
            head = binary.read(20)
        if head[:4] != b"\x7fELF" or head[18:20] != b"\xb7\x00":  # e_machine 183 = AArch64
            wrong.append(str(path.relative_to(python)))
    return wrong
