"""Worst-case history events and nominal state transitions of a machine.

Events per state as the execution history shows them:
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-standard-vs-express.html and
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html (25,000 events).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_EVENTS: Final = 25_000
# Kept free for the execution's own events and for estimates that are a little off.
EVENT_RESERVE: Final = 500

_TASK, _TOKEN, _TRY, _PLAIN, _GROUP, _ITERATION = 5, 1, 3, 2, 4, 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """`events`: all states and all tries, loops once. `transitions`: states of a run without
    retries, loops once (what Step Functions charges).
    """

    events: int = 0
    transitions: int = 0

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.events + other.events, self.transitions + other.transitions)


def estimate_states(states: Mapping[str, Mapping[str, Any]]) -> Estimate:
    """The sum over a level of states and all levels below it; a distributed Map counts as one."""
    total = Estimate()
    for state in states.values():
        total += _one(state)
    return total


def item_events(states: Mapping[str, Mapping[str, Any]]) -> int:
    """Worst-case events of one iteration of an inline Map over these states."""
    return estimate_states(states).events + _ITERATION


def _one(state: Mapping[str, Any]) -> Estimate:
    kind = state["Type"]
    if kind == "Task":
        tries = sum(int(retrier["MaxAttempts"]) for retrier in state.get("Retry", ()))
        waits = _TOKEN if "." in str(state["Resource"]).rpartition(":")[2] else 0
        return Estimate(_TASK + waits + tries * _TRY, 1)
    if kind == "Parallel":
        total = Estimate(_GROUP, 1)
        for branch in state["Branches"]:
            total += estimate_states(branch["States"])
        return total
    if kind == "Map":
        if state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED":
            return Estimate(_GROUP, 1)
        # How often it runs is bounded where it is entered, by the choice before it.
        return Estimate(_GROUP, 1) + estimate_states(state["ItemProcessor"]["States"])
    return Estimate(_PLAIN, 1)
