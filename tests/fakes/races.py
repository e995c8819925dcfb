"""Runs one operation in many threads at the same instant, many times.

    outcome = race(16, lambda worker, rnd: accept(invitation[rnd]), rounds=100)
    outcome.assert_one_winner(loses_with=Conflict)

Races need the locked double (``strict_aws``): plain moto is not atomic under threads.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

SWITCH_INTERVAL = 1e-6
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Attempt:
    """What one worker of one round ended with."""

    worker: int
    round: int
    result: Any = None
    error: BaseException | None = None

    @property
    def won(self) -> bool:
        """True when the call returned instead of raising."""
        return self.error is None


@dataclass(frozen=True)
class Round:
    """All attempts of one round."""

    number: int
    attempts: tuple[Attempt, ...]

    @property
    def winners(self) -> list[Attempt]:
        """The attempts that returned."""
        return [attempt for attempt in self.attempts if attempt.won]

    @property
    def errors(self) -> list[BaseException]:
        """The exceptions of the attempts that raised."""
        return [attempt.error for attempt in self.attempts if attempt.error is not None]


@dataclass
class RaceOutcome:
    """All rounds of a race."""

    rounds: list[Round] = field(default_factory=list)

    def winners_per_round(self) -> Counter[int]:
        """How often a round had how many winners: ``Counter({1: 100})`` is perfect."""
        return Counter(len(rnd.winners) for rnd in self.rounds)

    def error_types(self) -> Counter[str]:
        """How often each exception class came back."""
        return Counter(type(error).__name__ for rnd in self.rounds for error in rnd.errors)

    def assert_winners(
        self, count: int, *, loses_with: type[BaseException] | tuple[type[BaseException], ...]
    ) -> None:
        """Every round has exactly ``count`` winners, and losers fail only as declared."""
        strays = [
            error
            for rnd in self.rounds
            for error in rnd.errors
            if not isinstance(error, loses_with)
        ]
        if strays:
            raise AssertionError(f"a loser failed with {strays[0]!r}") from strays[0]
        wrong = [rnd.number for rnd in self.rounds if len(rnd.winners) != count]
        assert not wrong, (
            f"{len(wrong)} of {len(self.rounds)} rounds did not have {count} winner(s): "
            f"{dict(self.winners_per_round())}"
        )

    def assert_one_winner(
        self, *, loses_with: type[BaseException] | tuple[type[BaseException], ...]
    ) -> None:
        """Shorthand for :meth:`assert_winners` with one winner."""
        self.assert_winners(1, loses_with=loses_with)


@contextlib.contextmanager
def switch_interval(seconds: float = SWITCH_INTERVAL) -> Iterator[None]:
    """Makes the interpreter switch threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def race(
    n: int,
    fn: Callable[[int, int], Any],
    rounds: int = 100,
    *,
    setup: Callable[[int], Any] | None = None,
    check: Callable[[Round], Any] | None = None,
) -> RaceOutcome:
    """Calls ``fn(worker, round)`` in ``n`` threads released together, ``rounds`` times.

    ``setup(round)`` runs before each round and ``check(round)`` after it, both in the
    caller's thread.  The threads live for the whole race, so a round costs two barriers.
    Raises TimeoutError when a round hangs.
    """
    start = threading.Barrier(n + 1, timeout=TIMEOUT_SECONDS)
    finish = threading.Barrier(n + 1, timeout=TIMEOUT_SECONDS)
    slots: list[Attempt | None] = [None] * n
    current = 0
    stop = False

    def work(worker: int) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            while True:
                start.wait()
                if stop:
                    return
                try:
                    slots[worker] = Attempt(worker, current, result=fn(worker, current))
                except BaseException as error:  # a kill is a result too
                    slots[worker] = Attempt(worker, current, error=error)
                finish.wait()

    outcome = RaceOutcome()
    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(n)]
    with switch_interval():
        for thread in threads:
            thread.start()
        try:
            for current in range(rounds):
                if setup is not None:
                    setup(current)
                start.wait()
                finish.wait()
                rnd = Round(current, tuple(slot for slot in slots if slot is not None))
                outcome.rounds.append(rnd)
                if check is not None:
                    check(rnd)
            stop = True
            start.wait()
        except threading.BrokenBarrierError as error:
            raise TimeoutError(f"round {current} of the race did not finish") from error
        finally:
            stop = True
            start.abort()
            finish.abort()
            for thread in threads:
                thread.join(timeout=1.0)
    return outcome
