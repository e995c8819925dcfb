"""The daily sweep on in-memory twins."""

from __future__ import annotations

from typing import Any

import pytest
from tidegate.onboarding.reprobe import Reprobe, TenantServices
from tidegate_kit.errors import ServiceUnavailable

from tests.unit.onboarding.conftest import TENANT, Bench
from tests.unit.onboarding.test_credentials import FakeAws, connector, given

OTHER = "1a1b2c3d-0000-4000-8000-00000000000b"


def sweep(bench: Bench, aws: FakeAws | None = None) -> Reprobe:
    def services(tenant: str) -> TenantServices:
        return TenantServices(
            bench.table.store_of(tenant),
            bench.verifier(tenant),
            connector(bench, aws or FakeAws(), tenant),
        )

    return Reprobe(bench.registry, services)


def always() -> bool:
    return True


def test_each_account_is_probed_and_a_failure_stops_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [bench.connected(tenant, f"{n:012d}") for n, tenant in enumerate([TENANT, OTHER] * 3, 1)]
    bench.clock.advance(days=1)
    bench.roles.roles.pop(made[0].role_arn or "")
    broken = made[1].account_id
    access = bench.roles.access

    def failing(tenant: str) -> Any:
        given = access(tenant)
        assume = given.assume

        def assuming(role_arn: str, *args: Any, **options: Any) -> Any:
            if broken in role_arn:
                raise RuntimeError("a fault of ours")
            return assume(role_arn, *args, **options)

        monkeypatch.setattr(given, "assume", assuming)
        return given

    monkeypatch.setattr(bench.roles, "access", failing)
    tally = sweep(bench).sweep(bench.clock(), None, always)
    assert (tally.probed, tally.connected, tally.access_lost, tally.failed) == (5, 4, 1, 1)
    assert bench.row(made[0]).status == "access_lost"
    assert bench.row(made[1]).status == "connected"
    assert bench.row(made[1]).lease is None
    assert [bench.row(m).last_verified_at for m in made[2:]] == [bench.clock()] * 4


def test_a_sweep_goes_on_where_it_stopped(bench: Bench) -> None:
    made = [bench.connected(TENANT, f"{n:012d}") for n in range(1, 8)]
    bench.clock.advance(days=1)
    started = bench.clock()
    budget = iter([True, True, True, False])
    first = sweep(bench).sweep(started, None, lambda: next(budget))
    assert (first.probed, first.next is not None) == (3, True)
    calls = len(bench.roles.calls)
    rest = sweep(bench).sweep(started, first.next, always)
    assert (rest.probed, rest.next) == (4, None)
    assert len(bench.roles.calls) == calls + 4 * 3
    again = sweep(bench).sweep(started, None, always)  # a repetition finds all of it done
    assert (again.probed, again.skipped) == (0, 7)
    assert {bench.row(m).last_verified_at for m in made} == {started}


def test_an_outage_of_aws_is_no_lost_access(bench: Bench) -> None:
    made = bench.connected()
    bench.clock.advance(days=1)
    bench.roles.down = True
    tally = sweep(bench).sweep(bench.clock(), None, always)
    assert (tally.failed, bench.row(made).status) == (1, "connected")


def test_old_keys_are_called_to_mind_once(bench: Bench) -> None:
    """EVT-6, ONB-7: the daily re-probe is the key-age check; from day 90 there is one alert."""
    aws = FakeAws()
    made = connector(bench, aws).connect(TENANT, "u", given()).registration
    for day in range(1, 93):
        bench.clock.advance(days=1)
        sweep(bench, aws).sweep(bench.clock(), None, always)
        row = bench.row(made)
        assert row.alert == ("KEYS_DUE" if day >= 90 else None), day
    assert (bench.clock() - row.alert_at).days == 2  # type: ignore[operator]


def test_an_unreadable_listing_is_an_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise ServiceUnavailable

    monkeypatch.setattr("tests.fakes.onboarding.InMemoryRegistry.connected", fail)
    with pytest.raises(ServiceUnavailable):
        sweep(bench).sweep(bench.clock(), None, always)
