"""Every check: found, clean and unknown; every amount computed again from what is shown."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from tidegate.findings import checks
from tidegate.findings.actions import checked_parameters
from tidegate.findings.checks.base import IRREVERSIBLE, REVERSIBLE
from tidegate.findings.domain import CheckState
from tidegate.findings.service.evaluation import Found, Outcome, evaluate, regions

from tests.builders.findings import Line, MemoryInventory, recomputed, rules
from tests.builders.findings_cases import CASES, CLASSIC, Case


def judged(check_id: str, *resources: Line) -> tuple[CheckState, list[Found]]:
    """The state of one check over these resources, and what it found."""
    told: list[Outcome] = []
    inventory = MemoryInventory(resources)
    states = [
        state
        for region in regions(inventory)
        for state in evaluate(inventory, region, rules(), told.append)
        if state.check_id == check_id
    ]
    assert len(states) == 1
    found = [one for one in told if isinstance(one, Found) and one.check.check_id == check_id]
    return states[0], found


def test_every_check_of_the_contract_has_a_case() -> None:
    assert set(CASES) == set(checks.CHECKS)
    assert len(CASES) == 32


@pytest.mark.parametrize("check_id", CASES)
def test_found_with_the_amount_that_the_formula_gives(check_id: str) -> None:
    case = CASES[check_id]
    state, found = judged(check_id, case.found, *case.others)
    assert (state.state, state.findings, state.missing_actions) == ("found", 1, ())
    saving = found[0].hit.saving
    assert found[0].line["arn"] == case.found["arn"]
    if case.monthly is not None:
        assert saving.monthly == Decimal(case.monthly)
    again = recomputed(saving)
    assert again is not None
    assert saving.monthly is not None
    assert abs(Fraction(saving.monthly) - again) <= Fraction(1, 2_000_000)
    assert all(price.source and price.date for price in saving.prices)


@pytest.mark.parametrize("check_id", CASES)
def test_clean(check_id: str) -> None:
    case = CASES[check_id]
    state, found = judged(check_id, case.cleaned, *case.others)
    assert (state.state, found) == ("clean", [])
    assert judged(check_id)[0].state == "clean"  # nothing there at all


@pytest.mark.parametrize("check_id", [c for c in CASES if c not in ("eip-idle", "eni-unused")])
def test_unknown_when_what_it_decides_by_was_not_read(check_id: str) -> None:
    case: Case = CASES[check_id]
    state, found = judged(check_id, case.blind, *case.others)
    assert (state.state, found) == ("unknown", [])
    assert state.reason


@pytest.mark.parametrize("check_id", ["eip-idle", "eni-unused"])
def test_what_aws_keeps_no_date_of_is_unknown_until_it_was_watched(check_id: str) -> None:
    case = CASES[check_id]
    fresh = {**case.found, "unchanged_since": case.found["unchanged_since"].replace("2024", "2026")}
    assert fresh["unchanged_since"] != case.found["unchanged_since"]
    wait = {"days": Decimal(7)}
    told: list[Outcome] = []
    inventory = MemoryInventory([fresh])
    states = evaluate(inventory, "us-east-1", rules({check_id: wait}), told.append)
    assert [s.state for s in states if s.check_id == check_id] == ["unknown"]


def test_classic_load_balancers_are_the_same_check() -> None:
    state, found = judged("lb-idle", CLASSIC, CASES["lb-idle"].found)
    assert (state.state, state.findings) == ("found", 2)
    assert {one.hit.saving.monthly for one in found} == {Decimal("18.25"), Decimal("16.425")}


@pytest.mark.parametrize("check_id", CASES)
def test_suggested_actions_are_those_of_the_contract_with_parameters_they_take(
    check_id: str,
) -> None:
    case = CASES[check_id]
    _, found = judged(check_id, case.found, *case.others)
    action = found[0].check.suggest(found[0].hit)
    if action is None:
        assert found[0].check.action is None
        return
    assert action.reversible == (action.id in REVERSIBLE)
    assert action.id in REVERSIBLE | IRREVERSIBLE
    assert action.undo_hours == (72 if action.reversible else None)
    checked_parameters(action.id, action.parameters)
