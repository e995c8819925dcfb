"""The race helper finds races that exist and passes code that has none."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from tests.fakes.races import Round, race


class _Lost(Exception):
    pass


def test_a_locked_claim_has_one_winner_in_every_round() -> None:
    lock, taken = threading.Lock(), set()

    def claim(worker: int, rnd: int) -> int:
        with lock:
            if rnd in taken:
                raise _Lost
            taken.add(rnd)
        return worker

    checked: list[Round] = []
    before = sys.getswitchinterval()
    outcome = race(8, claim, 100, check=checked.append)
    assert sys.getswitchinterval() == before
    outcome.assert_one_winner(loses_with=_Lost)
    assert outcome.winners_per_round() == {1: 100}
    assert outcome.error_types() == {"_Lost": 700}
    assert [rnd.number for rnd in checked] == list(range(100))


def test_a_check_then_act_claim_is_caught() -> None:
    taken: set[int] = set()

    def claim(_worker: int, rnd: int) -> None:
        if rnd in taken:
            raise _Lost
        time.sleep(0)  # gives the processor away between the look and the act
        taken.add(rnd)

    outcome = race(8, claim, 100)
    with pytest.raises(AssertionError, match="rounds did not have 1 winner"):
        outcome.assert_one_winner(loses_with=_Lost)


def test_a_stray_error_is_not_a_loser() -> None:
    def fail(worker: int, _rnd: int) -> None:
        raise _Lost if worker else KeyError("stray")

    with pytest.raises(AssertionError, match="stray"):
        race(3, fail, 2).assert_winners(0, loses_with=_Lost)


def test_setup_runs_before_each_round_and_its_error_ends_the_race() -> None:
    def setup(rnd: int) -> None:
        if rnd == 3:
            raise RuntimeError("no table")

    with pytest.raises(RuntimeError, match="no table"):
        race(4, lambda worker, rnd: None, 10, setup=setup)
