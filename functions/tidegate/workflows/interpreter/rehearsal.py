"""Dry runs: the reference interpreter with mocks or typed samples; nothing outside is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tidegate.workflows.graph import NEXT, Definition
from tidegate.workflows.interpreter.simulate import interpret
from tidegate.workflows.interpreter.trace import Attempt, Run, Visit
from tidegate.workflows.nodes import (
    NODE_TYPES,
    Done,
    Effect,
    Loop,
    NodeType,
    Ports,
    Sleep,
    StepCall,
    StepError,
    run_node,
)
from tidegate.workflows.nodes.runner import resolve_data
from tidegate.workflows.templating import (
    MISSING,
    Path,
    Renderer,
    TemplateError,
    find_templates,
    lookup,
)
from tidegate.workflows.templating.masking import MASK

_SAMPLE_TEXT = "sample"
_MAX_SAMPLE_LIST = 10
# Types that wait for people or machines although they change nothing outside.
_ASKING = frozenset({"approval"})


@dataclass(frozen=True, slots=True)
class DryRun:
    """`would_call`: {node_id, type, summary} of what a run would do outside, in order."""

    run: Run
    would_call: tuple[dict[str, str], ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Rehearsal:
    """What a dry run answers with, and what it notes down."""

    mocks: Mapping[str, Mapping[str, Any]]
    now: datetime
    wanted: Mapping[str, list[Path]]
    would_call: list[dict[str, str]] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)


def dry_run(
    definition: Definition,
    input_data: Mapping[str, Any],
    *,
    now: datetime,
    mocks: Mapping[str, Mapping[str, Any]] | None = None,
    trigger: Mapping[str, Any] | None = None,
    secret: Callable[[str], str] | None = None,
) -> DryRun:
    """Rehearse a valid definition. `mocks` maps a node or step id to {"output"} or {"error"}."""
    rehearsal = _Rehearsal(mocks or {}, now, _wanted_paths(definition))
    run = interpret(
        definition,
        input_data,
        lambda visit: _rehearse(rehearsal, visit),
        trigger=trigger,
        secret=secret or (lambda name: MASK),
    )
    return DryRun(run, tuple(rehearsal.would_call), tuple(rehearsal.warnings))


def _rehearse(rehearsal: _Rehearsal, visit: Visit) -> Attempt:
    kind = NODE_TYPES[visit.node.type]
    try:
        if kind.effect(visit.node.data) is not Effect.PURE or kind.name in _ASKING:
            _note(rehearsal, kind, visit)
            return Attempt(_mocked(rehearsal, visit) or _sampled(rehearsal, kind, visit))
        mocked = _mocked(rehearsal, visit)
        return Attempt(mocked) if mocked is not None else _run_pure(rehearsal, visit)
    except TemplateError as error:
        return Attempt(StepError(error.code, error.message))
    except StepError as error:
        return Attempt(error)


def _run_pure(rehearsal: _Rehearsal, visit: Visit) -> Attempt:
    moment = rehearsal.now + timedelta(seconds=visit.time)
    call = StepCall(
        visit.node, visit.step_id, "dry-run", visit.scope, Ports(), lambda: moment, visit.attempt
    )
    outcome = run_node(call)
    if isinstance(outcome, Sleep):
        return Attempt(Done(), (outcome.until - moment).total_seconds())
    if isinstance(outcome, Done | Loop):
        return Attempt(outcome)
    raise StepError("INTERNAL_ERROR", "A dry run cannot wait for this.")


def _note(rehearsal: _Rehearsal, kind: NodeType[Any], visit: Visit) -> None:
    data = resolve_data(kind, visit.node, Renderer(visit.scope))
    rehearsal.would_call.append(
        {"node_id": visit.step_id, "type": kind.name, "summary": kind.summary(data)}
    )


def _mocked(rehearsal: _Rehearsal, visit: Visit) -> Done | StepError | None:
    mock = rehearsal.mocks.get(visit.step_id, rehearsal.mocks.get(visit.node.id))
    if mock is None:
        return None
    if "error" in mock:
        error = mock["error"] if isinstance(mock["error"], Mapping) else {}
        code, message = str(error.get("code", "MOCKED")), str(error.get("message", "mocked"))
        return StepError(code, message)
    output = mock.get("output")
    output = dict(output) if isinstance(output, Mapping) else {}
    return Done(output, _mocked_route(visit, output))


def _mocked_route(visit: Visit, output: Mapping[str, Any]) -> str:
    """The route of a mocked output: by result, decision or `route`; else a switch's default."""
    kind = NODE_TYPES[visit.node.type]
    if visit.node.type == "condition":
        return "true" if output.get("result") is True else "false"
    if visit.node.type == "approval":
        return "true" if output.get("decision", "approved") == "approved" else "false"
    handles = kind.handles(visit.node.data)
    route = output.get("route")
    if isinstance(route, str) and route in handles.routes:
        return route
    return handles.unnamed or (handles.routes[-1] if handles.routes else NEXT)


def _sampled(rehearsal: _Rehearsal, kind: NodeType[Any], visit: Visit) -> Done:
    sample: Done = kind.sample(resolve_data(kind, visit.node, Renderer(visit.scope)))
    output = dict(sample.output)
    for path in rehearsal.wanted.get(visit.node.id, ()):
        if lookup(output, path) is MISSING and _put(output, path):
            text = f"nodes.{visit.node.id}.output.{'.'.join(path)}"
            rehearsal.warnings[f"'{text}' is a made-up sample; give a mock of the node."] = None
    return Done(output, sample.route)


def _wanted_paths(definition: Definition) -> dict[str, list[Path]]:
    """Per node id, the paths below its output that later nodes mention."""
    wanted: dict[str, list[Path]] = {}
    for node in definition.graph.nodes:
        for found in find_templates(dict(node.data), ""):
            if found.problem is None and found.path[0] == "nodes" and found.path[2] == "output":
                wanted.setdefault(found.path[1], []).append(found.path[3:])
    return wanted


def _put(output: dict[str, Any], path: Path) -> bool:
    """Put a sample text at a path, making objects and short lists on the way."""
    here: Any = output
    for position, segment in enumerate(path):
        last = position == len(path) - 1
        fresh: Any = _SAMPLE_TEXT
        if not last:
            fresh = [] if path[position + 1].isdecimal() else {}
        if isinstance(here, dict):
            here = here.setdefault(segment, fresh)
        elif isinstance(here, list) and segment.isdecimal() and int(segment) < _MAX_SAMPLE_LIST:
            while len(here) <= int(segment):
                here.append(fresh)
            here = here[int(segment)]
        else:
            return False
    return True
