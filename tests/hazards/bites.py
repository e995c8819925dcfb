"""Bite proofs: with its defence switched off, a hazard's test must turn red.

A test declares its own bites:

    @pytest.mark.hazard("A7")
    @pytest.mark.bite("tidegate_kit.auth.verifier._check_expiry", returns=None)
    def test_expiry(...):
        \"\"\"A7: ...\"\"\"

The plugin then collects the test once more for each bite, with the defence replaced.  Red is
an AssertionError or ``pytest.fail`` of the test itself; a replacement that is never called,
or any other error, fails the bite.

``BITES`` below is the table of the rest: bites that belong to an id rather than to one test,
and the reason where an id has no switch.  ``pytest --hazards-table`` prints the whole table,
declared and listed.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest.mock import patch

import pytest

from tests.fakes.dotted import resolve

_MISSING: Any = object()


@dataclass(frozen=True)
class Bite:
    """A defence by dotted name, and what takes its place.

    ``replacement`` is a callable (it must be called) or a plain value; ``returns`` is short
    for a callable that returns this value.  ``cases`` limits the bite of a parametrised test
    to the cases whose id contains one of the texts.  ``when="setup"`` replaces the defence
    before the fixtures run, for defences that a fixture captures (function-scoped fixtures
    only: anything longer-lived would keep the hole).
    """

    target: str
    replacement: Any = field(default=_MISSING)
    returns: Any = field(default=_MISSING)
    cases: Sequence[str] = ()
    when: Literal["call", "setup"] = "call"

    def __post_init__(self) -> None:
        """Exactly one of ``replacement`` and ``returns``."""
        if (self.replacement is _MISSING) == (self.returns is _MISSING):
            raise TypeError(f"bite {self.target!r}: give either a replacement or returns=")
        if self.when not in ("call", "setup"):
            raise TypeError(f"bite {self.target!r}: when is 'call' or 'setup'")
        if isinstance(self.cases, str):
            object.__setattr__(self, "cases", (self.cases,))

    @property
    def substitute(self) -> Any:
        """What is put in the defence's place."""
        if self.returns is _MISSING:
            return self.replacement
        return lambda *args, **kwargs: self.returns

    def applies_to(self, case_id: str) -> bool:
        """Whether this case of a parametrised test is bitten."""
        return not self.cases or any(text in case_id for text in self.cases)


# id -> bites of every test with that id, or the reason why there is no switch.
BITES: dict[str, list[Bite] | str] = {
    "A11": "kinds differ in form, type and audience at once: no single switch opens a door",
    "A21": "no code reads a credential from the query, so there is nothing to switch off",
    "A28": "one setting feeds every lifetime; the test changes it and watches all follow",
    "B6": "unknown fields are refused by the request models as compiled at import",
    "C2": "known and unknown addresses run the same code: a switch would add the hole itself",
    "C15": "a login never reads an earlier session, so there is nothing to switch off",
    "D5": "strictness is part of the request models as compiled at import",
    "D8": "bounds are part of the parameter models as compiled at import",
    "B24": "no code reads what the gateway would say of a caller: nothing to switch off",
    "D10": "the rule is read off the source, so there is nothing to switch off",
    "D9": "filters are typed query models, compiled at import; no expression is made of text",
    "D13": "text checks are part of the request models as compiled at import",
    "E14": "what a running execution reads is not touched by a delete: a switch would add the hole",
    "E28": "no model of an answer has a field for the token, so there is nothing to switch off",
    "E30": "skipping is part of the compiled graph; E8 and the property tests bite on it",
    "H16": "one pure function compared with a reference; a tick names its execution (E16)",
    "F21": "the rule is read off the source, so there is nothing to switch off",
    "H6": "no decision reads an index, so there is nothing to switch off",
    "G30": "the journal is written before the act, in one function; plan, approval and policy each "
    "keep the second approver: no single switch opens a door",
    "H12": "a required field has no default to fall back on, so there is nothing to switch off",
    "H13": "it holds because nothing is warmed up by hand: there is nothing to switch off",
    "H26": "no state lives in a process, so there is nothing to switch off",
    "H29": "the layers hold what the lock files name; make package bites with a broken lock",
    "H15": "expiry is part of the key or of the write's condition, not a callable",
}


# id -> why there is nothing to attack: the product has no such feature.
WITHOUT_FEATURE: dict[str, str] = {
    "D12": "nothing is exported as CSV: executions and findings are JSON, calendars are iCalendar",
    "G31": "there is no presigned identity proof: stacks call back over SNS, roles are probed",
}


def from_mark(mark: pytest.Mark) -> Bite:
    """The bite of one ``@pytest.mark.bite(target, replacement, ...)``."""
    return Bite(*mark.args, **mark.kwargs)


class Probe:
    """Whether a replacement was reached."""

    def __init__(self) -> None:
        self.called = False

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, noting each call."""

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.called = True
            return function(*args, **kwargs)

        return watched


@contextlib.contextmanager
def applied(bite: Bite) -> Iterator[Probe]:
    """Replaces the defence; the probe tells afterwards whether it was reached."""
    owner, name = resolve(bite.target)
    probe = Probe()
    original = inspect.getattr_static(owner, name)
    substitute = bite.substitute
    if not callable(substitute) or inspect.isclass(substitute):
        # A value cannot tell that it was read: the red test is the proof.
        assert substitute != getattr(owner, name), f"{bite.target} is already {substitute!r}"
        probe.called = True
        replacement: Any = substitute
    elif isinstance(original, property):
        replacement = property(probe.watch(substitute))
    elif isinstance(original, staticmethod):
        replacement = staticmethod(probe.watch(substitute))
    elif isinstance(original, classmethod):
        replacement = classmethod(probe.watch(substitute))
    else:
        replacement = probe.watch(substitute)
    with patch.object(owner, name, replacement):
        yield probe
