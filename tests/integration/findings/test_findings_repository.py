"""One contract for the stores of findings: DynamoDB and its in-memory twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tidegate.findings.domain import (
    Change,
    CheckState,
    Finding,
    FindingException,
    FindingFilters,
    FindingResource,
    PriceUsed,
    Quantity,
    Refresh,
    RegionStates,
    Saving,
    SuggestedAction,
    exception_id,
    finding_id,
)
from tidegate.findings.errors import (
    ChangedMeanwhile,
    ExceptionExists,
    FindingInPlan,
    RefreshRunning,
)
from tidegate.findings.exceptions import under
from tidegate.findings.overlap import Claim, Cluster, promised_twice
from tidegate.findings.repository import (
    DynamoExceptions,
    DynamoFindings,
    DynamoRefreshes,
    ExceptionStore,
    FindingStore,
    RefreshStore,
)
from tidegate_kit.dynamo import ConditionFailed, Transaction
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.findings import NOW
from tests.fakes.findings import (
    MemoryExceptions,
    MemoryFindings,
    MemoryLiving,
    MemoryRefreshes,
)

ACCOUNT = "222222222222"
TENANT = new_id()


@dataclass
class Stores:
    """The stores of one tenant, and how a caller's transaction is committed."""

    findings: FindingStore
    exceptions: ExceptionStore
    refreshes: RefreshStore
    living: MemoryLiving
    commit: Callable[[Transaction], None]


@pytest.fixture(params=["dynamo", "memory"])
def stores(request: pytest.FixtureRequest) -> Stores:
    living = MemoryLiving()
    living.present[ACCOUNT] = 0
    if request.param == "memory":
        memory = MemoryFindings(living)

        def commit(transaction: Transaction) -> None:
            memory.commit_planned()

        return Stores(memory, MemoryExceptions(memory), MemoryRefreshes(), living, commit)
    request.getfixturevalue("platform")
    scope = TenantScope(TENANT)
    store = DynamoFindings(scope, living)

    def commit_dynamo(transaction: Transaction) -> None:
        try:
            transaction.commit()
        except ConditionFailed as lost:
            raise ChangedMeanwhile from lost

    return Stores(
        store, DynamoExceptions(scope, store), DynamoRefreshes(scope), living, commit_dynamo
    )


def finding(name: str = "a", **more: Any) -> Finding:
    arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:volume/{name}"
    check_id = more.get("check_id", "ebs-unattached")
    values: dict[str, Any] = {
        "id": finding_id(TENANT, check_id, arn),
        "group": "waste",
        "check_id": check_id,
        "title": "t",
        "severity": "high",
        "account_id": ACCOUNT,
        "onboarding_id": new_id(),
        "region": "us-east-1",
        "unit_region": "us-east-1",
        "resource": FindingResource(arn, "ec2:volume", new_id(), None, {"k": "v"}),
        "status": "open",
        "evidence": {"days": "9", "list": [1, None]},
        "fingerprint": "f" * 64,
        "saving": Saving(
            Decimal("8.123456"), "size * price", (Quantity("size", Decimal("100"), "GiB"),),
            (PriceUsed("price", Decimal("0.08123456"), "GiB-month", "s", "2026-01-01"),),
            "estimate",
        ),
        "action": SuggestedAction("ec2.modify_volume", True, 72, {"volume_type": "gp3"}),
        "first_seen_at": NOW,
        "last_seen_at": NOW,
    }  # fmt: skip
    return Finding(**{**values, **more})


def put(stores: Stores, *findings: Finding) -> None:
    stores.findings.write([Change(None, one) for one in findings], NOW)


def test_a_finding_is_read_as_it_was_written(stores: Stores) -> None:
    one = finding()
    put(stores, one)
    assert stores.findings.get(one.id) == one
    unpriced = finding("b", saving=Saving(None, "x * p"), action=None)
    put(stores, unpriced)
    assert stores.findings.get_many([one.id, unpriced.id, new_id()]) == {
        one.id: one,
        unpriced.id: unpriced,
    }


def test_counts_follow_every_change(stores: Stores) -> None:
    one, two = finding(), finding("b", saving=Saving(None, "x"))
    put(stores, one, two)
    (count,) = stores.findings.counts()
    assert (count.active, count.priced, count.monthly, count.resolved) == (
        2, 1, Decimal("8.123456"), 0,
    )  # fmt: skip
    gone = replace(one, status="resolved", resolved_at=NOW, version=2)
    stores.findings.write([Change(one, gone)], NOW)
    (count,) = stores.findings.counts()
    assert (count.active, count.priced, count.monthly, count.resolved) == (1, 0, 0, 1)
    assert stores.findings.active(ACCOUNT, 0, "us-east-1") == {two.id: "ebs-unattached"}
    back = replace(gone, status="open", resolved_at=None, version=3)
    stores.findings.write([Change(gone, back)], NOW)
    (count,) = stores.findings.counts()
    assert (count.active, count.resolved) == (2, 0)
    assert set(stores.findings.active(ACCOUNT, 0, "us-east-1")) == {one.id, two.id}


def test_what_was_changed_meanwhile_is_not_overwritten(stores: Stores) -> None:
    one = finding()
    put(stores, one)
    with pytest.raises(ChangedMeanwhile):
        put(stores, one)
    newer = replace(one, version=2, evidence={})
    stores.findings.write([Change(one, newer)], NOW)
    with pytest.raises(ChangedMeanwhile):
        stores.findings.write([Change(one, replace(one, version=2))], NOW)
    assert stores.findings.get(one.id) == newer


def test_an_ended_life_of_an_account_is_out_of_every_read_and_deleted(stores: Stores) -> None:
    one, two = finding(), finding("b")
    put(stores, one, two)
    stores.findings.save_states(RegionStates(ACCOUNT, 0, "us-east-1", NOW, ()), NOW)
    stores.living.present[ACCOUNT] = 1
    assert stores.findings.get(one.id) is None
    assert stores.findings.counts() == []
    assert stores.findings.states() == []
    assert list(stores.findings.listed("waste", "open", FindingFilters(), None)) == []
    again = replace(one, generation=1, version=2)
    stores.findings.write([Change(None, again, replaces=1)], NOW)
    while stores.findings.delete_some(ACCOUNT, 1, 1):
        pass
    assert stores.findings.stored([one.id, two.id]) == {one.id: again}
    (count,) = stores.findings.counts()
    assert count.active == 1


def test_lists_by_stored_status_newest_first(stores: Stores) -> None:
    rows = [
        finding(str(n), first_seen_at=NOW + timedelta(minutes=n // 2), region=f"r-{n % 2}")
        for n in range(6)
    ]
    put(stores, *rows)
    listed = list(stores.findings.listed("waste", "open", FindingFilters(), None))
    order = sorted(rows, key=lambda r: (r.first_seen_at, r.id), reverse=True)
    assert listed == order
    third = listed[2]
    place = f"{int(third.first_seen_at.timestamp() * 1000):014d}", third.id
    assert list(stores.findings.listed("waste", "open", FindingFilters(), place)) == order[3:]
    here = FindingFilters(region="r-1")
    assert {r.region for r in stores.findings.listed("waste", "open", here, None)} == {"r-1"}
    assert list(stores.findings.listed("storage", "open", FindingFilters(), None)) == []


def test_planning_takes_one_write_and_only_what_is_open_and_unchanged(stores: Stores) -> None:
    one, plan = finding(), new_id()
    put(stores, one)
    with pytest.raises(NotFound):
        stores.findings.mark_planned(Transaction(), new_id(), plan, NOW)
    with pytest.raises(FindingInPlan):
        stores.findings.mark_planned(Transaction(), one.id, plan, NOW, fingerprint="0" * 64)
    first, second = Transaction(), Transaction()
    stores.findings.mark_planned(first, one.id, plan, NOW, fingerprint=one.fingerprint)
    stores.commit(first)
    planned = stores.findings.get(one.id)
    assert planned is not None
    assert (planned.status, planned.plan_id) == ("planned", plan)
    with pytest.raises(FindingInPlan):
        stores.findings.mark_planned(second, one.id, new_id(), NOW)
    assert [f.id for f in stores.findings.listed("waste", "planned", FindingFilters(), None)] == [
        one.id
    ]
    stores.findings.release(other := Transaction(), one.id, new_id(), NOW)
    assert len(other) == 0
    stores.findings.release(back := Transaction(), one.id, plan, NOW)
    stores.commit(back)
    opened = stores.findings.get(one.id)
    assert opened is not None
    assert (opened.status, opened.plan_id) == ("open", None)


def test_of_two_plans_one_gets_the_finding(stores: Stores) -> None:
    one = finding()
    put(stores, one)
    stores.findings.mark_planned(first := Transaction(), one.id, new_id(), NOW)
    if isinstance(stores.findings, MemoryFindings):
        stores.commit(first)
        with pytest.raises(FindingInPlan):
            stores.findings.mark_planned(Transaction(), one.id, new_id(), NOW)
        return
    stores.findings.mark_planned(second := Transaction(), one.id, new_id(), NOW)
    stores.commit(first)
    with pytest.raises(ChangedMeanwhile):
        stores.commit(second)


def exception(one: Finding, days: int = 10) -> FindingException:
    return FindingException(
        id=exception_id(TENANT, one.check_id, one.resource.arn),
        finding_id=one.id,
        check_id=one.check_id,
        resource_arn=one.resource.arn,
        owner="ops",
        reason="because",
        expires_at=NOW + timedelta(days=days),
        created_by="user",
        created_at=NOW,
    )


def test_an_exception_and_its_finding_change_together(stores: Stores) -> None:
    one = finding()
    put(stores, one)
    kept = exception(one)
    after = replace(under(one, kept, NOW), version=2)
    stores.exceptions.add(kept, Change(one, after), NOW)
    assert stores.exceptions.all() == [kept]
    assert stores.exceptions.exception(kept.id) == kept
    stored = stores.findings.get(one.id)
    assert stored == after
    assert stored.exception == kept.mark
    with pytest.raises(ExceptionExists):
        stores.exceptions.add(kept, None, NOW)
    with pytest.raises(ChangedMeanwhile):
        stores.exceptions.remove(kept.id, Change(one, replace(one, version=2)), NOW)
    assert stores.exceptions.all() == [kept]
    later = NOW + timedelta(days=11)
    stores.exceptions.add(replace(kept, owner="new"), None, later)
    stores.exceptions.remove(kept.id, None, later)
    with pytest.raises(NotFound):
        stores.exceptions.remove(kept.id, None, later)


def test_thresholds_are_replaced_from_the_version_read(stores: Stores) -> None:
    assert stores.exceptions.thresholds() == ({}, 0)
    set_ = {"nat-idle": {"days": Decimal("3.5")}}
    stores.exceptions.set_thresholds(set_, 0, NOW)
    assert stores.exceptions.thresholds() == (set_, 1)
    with pytest.raises(ChangedMeanwhile):
        stores.exceptions.set_thresholds({}, 0, NOW)
    stores.exceptions.set_thresholds({}, 1, NOW)
    assert stores.exceptions.thresholds() == ({}, 2)


def test_states_of_an_older_inventory_do_not_replace_newer_ones(stores: Stores) -> None:
    state = CheckState("nat-idle", "us-east-1", "unknown", 2, ("ec2:X",), "why", False, NOW)
    newer = RegionStates(ACCOUNT, 0, "us-east-1", NOW, (state,))
    stores.findings.save_states(newer, NOW)
    stores.findings.save_states(replace(newer, checked_at=NOW - timedelta(1), states=()), NOW)
    assert stores.findings.states() == [newer]
    assert stores.findings.region_states(ACCOUNT, 0, "us-east-1") == newer
    assert stores.findings.region_states(ACCOUNT, 0, "eu-west-1") is None


def test_one_exclusive_refresh_at_a_time(stores: Stores) -> None:
    def make() -> Refresh:
        return Refresh(new_id(), "running", "api", (ACCOUNT,), (), NOW, NOW + timedelta(hours=1))

    first, second, free = make(), make(), make()
    assert stores.refreshes.begin(first, NOW, exclusive=True) == first
    assert stores.refreshes.begin(first, NOW, exclusive=True) == first
    with pytest.raises(RefreshRunning):
        stores.refreshes.begin(second, NOW, exclusive=True)
    assert stores.refreshes.begin(free, NOW, exclusive=False) == free
    assert stores.refreshes.running(NOW) == first
    stores.refreshes.fail_account(first.id, ACCOUNT, "why", NOW)
    stores.refreshes.finish(first.id, "failed", NOW)
    stores.refreshes.finish(first.id, "completed", NOW)
    done = stores.refreshes.refresh(first.id)
    assert done is not None
    assert (done.status, dict(done.failures)) == ("failed", {ACCOUNT: "why"})
    assert stores.refreshes.running(NOW) is None
    stores.refreshes.begin(second, NOW, exclusive=True)
    late = NOW + timedelta(hours=2)
    assert stores.refreshes.running(late) is None
    assert stores.refreshes.begin(third := make(), late, exclusive=True) == third


def test_what_was_resolved_long_ago_is_forgotten_with_its_count(stores: Stores) -> None:
    one = finding()
    put(stores, one)
    gone = replace(one, status="resolved", resolved_at=NOW, version=2)
    stores.findings.write([Change(one, gone)], NOW)
    late = NOW + timedelta(days=1)
    assert stores.findings.old_resolved(ACCOUNT, 0, NOW - timedelta(days=1), 10) == []
    old = stores.findings.old_resolved(ACCOUNT, 0, late, 10)
    assert old == [gone]
    stores.findings.forget(old, late)
    assert stores.findings.stored([one.id]) == {}
    assert sum(count.resolved for count in stores.findings.counts()) == 0
    assert stores.findings.old_resolved(ACCOUNT, 0, late, 10) == []


def test_a_tenant_is_forgotten(stores: Stores) -> None:
    put(stores, *(finding(str(n)) for n in range(30)))
    while stores.findings.delete_any(20):
        pass
    assert stores.findings.counts() == []


def test_overlaps_are_replaced_by_region_and_go_with_the_accounts_life(stores: Stores) -> None:
    def cluster(*names: str) -> Cluster:
        return tuple(Claim(n, "c", Decimal("1.5"), frozenset({"0", n})) for n in names)

    store = stores.findings
    stores.living.present = {ACCOUNT: 0}
    many = [cluster(f"a{number}", f"b{number}") for number in range(2001)]
    store.save_overlaps(ACCOUNT, 0, "us-east-1", many, NOW)
    store.save_overlaps(ACCOUNT, 0, "eu-west-1", [cluster("x", "y", "z")], NOW)
    assert len(store.overlaps()) == 2002
    store.save_overlaps(ACCOUNT, 0, "us-east-1", [cluster("p", "q")], NOW)
    found = [[one.finding_id for one in cluster] for cluster in store.overlaps()]
    assert sorted(found) == [["p", "q"], ["x", "y", "z"]]
    [pair] = [one for one in store.overlaps() if len(one) == 2]
    assert promised_twice(pair) == Decimal("1.5")
    store.save_overlaps(ACCOUNT, 0, "us-east-1", [], NOW)
    assert len(store.overlaps()) == 1
    stores.living.present = {ACCOUNT: 1}
    assert store.overlaps() == []
    assert store.delete_some(ACCOUNT, 1, 10) == 1
    assert store.delete_some(ACCOUNT, 1, 10) == 0
