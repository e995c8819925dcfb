"""Approvals that race, policies that change, audit logs that are tampered with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate.governance import public, wiring
from tidegate.governance.chain import Entry, Verification, Verifier, entry_of, mark
from tidegate.governance.chain import sign as sign_hash
from tidegate.governance.errors import (
    AlreadyDecided,
    ApprovalClosed,
    SelfApproval,
    SubjectChanged,
)
from tidegate.governance.models import AuditItem
from tidegate.governance.public import PolicyContext, PolicyPrincipal, PolicyResource
from tidegate.governance.repository.approvals import Approvals
from tidegate.governance.repository.audit import entry_from
from tidegate.governance.routes import router
from tidegate.governance.service.approvals import ApprovalService, Ballot, Member
from tidegate.governance.service.audit import AuditService
from tidegate.governance.service.policies import PolicyChange
from tidegate_kit.auth.models import UserItem, user_key
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.errors import Forbidden
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.api import ApiClient
from tests.builders.governance import FORBID, HASH, act, add_approval
from tests.builders.members import SignedIn, claims_for, sign, sign_in
from tests.builders.settings import PREFIX, REGION
from tests.builders.workflows import BUCKET, ENVIRONMENT
from tests.fakes.governance import FixedKeys, MemoryAudit, MemoryCheckpoints
from tests.fakes.races import race

ROUNDS = 100
LOSES = (AlreadyDecided, ApprovalClosed)


@pytest.fixture
def scope() -> TenantScope:
    return TenantScope(new_id())


@pytest.fixture
def bucket(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings_of.cache_clear()
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)


def member_of(user_id: str) -> Member:
    return Member(user_id, f"{user_id}@example.com", frozenset({"client"}), False, True)


def desk(scope: TenantScope, clock: Any = system_clock) -> ApprovalService:
    store: Approvals = wiring.approval_store(scope)
    return ApprovalService(store, member_of, clock)


# ---------------------------------------------------------------------- B9


def _blind_change(store: Any, old: Any, new: Any) -> Any:
    """What a store would do that does not name the revision it replaces."""
    made = replace(new, revision=old.revision + 1)
    store._item(made).save()
    return made


BLIND = pytest.mark.bite(
    "tidegate.governance.repository.approvals.DynamoApprovals.change", _blind_change
)


@pytest.mark.hazard("B9")
@BLIND
def test_approve_and_reject_racing_make_one_transition(
    platform: Settings, scope: TenantScope
) -> None:
    """B9: two approvers, one for and one against, at once: exactly one end, 100 rounds."""
    ids: list[str] = []

    def setup(_: int) -> None:
        ids.append(add_approval(scope, "requester"))

    def cast(worker: int, number: int) -> Any:
        ballot = Ballot("approve" if worker else "reject", HASH, "x")
        return desk(scope).decide(ids[number], f"voter-{worker}", ballot)

    outcome = race(2, cast, ROUNDS, setup=setup)
    outcome.assert_one_winner(loses_with=LOSES)
    for number, id_ in enumerate(ids):
        stored = desk(scope).get(id_)
        (winner,) = outcome.rounds[number].winners
        assert (stored.status, len(stored.approvals)) == (winner.result.status, 1)


@pytest.mark.hazard("B9")
@BLIND
def test_one_person_at_once_has_one_vote(platform: Settings, scope: TenantScope) -> None:
    """B9, B23: one approver in two sessions at once, quorum 2: one vote, still pending."""
    ids: list[str] = []

    def setup(_: int) -> None:
        ids.append(add_approval(scope, "requester", quorum=2))

    def cast(worker: int, number: int) -> Any:
        return desk(scope).decide(ids[number], "voter", Ballot("approve", HASH))

    race(2, cast, ROUNDS, setup=setup).assert_one_winner(loses_with=LOSES)
    for id_ in ids:
        stored = desk(scope).get(id_)
        assert (stored.status, len(stored.approvals)) == ("pending", 1)


@pytest.mark.hazard("B9")
@BLIND
def test_a_quorum_at_once_is_complete(platform: Settings, scope: TenantScope) -> None:
    """B9: four approvers at once, quorum 3: three votes, approved once, the fourth too late."""
    ids: list[str] = []

    def setup(_: int) -> None:
        ids.append(add_approval(scope, "requester", quorum=3))

    def cast(worker: int, number: int) -> Any:
        return desk(scope).decide(ids[number], f"voter-{worker}", Ballot("approve", HASH))

    race(4, cast, 30, setup=setup).assert_winners(3, loses_with=LOSES)
    for id_ in ids:
        stored = desk(scope).get(id_)
        assert (stored.status, len(stored.approvals)) == ("approved", 3)


@pytest.mark.hazard("B9")
def test_refusals_hold_every_time(platform: Settings, scope: TenantScope) -> None:
    """B9: the requester, twice, after expiry, after a change: 100 rounds, nothing written."""
    counted: Counter[str] = Counter()
    for _ in range(ROUNDS):
        id_ = add_approval(scope, "requester", quorum=2)
        desk(scope).decide(id_, "voter", Ballot("approve", HASH))
        before = wiring.approval_store(scope).get(id_)
        late = FixedClock(before.expires_at)
        for clock, user, ballot in (
            (system_clock, "requester", Ballot("approve", HASH)),
            (system_clock, "voter", Ballot("approve", HASH)),
            (system_clock, "other", Ballot("approve", "another")),
            (late, "other", Ballot("approve", HASH)),
            (late, "other", Ballot("reject", HASH, "x")),
        ):
            try:
                desk(scope, clock).decide(id_, user, ballot)
            except (SelfApproval, AlreadyDecided, SubjectChanged, ApprovalClosed) as error:
                counted[error.code] += 1
        assert wiring.approval_store(scope).get(id_) == before
    assert counted == {
        "SELF_APPROVAL": ROUNDS, "ALREADY_DECIDED": ROUNDS, "SUBJECT_CHANGED": ROUNDS,
        "APPROVAL_CLOSED": 2 * ROUNDS,
    }  # fmt: skip


@pytest.mark.hazard("B9")
def test_a_vote_and_the_expiry_make_one_end(platform: Settings, scope: TenantScope) -> None:
    """B9: the last vote and the five-minute expiry at once: one of them, never both."""
    ids: list[str] = []
    clock = FixedClock()

    def setup(_: int) -> None:
        ids.append(add_approval(scope, "u", clock=clock, expires_at=clock() + timedelta(hours=1)))

    def end(worker: int, number: int) -> Any:
        if worker:
            return desk(scope, clock).decide(ids[number], "voter", Ballot("approve", HASH))
        late = FixedClock(clock() + timedelta(hours=2))
        return desk(scope, late).close(ids[number], "expired", "system")

    def check(rnd: Any) -> None:
        stored = desk(scope, clock).get(ids[rnd.number])
        assert stored.status in ("approved", "expired")
        assert (stored.status == "approved") == (len(stored.approvals) == 1)
        assert stored.revision == 2

    race(2, end, 40, setup=setup, check=check)


# ---------------------------------------------------------------------- B23


@pytest.fixture
def client(bucket: None, platform: Settings) -> ApiClient:
    return ApiClient([router], platform)


def vote(client: ApiClient, headers: dict[str, str], id_: str) -> Any:
    return client.post(f"/approvals/{id_}/approve", json={"subject_hash": HASH}, headers=headers)


@pytest.mark.hazard("B23")
@pytest.mark.bite("tidegate.governance.service.approvals.ApprovalService._counts", returns=True)
def test_a_demoted_voter_does_not_count(client: ApiClient) -> None:
    """B23: who lost the role before the quorum does not make it; another vote is needed."""
    owner = sign_in(is_owner=True)
    one, two, three = (sign_in(tenant_id=owner.tenant_id, roles=("client",)) for _ in range(3))
    id_ = add_approval(TenantScope(owner.tenant_id), owner.user_id, quorum=2)
    assert vote(client, one.headers, id_).json()["status"] == "pending"
    user = UserItem.get(f"T#{owner.tenant_id}", user_key(one.user_id))
    user.roles = {"user"}
    user.save()
    assert vote(client, two.headers, id_).json()["status"] == "pending"
    assert vote(client, three.headers, id_).json()["status"] == "approved"


@pytest.mark.hazard("B23")
@pytest.mark.bite(
    "tidegate.governance.service.approvals.ApprovalService._checked",
    lambda service, approval, user_id, ballot, now: service._member(user_id),
)
def test_votes_are_counted_by_person(client: ApiClient) -> None:
    """B23: a second session or a second role of the same person is no second vote."""
    owner = sign_in(is_owner=True)
    one = sign_in(tenant_id=owner.tenant_id, roles=("client", "admin"))
    id_ = add_approval(TenantScope(owner.tenant_id), owner.user_id, quorum=2)
    assert vote(client, one.headers, id_).json()["status"] == "pending"
    again = another_session(one)
    answer = vote(client, again, id_)
    assert (answer.status_code, answer.json().get("error", {}).get("code")) == (
        409, "ALREADY_DECIDED",
    )  # fmt: skip


def another_session(who: SignedIn) -> dict[str, str]:
    claims = claims_for(
        who.tenant_id, who.user_id, who.session_id, who.email, system_clock(), "client"
    )
    return {"Authorization": f"Bearer {sign({**claims, 'jti': new_id()})}"}


@pytest.mark.hazard("B23")
def test_a_service_token_has_no_vote(client: ApiClient) -> None:
    """B23: a token made for another system is nobody here."""
    owner = sign_in(is_owner=True)
    one = sign_in(tenant_id=owner.tenant_id, roles=("client",))
    id_ = add_approval(TenantScope(owner.tenant_id), owner.user_id)
    claims = claims_for(
        one.tenant_id, one.user_id, one.session_id, one.email, system_clock(), "client"
    )
    token = sign({**claims, "aud": "reports", "scope": "approval:decide"})
    assert vote(client, {"Authorization": f"Bearer {token}"}, id_).status_code == 401
    assert public.approval(TenantScope(owner.tenant_id), id_).approvals == ()


@pytest.mark.hazard("B23")
@pytest.mark.bite("tidegate.governance.service.approvals.Member.holds", returns=True)
def test_the_role_is_that_of_the_store(platform: Settings) -> None:
    """B23: the role is read at the vote: not what a token says, and nobody once he has left."""
    owner = sign_in(is_owner=True)
    one = sign_in(tenant_id=owner.tenant_id, roles=("user",))
    scope = TenantScope(owner.tenant_id)
    id_ = add_approval(scope, owner.user_id)
    for user_id in (one.user_id, new_id()):
        with pytest.raises(Forbidden):
            wiring.approvals_of(scope).decide(id_, user_id, Ballot("approve", HASH))


# ---------------------------------------------------------------------- B21


@pytest.mark.hazard("B21")
@pytest.mark.bite("tidegate.governance.cedar.engine.PolicyEngine.set_hash", "same")
def test_a_policy_edited_meanwhile_decides_anew(platform: Settings, scope: TenantScope) -> None:
    """B21: a decision is by the policies of its moment, and its record names that very set."""
    principal = PolicyPrincipal("u", ("client", "user"))
    resource = PolicyResource("arn", "ec2:volume")

    def ask() -> public.Decision:
        return public.decide(scope, principal, "ec2.delete_volume", resource, PolicyContext())

    first, same = ask(), ask()
    assert (first.effect, first.policy_set_hash) == ("require_approval", same.policy_set_hash)
    policies = wiring.policies_of(scope)
    made = policies.create("n", FORBID, enabled=True, by="u")
    second = ask()
    policies.change(made.id, PolicyChange(enabled=False), "u")
    third = ask()
    policies.change(made.id, PolicyChange(enabled=True, name="m"), "u")
    fourth = ask()
    assert [one.effect for one in (second, third, fourth)] == ["deny", "require_approval", "deny"]
    hashes = [one.policy_set_hash for one in (first, second, third, fourth)]
    assert third.policy_set_hash == first.policy_set_hash
    assert len(set(hashes)) == 3
    rows, _, _ = wiring.decisions_of(scope).page(0, 10, None)
    recorded = {one.id: one.decision for one in rows}
    assert [recorded[one.id] for one in (first, second, third, fourth)] == [
        first, second, third, fourth,
    ]  # fmt: skip


# ---------------------------------------------------------------------- H23

KEY = b"k" * 32
COUNT = 6


def service(log: MemoryAudit, copies: MemoryCheckpoints) -> AuditService:
    return AuditService(log, copies, FixedKeys(KEY), lambda _: "")


def written(count: int = COUNT) -> tuple[MemoryAudit, MemoryCheckpoints]:
    log, copies = MemoryAudit(), MemoryCheckpoints()
    service(log, copies).append([act(number) for number in range(count)])
    return log, copies


def found(log: MemoryAudit, copies: MemoryCheckpoints) -> Verification:
    return service(log, copies).verification()


def rebuilt(log: MemoryAudit, since: int, key: bytes) -> None:
    """The chain from an entry on, with other acts: what somebody with the table could write."""
    prev = log.rows[since].prev_hash
    for place in range(since, COUNT + 1):
        log.rows[place] = entry_of(key, place, prev, act(place, action="forged"))
        prev = log.rows[place].hash
    log.end = mark(key, COUNT, prev)


def altered(log: MemoryAudit, at: int) -> None:
    log.rows[at] = replace(log.rows[at], body=log.rows[at].body.replace('"r-', '"q-'))


def dropped(log: MemoryAudit, at: int) -> None:
    del log.rows[at]


def swapped(log: MemoryAudit, at: int) -> None:
    one, two = log.rows[at], log.rows[at + 1]
    log.rows[at] = replace(two, place=at)
    log.rows[at + 1] = replace(one, place=at + 1)


def inserted(log: MemoryAudit, at: int) -> None:
    for place in range(COUNT, at - 1, -1):
        log.rows[place + 1] = replace(log.rows[place], place=place + 1)
    prev = "0" * 64 if at == 1 else log.rows[at - 1].hash
    log.rows[at] = entry_of(b"another key" * 3, at, prev, act(99))
    assert log.end is not None
    log.end = replace(log.end, sequence=COUNT + 1)


def forked(log: MemoryAudit, at: int) -> None:
    rebuilt(log, at, b"another key" * 3)


def tail_cut(log: MemoryAudit, at: int) -> None:
    for place in range(at, COUNT + 1):
        del log.rows[place]
    if at == 1:
        log.end = None
        return
    # The head as it was then, signature and all: whoever kept a copy can put it back.
    log.end = mark(KEY, at - 1, log.rows[at - 1].hash)


ATTACKS: list[Callable[[MemoryAudit, int], None]] = [
    altered, dropped, swapped, inserted, forked, tail_cut,
]  # fmt: skip


def _no_signature(key: bytes, sequence: int, hash_: str) -> str:
    return ""


@pytest.mark.hazard("H23")
@pytest.mark.bite("tidegate.governance.chain.sign", _no_signature, cases=["forked"])
@pytest.mark.bite("tidegate.governance.chain.link", returns="0" * 64, cases=["altered"])
@pytest.mark.bite("tests.fakes.governance.MemoryCheckpoints.get", returns=None, cases=["tail_cut"])
@pytest.mark.parametrize("at", range(1, COUNT))
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_the_first_bad_entry_is_named(attack: Callable[[MemoryAudit, int], None], at: int) -> None:
    """H23: altered, dropped, inserted, swapped, rebuilt from a fork, tail cut: found, located."""
    log, copies = written()
    assert found(log, copies).valid
    attack(log, at)
    result = found(log, copies)
    assert (result.valid, result.first_bad_sequence) == (False, at)


@pytest.fixture
def raw(bucket: None, scope: TenantScope) -> list[dict[str, Any]]:
    """The rows of a log as DynamoDB keeps them."""
    public.record_audit(scope, [act(number, details={"ü": "x"}) for number in range(3)])
    rows = boto3.client("dynamodb", region_name=REGION).query(
        TableName=f"{PREFIX}-governance",
        KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
        ExpressionAttributeValues={":p": {"S": scope.pk}, ":s": {"S": "AUDIT#"}},
    )["Items"]
    assert len(rows) == 3
    return rows


def verdict(rows: Sequence[dict[str, Any]], key: bytes, head: Any) -> Verification:
    """As the store reads them: those of the partition with the prefix, in the order of keys."""
    verifier = Verifier(key, None)
    (pk, _), *_ = Counter(row["pk"]["S"] for row in rows).most_common()
    inside = [row for row in rows if row["pk"]["S"] == pk and row["sk"]["S"].startswith("AUDIT#")]
    for row in sorted(inside, key=lambda each: each["sk"]["S"]):
        verifier.feed(entry_from(AuditItem.from_raw_data(row)))
    return verifier.finish(head)


def tampered(row: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The row with each character of each attribute changed, one at a time."""
    for name, value in row.items():
        ((kind, text),) = value.items()
        for place, char in enumerate(text):
            other = str((int(char) + 1) % 10) if kind == "N" else chr(ord(char) ^ 1)
            changed = f"{text[:place]}{other}{text[place + 1 :]}"
            yield name, place, {**row, name: {kind: changed}}


@pytest.mark.hazard("H23")
@pytest.mark.bite("tidegate.governance.chain.is_good", returns=True)
def test_every_tampered_character_is_found_and_located(
    raw: list[dict[str, Any]], scope: TenantScope
) -> None:
    """H23: one character anywhere in any attribute of any row: the log is bad from that row on."""
    key = wiring.audit_keys(scope).find()
    head = wiring.audit_log(scope).head()
    assert key is not None
    assert verdict(raw, key, head).valid
    tried = 0
    for number, row in enumerate(raw):
        for name, place, changed in tampered(row):
            result = verdict([*raw[:number], *raw[number + 1 :], changed], key, head)
            expected = (False, number + 1)
            assert (result.valid, result.first_bad_sequence) == expected, (number, name, place)
            tried += 1
    print(f"{tried} tampered characters, all found and located")
    assert tried > 2_000


@pytest.mark.hazard("H23")
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_change_of_any_log_is_found(data: st.DataObject) -> None:
    """H23: property: whatever becomes of any field of an entry, that entry is named."""
    count = data.draw(st.integers(1, 8))
    texts = st.text(max_size=20)
    log, copies = MemoryAudit(), MemoryCheckpoints()
    acts = [
        act(number, action=data.draw(texts), details={"a": data.draw(texts)})
        for number in range(count)
    ]
    service(log, copies).append(acts)
    at = data.draw(st.integers(1, count))
    name = data.draw(
        st.sampled_from(["body", "prev_hash", "hash", "mac", "timestamp", "actor_id", "action"])
    )
    entry: Entry = log.rows[at]
    old = str(getattr(entry, name))
    new = data.draw(texts.filter(lambda text: text != old))
    changes: dict[str, Any] = {name: new}
    log.rows[at] = replace(entry, **changes)
    result = found(log, copies)
    assert (result.valid, result.first_bad_sequence) == (False, at)


@pytest.mark.hazard("H23")
def test_a_head_that_is_tampered_with_is_found(bucket: None, scope: TenantScope) -> None:
    """H23: the head row and the sealed key: changed or removed, the log is not valid."""
    public.record_audit(scope, [act(1), act(2)])
    table = boto3.resource("dynamodb", region_name=REGION).Table(f"{PREFIX}-governance")
    keys = ("AUDITHEAD", "AUDITKEY")
    kept: dict[str, Any] = {
        name: table.get_item(Key={"pk": scope.pk, "sk": name})["Item"] for name in keys
    }
    log = wiring.audit_of(scope)
    assert log.verification().valid
    changes: list[tuple[str, dict[str, Any]]] = [
        ("AUDITHEAD", {"sequence": 1}), ("AUDITHEAD", {"sequence": 3}),
        ("AUDITHEAD", {"hash": "0" * 64}), ("AUDITHEAD", {"mac": "0" * 64}),
        ("AUDITKEY", {"sealed": kept["AUDITKEY"]["sealed"][:-4] + "AAAA"}),
    ]  # fmt: skip
    for name, change in changes:
        table.put_item(Item={**kept[name], **change})
        assert not log.verification().valid, (name, change)
        table.put_item(Item=kept[name])
    for name in keys:
        table.delete_item(Key={"pk": scope.pk, "sk": name})
        assert not log.verification().valid, name
        table.put_item(Item=kept[name])
    assert log.verification().valid


@pytest.mark.hazard("H23")
def test_a_cut_tail_is_found_by_the_copy_elsewhere(bucket: None, scope: TenantScope) -> None:
    """H23: rows and head put back to an earlier state: the checkpoint in the bucket tells."""
    table = boto3.resource("dynamodb", region_name=REGION).Table(f"{PREFIX}-governance")
    public.record_audit(scope, [act(1), act(2)])
    head = table.get_item(Key={"pk": scope.pk, "sk": "AUDITHEAD"})["Item"]
    public.record_audit(scope, [act(3), act(4)])
    for place in (3, 4):
        table.delete_item(Key={"pk": scope.pk, "sk": f"AUDIT#{place:012d}"})
    table.put_item(Item=head)
    result = wiring.audit_of(scope).verification()
    assert (result.valid, result.first_bad_sequence) == (False, 3)


def _blind_extend(log: Any, old: Any, new: Any, entries: Any) -> None:
    """What a store would do that does not name the head it extends."""
    for _, entry in entries:
        log._item(entry).save()


@pytest.mark.hazard("H23")
@pytest.mark.bite("tidegate.governance.repository.audit.DynamoAudit.extend", _blind_extend)
def test_appends_at_once_make_one_chain(bucket: None, scope: TenantScope) -> None:
    """H23: sixteen appends at once, each of two acts, one of them the same: no fork, none lost."""
    common = [act(0, source_id=f"common-{number}") for number in range(3)]

    def append(worker: int, number: int) -> None:
        own = act(number, source_id=f"own-{worker}-{number}")
        public.record_audit(scope, [common[number], own])

    race(16, append, 3).assert_winners(16, loses_with=())
    audit = wiring.audit_of(scope)
    rows = list(wiring.audit_log(scope).entries())
    assert [row.place for row in rows] == list(range(1, 52))
    assert audit.verification().valid
    assert sign_hash(wiring.audit_keys(scope).make(), 51, rows[-1].hash) == rows[-1].mac
