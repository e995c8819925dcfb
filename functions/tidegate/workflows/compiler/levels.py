"""Levels of states and the scope they are emitted in."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.workflows.compiler import states
from tidegate.workflows.compiler.plan import Gate
from tidegate.workflows.interpreter.flow import Flow

# How a level of states ends after a failure that no error edge takes.
STOP = "stop"  # fail the level, and with it whatever runs it
SWALLOW = "swallow"  # end the item quietly; the step Lambda has recorded the failure


@dataclass(slots=True)
class Counter:
    """Numbers for the names of states that have no node of their own; unique in a machine."""

    value: int = 0

    def name(self, kind: str) -> str:
        """A name no node can have: node ids hold no dot."""
        self.value += 1
        return f".{kind}.{self.value}"


@dataclass(slots=True)
class Level:
    """One `States` object and its shared ends, made when first needed."""

    counter: Counter
    target: states.Target
    on_failure: str
    states: dict[str, states.State] = field(default_factory=dict)
    _failed: str | None = None
    _stop: str | None = None
    _done: str | None = None

    def failed(self) -> str:
        """The state that records a failure without error edge and ends the level."""
        if self._failed is None:
            self._failed = self.counter.name("failed")
            self.states[self._failed] = states.failure_call(
                self.target, "{% $states.input.step_id %}", catch=self.stop(), after=self.stop()
            )
        return self._failed

    def stop(self) -> str:
        """The state that ends the level after a failure."""
        if self.on_failure == SWALLOW:
            return self.done()
        if self._stop is None:
            self._stop = self.counter.name("stop")
            self.states[self._stop] = {"Type": "Fail", "Error": states.FAILED_ERROR}
        return self._stop

    def done(self) -> str:
        """The state that ends the level well, for states that cannot end it themselves."""
        if self._done is None:
            self._done = self.counter.name("done")
            self.states[self._done] = {"Type": "Succeed", "Output": {}}
        return self._done


@dataclass(slots=True)
class Scope:
    """The graph being emitted: the workflow or the inside of a foreach.

    `prefix` goes before state names (a nested graph may be emitted twice); `step_prefix` is the
    JSONata variable that holds the step ids' prefix at run time, None at the top.
    """

    flow: Flow
    name: str
    prefix: str
    step_prefix: str | None
    gates: dict[str, Gate] = field(default_factory=dict)

    def step_id(self, node_id: str) -> str:
        """A step id as payload value; at the top it is the node's id."""
        if self.step_prefix is None:
            return node_id
        return f"{{% ${self.step_prefix} & '{node_id}' %}}"
