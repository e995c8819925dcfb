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


def estimate_states(states: Mapping[str, Mapping[str, Any]]) -> Estimate:
    """The sum over a level of states and all levels below it; a distributed Map counts as one."""
    events = transitions = 0
    for state in states.values():
        kind = state["Type"]
        transitions += 1
        if kind == "Task":
            events += _TASK + _TOKEN
            for retrier in state["Retry"]:
                events += retrier["MaxAttempts"] * _TRY
        elif kind == "Parallel":
            events += _GROUP
            for branch in state["Branches"]:
                below = estimate_states(branch["States"])
                events += below.events
                transitions += below.transitions
        elif kind == "Map":
            events += _GROUP
            # How often an inline Map runs is bounded by the choice before it.
            if state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "INLINE":
                below = estimate_states(state["ItemProcessor"]["States"])
                events += below.events
                transitions += below.transitions
        else:
            events += _PLAIN
    return Estimate(events, transitions)


def item_events(states: Mapping[str, Mapping[str, Any]]) -> int:
    """Worst-case events of one iteration of an inline Map over these states."""
    return estimate_states(states).events + _ITERATION
