"""Verification on in-memory twins: leases, refusals, access lost, patience."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tidegate.onboarding.domain import Lease
from tidegate.onboarding.errors import (
    AccountAlreadyConnected,
    VerificationRefused,
    VerifyRunning,
)
from tidegate.onboarding.service import disconnect
from tidegate_kit.errors import NotFound, ServiceUnavailable, Unprocessable

from tests.builders.settings import CUSTOMER_ACCOUNT, PLATFORM_ACCOUNT
from tests.builders.trust_policies import CASES, TrustCase
from tests.unit.onboarding.conftest import PLATFORM_ROLE, TENANT, Bench

# The evaluator behind the fake role does not know NotPrincipal.
KNOWN = [case for case in CASES if case.name != "not-principal"]


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_probes_and_reading_together_give_the_verdict(bench: Bench, case: TrustCase) -> None:
    made = bench.request()
    bench.deploy(made, case.make(PLATFORM_ROLE, made.external_id or ""))
    if case.verified is None:
        assert bench.verifier().verify(made.id, None, "u").status == "connected"
        return
    with pytest.raises(VerificationRefused) as refused:
        bench.verifier().verify(made.id, None, "u")
    assert refused.value.code == case.verified
    row = bench.row(made)
    assert (row.status, row.refusal and row.refusal.code) == ("refused", case.verified)
    assert bench.table.claims == {}


def test_each_probe_is_made_once_and_the_random_id_is_new_each_time(bench: Bench) -> None:
    made = bench.connected()
    bench.verifier().verify(made.id, None, "u")
    sent = [external_id for _, external_id in bench.roles.calls]
    assert sent[0] == sent[3] == made.external_id
    assert sent[1] is sent[4] is None
    assert len({sent[2], sent[5], made.external_id}) == 3


def test_a_lease_keeps_others_out_until_it_ends(bench: Bench) -> None:
    made = bench.request()
    bench.deploy(made)
    until = bench.clock() + timedelta(seconds=60)
    bench.put(made, status="verifying", lease=Lease("other", until))
    with pytest.raises(VerifyRunning):
        bench.verifier().verify(made.id, None, "u")
    bench.clock.advance(seconds=59)
    with pytest.raises(VerifyRunning):
        bench.verifier().verify(made.id, None, "u")
    bench.clock.advance(seconds=1)
    assert bench.row(made).shown_status(bench.clock()) == "pending"
    assert bench.verifier().verify(made.id, None, "u").status == "connected"


def test_a_verification_that_lost_its_lease_writes_nothing(bench: Bench) -> None:
    made = bench.request()
    bench.deploy(made)
    verifier = bench.verifier()
    probe = verifier._probe

    def slow(*args: Any) -> Any:
        verdict = probe(*args)
        late = Lease("other", bench.clock() + timedelta(seconds=60))
        bench.put(made, lease=late)
        return verdict

    verifier._probe = slow  # type: ignore[method-assign]
    with pytest.raises(VerifyRunning):
        verifier.verify(made.id, None, "u")
    assert bench.row(made).status == "verifying"
    assert bench.table.claims == {}


def test_a_disconnect_during_the_probes_wins(bench: Bench) -> None:
    made = bench.request()
    bench.deploy(made)
    verifier = bench.verifier()
    probe = verifier._probe

    def slow(*args: Any) -> Any:
        verdict = probe(*args)
        disconnect(bench.store, made.id, "owner", bench.clock())
        return verdict

    verifier._probe = slow  # type: ignore[method-assign]
    with pytest.raises(NotFound):
        verifier.verify(made.id, None, "u")
    assert bench.row(made).status == "disconnected"
    assert bench.table.claims == {}


def test_a_failed_probe_of_a_connected_account_is_access_lost_and_comes_back(
    bench: Bench,
) -> None:
    made = bench.connected()
    arn = made.role_arn or ""
    role = bench.roles.roles.pop(arn)
    bench.clock.advance(days=1)
    assert bench.verifier().reprobe(made, "reprobe").status == "access_lost"
    lost = bench.row(made)
    assert (lost.alert, lost.refusal and lost.refusal.code) == ("ACCESS_LOST", "ROLE_NOT_ASSUMABLE")
    assert bench.table.claims[CUSTOMER_ACCOUNT].onboarding_id == made.id
    bench.roles.roles[arn] = role
    bench.clock.advance(days=1)
    back = bench.verifier().reprobe(lost, "reprobe")
    assert (back.status, back.alert, back.refusal) == ("connected", None, None)
    assert back.connected_at == made.connected_at
    assert back.discovery_run_id == made.discovery_run_id
    assert back.last_verified_at == bench.clock()


def test_trying_another_role_does_not_spoil_the_connected_one(bench: Bench) -> None:
    made = bench.connected()
    other = f"arn:aws:iam::{CUSTOMER_ACCOUNT}:role/not-there"
    with pytest.raises(VerificationRefused):
        bench.verifier().verify(made.id, other, "u")
    row = bench.row(made)
    assert (row.status, row.role_arn, row.lease) == ("connected", made.role_arn, None)


def test_a_silent_aws_lets_the_lease_go(bench: Bench) -> None:
    made = bench.request()
    bench.roles.down = True
    with pytest.raises(ServiceUnavailable):
        bench.verifier().verify(made.id, None, "u")
    row = bench.row(made)
    assert (row.status, row.lease) == ("pending", None)


def test_a_silent_aws_keeps_a_connected_account_connected(bench: Bench) -> None:
    made = bench.connected()
    bench.roles.down = True
    with pytest.raises(ServiceUnavailable):
        bench.verifier().reprobe(made, "reprobe")
    assert bench.row(made).status == "connected"


def test_the_loser_of_a_claim_is_as_before(bench: Bench) -> None:
    bench.connected(tenant="1a1b2c3d-0000-4000-8000-00000000000b")
    made = bench.request()
    bench.deploy(made)
    with pytest.raises(AccountAlreadyConnected):
        bench.verifier().verify(made.id, None, "u")
    row = bench.row(made)
    assert (row.status, row.lease, row.discovery_run_id) == ("pending", None, None)


@pytest.mark.parametrize("account", [PLATFORM_ACCOUNT, "333333333333"])
def test_a_role_of_another_account_is_refused_unprobed(bench: Bench, account: str) -> None:
    made = bench.request()
    arn = f"arn:aws:iam::{account}:role/anything"
    with pytest.raises((Unprocessable, VerificationRefused)) as refused:
        bench.verifier().verify(made.id, arn, "u")
    expected = "VALIDATION_ERROR" if account == PLATFORM_ACCOUNT else "ACCOUNT_MISMATCH"
    assert refused.value.code == expected
    assert bench.roles.calls == []


def test_patience_waits_for_a_new_role(bench: Bench) -> None:
    made = bench.request()
    wait = bench.wait

    def deploying(seconds: float) -> None:
        wait(seconds)
        if len(bench.waited) == 6:
            bench.deploy(made)

    patience = bench.patience()
    patience = type(patience)(patience.budget, deploying)
    assert bench.verifier().verify(made.id, None, "stack", patience=patience).status == "connected"
    assert len(bench.waited) == 6


@pytest.mark.parametrize(("readable", "longest"), [(False, 240.0), (True, 45.0)])
def test_patience_ends(bench: Bench, readable: bool, longest: float) -> None:
    made = bench.request()
    lax = {"Statement": {"Effect": "Allow", "Principal": {"AWS": PLATFORM_ROLE}, "Action": "*"}}
    bench.deploy(made, None if not readable else lax, readable=readable)
    with pytest.raises(VerificationRefused):
        bench.verifier().verify(made.id, None, "stack", patience=bench.patience())
    assert longest - 16 < sum(bench.waited) <= longest
    assert bench.row(made).status == "refused"


def test_patience_outlasts_a_short_outage_and_ends_with_a_long_one(bench: Bench) -> None:
    made = bench.request()
    bench.deploy(made)
    bench.roles.down = True
    with pytest.raises(ServiceUnavailable):
        bench.verifier().verify(made.id, None, "stack", patience=bench.patience())
    assert sum(bench.waited) <= 240
    assert bench.row(made).status == "pending"
    wait = bench.wait

    def recovering(seconds: float) -> None:
        wait(seconds)
        bench.roles.down = False

    patience = type(bench.patience())(timedelta(minutes=4), recovering)
    assert bench.verifier().verify(made.id, None, "stack", patience=patience).status == "connected"


def test_an_absent_or_disconnected_registration_is_not_found(bench: Bench) -> None:
    made = bench.request()
    disconnect(bench.store, made.id, "u", bench.clock())
    for onboarding_id in (made.id, "00000000-0000-4000-8000-ffffffffffff"):
        with pytest.raises(NotFound):
            bench.verifier().verify(onboarding_id, None, "u")
    with pytest.raises(NotFound):
        disconnect(bench.store, made.id, "u", bench.clock())
    assert bench.table.slots == {}
    assert bench.request().id != made.id
    assert made.tenant_id == TENANT


@pytest.mark.hazard("H14")
@pytest.mark.bite("tidegate.onboarding.probes.Prober._in_time", returns=None)
def test_probes_that_hang_end_in_time(bench: Bench) -> None:
    """H14: where AWS answers slowly, the probes end before the gateway does, and let go."""
    made = bench.request()
    bench.deploy(made)
    access = bench.roles.access

    def slow(tenant: str) -> Any:
        given = access(tenant)
        assume = given.assume

        def assuming(*args: Any, **options: Any) -> Any:
            bench.clock.advance(seconds=8)
            return assume(*args, **options)

        vars(given)["assume"] = assuming
        return given

    bench.roles.access = slow  # type: ignore[method-assign]
    began = bench.clock()
    ended: type[Exception] | None = None
    try:
        bench.verifier().verify(made.id, None, "u")
    except ServiceUnavailable as error:
        ended = type(error)
    assert ended is ServiceUnavailable
    assert (bench.clock() - began).total_seconds() <= 20
    assert (bench.row(made).status, bench.row(made).lease) == ("pending", None)
