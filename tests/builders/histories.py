"""Recorded executions: definition, machine and end as the release that recorded them made them.

`pytest tests/builders/record_histories.py` records those that are missing; it never changes one,
because a customer's execution that began under an earlier release goes on with that machine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tidegate.workflows.domain import RunSettings
from tidegate.workflows.service.executions import Start
from tidegate.workflows.service.workflows import Draft
from tidegate.workflows.wiring import Services
from tidegate_kit.ids import new_id

from tests.builders.workflows import chain, edge, graph, node
from tests.fakes.workflows import EngineMachines

FOLDER: Final = Path(__file__).resolve().parents[1] / "data" / "histories"
NAMES: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
_INNER = graph(node("in", "start"), node("use", output={"v": "{{item}}"}), edge("in", "use"))
WANTED: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "chain": (chain(node("a"), node("wait", "delay", seconds=5), node("b")), {}),
    "branches": (
        graph(
            node("s", "start"),
            node("c", "condition", condition={"left": "{{n}}", "op": "gt", "right": 1}),
            node("yes"), node("no"), node("end", "end"),
            edge("s", "c"), edge("c", "yes", "true"), edge("c", "no", "false"),
            edge("yes", "end"), edge("no", "end"),
        ),
        {"n": 2},
    ),
    "gates": (
        graph(
            node("s", "start"), node("a"), node("b"), node("c"), node("d"),
            edge("s", "a"), edge("s", "b"), edge("a", "c"), edge("a", "d"), edge("b", "d"),
        ),
        {},
    ),
    "loop": (
        chain(node("loop", "foreach", items="{{rows}}", definition=_INNER)), {"rows": [1, 2, 3]}
    ),
    "failing": (
        graph(
            node("s", "start"), node("bad", output={"x": "{{nodes.s.output.nothing}}"}),
            node("after"), edge("s", "bad"), edge("bad", "after", "error"),
        ),
        {},
    ),
}  # fmt: skip


def read(name: str) -> dict[str, Any]:
    """{definition, input, machine, ended}."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return loaded


def run(
    engine: EngineMachines, services: Services, recorded: dict[str, Any], user_id: str
) -> dict[str, Any]:
    """Run a definition to its end for a member: {status, steps: {id: [status, output]}}."""
    draft = Draft("W", "", recorded["definition"], True, RunSettings())
    workflow = services.workflows.create(draft).workflow
    wish = Start(new_id(), workflow.id, recorded["input"], user_id)
    started = services.executions.begin(wish)
    engine.settle(10**6)
    stored = services.repositories
    steps = {
        step.step_id: [step.status, None if step.output is None else json.loads(step.output.text)]
        for step in stored.ledger.steps(started.id)
        if step.output is None or step.output.text is not None
    }
    return {"status": stored.executions.get(started.id).status, "steps": steps}
