"""What functions run from: the code archive and the layer folders, addressed by content.

On AWS layers are unpacked to /opt; here their folders are put on the path as they are.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infra.local.config import LocalCloud, LocalCloudError
from infra.local.environments import pip_install, python_of
from infra.local.progress import step

LAYER_PATH_VARIABLE = "LOCAL_LAYER_PATH"
SKIPPED_FOLDERS = frozenset({"__pycache__", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_EPOCH = (1980, 1, 1, 0, 0, 0)

BOOTSTRAP = """#!/bin/sh
# Stands in for the managed Python runtime: the real runtime client, the function's code
# first on the path, then its layers, then an environment with the client and boto3 only.
# The record lets the next start end this process if the emulator was killed.
stat=$(cat "/proc/$$/stat" 2>/dev/null) && mark=${{stat##*) }} && set -- $mark && \\
  printf '{{"pid": %s, "mark": "%s"}}' "$$" "${{20}}" > "{runtimes}/$$"
unset VIRTUAL_ENV PYTHONHOME
export PYTHONPATH="$LAMBDA_TASK_ROOT${{{variable}:+:${variable}}}"
export PYTHONUNBUFFERED=1 PYTHONNOUSERSITE=1
cd "$LAMBDA_TASK_ROOT" && exec "{python}" -m awslambdaric "$_HANDLER"
"""


@dataclass(frozen=True)
class Archive:
    """A zip file in memory and the key it is stored under."""

    key: str
    body: bytes


def source_files(folder: Path) -> list[Path]:
    """Every file of *folder* that belongs into an artefact, in a stable order."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        found += [Path(parent, name) for name in names if not name.endswith((".pyc", ".pyo"))]
    return sorted(found)


def content_hash(folder: Path, extra: Iterable[str] = ()) -> str:
    """Hash over relative names and contents of *folder*, and over *extra*."""
    digest = hashlib.sha256()
    for path in source_files(folder):
        digest.update(str(path.relative_to(folder)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for text in extra:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:24]


def own_version() -> str:
    """Hash of the local cloud's own code: a running part of another version is restarted."""
    return content_hash(Path(__file__).parent)


def code_archive(cloud: LocalCloud, code: Path) -> Archive:
    """*code* and the bootstrap as one archive; equal content gives an equal key."""
    if not code.is_dir():
        raise LocalCloudError(f"CodeUri {code} is not a folder")
    bootstrap = BOOTSTRAP.format(
        runtimes=cloud.runtimes_dir,
        python=python_of(cloud.runtime_env),
        variable=LAYER_PATH_VARIABLE,
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in source_files(code):
            entry = zipfile.ZipInfo(str(path.relative_to(code)), _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        entry = zipfile.ZipInfo("bootstrap", _EPOCH)
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, bootstrap)
    digest = content_hash(code, [bootstrap])
    return Archive(f"code/{digest}.zip", buffer.getvalue())


def layer_path(cloud: LocalCloud, content: Path) -> Path:
    """The ``python`` folder of a layer, built if this content was not built before.

    A folder with ``requirements.txt`` is installed for this machine; ``python/`` is
    taken as it is; any other folder holds packages that are copied.
    """
    if (content / "python").is_dir():
        return content / "python"
    requirements = content / "requirements.txt"
    if requirements.is_file():
        return _installed_layer(cloud, content.name, requirements)
    return _copied_layer(cloud, content)


def _installed_layer(cloud: LocalCloud, name: str, requirements: Path) -> Path:
    digest = hashlib.sha256(
        b"\0".join([requirements.read_bytes(), sys.version.encode(), platform.machine().encode()])
    ).hexdigest()[:24]
    target = cloud.layers_dir / name / digest / "python"
    if target.is_dir():
        return target
    title = f"building layer {name} for this machine (cached by its requirements)"
    with step(title), _scratch(cloud.layers_dir) as scratch:
        built = Path(scratch, "layer")
        pip_install(
            python_of(cloud.runtime_env),
            ["--target", str(built / "python"), "-r", str(requirements)],
        )
        _publish(built, target.parent)
    return target


def _copied_layer(cloud: LocalCloud, content: Path) -> Path:
    if not content.is_dir():
        raise LocalCloudError(f"layer folder {content} does not exist")
    target = cloud.layers_dir / content.name / content_hash(content) / "python"
    if target.is_dir():
        return target
    with _scratch(cloud.layers_dir) as scratch:
        built = Path(scratch, "layer")
        (built / "python").mkdir(parents=True)
        for path in source_files(content):
            copied = built / "python" / path.relative_to(content)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copied)
        _publish(built, target.parent)
    return target


def _scratch(folder: Path) -> tempfile.TemporaryDirectory[str]:
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".build-", dir=folder, ignore_cleanup_errors=True)


def _publish(built: Path, target: Path) -> None:
    """Move a finished folder into place; another process may have been first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        built.rename(target)
    except OSError:
        if not target.is_dir():
            raise
