"""One suite over the repository and its twin: claims, slots, listings and outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import boto3
import pytest
from tidegate.onboarding.domain import Check, Lease, Refusal, Registration
from tidegate.onboarding.records import ConnectedRef
from tidegate.onboarding.repository import (
    Changed,
    ClaimTaken,
    DynamoGlobalRegistry,
    DynamoRegistrations,
    GlobalRegistry,
    Outcome,
    Registrations,
    SlotTaken,
    change,
)
from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import REGION
from tests.fakes.onboarding import InMemoryRegistry, OnboardingTable
from tests.fakes.tables import dump_tables

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
A, B = "0a1b2c3d-0000-4000-8000-00000000000a", "1a1b2c3d-0000-4000-8000-00000000000b"


class Stores(Protocol):
    """Both kinds of store."""

    registry: GlobalRegistry

    def of(self, tenant: str) -> Registrations:
        """A tenant's registrations."""


@dataclass
class Twin:
    table: OnboardingTable

    @property
    def registry(self) -> InMemoryRegistry:
        return InMemoryRegistry(self.table)

    def of(self, tenant: str) -> Registrations:
        return self.table.store_of(tenant)


class Dynamo:
    registry = DynamoGlobalRegistry()

    def of(self, tenant: str) -> Registrations:
        return DynamoRegistrations(TenantScope(tenant))


@pytest.fixture(params=["twin", "dynamo"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    if request.param == "twin":
        yield Twin(OnboardingTable())
    else:
        request.getfixturevalue("platform")
        yield Dynamo()


def pending(tenant: str = A, account: str = "222222222222", **changes: Any) -> Registration:
    made = Registration(
        id=new_id(), tenant_id=tenant, account_id=account, method="role", tier="read",
        regions=("eu-west-1", "us-east-1"), label=None, status="pending", created_at=NOW,
        updated_at=NOW, actor="u", external_id=new_id(), role_name="r", template_key=bytes(32),
    )  # fmt: skip
    return replace(made, **changes)


def held(old: Registration, **changes: Any) -> Registration:
    return replace(old, status="connected", connected_at=NOW, role_arn="arn", **changes)


def test_every_field_comes_back(stores: Stores) -> None:
    full = pending(
        label="Läbel", role_arn="arn:x", template_copy="k", refusal=Refusal("TRUST_TOO_BROAD", "f"),
        checks=(Check("a", True, "d"), Check("b", False, "e")), lease=Lease("t", NOW),
        last_verified_at=NOW, discovery_run_id=new_id(), last_discovery_run_id=new_id(),
        last_discovery_at=NOW, sealed_keys="s", access_key_masked="***1234", keys_set_at=NOW,
        stack_id="stack", stack_removed_at=NOW, alert="ACCESS_LEFT", alert_at=NOW,
        disconnected_at=NOW, connected_at=NOW, status="verifying",
    )  # fmt: skip
    stored = stores.of(A).create(full)
    assert stored == replace(full, revision=1)
    assert stores.of(A).get(full.id) == stored
    assert stores.of(A).of_account(full.account_id) == stored
    bare = pending(account="333333333333", regions=(), external_id=None, template_key=None)
    assert stores.of(A).get(stores.of(A).create(bare).id) == replace(bare, revision=1)


def test_tenants_see_their_own(stores: Stores) -> None:
    mine = stores.of(A).create(pending(A))
    theirs = stores.of(B).create(pending(B))
    assert stores.of(B).get(mine.id) is None
    assert stores.of(B).of_account(mine.account_id) == theirs
    assert stores.of(A).all() == [mine]
    assert stores.registry.tenant_of(mine.id) == A
    assert stores.registry.tenant_of(new_id()) is None


def test_newest_come_first(stores: Stores) -> None:
    made = [
        stores.of(A).create(
            pending(account=f"{n:012d}", created_at=NOW + timedelta(microseconds=n))
        )
        for n in (2, 1, 3)
    ]
    assert [row.account_id[-1] for row in stores.of(A).all()] == ["3", "2", "1"]
    assert len(made) == 3


def test_an_account_has_one_living_registration(stores: Stores) -> None:
    stores.of(A).create(pending())
    with pytest.raises(SlotTaken):
        stores.of(A).create(pending())
    with pytest.raises(SlotTaken):
        stores.of(A).create(held(pending()))


def test_a_swap_needs_what_was_read(stores: Stores) -> None:
    first = stores.of(A).create(pending())
    second = stores.of(A).swap(first, replace(first, label="2"))
    assert second.revision == 2
    for stale in (replace(first, label="3"), held(first)):
        with pytest.raises(Changed):
            stores.of(A).swap(first, stale)
    with pytest.raises(Changed):
        stores.of(A).swap(pending(), pending())
    assert stores.of(A).get(first.id) == second
    assert stores.registry.holder_of(first.account_id) is None


def test_the_claim_follows_the_status(stores: Stores) -> None:
    row = stores.of(A).create(pending())
    for status, holds in [
        ("refused", False), ("verifying", False), ("connected", True), ("access_lost", True),
        ("connected", True), ("disconnected", False),
    ]:  # fmt: skip
        row = stores.of(A).swap(row, replace(row, status=status))  # type: ignore[arg-type]
        ref = ConnectedRef(A, row.id)
        assert stores.registry.holder_of(row.account_id) == (ref if holds else None), status
        assert stores.registry.connected(None, 10) == ([ref] if holds else []), status
        living = stores.of(A).of_account(row.account_id)
        assert (living is None) == (status == "disconnected"), status
    assert stores.of(A).get(row.id) == row
    assert stores.of(A).create(pending()).revision == 1


def test_a_held_account_is_nobody_elses(stores: Stores) -> None:
    first = stores.of(A).create(pending(A))
    stores.of(A).swap(first, held(first))
    late = stores.of(B).create(pending(B))
    with pytest.raises(ClaimTaken):
        stores.of(B).swap(late, held(late))
    assert stores.of(B).get(late.id) == late
    with pytest.raises(ClaimTaken):
        stores.of("2a1b2c3d-0000-4000-8000-00000000000c").create(
            held(pending("2a1b2c3d-0000-4000-8000-00000000000c"))
        )
    assert stores.registry.holder_of(first.account_id) == ConnectedRef(A, first.id)
    # Ending the loser's request leaves the holder's claim alone.
    stores.of(B).swap(late, replace(late, status="disconnected"))
    assert stores.registry.holder_of(first.account_id) == ConnectedRef(A, first.id)


def test_connected_ones_are_listed_in_pages(stores: Stores) -> None:
    refs = []
    for number in range(5):
        tenant = [A, B][number % 2]
        row = stores.of(tenant).create(held(pending(tenant, f"{number:012d}")))
        refs.append(ConnectedRef(tenant, row.id))
    refs.sort(key=lambda ref: (ref.tenant_id, ref.onboarding_id))
    seen: list[ConnectedRef] = []
    while page := stores.registry.connected(seen[-1] if seen else None, 2):
        seen += page
    assert seen == refs


def test_the_first_outcome_stays_until_it_expires(stores: Stores) -> None:
    store, first, second = stores.of(A), Outcome("SUCCESS", "r", "p"), Outcome("FAILED", "x", "y")
    onboarding_id = new_id()
    assert store.outcome(onboarding_id, "req", NOW) is None
    assert store.record_outcome(onboarding_id, "req", first, NOW) == first
    assert store.record_outcome(onboarding_id, "req", second, NOW) == first
    assert store.outcome(onboarding_id, "req", NOW) == first
    assert store.outcome(onboarding_id, "other", NOW) is None
    assert stores.of(B).outcome(onboarding_id, "req", NOW) is None
    later = NOW + timedelta(days=7, seconds=1)  # an expired row may still be readable (H15)
    assert store.outcome(onboarding_id, "req", later) is None
    assert store.record_outcome(onboarding_id, "req", second, later) == second


def test_change_tries_again_and_gives_up(stores: Stores) -> None:
    store = stores.of(A)
    row = store.create(pending())
    rivals = iter(range(100))

    def beaten(times: int) -> Registration:
        def step(old: Registration) -> Registration:
            if next(rivals) % (times + 1) < times:
                store.swap(old, replace(old, tier="remediate"))
            return replace(old, label="done")

        return change(store, row.id, step)

    assert beaten(3).label == "done"
    with pytest.raises(ServiceUnavailable):
        beaten(50)
    assert change(store, row.id, lambda old: old) == store.get(row.id)
    with pytest.raises(NotFound):
        change(store, new_id(), lambda old: old)


def test_a_tenants_delimiter_reaches_no_other_key(stores: Stores) -> None:
    with pytest.raises(NotFound):
        DynamoRegistrations(TenantScope(f"{A}#x")).get(new_id())
    with pytest.raises(NotFound):
        DynamoRegistrations(TenantScope(A)).get(f"{new_id()}#x")


def test_a_forgotten_registration_leaves_nothing(platform: Settings) -> None:
    store = DynamoRegistrations(TenantScope(A))
    row = store.create(held(pending()))
    row = store.swap(row, replace(row, status="disconnected"))
    store.forget(row.id)
    table = f"{platform.table_prefix}-onboarding"
    dump = dump_tables(boto3.client("dynamodb", region_name=REGION), [table])
    assert dump == {table: []}
