"""What an import made of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.workflows.domain import RunSettings


@dataclass
class Report:
    """`mapped` nodes, and per node without equivalent {node, type, reason}."""

    mapped: int = 0
    unmapped: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Imported:
    """What a file holds, as a workflow of ours."""

    name: str
    description: str
    definition: Mapping[str, Any]
    settings: RunSettings | None
    report: Report
