"""Finds what a dotted name stands for."""

from __future__ import annotations

import importlib
from typing import Any


def resolve(dotted: str) -> tuple[Any, str]:
    """The owner object and the attribute name of a dotted path."""
    parts = dotted.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError as error:
            if error.name is None or not ".".join(parts[:cut]).startswith(error.name):
                raise
            continue
        for name in parts[cut:-1]:
            owner = getattr(owner, name)
        if not hasattr(owner, parts[-1]):
            raise AttributeError(f"{dotted}: no attribute {parts[-1]!r}")
        return owner, parts[-1]
    raise ModuleNotFoundError(f"no module in {dotted!r}")
