"""Approvals upstream of an effect on a customer's account (WF-16).

Where policies ask for approvals, the action needs them in the same execution, upstream of it,
decided and not merely reached.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.workflows.domain import Execution
from tidegate.workflows.graph import StepId
from tidegate.workflows.nodes import StepError
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.service.program import Program


def must_be_approved(
    program: Program, ledger: Ledger, execution: Execution, step_id: str, quorum: int = 1
) -> None:
    """Raise StepError POLICY_DENIED unless an approval upstream was approved by `quorum` people."""
    asked = {name: count for name, count in approvals_above(program, step_id) if count >= quorum}
    steps = ledger.view(execution.id, list(asked)).steps if asked else {}
    for step in steps.values():
        if step.status == "completed" and step.route == "true":
            return
    people = "an approval" if quorum == 1 else f"an approval by {quorum} people"
    text = f"An action on an account needs {people} upstream that was approved."
    raise StepError("POLICY_DENIED", text)


def approvals_above(program: Program, step_id: str) -> Iterator[tuple[str, int]]:
    """(step id, quorum) of the approvals upstream of a step, also around the loops it is in."""
    step = program.place(step_id).step
    while True:
        flow = program.flow(step.scope)
        seen: set[int] = set()
        work = [flow.graph.index[step.node_id]]
        while work:
            for source, _ in flow.incoming[work.pop()]:
                if source not in seen:
                    seen.add(source)
                    work.append(source)
        for place in sorted(seen):
            node = flow.graph.nodes[place]
            if node.type == "approval":
                quorum = node.data.get("quorum", 1)
                # One that is computed at run time is not known here, so it counts for one.
                yield f"{step.prefix}{node.id}", quorum if isinstance(quorum, int) else 1
        if not step.positions:
            return
        outer, _, name = step.scope.rpartition("/")
        step = StepId(outer, step.positions[:-1], name)
