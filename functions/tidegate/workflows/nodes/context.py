"""What a running node may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from tidegate.workflows.nodes.base import Data
from tidegate.workflows.nodes.ports import Ports
from tidegate.workflows.templating import Renderer


@dataclass(frozen=True, slots=True)
class NodeContext(Generic[Data]):
    """One try of one step. `effect_key` is the same for every try, so effects happen once."""

    data: Data
    step_id: str
    node_id: str
    execution_id: str
    effect_key: str
    attempt: int
    renderer: Renderer
    ports: Ports
    now: Callable[[], datetime]
    task_token: str | None = None
