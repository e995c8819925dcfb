"""What one step sees: its place, the records around it, and the data its templates mention."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidegate.workflows.domain import Execution, Step
from tidegate.workflows.graph import SKIPPED, StepId
from tidegate.workflows.interpreter import Decision, Settled, Status
from tidegate.workflows.nodes import Ports, StepError
from tidegate.workflows.repository.blobs import BlobBroken, Blobs
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.outcome import place_of_execution
from tidegate.workflows.service.program import Place, Program, UnknownStep
from tidegate.workflows.templating import Scope, find_templates

# Gives the ports of one step: what its effects go through.
PortsOf = Callable[[Execution, str, set[str]], Ports]


class LazyNodes(Mapping[str, Any]):
    """`nodes` of a template scope: outputs are fetched when a template asks for them."""

    def __init__(self, found: Mapping[str, Callable[[], Any]]) -> None:
        self._found = found
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._found[name]()
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


@dataclass(frozen=True)
class Sight:
    """One step and what is around it, read in one go."""

    execution: Execution
    program: Program
    place: Place
    steps: Mapping[str, Step]
    blobs: Blobs

    @classmethod
    def of(
        cls,
        ledger: Ledger,
        definitions: Definitions,
        blobs: Blobs,
        execution_id: str,
        step_id: str,
    ) -> Sight | None:
        """None for an execution that is unknown or has ended. Raises UnknownStep."""
        pinned = definitions.pinned(execution_id)
        if pinned is None:
            execution = ledger.view(execution_id, []).execution
            if execution is None or execution.ended:
                return None
            pinned = definitions.pin(execution)
        program = definitions.program(*pinned)
        place = program.place(step_id)
        loop = program.loop_of(place.step)
        wanted = [place.id, *place.predecessors, *program.mentions(place)]
        view = ledger.view(execution_id, [*wanted, *([loop[0]] if loop else [])])
        if view.execution is None or view.execution.ended:
            return None
        return cls(view.execution, program, place, view.steps, blobs)

    @property
    def own(self) -> Step | None:
        """The step's record, if there is one."""
        return self.steps.get(self.place.id)

    def new_step(self, now: datetime) -> Step:
        """A first record."""
        return Step(
            execution_id=self.execution.id,
            step_id=self.place.id,
            node_id=self.place.node.id,
            type=self.place.node.type,
            status="running",
            started_at=now,
            content_hash=self.program.hash_of(self.place.id),
            order=self.program.order(self.place.id),
        )

    def decide(self) -> Decision:
        """Whether the step runs or is skipped (WF-2)."""
        nodes = self.place.flow.graph.index
        settled: dict[int, Settled] = {}
        for step_id in self.place.predecessors:
            step = self.steps.get(step_id)
            if step is not None and step.ended:
                settled[nodes[step.node_id]] = Settled(Status(step.status), step.route)
        return self.place.flow.decide(self.place.index, settled)

    def skipped_by(self, ended: Step, now: datetime) -> list[Step]:
        """The records of the nodes that this end skips for certain."""
        route = ended.route if ended.status != "skipped" else SKIPPED
        if ended.status == "failed" and route is None:
            return []
        step = self.place.step
        return [
            Step(
                execution_id=self.execution.id,
                step_id=str(StepId(step.scope, step.positions, node_id)),
                node_id=node_id,
                type=self.place.flow.graph.node(node_id).type,
                status="skipped",
                started_at=now,
                completed_at=now,
                attempts=0,
                content_hash=self.program.hash_of(self.place.sibling(node_id)),
                order=self.program.order(self.place.sibling(node_id)),
            )
            for node_id in self.place.flow.skip_ids(step.node_id, route)
        ]

    def data(self, step: Step) -> Any:
        """What `nodes.<id>` means: {"output"} or {"error"}. Raises StepError (E25)."""
        if step.status == "failed" and step.error is not None:
            problem = step.error
            seen = {"code": problem.code, "message": problem.message, "attempts": step.attempts}
            return {"error": seen}
        if step.output is None:
            return {"output": {}}
        return {"output": self.load(step.output)}

    def load(self, blob: Any) -> Any:
        """Stored data of this execution. Raises StepError DATA_BROKEN (E25)."""
        try:
            return self.blobs.get(place_of_execution(self.execution.id), blob)
        except BlobBroken as broken:
            raise StepError("DATA_BROKEN", broken.reason) from broken

    def scope(self, secret: Callable[[str], str]) -> Scope:
        """The template scope of the step. Raises StepError."""
        roots = self._roots()
        nodes: dict[str, Callable[[], Any]] = {}
        for step_id in self.program.mentions(self.place):
            step = self.steps.get(step_id)
            if step is not None and step.status in ("completed", "failed"):
                nodes[step.node_id] = _later(self, step)
        trigger = self.execution.trigger_data
        return Scope(
            input=self.load(self.execution.input) if "input" in roots else {},
            nodes=LazyNodes(nodes),
            trigger=self.load(trigger) if trigger is not None and "trigger" in roots else {},
            secret=secret,
            loop=self._loop(),
        )

    def _roots(self) -> set[str]:
        in_loop = bool(self.place.step.positions)
        return {
            found.path[0]
            for found in find_templates(dict(self.place.node.data), "", in_loop=in_loop)
            if found.problem is None
        }

    def _loop(self) -> Mapping[str, Any] | None:
        around = self.program.loop_of(self.place.step)
        if around is None:
            return None
        step_id, position = around
        step = self.steps.get(step_id)
        if step is None or step.items is None:
            raise StepError("DATA_BROKEN", "The loop's items are missing.")
        items = self.load(step.items)
        return {"item": items[position], "index": position}


def _later(sight: Sight, step: Step) -> Callable[[], Any]:
    return lambda: sight.data(step)


__all__ = ["LazyNodes", "PortsOf", "Sight", "UnknownStep"]
