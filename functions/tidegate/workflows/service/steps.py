"""What a state machine asks the step function: run, resume, fail, gate, finish.

The machine hands over ids only. Everything else is read from the ledger and the pinned version, and
what is answered is a route, a count, an instant or an id (E9, E21).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from tidegate_kit.clock import Clock
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger

from tidegate.workflows.domain import Execution, Step, StepProblem
from tidegate.workflows.graph import SKIPPED
from tidegate.workflows.interpreter import Decision, merge_output, route_after
from tidegate.workflows.interpreter.rules import settle_failure
from tidegate.workflows.nodes import (
    NODE_TYPES,
    Child,
    Done,
    Effect,
    Loop,
    Outcome,
    Pending,
    Sleep,
    StepCall,
    StepError,
    finish_node,
    run_node,
)
from tidegate.workflows.repository.blobs import Blobs
from tidegate.workflows.repository.ledger import Ledger, Settled
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.failures import problem_after
from tidegate.workflows.service.gates import Gates
from tidegate.workflows.service.loops import loop_result
from tidegate.workflows.service.outcome import Outcomes, place_of_execution
from tidegate.workflows.service.program import Program
from tidegate.workflows.service.records import step_entry
from tidegate.workflows.service.sight import PortsOf, Sight

_ITEMS_INLINE: Final = 32 * 1024
# Waits are counted in the execution's status; a child or a loop is at work.
_PARKING: Final = frozenset({"approval"})
_MAX_ERROR_TEXT: Final = 2000

Answer = dict[str, Any]


class StepRetryable(Exception):
    """The try may be repeated (WF-6); the machine knows it by name. Histories keep no text."""


class StepFailed(Exception):
    """The step failed; the machine catches it by name. Histories keep no text."""


def answer(route: str, **more: Any) -> Answer:
    """What the machine reads; it names every key, so all are always there."""
    return {
        "route": route, "until": "", "count": 0, "machine": "", "name": "", "child": "", **more,
    }  # fmt: skip


@dataclass(frozen=True)
class Tools:
    """What the steps of one tenant work with."""

    ledger: Ledger
    blobs: Blobs
    definitions: Definitions
    outcomes: Outcomes
    gates: Gates
    ports: PortsOf
    secret: Callable[[str], str]
    child: Callable[[str], StepProblem | None]
    clock: Clock
    ids: IdFactory


class Steps:
    """The step function's decisions for one tenant."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    # ---- run -------------------------------------------------------------------------------

    def run(self, execution_id: str, step_id: str, token: str | None = None) -> Answer:
        """One try of a step. Raises StepRetryable, StepFailed."""
        sight = self._look(execution_id, step_id)
        own = sight.own
        if own is not None and own.ended:
            return self._again(sight, own, token)
        decision = sight.decide()
        if decision is Decision.NOT_YET:
            logger.error("step called before its predecessors ended", step_id=step_id)
            raise StepFailed
        if decision is Decision.SKIP:
            return self._skip(sight, token)
        if own is not None and own.waits_until is not None:
            return answer("wait", until=_instant(own.waits_until))
        step = self._begun(sight)
        try:
            outcome = run_node(self._call(sight, step, token))
            return self._take(sight, step, outcome)
        except StepError as error:
            return self._tried(sight, step, error)

    def _look(self, execution_id: str, step_id: str) -> Sight:
        tools = self._tools
        sight = Sight.of(tools.ledger, tools.definitions, tools.blobs, execution_id, step_id)
        if sight is None:
            logger.info("step of an execution that has ended", execution_id=execution_id)
            raise StepFailed
        return sight

    def _begun(self, sight: Sight) -> Step:
        """The record of this try; stored first where somebody can watch it, or effects follow."""
        place, own = sight.place, sight.own
        now = self._tools.clock()
        parks = place.node.type in _PARKING
        step = replace(
            own or sight.new_step(now),
            attempts=1 if own is None else own.attempts + 1,
            status="waiting" if parks or (own and own.status == "waiting") else "running",
        )
        if not parks and NODE_TYPES[place.node.type].effect(place.node.data) is Effect.PURE:
            return step
        parked = 1 if parks and (own is None or own.status != "waiting") else 0
        try:
            if parked:
                self._tools.ledger.record(sight.execution, step, parked=1)
            else:
                self._tools.ledger.begin(sight.execution, step)
        except Settled:
            raise StepFailed from None
        return step

    def _call(self, sight: Sight, step: Step, token: str | None) -> StepCall:
        tools = self._tools
        resolved: set[str] = set()

        def secret(name: str) -> str:
            value = tools.secret(name)
            resolved.add(value)
            return value

        return StepCall(
            node=sight.place.node,
            step_id=step.step_id,
            execution_id=sight.execution.id,
            scope=sight.scope(secret),
            ports=tools.ports(sight.execution, step.step_id, resolved),
            now=tools.clock,
            attempt=step.attempts,
            task_token=token,
        )

    def _take(self, sight: Sight, step: Step, outcome: Outcome) -> Answer:
        if isinstance(outcome, Done):
            return self._done(sight, step, outcome)
        try:
            if isinstance(outcome, Sleep):
                waiting = replace(step, status="waiting", waits_until=outcome.until)
                parked = 0 if step.status == "waiting" else 1
                self._tools.ledger.record(sight.execution, waiting, parked=parked)
                return answer("wait", until=_instant(outcome.until))
            if isinstance(outcome, Loop):
                place = place_of_execution(sight.execution.id)
                items = self._tools.blobs.put(place, outcome.items, inline=_ITEMS_INLINE)
                self._tools.ledger.begin(sight.execution, replace(step, items=items))
                return answer("items", count=len(outcome.items))
            if isinstance(outcome, Child):
                self._tools.ledger.begin(
                    sight.execution, replace(step, child_id=outcome.execution_id)
                )
                return answer(
                    "child",
                    machine=outcome.machine_arn,
                    name=outcome.name,
                    child=outcome.execution_id,
                )
        except Settled:
            raise StepFailed from None
        return answer("pending") if isinstance(outcome, Pending) else answer(SKIPPED)

    def _done(self, sight: Sight, step: Step, done: Done) -> Answer:
        """Record a completed step. Raises StepError where its route may not be taken (WF-7)."""
        place = sight.place
        route = route_after(place.flow, place.index, done)
        blob_place = place_of_execution(sight.execution.id)
        ended = replace(
            step,
            status="completed",
            route=route,
            completed_at=self._tools.clock(),
            output=self._tools.blobs.put(blob_place, done.output),
            error=None,
        )
        return self._settle(sight, step, ended)

    def _settle(self, sight: Sight, before: Step, ended: Step) -> Answer:
        """Write a final status with what it skips, then open the gates that waited for it."""
        tools, place = self._tools, sight.place
        parked = -1 if before.status == "waiting" else 0
        skipped = sight.skipped_by(ended, tools.clock())
        entry = None if ended.status == "skipped" else step_entry(tools.ids, sight.execution, ended)
        try:
            tools.ledger.record(sight.execution, ended, log=entry, skipped=skipped, parked=parked)
        except Settled:
            view = tools.ledger.view(sight.execution.id, [ended.step_id])
            known = view.steps.get(ended.step_id)
            if known is None or not known.ended or known.status == "cancelled":
                raise StepFailed from None
            ended = known  # the first write stands (E24)
        tools.gates.after(sight.program, place, sight.execution.id, ended)
        return answer(place.token(ended.route or SKIPPED))

    def _skip(self, sight: Sight, token: str | None) -> Answer:
        now = self._tools.clock()
        before = sight.own or sight.new_step(now)
        step = replace(before, status="skipped", completed_at=now, attempts=0)
        given = self._settle(sight, before, step)
        if token is not None:
            self._tools.gates.answer(token, given["route"])
        return given

    def _again(self, sight: Sight, own: Step, token: str | None) -> Answer:
        """A step that has ended answers as it ended, also when it is asked again (E18, E24)."""
        if own.status == "cancelled" or (own.status == "failed" and own.route is None):
            raise StepFailed
        self._tools.gates.after(sight.program, sight.place, sight.execution.id, own)
        route = sight.place.token(own.route or SKIPPED)
        if token is not None:
            self._tools.gates.answer(token, route)
        return answer(route)

    # ---- resume ----------------------------------------------------------------------------

    def resume(self, execution_id: str, step_id: str) -> Answer:
        """Complete a delay, a loop or a sub-workflow. Raises StepRetryable, StepFailed."""
        sight = self._look(execution_id, step_id)
        own = sight.own
        if own is None:
            logger.error("nothing to resume", step_id=step_id)
            raise StepFailed
        if own.ended:
            return self._again(sight, own, None)
        try:
            if own.type == "foreach":
                given = loop_result(self._tools.ledger, self._tools.blobs, sight, own)
            else:
                given = {"execution_id": own.child_id}
            done = finish_node(self._call(sight, own, None), given)
            return self._done(sight, own, done)
        except StepError as error:
            return self._tried(sight, own, error)

    def decided(self, execution_id: str, step_id: str, given: dict[str, Any]) -> str | None:
        """An approval has its decision: complete the step, and give the route for its token.

        None: the step failed by it. Raises StepFailed when the execution has ended.
        """
        sight = self._look(execution_id, step_id)
        own = sight.own
        if own is None or own.ended:
            done_before = own is not None and own.status == "completed"
            return sight.place.token(own.route or SKIPPED) if own and done_before else None
        try:
            done = finish_node(self._call(sight, own, None), given)
            return str(self._done(sight, own, done)["route"])
        except StepError as error:
            self._failed(sight, own, StepProblem(error.code, error.message, step_id))
            return None

    # ---- failures --------------------------------------------------------------------------

    def _tried(self, sight: Sight, step: Step, error: StepError) -> Answer:
        problem = StepProblem(error.code, error.message[:_MAX_ERROR_TEXT], step.step_id)
        if not error.retryable:
            self._failed(sight, step, problem)
            raise StepFailed from None
        try:
            self._tools.ledger.begin(sight.execution, replace(step, error=problem))
        except Settled:
            raise StepFailed from None
        raise StepRetryable from None

    def fail(self, execution_id: str, step_id: str, error_name: str) -> Answer:
        """The machine has given a step up: record it, and say where to go on."""
        tools = self._tools
        sight = Sight.of(tools.ledger, tools.definitions, tools.blobs, execution_id, step_id)
        if sight is None:
            return answer("none")  # its failure has ended the execution already
        own = sight.own
        if own is not None and own.ended:
            if own.status == "failed" and own.route is None and own.error is not None:
                self._failed(sight, own, own.error)
                return answer("none")
            return self._again(sight, own, None)
        step = own or sight.new_step(tools.clock())
        problem = problem_after(error_name, sight, step, tools.ledger, tools.child)
        return answer(self._failed(sight, step, problem) or "none")

    def _failed(self, sight: Sight, step: Step, problem: StepProblem) -> str | None:
        """Record a final failure; gives the error route, None where nothing takes it."""
        tools, place = self._tools, sight.place
        settled = settle_failure(place.flow, place.index)
        if not step.ended:
            self._settle(
                sight,
                step,
                replace(
                    step, status="failed", route=settled.route, error=problem,
                    completed_at=tools.clock(),
                ),
            )  # fmt: skip
        if settled.route is None and not place.step.positions:
            # Inside a loop the failure is the item's, and the loop says what follows.
            tools.outcomes.stop(sight.execution, "failed", problem)
        return settled.route

    # ---- gates and the end -----------------------------------------------------------------

    def gate(self, execution_id: str, step_id: str, token: str) -> Answer:
        """A gate has been reached."""
        sight = self._look(execution_id, step_id)
        self._tools.ledger.keep_gate(sight.execution, step_id, token)
        self._tools.gates.arrive(sight.program, sight.place, execution_id)
        return answer("pending")

    def finish(self, execution_id: str) -> Answer:
        """Every step has settled: the execution completes with its output (WF-8)."""
        tools = self._tools
        execution = tools.ledger.view(execution_id, []).execution
        if execution is None or execution.ended:
            return answer("finished")
        program = self._program(execution)
        flow = program.flow()
        view = tools.ledger.view(execution_id, [node.id for node in flow.graph.nodes])
        place = place_of_execution(execution_id)
        outputs = {
            step.node_id: {"output": tools.blobs.get(place, step.output)}
            for step in view.steps.values()
            if step.status == "completed" and step.output is not None
        }
        tools.outcomes.complete(execution, merge_output(flow, outputs))
        return answer("finished")

    def _program(self, execution: Execution) -> Program:
        return self._tools.definitions.program(execution.workflow_id, execution.workflow_version)


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
