"""The savings ledger: measured against the counterfactual, shared, stopped by an undo (FND-11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tidegate.findings.actions import ACTIONS
from tidegate.findings.plans.domain import LedgerEntry
from tidegate.findings.savings.measure import (
    COST_SERVICES,
    Measured,
    calibration,
    due,
    measure,
    realised,
)

ACTED = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = ACTED.date()
ENTRY = LedgerEntry(
    id="e1", plan_id="p", item_id="e1", finding_id="f", check_id="ebs-unattached",
    account_id="222222222222", service="EC2 - Other", estimated_monthly=Decimal(60),
    acted_at=ACTED,
)  # fmt: skip


def series(before: str, after: str, days: int = 60) -> dict[date, Decimal]:
    """Daily costs: `before` up to the action's day, `after` from the next one on."""
    start = DAY - timedelta(days=30)
    return {
        start + timedelta(days=n): Decimal(after if start + timedelta(days=n) > DAY else before)
        for n in range(days + 30)
    }


def plus(one: Mapping[date, Decimal], other: Mapping[date, Decimal]) -> dict[date, Decimal]:
    return {day: one[day] + other[day] for day in one}


def test_what_fell_is_what_was_saved() -> None:
    service = series("10", "8")
    account = plus(service, series("5", "5"))
    assert measure(ENTRY, 7, service, account, [], DAY + timedelta(days=9)) == Measured(
        7, Decimal(14)
    )


def test_the_counterfactual_moves_with_the_rest_of_the_account() -> None:
    """Everything doubled: without the action the service would cost 20 a day, and it costs 16."""
    service = series("10", "16")
    account = plus(service, series("5", "10"))
    done = measure(ENTRY, 7, service, account, [], DAY + timedelta(days=9))
    assert done == Measured(7, Decimal(28))


def test_actions_at_the_same_time_share_by_their_estimates() -> None:
    service = series("10", "7")
    account = plus(service, series("5", "5"))
    peer = replace(ENTRY, id="e2", item_id="e2", estimated_monthly=Decimal(30))
    peers = [ENTRY, peer]
    shares = [measure(one, 7, service, account, peers, DAY + timedelta(days=9)) for one in peers]
    assert [one.amount for one in shares if one is not None and one.amount is not None] == [
        Decimal(21) * Decimal(60) / 90,
        Decimal(21) * Decimal(30) / 90,
    ]
    unpriced = [replace(one, estimated_monthly=None) for one in peers]
    equal = [
        measure(one, 7, service, account, unpriced, DAY + timedelta(days=9)) for one in unpriced
    ]
    assert {one.amount for one in equal if one is not None} == {Decimal("10.5")}


def test_missing_costs_are_waited_for_and_then_unknown_never_zero() -> None:
    service = {day: cost for day, cost in series("10", "8").items() if day <= DAY}
    assert measure(ENTRY, 7, service, service, [], DAY + timedelta(days=8)) is None
    assert measure(ENTRY, 7, service, service, [], DAY + timedelta(days=11)) == Measured(7, None)


def test_an_undone_action_stops_realising() -> None:
    service = series("10", "8")
    account = plus(service, series("5", "5"))
    undone = replace(ENTRY, undone_at=ACTED + timedelta(days=4))
    done = measure(undone, 7, service, account, [], DAY + timedelta(days=9))
    assert done == Measured(7, Decimal(6)), "three whole days"
    measured = replace(undone, measured={7: Decimal(6)})
    assert realised(measured, DAY + timedelta(days=5)) == Decimal(8)
    assert realised(measured, DAY + timedelta(days=300)) == Decimal(8)
    same_day = replace(ENTRY, undone_at=ACTED + timedelta(hours=1))
    assert measure(same_day, 7, service, account, [], DAY + timedelta(days=9)) == Measured(
        7, Decimal(0)
    )


def test_windows_fall_due_once() -> None:
    assert due(ENTRY, DAY + timedelta(days=7)) == []
    assert due(ENTRY, DAY + timedelta(days=8)) == [7]
    assert due(replace(ENTRY, measured={7: None}), DAY + timedelta(days=8)) == []
    assert due(ENTRY, DAY + timedelta(days=31)) == [7, 30]


def test_realised_is_unknown_until_something_was_measured() -> None:
    assert realised(ENTRY, DAY + timedelta(days=40)) is None
    longest = replace(ENTRY, measured={7: Decimal(70), 30: Decimal(30)})
    assert realised(longest, DAY + timedelta(days=40)) == Decimal(40)


def test_checks_are_calibrated_by_what_was_measured() -> None:
    half = replace(ENTRY, measured={30: Decimal(30)}, estimated_monthly=Decimal(730) / 12)
    found = calibration([half, ENTRY, replace(half, estimated_monthly=None)])
    ((check, (ratio, samples)),) = found.items()
    assert (check, round(ratio, 9), samples) == ("ebs-unattached", Decimal("0.5"), 1)


def test_every_action_has_a_service_whose_costs_tell_of_it() -> None:
    assert set(COST_SERVICES) == set(ACTIONS)
