"""Take out of an installed layer what a function never reads."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

DROPPED_FOLDERS = frozenset({"__pycache__", "tests", "bin"})
DROPPED_SUFFIXES = (".pyi", ".pyx", ".pxd", ".c", ".h", ".a", ".md", ".rst")
# METADATA and entry_points.txt are read at run time (importlib.metadata); licences must stay.
DROPPED_METADATA = frozenset(
    {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "top_level.txt", "sboms"}
)
# Endpoint and partition data and the retry rules are files beside the service folders.


def prune(python: Path, services: Collection[str]) -> int:
    """Prune the ``python`` folder of a layer; return how many bytes that saved."""
    before = size_of(python)
    for folder in sorted(python.rglob("*"), reverse=True):
        if folder.is_dir() and folder.name in DROPPED_FOLDERS:
            shutil.rmtree(folder)
    for path in list(python.rglob("*")):
        if path.is_file() and path.suffix in DROPPED_SUFFIXES and not _in_metadata(path):
            path.unlink()
    for metadata in python.glob("*.dist-info"):
        for name in DROPPED_METADATA:
            _drop(metadata / name)
    _prune_botocore(python / "botocore" / "data", services)
    _prune_boto3(python / "boto3", services)
    return before - size_of(python)


def _in_metadata(path: Path) -> bool:
    return any(parent.suffix == ".dist-info" for parent in path.parents)


def _prune_botocore(data: Path, services: Collection[str]) -> None:
    """Keep the newest API version of the used services, without examples."""
    if not data.is_dir():
        return
    for folder in data.iterdir():
        if not folder.is_dir():
            continue
        if folder.name not in services:
            shutil.rmtree(folder)
            continue
        for outdated in sorted(item for item in folder.iterdir() if item.is_dir())[:-1]:
            shutil.rmtree(outdated)
        for example in folder.rglob("examples-1.json*"):
            example.unlink()


def _prune_boto3(boto3: Path, services: Collection[str]) -> None:
    _drop(boto3 / "examples")
    data = boto3 / "data"
    for folder in data.iterdir() if data.is_dir() else ():
        if folder.is_dir() and folder.name not in services:
            shutil.rmtree(folder)


def _drop(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size_of(folder: Path) -> int:
    """Bytes of all files under *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
