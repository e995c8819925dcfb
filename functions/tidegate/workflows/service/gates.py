"""Gates: states that wait for nodes of other chains (design section 6).

The predecessor's record and the gate's token come in any order; each writes its own, then looks for
the other. So the one that comes second answers, and a second answer finds nothing waiting.
"""

from __future__ import annotations

from tidegate.workflows.domain import Step
from tidegate.workflows.graph import SKIPPED
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.service.machines import Machines
from tidegate.workflows.service.program import Place, Program


class Gates:
    """Opens the gates of one tenant's executions."""

    def __init__(self, ledger: Ledger, machines: Machines) -> None:
        self._ledger = ledger
        self._machines = machines

    def after(self, program: Program, place: Place, execution_id: str, ended: Step) -> None:
        """A step has ended: open what waited for it and for the nodes that it skipped."""
        route = ended.route if ended.status != "skipped" else SKIPPED
        nodes = [ended.node_id]
        if route is not None:
            nodes += place.flow.skip_ids(ended.node_id, route)
        gates = {
            gate_step: gate.waits_for
            for node_id in nodes
            for gate_step, gate in program.gates_after(place, node_id)
        }
        for gate_step, waits_for in gates.items():
            self._open(execution_id, gate_step, [place.sibling(one) for one in waits_for])

    def arrive(self, program: Program, place: Place, execution_id: str) -> None:
        """A gate's token is stored: open it if nothing is missing."""
        gate = program.plan.gate(place.step.scope, place.node.id)
        self._open(execution_id, place.id, [place.sibling(one) for one in gate.waits_for])

    def _open(self, execution_id: str, gate_step: str, waits_for: list[str]) -> None:
        token = self._ledger.gate(execution_id, gate_step)
        if token is None:
            return
        steps = self._ledger.view(execution_id, waits_for).steps
        if all(step_id in steps and steps[step_id].ended for step_id in waits_for):
            self.answer(token, "open")

    def answer(self, token: str, route: str) -> None:
        """Let a waiting state go on; one that has gone on already is left alone."""
        self._machines.succeed(token, {"route": route})
