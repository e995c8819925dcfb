"""Distributed Maps of JSONata machines.

MiniStack reads `Items` and `ItemSelector` of a distributed Map as JSONPath and gives its children
the expressions themselves. Here they are evaluated first; the rest of the Map Run is MiniStack's.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

_SELECTS = ("Items", "ItemSelector", "Output", "Assign")

State = dict[str, Any]
Runner = Callable[..., tuple[Any, Any]]


def install() -> None:
    """Evaluate what a distributed Map's children are to get."""
    from ministack.services import stepfunctions

    original = stepfunctions._run_distributed_map
    stepfunctions._run_distributed_map = _evaluating(stepfunctions, original)


def _evaluating(service: Any, run: Runner) -> Runner:
    @functools.wraps(run)
    def evaluate(
        state: State, given: Any, effective: Any, iterator: State, execution: Any, context: Any
    ) -> tuple[Any, Any]:
        jsonata = service._state_query_language(state, context) == "JSONata"
        if not jsonata or "ItemReader" in state or "Items" not in state:
            return run(state, given, effective, iterator, execution, context)
        items = service._jsonata_state_field(state, "Items", "array", given, context)
        inputs = [_input(service, state, given, context, *each) for each in enumerate(items)]
        plain = {name: value for name, value in state.items() if name not in _SELECTS}
        plain |= {"QueryLanguage": "JSONPath", "ItemsPath": "$.items"}
        results, following = run(
            plain, {"items": inputs}, {"items": inputs}, iterator, execution, context
        )
        output = service._apply_jsonata_output(
            state, given, context, result=results, default=results
        )
        service._apply_state_assign(state, given, context, result=results)
        return output, following

    return evaluate


def _input(service: Any, state: State, given: Any, context: Any, index: int, item: Any) -> Any:
    if "ItemSelector" not in state:
        return item
    own = {**context, "Map": {"Item": {"Index": index, "Value": item}}}
    return copy.deepcopy(service._apply_jsonata_template(state["ItemSelector"], given, own))
