"""Resuming after a repair: random graphs fail, are repaired, and go on as a full run would have.

What is to run again is worked out here from the two definitions alone, not from the product's
hashes; what did run is taken from the step function, not from the records.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from tidegate.workflows import wiring
from tidegate.workflows.domain import Blob, Execution, RunSettings, Step
from tidegate.workflows.errors import ConfirmationRequired
from tidegate.workflows.nodes import StepCall, run_node
from tidegate.workflows.repository.ledger import DynamoLedger
from tidegate.workflows.service.executions import Start
from tidegate.workflows.service.outcome import place_of_execution
from tidegate.workflows.service.program import Program
from tidegate.workflows.service.resume import ResumePlan, Resumption
from tidegate.workflows.service.workflows import Change, Draft
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import sign_in
from tests.builders.workflows import (
    ENVIRONMENT,
    edge,
    graph,
    install_engine,
    make_bucket,
    node,
)
from tests.fakes.workflows import EngineMachines

SCOPE = TenantScope(new_id())
USER = new_id()
GRAPHS = 8


@dataclass
class Lab:
    """The engine, and which steps of which execution were really run."""

    engine: EngineMachines
    ran: list[tuple[str, str]]

    def run_in(self, execution_id: str) -> list[str]:
        """The steps of an execution in the order in which they ran."""
        return [step for execution, step in self.ran if execution == execution_id]


@pytest.fixture
def lab(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Lab:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    sign_in(tenant_id=SCOPE.tenant_id, user_id=USER)
    found = Lab(install_engine(monkeypatch), [])

    def watched(call: StepCall) -> Any:
        found.ran.append((call.execution_id, call.step_id))
        return run_node(call)

    monkeypatch.setattr("tidegate.workflows.service.steps.run_node", watched)
    return found


def services() -> wiring.Services:
    return wiring.services_of(SCOPE, USER)


def begin(workflow_id: str, **data: Any) -> Execution:
    return services().executions.begin(Start(new_id(), workflow_id, data, USER))


def stored(execution_id: str) -> Execution:
    return services().repositories.executions.get(execution_id)


def resume(execution_id: str, *confirmed: str, plan_only: bool = False) -> Resumption:
    start = None if plan_only else Start(new_id(), "", {}, USER)
    return services().resumes.resume(execution_id, None, confirmed, start)


def outcome(execution: Execution) -> tuple[Any, ...]:
    """Status, output, and per step its status, route and output: what a run came to.

    An effect's own answer (an id, a time) is another one each time and left out.
    """
    run = stored(execution.id)
    blobs, place = services().repositories.blobs, place_of_execution(run.id)

    def data(blob: Blob) -> Any:
        return blobs.get(place, blob)

    steps = {
        step.step_id: (
            step.status,
            step.route,
            None if step.output is None or step.type == "notify" else data(step.output),
        )
        for step in services().repositories.ledger.steps(run.id)
    }
    return run.status, None if run.output is None else data(run.output), steps


# ---- random graphs and their repair ----------------------------------------------------------


def random_graph(rng: random.Random, size: int) -> dict[str, Any]:
    """Transforms that read what is before them, conditions and effects, every branch closed."""
    parts = [node("n0", "start")]
    handles: dict[str, list[str | None]] = {"n0": [None]}
    certain, sums = {"n0"}, set()  # reached whatever the conditions say; of these the transforms
    for number in range(1, size):
        name = f"n{number}"
        sources = rng.sample(list(handles)[-5:], min(rng.choice([1, 1, 2, 3]), len(handles), 5))
        kind = rng.choice(["transform", "transform", "transform", "notify", "condition"])
        parts.append(random_node(rng, name, kind, [s for s in sources if s in sums]))
        parts += [edge(source, name, rng.choice(handles[source])) for source in sources]
        handles[name] = ["true", "false"] if kind == "condition" else [None]
        if certain.issuperset(sources) and not any(len(handles[s]) == 2 for s in sources):
            certain.add(name)
            sums.update([name] if kind == "transform" else [])
    for source in [name for name, found in handles.items() if len(found) == 2]:
        for handle in ("true", "false"):
            if not any(
                p.get("source") == source and p.get("sourceHandle") == handle for p in parts
            ):
                end = f"{source}-{handle}"
                parts += [node(end, "end", output={"by": end}), edge(source, end, handle)]
    return graph(*parts)


def random_node(rng: random.Random, name: str, kind: str, values: list[str]) -> dict[str, Any]:
    """A node of a kind; a transform reads the outputs of what is right before it."""
    seen = {f"of_{value}": f"{{{{nodes.{value}.output.n}}}}" for value in values}
    if kind == "notify":
        return node(name, kind, channel="realtime", title=name, message=f"m{rng.randrange(9)}")
    if kind == "condition":
        left = "{{input.n}}"
        return node(name, kind, condition={"left": left, "op": "gt", "right": rng.randrange(6)})
    return node(name, output={"by": name, "n": rng.randrange(9), **seen})


def broken(rng: random.Random, definition: dict[str, Any]) -> dict[str, Any]:
    """The same with one or two transforms that fail when they run."""
    made = copy.deepcopy(definition)
    choice = [found for found in made["nodes"] if found["type"] == "transform"]
    for found in rng.sample(choice, min(len(choice), rng.choice([1, 1, 2]))):
        found["data"]["output"]["n"] = "{{trigger.absent}}"
    return made


def repaired(rng: random.Random, definition: dict[str, Any]) -> dict[str, Any]:
    """The sound graph with some more changes: data, labels, positions, an edge, a new node."""
    made = copy.deepcopy(definition)
    for found in made["nodes"]:
        found["position"] = {"x": rng.randrange(100), "y": 0}
        if rng.random() < 0.3:
            found["data"]["label"] = "another name"
        if found["type"] == "transform" and rng.random() < 0.3:
            found["data"]["output"]["n"] = 10 + rng.randrange(9)
        if found["type"] == "condition" and rng.random() < 0.3:
            found["data"]["condition"]["right"] = rng.randrange(6)
    if rng.random() < 0.3:
        last = made["nodes"][-1]
        made["nodes"].append(node("added"))
        source = next(n["id"] for n in made["nodes"] if n["type"] != "condition" and n != last)
        made["edges"].append(edge(source, "added"))
    return made


def untouched(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """Ids of nodes that are the same in both, and all before them; from the texts alone."""

    def meaning(definition: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
        sources: dict[str, set[tuple[str, Any]]] = {n["id"]: set() for n in definition["nodes"]}
        for found in definition["edges"]:
            sources[found["target"]].add((found["source"], found.get("sourceHandle")))
        return {
            n["id"]: (
                n["type"],
                {k: v for k, v in n["data"].items() if k != "label"},
                sources[n["id"]],
            )
            for n in definition["nodes"]
        }

    before, after = meaning(old), meaning(new)
    same = {name for name in after if before.get(name) == after[name]}
    while True:
        kept = {name for name in same if {source for source, _ in after[name][2]} <= same}
        if kept == same:
            return same
        same = kept


# ---- the property ----------------------------------------------------------------------------


def repeats_nothing(*_: Any, **__: Any) -> set[str]:
    """The reuse switched off: every node runs again."""
    return set()


def by_own_data(program: Program, steps: Any, *, same_version: bool) -> set[str]:
    """What is before a node forgotten: whatever completed is reused."""
    return {
        name
        for name in program.flow().graph.index
        if name in steps and steps[name].status == "completed"
    }


def _go_on(lab: Lab, first: dict[str, Any], second: dict[str, Any]) -> ResumePlan | None:
    """Run `first`, repair it to `second`, resume, and compare with a full run of `second`.

    None where `first` does not fail: what is broken is in a branch that is not taken.
    """
    workflow = services().workflows.create(Draft("W", "", first, True, RunSettings())).workflow.id
    old = begin(workflow, n=3)
    if stored(old.id).status != "failed":
        return None
    services().workflows.change(workflow, Change(definition=second))
    plan = resume(old.id, plan_only=True).plan
    _check_the_plan(old, plan, first, second)
    made = _confirm(lab, old, plan)
    full = begin(workflow, n=3)
    assert _differences(outcome(made), outcome(full)) == []
    _check_what_ran(lab, made, full, plan)
    return plan


COPY = DynamoLedger.reuse


def without_what_was_skipped(self: DynamoLedger, execution: Execution, steps: list[Step]) -> None:
    """Only completed steps copied into the new run."""
    COPY(self, execution, [step for step in steps if step.status == "completed"])


@pytest.mark.hazard("E22")
@pytest.mark.parametrize("seed", range(GRAPHS))
def test_a_resumed_run_ends_as_a_full_one_and_runs_what_its_plan_said(lab: Lab, seed: int) -> None:
    """E22: random graphs, failed and repaired: result = full run, the plan = what ran, effects ask.

    The steps are compared one by one with a run of the repaired version from its start; the plan
    shown before is compared with the steps that the step function really ran.
    """
    rng = random.Random(seed)
    sound = random_graph(rng, rng.randint(4, 12))
    plan = _go_on(lab, broken(rng, sound), repaired(rng, sound))
    assert plan is None or plan.rerun


def two_branches(first: int, absent: str) -> dict[str, Any]:
    """a -> tell -> check -> (yes | no), and beside it b -> say -> last, which `absent` breaks."""
    return graph(
        node("s", "start"),
        node("a", output={"n": first}),
        node("tell", "notify", channel="realtime", title="T", message="m"),
        node("check", "condition", condition={"left": "{{input.n}}", "op": "gt", "right": 5}),
        node("yes", "end", output={"by": "yes"}),
        node("no", "end", output={"by": "no"}),
        node("b"),
        node("say", "notify", channel="realtime", title="T", message="m"),
        node("off", "condition", condition={"left": "{{input.n}}", "op": "gt", "right": 5}),
        node("dead", output={"by": "dead"}),
        node("last", output={"n": absent}),
        edge("s", "a"), edge("a", "tell"), edge("tell", "check"),
        edge("check", "yes", "true"), edge("check", "no", "false"), edge("check", "last", "false"),
        edge("s", "b"), edge("b", "say"), edge("say", "off"),
        edge("off", "dead", "true"), edge("off", "last", "false"), edge("dead", "last"),
    )  # fmt: skip


@pytest.mark.hazard("E22")
@pytest.mark.bite("tidegate.workflows.service.resume.reusable", repeats_nothing)
@pytest.mark.bite("tidegate.workflows.service.resume.reusable", by_own_data)
@pytest.mark.bite("tidegate.workflows.service.resume._effects", returns=())
@pytest.mark.bite(
    "tidegate.workflows.repository.ledger.DynamoLedger.reuse", without_what_was_skipped
)
def test_a_repair_runs_again_what_it_changed_and_asks_for_effects(lab: Lab) -> None:
    """E22: one branch is reused with its effect and what it skipped, the changed one asks first."""
    plan = _go_on(lab, two_branches(1, "{{trigger.absent}}"), two_branches(2, "there"))
    assert plan is not None
    assert set(plan.reuse) == {"s", "b", "say", "off"}
    assert plan.side_effects == ("tell",)


def _differences(resumed: tuple[Any, ...], full: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """(what, as resumed, as in full), one by one."""
    steps = [(name, resumed[2].get(name), full[2].get(name)) for name in {**resumed[2], **full[2]}]
    pairs = [("status", resumed[0], full[0]), ("output", resumed[1], full[1]), *steps]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _check_the_plan(
    old: Execution, plan: ResumePlan, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """The plan follows from the two definitions and from what had completed."""
    steps = {step.step_id: step for step in services().repositories.ledger.steps(old.id)}
    same = untouched(first, second)
    completed = {name for name, step in steps.items() if step.status == "completed"}
    settled = {
        name for name in same if name in steps and steps[name].status in ("completed", "skipped")
    }
    assert set(plan.reuse) == completed & same
    assert set(plan.rerun) == {n["id"] for n in second["nodes"]} - settled
    effects = {n["id"] for n in second["nodes"] if n["type"] == "notify"}
    tried = {name for name, step in steps.items() if step.status not in ("skipped", "running")}
    assert set(plan.side_effects) == effects & tried & set(plan.rerun)


def _confirm(lab: Lab, old: Execution, plan: ResumePlan) -> Execution:
    """Without each confirmation nothing runs and nothing is made; with them it resumes."""
    before = len(lab.ran)
    for left_out in plan.side_effects:
        others = [name for name in plan.side_effects if name != left_out]
        with pytest.raises(ConfirmationRequired) as refused:
            resume(old.id, *others)
        assert [detail.field for detail in refused.value.details] == [left_out]
    assert len(lab.ran) == before
    made = resume(old.id, *plan.side_effects)
    assert made.plan == plan
    assert made.execution is not None
    return made.execution


def _check_what_ran(lab: Lab, made: Execution, full: Execution, plan: ResumePlan) -> None:
    """Each planned step that a full run reaches ran once, and none that is reused."""
    steps = services().repositories.ledger.steps(made.id)
    assert {step.step_id for step in steps if step.reused} == set(plan.reuse)
    ran = lab.run_in(made.id)
    assert sorted(ran) == sorted(set(lab.run_in(full.id)) - set(plan.reuse))
    assert set(ran) <= set(plan.rerun)


@pytest.mark.hazard("E23")
@pytest.mark.bite("tidegate.workflows.service.resume.reusable", by_own_data)
def test_what_was_altered_or_removed_or_is_anothers_is_not_reused(lab: Lab) -> None:
    """E23: behind an altered or removed node everything runs again; a foreign execution is 404."""
    ends = [node("stop", "fail", error="X", message="x")]
    path = ["s", "a", "b", "c", "stop"]
    edges = [edge(one, two) for one, two in pairwise(path)]
    first = graph(node("s", "start"), node("a"), node("b"), node("c"), *ends, *edges)
    draft = Draft("W", "", first, True, RunSettings())
    workflow = services().workflows.create(draft).workflow.id
    old = begin(workflow)
    altered = copy.deepcopy(first)
    altered["nodes"][2]["data"]["output"] = {"by": "somebody else"}
    removed = graph(node("s", "start"), node("a"), node("c"), *ends,
                    edge("s", "a"), edge("a", "c"), edge("c", "stop"))  # fmt: skip
    for second, again in ((altered, ("b", "c", "stop")), (removed, ("c", "stop"))):
        services().workflows.change(workflow, Change(definition=second))
        plan = resume(old.id, plan_only=True).plan
        assert (plan.reuse, plan.rerun) == (("s", "a"), again)
    stranger = wiring.services_of(TenantScope(new_id()), USER)
    with pytest.raises(NotFound):
        stranger.resumes.resume(old.id, None, [], None)
