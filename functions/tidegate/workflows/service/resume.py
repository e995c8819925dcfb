"""Resuming on the same or a repaired version: what is reused, what runs again (WF-12)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tidegate.workflows.domain import Execution, ExecutionStatus, Step
from tidegate.workflows.errors import ConfirmationRequired, DefinitionInvalid, NotResumable
from tidegate.workflows.graph import Definition
from tidegate.workflows.nodes import NODE_TYPES, Effect
from tidegate.workflows.repository.blobs import Blobs
from tidegate.workflows.repository.executions import Executions
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.repository.workflows import Workflows
from tidegate.workflows.service.definitions import Definitions, as_issue
from tidegate.workflows.service.executions import ExecutionService, Start
from tidegate.workflows.service.outcome import place_of_execution
from tidegate.workflows.service.program import Program

RESUMABLE: Final = frozenset({"failed", "cancelled", "timed_out"})


@dataclass(frozen=True)
class ResumePlan:
    """`reuse` answers from the ledger, `rerun` runs if it is reached, `side_effects` asks first."""

    reuse: tuple[str, ...]
    rerun: tuple[str, ...]
    side_effects: tuple[str, ...]


@dataclass(frozen=True)
class Resumption:
    """What a resume did, or would do (`execution` None, `status` that of the old one)."""

    execution: Execution | None
    plan: ResumePlan
    status: ExecutionStatus


class Resumes:
    """Resumes one tenant's executions."""

    def __init__(
        self,
        workflows: Workflows,
        executions: Executions,
        ledger: Ledger,
        blobs: Blobs,
        definitions: Definitions,
        service: Callable[[], ExecutionService],
    ) -> None:
        self._workflows = workflows
        self._executions = executions
        self._ledger = ledger
        self._blobs = blobs
        self._definitions = definitions
        self._service = service

    def resume(
        self,
        execution_id: str,
        version: int | None,
        confirmed: Collection[str],
        start: Start | None,
    ) -> Resumption:
        """Plan and, with a `start` (whose id and principal count), begin the new execution.

        Raises NotFound, NotResumable, ConfirmationRequired naming every effect not confirmed.
        """
        old = self._executions.get(execution_id)
        if old.status not in RESUMABLE:
            raise NotResumable
        workflow = self._workflows.get(old.workflow_id)
        number = version or workflow.version
        plan = self.plan(old, number)
        if start is None:
            return Resumption(None, plan, old.status)
        missing = [node for node in plan.side_effects if node not in set(confirmed)]
        if missing:
            raise ConfirmationRequired(missing)
        wish = replace(
            start,
            workflow_id=old.workflow_id,
            input_data=self._blobs.get(place_of_execution(old.id), old.input),
            trigger="resume",
            trigger_data=self._trigger(old),
            version=number,
            webhook_url=old.webhook_url,
            resumed_from=old.id,
        )
        made = self._service().begin(wish)
        return Resumption(made, plan, made.status)

    def _trigger(self, old: Execution) -> Mapping[str, object]:
        # Templates saw the first trigger; a resumed run must see the same.
        if old.trigger_data is None:
            return {"type": "resume"}
        found: Mapping[str, object] = self._blobs.get(place_of_execution(old.id), old.trigger_data)
        return found

    # ---- the plan --------------------------------------------------------------------------

    def plan(self, old: Execution, number: int) -> ResumePlan:
        """What a resume on a version would reuse and run again. Raises NotFound."""
        program = self._program(old.workflow_id, number)
        steps = {step.step_id: step for step in self._ledger.steps(old.id)}
        reused = reusable(program, steps, same_version=number == old.workflow_version)
        flow = program.flow()
        order = sorted(range(len(flow.graph.nodes)), key=flow.rank.__getitem__)
        names = [flow.graph.nodes[place].id for place in order]
        settled = {name for name in names if name in reused}
        rerun = tuple(name for name in names if name not in settled)
        return ResumePlan(
            reuse=tuple(name for name in names if self._completed(steps, name, settled)),
            rerun=rerun,
            side_effects=tuple(_effects(program.definition, steps, set(rerun))),
        )

    @staticmethod
    def _completed(steps: Mapping[str, Step], name: str, settled: set[str]) -> bool:
        return name in settled and steps[name].status == "completed"

    def _program(self, workflow_id: str, number: int) -> Program:
        loaded = self._definitions.load(workflow_id, number)
        if loaded.parsed is None:
            raise DefinitionInvalid([as_issue(issue) for issue in loaded.version.issues])
        return Program(loaded.parsed, {})

    def prepare(self, execution: Execution) -> None:
        """Copy what is reused into a new execution's ledger; the same whenever it is called."""
        if execution.resumed_from is None:
            return
        old = self._executions.get(execution.resumed_from)
        program = self._program(execution.workflow_id, execution.workflow_version)
        steps = {step.step_id: step for step in self._ledger.steps(old.id)}
        same = execution.workflow_version == old.workflow_version
        reused = reusable(program, steps, same_version=same)
        # What a reused route skipped is copied too: only the first end of a step records it.
        copies = [self._copy(old, execution, steps[step_id]) for step_id in reused]
        if copies:
            self._ledger.reuse(execution, copies)

    def _copy(self, old: Execution, new: Execution, step: Step) -> Step:
        output = step.output
        if output is not None and output.key is not None:
            # Each run owns its objects, so that one never outlives or reads another's (E25).
            data = self._blobs.get(place_of_execution(old.id), output)
            output = self._blobs.put(place_of_execution(new.id), data)
        return replace(
            step,
            execution_id=new.id,
            output=output,
            reused=step.status == "completed",
            task_token=None,
            items=None,
        )


def reusable(program: Program, steps: Mapping[str, Step], *, same_version: bool) -> set[str]:
    """Ids of the top-level nodes whose old end still holds: hash unchanged, all upstream too.

    A node holds if it completed or was skipped, its content hash is unchanged, and every node
    before it holds; so what follows a node that runs again runs again. An approval holds on the
    very version that it was given for, because what it allows may have been edited since (G27).
    """
    flow = program.flow()
    hashes = program.hashes()
    holds: set[str] = set()
    for place in sorted(range(len(flow.graph.nodes)), key=flow.rank.__getitem__):
        node = flow.graph.nodes[place]
        step = steps.get(node.id)
        if step is None or step.status not in ("completed", "skipped"):
            continue
        if step.content_hash != hashes[node.id] or step.type != node.type:
            continue
        if node.type == "approval" and not same_version and step.status == "completed":
            continue
        sources = {flow.graph.nodes[source].id for source, _ in flow.incoming[place]}
        if sources <= holds:
            holds.add(node.id)
    return holds


def _effects(definition: Definition, steps: Mapping[str, Step], rerun: set[str]) -> Iterator[str]:
    """Nodes with effects that ran before and will run again; inside a loop `loop.inner`."""
    ran = {
        _path(step.step_id)
        for step in steps.values()
        if step.status in ("completed", "failed", "cancelled")
    }
    for scope, one in definition.walk():
        top = scope.split("/")[0] if scope else ""
        for node in one.graph.nodes:
            path = ".".join([*scope.split("/"), node.id]) if scope else node.id
            effect = NODE_TYPES[node.type].effect(node.data)
            if effect is Effect.EFFECT and path in ran and (top or node.id) in rerun:
                yield path


def _path(step_id: str) -> str:
    """A step id without positions: `loop[3].inner` is `loop.inner`."""
    return ".".join(part.partition("[")[0] for part in step_id.split("."))
