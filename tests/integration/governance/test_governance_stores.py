"""One contract over the stores of governance and their twins; faults and races on the double."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from tidegate.governance import public, wiring
from tidegate.governance.domain import (
    Decision,
    Policy,
    PolicyContext,
    PolicyPrincipal,
    PolicyResource,
    Question,
    RecordedDecision,
)
from tidegate.governance.errors import TooManyPolicies, VersionConflict
from tidegate.governance.repository.approvals import (
    ApprovalChanged,
    ApprovalFilters,
    Approvals,
    DynamoApprovals,
    opened,
)
from tidegate.governance.repository.audit import (
    AuditFilters,
    AuditLog,
    Checkpoints,
    DynamoAudit,
    Extended,
    S3Checkpoints,
)
from tidegate.governance.repository.decisions import Decisions, DynamoDecisions
from tidegate.governance.repository.policies import (
    MAX_POLICIES,
    DynamoPolicies,
    Policies,
    PolicyExists,
)
from tidegate.governance.service.audit import AuditService
from tidegate.governance.service.policies import PolicyChange
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.governance import FORBID, NOW, act, add_approval, new_approval
from tests.builders.members import sign_in
from tests.builders.settings import PREFIX, REGION
from tests.builders.workflows import BUCKET
from tests.fakes.faults import enumerate_faults
from tests.fakes.governance import (
    FixedKeys,
    MemoryApprovals,
    MemoryAudit,
    MemoryCheckpoints,
    MemoryDecisions,
    MemoryPolicies,
)
from tests.fakes.tables import dump_tables, empty_tables

BOTH = pytest.fixture(params=["memory", "dynamo"])


@pytest.fixture
def scope() -> TenantScope:
    return TenantScope(new_id())


@pytest.fixture
def bucket(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    settings_of.cache_clear()
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)


def either(request: pytest.FixtureRequest, memory: Any, dynamo: Any) -> Any:
    if request.param == "memory":
        return memory()
    request.getfixturevalue("platform")
    return dynamo()


@BOTH
def policies(request: pytest.FixtureRequest, scope: TenantScope) -> Policies:
    made: Policies = either(request, MemoryPolicies, lambda: DynamoPolicies(scope))
    return made


@BOTH
def decisions(request: pytest.FixtureRequest, scope: TenantScope) -> Decisions:
    made: Decisions = either(request, MemoryDecisions, lambda: DynamoDecisions(scope))
    return made


@BOTH
def approvals(request: pytest.FixtureRequest, scope: TenantScope) -> Approvals:
    made: Approvals = either(request, MemoryApprovals, lambda: DynamoApprovals(scope))
    return made


@BOTH
def log(request: pytest.FixtureRequest, scope: TenantScope) -> AuditLog:
    made: AuditLog = either(request, MemoryAudit, lambda: DynamoAudit(scope, FixedClock(NOW)))
    return made


@BOTH
def checkpoints(request: pytest.FixtureRequest, scope: TenantScope) -> Checkpoints:
    if request.param == "dynamo":
        request.getfixturevalue("bucket")
    made: Checkpoints = either(
        request,
        MemoryCheckpoints,
        lambda: S3Checkpoints(scope, platform_client("s3", REGION), BUCKET),
    )
    return made


def policy(**changes: Any) -> Policy:
    values: dict[str, Any] = {
        "id": new_id(), "name": "n", "text": FORBID, "enabled": True, "version": 1,
        "created_by": "u", "created_at": NOW, "updated_at": NOW, "updated_by": "u", **changes,
    }  # fmt: skip
    return Policy(**values)


# ---------------------------------------------------------------------- policies


def test_a_tenant_begins_once(policies: Policies) -> None:
    assert not policies.begun()
    first, second = policy(), policy(created_at=NOW + timedelta(seconds=1))
    policies.begin([first, second], NOW)
    policies.begin([policy()], NOW)
    assert policies.begun()
    assert policies.all() == [second, first]
    for one in (first, second):
        policies.delete(one, "u", NOW)
    assert policies.begun()
    assert policies.all() == []


def test_versions_are_kept_and_conflicts_refused(policies: Policies) -> None:
    policies.begin([], NOW)
    one = policy()
    policies.add(one)
    with pytest.raises(PolicyExists):
        policies.add(one)
    later = NOW + timedelta(seconds=5)
    two = replace(one, text="x", version=2, updated_at=later, updated_by="w")
    policies.change(one, two)
    assert policies.get(one.id) == two
    for stale in (one, replace(two, version=7)):
        with pytest.raises(VersionConflict):
            policies.change(stale, two)
        with pytest.raises(VersionConflict):
            policies.delete(stale, "u", NOW)
    versions = policies.versions(one.id)
    assert [(each.version, each.text, each.created_by) for each in versions] == [
        (2, "x", "w"), (1, FORBID, "u"),
    ]  # fmt: skip
    policies.delete(two, "z", later)
    with pytest.raises(NotFound):
        policies.get(one.id)
    assert [each.version for each in policies.versions(one.id)] == [3, 2, 1]


def test_there_is_room_for_fifty(policies: Policies) -> None:
    policies.begin([policy() for _ in range(MAX_POLICIES - 1)], NOW)
    last = policy()
    policies.add(last)
    with pytest.raises(TooManyPolicies):
        policies.add(policy())
    policies.delete(last, "u", NOW)
    policies.add(policy())


# ---------------------------------------------------------------------- decisions


def decision(seconds: int) -> RecordedDecision:
    question = Question(
        PolicyPrincipal("u", ("client",), "a@b"), "ec2.create_tags",
        PolicyResource("arn", "t", "r", "1", {"k": "v"}, True), PolicyContext(5, 2, "e"), 3, 4,
    )  # fmt: skip
    made = Decision(new_id(), "require_approval", ("p",), {"p": 3}, 2, "user", 24, "h")
    return RecordedDecision(NOW + timedelta(seconds=seconds), question, made, "why")


def test_decisions_come_back_as_recorded(decisions: Decisions) -> None:
    made = [decision(number) for number in range(30)]
    decisions.record(made)
    newest = made[::-1]
    rows, total, next_key = decisions.page(0, 10, None)
    assert (rows, total) == (newest[:10], 30)
    rows, total, next_key = decisions.page(0, 10, next_key)
    assert (rows, total) == (newest[10:20], 30)
    assert decisions.page(25, 10, None) == (newest[25:], 30, None)
    assert decisions.page(40, 10, None) == ([], 30, None)
    span = decisions.between(made[3].at, made[7].at, 100)
    assert span == newest[22:27]
    assert decisions.between(made[3].at, made[7].at, 2)[:2] == newest[22:24]


# ---------------------------------------------------------------------- approvals


def put(store: Approvals, **changes: Any) -> Any:
    at = changes.pop("at", NOW)
    made = opened(new_approval("u", expires_at=NOW + timedelta(hours=1), **changes), at)
    writes = Transaction()
    store.add(writes, made)
    if len(writes):
        writes.commit()
    return made


def test_approvals_come_back_as_stored(approvals: Approvals) -> None:
    one, two = put(approvals), put(approvals, at=NOW + timedelta(seconds=1), subject_type="plan")
    assert approvals.get(one.id) == one
    assert approvals.many([two.id, new_id(), one.id]) == [two, one]
    with pytest.raises(NotFound):
        approvals.get(new_id())
    filters = ApprovalFilters(NOW)
    assert list(approvals.newest(filters, None)) == [two, one]
    assert list(approvals.newest(filters, (two.requested_at, two.id))) == [one]
    assert approvals.total(filters) == 2


def test_a_change_names_the_revision_it_replaces(approvals: Approvals) -> None:
    one = put(approvals)
    closed = approvals.change(one, replace(one, status="cancelled", closed_at=NOW, closed_by="x"))
    assert (approvals.get(one.id), closed.revision) == (closed, 2)
    with pytest.raises(ApprovalChanged):
        approvals.change(one, replace(one, status="approved"))


def test_due_are_the_pending_ones_whose_time_is_over(approvals: Approvals) -> None:
    one, two = put(approvals), put(approvals)
    approvals.change(two, replace(two, status="approved"))
    assert approvals.due(NOW + timedelta(minutes=59)) == []
    assert approvals.due(NOW + timedelta(hours=1)) == [one.id]
    for now, status, expected in (
        (NOW, "pending", [one.id]),
        (NOW + timedelta(hours=1), "pending", []),
        (NOW + timedelta(hours=1), "expired", [one.id]),
        (NOW + timedelta(hours=1), "approved", [two.id]),
    ):
        filters = ApprovalFilters(now, status)  # type: ignore[arg-type]
        assert [each.id for each in approvals.newest(filters, None)] == expected
        assert approvals.total(filters) == len(expected)


# ---------------------------------------------------------------------- audit


def service(log: AuditLog, checkpoints: Checkpoints | None = None) -> AuditService:
    return AuditService(log, checkpoints or MemoryCheckpoints(), FixedKeys(), lambda _: "e@x")


def test_entries_follow_each_other(log: AuditLog) -> None:
    audit = service(log)
    acts = [act(number) for number in range(90)]
    assert audit.append(acts) == 90
    assert audit.append(acts[80:]) == 0
    rows = list(log.entries())
    assert [row.place for row in rows] == list(range(1, 91))
    assert [row.place for row in log.entries(85, 88)] == [86, 87, 88]
    assert audit.verification().valid
    page, total, next_key = log.page(AuditFilters(), 0, 40, None)
    assert ([row.place for row in page], total) == (list(range(90, 50, -1)), 90)
    page, _, next_key = log.page(AuditFilters(), 0, 60, next_key)
    assert ([row.place for row in page], next_key) == (list(range(50, 0, -1)), None)
    mine = AuditFilters(actor=acts[7].actor.email)
    assert [row.place for row in log.page(mine, 0, 5, None)[0]] == [8]
    span = AuditFilters(from_=acts[3].at, to=acts[5].at)
    assert log.page(span, 1, 5, None)[1] == 3


def test_a_stale_head_extends_nothing(log: AuditLog) -> None:
    audit = service(log)
    audit.append([act(1)])
    head = log.head()
    row = next(iter(log.entries()))
    audit.append([act(2)])
    assert head is not None
    with pytest.raises(Extended):
        log.extend(head, head, [(new_id(), replace(row, place=9))])
    assert log.known(["x", "y"]) == set()


def test_checkpoints_come_back(checkpoints: Checkpoints, log: AuditLog) -> None:
    assert checkpoints.get() is None
    audit = service(log, checkpoints)
    audit.append([act(1), act(2)])
    assert checkpoints.get() == log.head()
    assert audit.verification().valid


def test_the_key_is_made_once_and_bound_to_its_tenant(bucket: None, scope: TenantScope) -> None:
    public.record_audit(scope, [act(1)])
    log = wiring.audit_of(scope)
    assert log.verification().valid
    table = boto3.resource("dynamodb", region_name=REGION).Table(f"{PREFIX}-governance")
    other = TenantScope(new_id())
    public.record_audit(other, [act(1)])
    stolen = table.get_item(Key={"pk": other.pk, "sk": "AUDITKEY"})["Item"]
    table.put_item(Item={**stolen, "pk": scope.pk})
    found = wiring.audit_of(scope).verification()
    assert (found.valid, found.first_bad_sequence) == (False, 1)


def test_addresses_of_known_actors_are_completed(bucket: None) -> None:
    who = sign_in()
    scope = TenantScope(who.tenant_id)
    from tidegate.governance.domain import Actor

    public.record_audit(scope, [act(1, actor=Actor("user", who.user_id))])
    rows, _, _ = wiring.audit_of(scope).page(AuditFilters(), 0, 5, None)
    assert rows[0].actor_email == who.email


# ---------------------------------------------------------------------- faults


@contextmanager
def empty(specs: Any) -> Iterator[TenantScope]:
    empty_tables(boto3.client("dynamodb", region_name=REGION), specs)
    yield TenantScope(new_id())


def governance_specs(table_specs: Any) -> list[Any]:
    return [spec for spec in table_specs if spec.name.endswith("-governance")]


@pytest.mark.hazard("H1")
def test_an_audited_act_is_entered_once_whatever_dies(bucket: None, table_specs: Any) -> None:
    """H1: every AWS call of an append fails in four ways, then it comes again: entered once."""
    acts = [act(number) for number in range(2)]

    def flow(scope: TenantScope) -> None:
        public.record_audit(scope, acts)

    def entered_once(scope: TenantScope) -> None:
        audit = wiring.audit_of(scope)
        rows, total, _ = audit.page(AuditFilters(), 0, 10, None)
        assert (total, len(rows)) == (2, 2)
        assert audit.verification().valid
        checkpoint = S3Checkpoints(scope, platform_client("s3", REGION), BUCKET).get()
        assert checkpoint is not None
        assert checkpoint.sequence == 2

    report = enumerate_faults(
        flow, flow, entered_once, lambda: empty(governance_specs(table_specs)), name="audit append"
    )
    assert len(report.cases) >= 20


@pytest.mark.hazard("H1")
def test_a_policy_is_stored_once_whatever_dies(platform: Settings, table_specs: Any) -> None:
    """H1: creating under one key: one policy, one first version, the defaults once."""

    def flow(scope: TenantScope) -> None:
        wiring.policies_of(scope).create("n", FORBID, enabled=True, by="u", effect_key="k")

    def stored_once(scope: TenantScope) -> None:
        service = wiring.policies_of(scope)
        assert len(service.all()) == 3
        (mine,) = (one for one in service.all() if one.name == "n")
        assert [one.version for one in service.versions(mine.id)] == [1]

    enumerate_faults(
        flow, flow, stored_once, lambda: empty(governance_specs(table_specs)), name="policy create"
    )


@pytest.mark.hazard("H1")
def test_expiry_closes_whatever_dies(platform: Settings, table_specs: Any) -> None:
    """H1: the five-minute expiry: each approval closed, none left due, none closed twice."""
    past = FixedClock(system_clock() - timedelta(days=2))

    @contextmanager
    def world() -> Iterator[TenantScope]:
        with empty(governance_specs(table_specs)) as scope:
            for _ in range(2):
                add_approval(scope, "u", clock=past, expires_at=past() + timedelta(hours=1))
            yield scope

    def closed(scope: TenantScope) -> None:
        store = DynamoApprovals(scope)
        found = list(store.newest(ApprovalFilters(system_clock()), None))
        assert [(one.status, one.revision) for one in found] == [("expired", 2)] * 2
        assert store.due(system_clock()) == []

    def flow(scope: TenantScope) -> None:
        wiring.approvals_of(scope).expire_due()

    enumerate_faults(flow, flow, closed, world, name="approval expiry")


def test_changes_of_a_policy_that_race_make_one_version(
    platform: Settings, scope: TenantScope
) -> None:
    service = wiring.policies_of(scope)
    made = service.create("n", FORBID, enabled=True, by="u")
    service.change(made.id, PolicyChange(name="m", expected_version=1), "u")
    with pytest.raises(VersionConflict):
        service.change(made.id, PolicyChange(name="o", expected_version=1), "u")


def test_no_row_of_another_tenant_is_reached(platform: Settings) -> None:
    one, two = TenantScope(new_id()), TenantScope(new_id())
    mine = wiring.policies_of(one).create("n", FORBID, enabled=True, by="u")
    id_ = add_approval(one, "u")
    before = dump_tables(boto3.client("dynamodb", region_name=REGION), [f"{PREFIX}-governance"])
    for call in (
        lambda: wiring.policies_of(two).get(mine.id),
        lambda: wiring.policies_of(two).delete(mine.id, "u"),
        lambda: public.approval(two, id_),
        lambda: public.close_approval(two, id_, by="u"),
    ):
        with pytest.raises(NotFound):
            call()
    assert public.approvals_of(two, [id_]) == {}
    after = dump_tables(boto3.client("dynamodb", region_name=REGION), [f"{PREFIX}-governance"])
    assert after == before
