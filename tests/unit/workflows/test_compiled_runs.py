"""Compiled machines behave as the reference interpreter, and wait for nothing unrelated.

The walker in tests/fakes/asl_walker.py runs them in virtual time, so that times are compared too;
moto's interpreter, which is not ours, runs them in test_foreign_interpreter.py. LONG=1 runs 1,000
graphs in place of 60.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tidegate.workflows.compiler import compile_definition
from tidegate.workflows.graph.algorithms import levels, transitive_reduction
from tidegate.workflows.interpreter import Attempt, Flow, Visit, interpret
from tidegate.workflows.nodes import Done

from tests.unit.workflows.graphs import behaviour, random_definition
from tests.unit.workflows.harness import Both, run_both, valid
from tests.unit.workflows.shapes import Sketch

LONG = os.environ.get("LONG") == "1"
EXAMPLES = 1000 if LONG else 60
SEEDS = st.integers(min_value=0, max_value=1 << 40)


@given(seed=SEEDS, size=st.integers(min_value=2, max_value=30))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_compiled_equals_reference(seed: int, size: int) -> None:
    """Same steps run, skipped, failed and cancelled, same tries, outputs, times and result."""
    both = run_both(random_definition(seed, size), behaviour(seed))
    assert both.compiled_steps() == both.reference_steps()
    assert (both.ended[0] == "SUCCEEDED") == (both.run.status == "completed")
    assert both.ledger.output == both.run.output
    assert abs(both.walker.now - both.run.seconds) < 1e-3
    _each_node_called_once(both)


def _each_node_called_once(both: Both) -> None:
    """No step is run more often than its tries, and no gate opens twice."""
    runs = [step_id for action, step_id in both.ledger.calls if action == "run"]
    for record in both.ledger.records.values():
        assert runs.count(record.step_id) <= max(record.attempts, 1)
    gates = [step_id for action, step_id in both.ledger.calls if action == "gate"]
    assert len(gates) == len(set(gates))


def random_dag(seed: int, size: int) -> dict[str, Any]:
    """A graph of plain nodes."""
    rng = random.Random(seed)
    sketch, names = Sketch(), ["start"]
    for number in range(1, size):
        near = names[-5:] if rng.random() < 0.8 else names
        count = min(len(near), rng.choice([1, 1, 1, 2, 2, 3]))
        names.append(sketch.node(f"n{number}", *rng.sample(near, count)))
    return sketch.definition


def durations(seed: int) -> Any:
    """Every node takes a random time."""

    def execute(visit: Visit) -> Attempt:
        return Attempt(Done(), random.Random(f"{seed}/{visit.step_id}").uniform(0.1, 30))

    return execute


def critical_path(raw: dict[str, Any], seed: int) -> tuple[float, float]:
    """(longest path, sum of the slowest of each level) from the graph alone."""
    flow = Flow(valid(raw).graph)
    order, level = levels(flow.successors)
    ends = [0.0] * len(order)
    slowest: dict[int, float] = {}
    for place in order:
        name = flow.graph.nodes[place].id
        own = random.Random(f"{seed}/{name}").uniform(0.1, 30)
        ends[place] = max((ends[s] for s, _ in flow.incoming[place]), default=0.0) + own
        slowest[level[place]] = max(slowest.get(level[place], 0.0), own)
    return max(ends), sum(slowest.values())


@pytest.fixture(scope="module")
def tally() -> Iterator[dict[str, float]]:
    """Collects the figures of the makespan test and prints them."""
    sums: dict[str, float] = {}
    yield sums
    if sums:
        print(
            f"\nmakespan over {sums['graphs']:.0f} graphs: compiled / critical path "
            f"{sums['ratio'] / sums['graphs']:.4f}, level barriers / critical path "
            f"{sums['barrier'] / sums['graphs']:.2f}; gates {sums['gates']:.0f} of "
            f"{sums['cross']:.0f} edges that cross chains ({sums['edges']:.0f} edges in all)"
        )


@given(seed=SEEDS, size=st.integers(min_value=2, max_value=60))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_makespan_is_the_critical_path(tally: dict[str, float], seed: int, size: int) -> None:
    """With random durations no node waits for one that it does not depend on."""
    raw = random_dag(seed, size)
    both = run_both(raw, durations(seed))
    longest, barriers = critical_path(raw, seed)
    assert both.walker.now == pytest.approx(longest)
    assert both.run.seconds == pytest.approx(longest)
    gates = [gate for gates in both.compiled.plan.gates.values() for gate in gates]
    figures = {
        "graphs": 1,
        "ratio": both.walker.now / longest,
        "barrier": barriers / longest,
        "gates": len(gates),
        "cross": sum(len(gate.waits_for) for gate in gates),
        "edges": len(raw["edges"]),
    }
    for name, value in figures.items():
        tally[name] = tally.get(name, 0) + value


@given(seed=SEEDS, size=st.integers(min_value=3, max_value=40))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_gates_only_where_forced(seed: int, size: int) -> None:
    """A gate waits only for direct predecessors; a graph without gates is series-parallel."""
    definition = valid(random_dag(seed, size))
    compiled = compile_definition(definition)
    flow = Flow(definition.graph)
    order, _ = levels(flow.successors)
    reduced = transitive_reduction(order, flow.successors)
    index = definition.graph.index
    for gate in compiled.plan.gates[""]:
        for name in gate.waits_for:
            assert index[gate.gate_id] in reduced[index[name]]
    assert bool(compiled.plan.gates[""]) == _has_n(reduced)


def _has_n(reduced: list[list[int]]) -> bool:
    """The forbidden shape of series-parallel orders: a < c, b < c, b < d and a, d unrelated."""
    below: list[set[int]] = [set() for _ in reduced]
    order, _ = levels(reduced)
    for node in reversed(order):
        for target in reduced[node]:
            below[node] |= {target} | below[target]

    def apart(x: int, y: int) -> bool:
        return x != y and y not in below[x] and x not in below[y]

    for b in range(len(reduced)):
        for c in below[b]:
            for d in below[b]:
                if not apart(c, d):
                    continue
                for a in range(len(reduced)):
                    if c in below[a] and apart(a, b) and apart(a, d):
                        return True
    return False


def test_compiling_is_deterministic() -> None:
    """The same definition gives the same machine and plan."""
    for seed in range(20):
        raw = random_definition(seed, 25)
        first, second = compile_definition(valid(raw)), compile_definition(valid(raw))
        assert first.machine == second.machine
        assert first.plan.as_dict() == second.plan.as_dict()
        assert type(first.plan).from_dict(first.plan.as_dict()).as_dict() == first.plan.as_dict()


def test_interpreter_is_its_own_reference() -> None:
    """Running twice gives the same."""
    raw = random_definition(3, 30)
    first, second = (interpret(valid(raw), {}, behaviour(3)) for _ in range(2))
    assert [step.step_id for step in first.steps] == [step.step_id for step in second.steps]
    assert first.output == second.output
