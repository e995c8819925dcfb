"""Races on the locked double: eight at once, a hundred rounds, one winner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from tidegate.onboarding import wiring
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.errors import AccountAlreadyConnected, VerifyRunning
from tidegate.onboarding.records import listing_item
from tidegate.onboarding.repository import ClaimTaken, DynamoRegistrations
from tidegate.onboarding.service import NewRequest, disconnect
from tidegate.onboarding.template import role_name
from tidegate.onboarding.verification import Verifier
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.onboarding import ROLE_ARN, World, make_world
from tests.builders.settings import REGION
from tests.fakes.onboarding import FakeRole, FakeRoles
from tests.fakes.races import Round, race
from tests.fakes.strict_aws import StrictAws
from tests.fakes.tables import create_tables

TENANTS = [f"{n}a1b2c3d-0000-4000-8000-00000000000{n}" for n in range(8)]


@pytest.fixture
def world(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(platform, strict_aws, monkeypatch)


def verifier(tenant: str, roles: FakeRoles) -> Verifier:
    """A verifier whose roles are no AWS calls, so that the race is about the claim."""
    prober = wiring.Prober(roles.access, ROLE_ARN, "us-east-1", new_id, system_clock)
    store = DynamoRegistrations(TenantScope(tenant))
    return Verifier(store, wiring.registry, prober, ROLE_ARN, system_clock, new_id)


def any_id(made: Registration) -> FakeRole:
    """A role as the template makes it."""
    return FakeRole(
        {"Statement": {"Effect": "Allow", "Principal": {"AWS": ROLE_ARN}, "Action": "sts:*",
                       "Condition": {"StringEquals": {"sts:ExternalId": made.external_id}}}}
    )  # fmt: skip


def deployed(roles: FakeRoles, tenant: str, account: str) -> Registration:
    """A pending request whose role stands."""
    now, onboarding_id = system_clock(), new_id()
    made = Registration(
        id=onboarding_id, tenant_id=tenant, account_id=account, method="role", tier="read",
        regions=(), label=None, status="pending", created_at=now, updated_at=now, actor="u",
        external_id=new_id(), role_name=role_name(onboarding_id),
    )  # fmt: skip
    roles.roles[f"arn:aws:iam::{account}:role/{made.role_name}"] = any_id(made)
    return wiring.store_of(tenant).create(made)


@pytest.fixture
def emptied(table_specs: Any) -> Callable[[], None]:
    """Makes the table anew: the double copies all of it for each transaction."""
    client = boto3.client("dynamodb", region_name=REGION)
    specs = [spec for spec in table_specs if spec.name.endswith("-onboarding")]

    def empty() -> None:
        for spec in specs:
            client.delete_table(TableName=spec.name)
        create_tables(client, specs)

    return empty


@pytest.mark.hazard("G9")
@pytest.mark.bite(
    "tidegate.onboarding.repository._take",
    lambda tx, new: tx.save(listing_item(new), name="listing"),
)
def test_eight_tenants_claim_one_account(world: World, emptied: Callable[[], None]) -> None:
    """G9: eight tenants verify one account at once, 100 rounds: one winner, equal losers."""
    roles = FakeRoles(ROLE_ARN)
    made: list[Registration] = []

    def setup(number: int) -> None:
        emptied()
        made[:] = [deployed(roles, tenant, f"{number:012d}") for tenant in TENANTS]

    def check(done: Round) -> None:
        assert len(done.winners) == 1
        winner = done.winners[0]
        holder = wiring.registry.holder_of(f"{done.number:012d}")
        assert holder is not None
        assert holder.tenant_id == TENANTS[winner.worker]
        answers = {(e.code, e.message, e.details) for e in done.errors}  # type: ignore[attr-defined]
        assert len(answers) == 1
        statuses = [wiring.store_of(row.tenant_id).get(row.id).status for row in made]  # type: ignore[union-attr]
        assert sorted(statuses) == ["connected"] + ["pending"] * 7
        if done.number % 10 == 0:  # disconnecting frees the account for the next one
            loser = (winner.worker + 1) % 8
            disconnect(wiring.store_of(holder.tenant_id), holder.onboarding_id, "u", system_clock())
            again = verifier(TENANTS[loser], roles).verify(made[loser].id, None, "u")
            assert again.status == "connected"

    outcome = race(
        8,
        lambda worker, rnd: verifier(TENANTS[worker], roles).verify(made[worker].id, None, "u"),
        rounds=100,
        setup=setup,
        check=check,
    )
    outcome.assert_one_winner(loses_with=AccountAlreadyConnected)


def test_eight_verifications_of_one_request_are_one(
    world: World, emptied: Callable[[], None]
) -> None:
    roles = FakeRoles(ROLE_ARN)
    made: list[Registration] = []

    def setup(number: int) -> None:
        emptied()
        made[:] = [deployed(roles, TENANTS[0], f"{number:012d}")]

    def verify(worker: int, number: int) -> Any:
        return verifier(TENANTS[0], roles).verify(made[0].id, None, "u")

    def check(done: Round) -> None:
        # One that comes after the first has ended verifies again and finds the same run.
        runs = {attempt.result.discovery_run_id for attempt in done.winners}
        assert len(runs) == 1
        row = wiring.store_of(TENANTS[0]).get(made[0].id)
        assert row is not None
        assert (row.status, row.lease) == ("connected", None)

    outcome = race(8, verify, rounds=25, setup=setup, check=check)
    assert set(outcome.error_types()) <= {VerifyRunning.__name__}


def test_eight_creations_are_one_request(world: World, emptied: Callable[[], None]) -> None:
    def create(worker: int, number: int) -> Any:
        wanted = NewRequest(f"{number:012d}", "read", (), None)
        return wiring.requests(TENANTS[0]).create(TENANTS[0], "u", wanted)

    def check(done: Round) -> None:
        made = [attempt.result for attempt in done.winners]
        assert len(made) == 8
        assert len({(row.id, row.external_id) for row, _ in made}) == 1
        assert [new for _, new in made].count(True) == 1

    race(8, create, rounds=25, setup=lambda number: emptied(), check=check).assert_winners(
        8, loses_with=()
    )


def test_connect_and_disconnect_leave_no_claim_behind(
    world: World, emptied: Callable[[], None]
) -> None:
    roles = FakeRoles(ROLE_ARN)
    made: list[Registration] = []

    def setup(number: int) -> None:
        emptied()
        made[:] = [deployed(roles, TENANTS[0], f"{number:012d}")]

    def act(worker: int, number: int) -> Any:
        store = wiring.store_of(TENANTS[0])
        if worker % 2:
            return disconnect(store, made[0].id, "u", system_clock())
        return verifier(TENANTS[0], roles).verify(made[0].id, None, "u")

    def check(done: Round) -> None:
        row = wiring.store_of(TENANTS[0]).get(made[0].id)
        assert row is not None
        assert row.status == "disconnected"
        assert wiring.registry.holder_of(row.account_id) is None
        assert wiring.store_of(TENANTS[0]).of_account(row.account_id) is None

    outcome = race(4, act, rounds=25, setup=setup, check=check)
    assert set(outcome.error_types()) <= {NotFound.__name__, VerifyRunning.__name__}
    assert wiring.registry.connected(None, 10) == []


def test_without_the_condition_two_tenants_win(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The double bites: a claim put without its condition has several winners."""
    from tidegate.onboarding import repository

    original = repository.Transaction.save

    def unconditional(self: Any, model: Any, condition: Any = None, *, name: str = "") -> None:
        original(self, model, None if name == "claim" else condition, name=name)

    monkeypatch.setattr(repository.Transaction, "save", unconditional)
    rows: list[Registration] = []

    def setup(number: int) -> None:
        rows[:] = [
            wiring.requests(t).create(t, "u", NewRequest(f"{number:012d}", "read", (), None))[0]
            for t in TENANTS[:4]
        ]

    def claim(worker: int, number: int) -> Any:
        store = wiring.store_of(TENANTS[worker])
        seen = store.get(rows[worker].id)
        assert seen is not None
        return store.swap(seen, replace(seen, status="connected"))

    outcome = race(4, claim, rounds=5, setup=setup)
    assert max(outcome.winners_per_round()) > 1
    assert set(outcome.error_types()) <= {ClaimTaken.__name__}
