"""Whether an effect on a customer's account may happen now (WF-16).

Until policies can be written, one rule holds: an action needs an approval in the same execution,
upstream of it, that was decided and not merely reached.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.workflows.domain import Execution
from tidegate.workflows.graph import StepId
from tidegate.workflows.nodes import StepError
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.service.program import Program


def must_be_approved(program: Program, ledger: Ledger, execution: Execution, step_id: str) -> None:
    """Raise StepError POLICY_DENIED unless an approval upstream was approved."""
    asked = list(approvals_above(program, step_id))
    steps = ledger.view(execution.id, asked).steps if asked else {}
    for step in steps.values():
        if step.status == "completed" and step.route == "true":
            return
    text = "An action on an account needs an approval upstream that was approved."
    raise StepError("POLICY_DENIED", text)


def approvals_above(program: Program, step_id: str) -> Iterator[str]:
    """The step ids of the approval nodes upstream of a step, also around the loops it is in."""
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
            if flow.graph.nodes[place].type == "approval":
                yield f"{step.prefix}{flow.graph.nodes[place].id}"
        if not step.positions:
            return
        outer, _, name = step.scope.rpartition("/")
        step = StepId(outer, step.positions[:-1], name)
