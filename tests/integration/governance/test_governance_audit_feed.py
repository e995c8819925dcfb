"""From a table's write over stream and bus into the tenant's log (GOV-5, EVT-5)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from pynamodb.models import Model
from tidegate.events import tasks as events
from tidegate.events.audit import AUDITORS, audit_events
from tidegate.events.stream import read_change
from tidegate.events.wiring import publisher_of
from tidegate.findings.plans.models import EntryRow, PlanRow
from tidegate.governance import public, tasks, wiring
from tidegate.governance.models import ApprovalItem, DecisionItem, PolicyVersionItem
from tidegate.governance.repository.approvals import ApprovalFilters
from tidegate.governance.repository.audit import AuditFilters
from tidegate.governance.repository.policies import DynamoPolicies
from tidegate.identity.models import ErasureItem, InvitationItem, LoginFailureItem
from tidegate.integrations.models import SecretItem
from tidegate.onboarding.models import AccountItem
from tidegate.workflows.models import ApprovalItem as StepApprovalItem
from tidegate_kit.auth.models import SessionItem, TenantItem, UserItem
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.governance import FORBID, HASH, NOW, act, add_approval
from tests.builders.members import sign_in
from tests.builders.settings import PREFIX, REGION
from tests.builders.workflows import BUCKET
from tests.unit.events.test_publisher import publish

TENANT, USER, OTHER, ID = (new_id() for _ in range(4))
PK = f"T#{TENANT}"
SECRET = "canary-4711-secret-value"
BUS = "tidegate-test"


def image(item: Model) -> dict[str, Any]:
    stored: dict[str, Any] = item.serialize(null_check=False)
    for value in stored.values():
        if "B" in value:  # a record is JSON
            value["B"] = base64.b64encode(value["B"]).decode()
    return stored


def record(new: Model | None, old: Model | None = None, sequence: str = "100") -> dict[str, Any]:
    """The stream's record of a write of these very models."""
    shown = new or old
    assert shown is not None
    written = image(shown)
    table = type(shown).Meta.table_name
    body: dict[str, Any] = {
        "Keys": {"pk": written["pk"], "sk": written["sk"]}, "SequenceNumber": sequence,
        "ApproximateCreationDateTime": NOW.timestamp(),
    }  # fmt: skip
    for name, item in (("NewImage", new), ("OldImage", old)):
        if item is not None:
            body[name] = image(item)
    arn = f"arn:aws:dynamodb:{REGION}:123456789012:table/{PREFIX}-{table}/stream/x"
    return {"eventSourceARN": arn, "dynamodb": body}


def told(new: Model | None, old: Model | None = None) -> list[tuple[str, str, str, str]]:
    """(action, actor's type and id, resource, outcome) of what is audited, without any secret."""
    made = audit_events(read_change(record(new, old), PREFIX))
    assert SECRET not in json.dumps([dict(event.detail) for event in made])
    for event in made:
        assert event.source == "tidegate-internal.audit"
        assert event.detail["tenant_id"] == TENANT
    datas = [event.detail["data"] for event in made]
    return [
        (
            data["action"], f"{data['actor']['type']} {data['actor']['id']}".strip(),
            f"{data['resource']['type']} {data['resource']['id']}", data["outcome"],
        )
        for data in datas
    ]  # fmt: skip


def stamped(kind: type[Any], sk: str, pk: str = PK, **values: Any) -> Any:
    return kind(pk, sk, created_at=NOW, updated_at=NOW, **values)


def session(**changes: Any) -> SessionItem:
    values: dict[str, Any] = {
        "id": ID, "tenant_id": TENANT, "user_id": USER, "refresh_hash": SECRET,
        "csrf_key": SECRET.encode(), "ip": "203.0.113.9", "user_agent": "test",
        "last_used_at": NOW, "absolute_expires_at": NOW, "expires": 1, **changes,
    }  # fmt: skip
    made: SessionItem = stamped(SessionItem, f"USER#{USER}#SESSION#{ID}", **values)
    return made


def user(**changes: Any) -> UserItem:
    values: dict[str, Any] = {
        "id": USER, "tenant_id": TENANT, "email": "a@example.com", "password_hash": SECRET,
        "first_name": "A", "last_name": "B", "company": "C", "tokens_valid_from": NOW,
        "roles": {"user"}, **changes,
    }  # fmt: skip
    made: UserItem = stamped(UserItem, f"USER#{USER}", **values)
    return made


def account(**changes: Any) -> AccountItem:
    values: dict[str, Any] = {
        "revision": 1, "id": ID, "tenant_id": TENANT, "account_id": "2" * 12, "method": "role",
        "tier": "read", "regions": [], "status": "pending", "actor": USER,
        "external_id": SECRET, "sealed_keys": SECRET, "refusal_fix": SECRET, **changes,
    }  # fmt: skip
    made: AccountItem = stamped(AccountItem, f"ACCOUNT#{ID}", **values)
    return made


def secret(value: str = SECRET, **changes: Any) -> SecretItem:
    made: SecretItem = stamped(SecretItem, "SECRET#db", id="db", version=1, value=value, **changes)
    return made


def ballot(user_id: str, decision: str = "approve") -> dict[str, str]:
    return {
        "user_id": user_id, "email": "v@example.com", "decision": decision, "comment": SECRET,
        "decided_at": "2026-03-02T14:30:00Z", "subject_hash": HASH,
    }  # fmt: skip


def step_approval(status: str, *votes: dict[str, str]) -> StepApprovalItem:
    made: StepApprovalItem = stamped(
        StepApprovalItem, f"APPROVAL#{ID}", tenant_id=TENANT, id=ID, execution_id="e",
        workflow_id="w", step_id="s", subject_hash=HASH, title="t", description="d",
        status=status, requested_by=USER, requested_at=NOW, quorum=1, approver_role="client",
        approvers=[], votes=list(votes), task_token=SECRET, expires_at=NOW, expires=1,
    )  # fmt: skip
    return made


def approval(status: str, *votes: dict[str, str], closed_by: str | None = None) -> ApprovalItem:
    made: ApprovalItem = stamped(
        ApprovalItem, f"APPROVAL#{ID}", gsi1pk="x", gsi1sk="y", id=ID, subject_type="plan",
        subject_id="p", subject_hash=HASH, title="t", description="d", status=status,
        requested_by=USER, requested_at=NOW, quorum=1, approver_role="client",
        votes=list(votes), policy_ids=[], expires_at=NOW, revision=1, closed_by=closed_by,
    )  # fmt: skip
    return made


def version(change: str) -> PolicyVersionItem:
    made: PolicyVersionItem = stamped(
        PolicyVersionItem, f"POLICYV#{ID}#00000002", id=ID, name="n", version=2, text=FORBID,
        enabled=True, change=change, created_by=USER,
    )  # fmt: skip
    return made


def plan(status: str, **changes: Any) -> PlanRow:
    made: PlanRow = stamped(
        PlanRow, f"PLAN#{ID}", gsi1pk="x", gsi1sk="y", id=ID, tenant_id=TENANT, status=status,
        plan_hash=HASH, fixed={}, created_by=USER, expires_at=NOW, item_count=1, version=1,
        **changes,
    )  # fmt: skip
    return made


def entry(step: str) -> EntryRow:
    made: EntryRow = stamped(
        EntryRow, f"PLANITEM#{ID}#1", plan_id=ID, item_id="1", step=step, captured={}, result={},
        restored={}, version=1,
    )  # fmt: skip
    return made


def failure() -> LoginFailureItem:
    made: LoginFailureItem = stamped(
        LoginFailureItem, "FAILURE#x", at=NOW, ip="203.0.113.9", path="/auth/login", status=401,
        code="AUTHENTICATION_REQUIRED", user_id=USER, expires=1,
    )  # fmt: skip
    return made


def invitation(status: str = "pending") -> InvitationItem:
    made: InvitationItem = stamped(
        InvitationItem, f"INVITE#{ID}", id=ID, tenant_id=TENANT, email="x@example.com",
        roles={"client"}, status=status, token_hash=SECRET, expires_at=NOW, invited_by=OTHER,
        expires=int(NOW.timestamp()) + 9,
    )  # fmt: skip
    return made


def tenant(**changes: Any) -> TenantItem:
    values: dict[str, Any] = {
        "id": TENANT, "name": "T", "is_active": True, "list_key": b"k" * 32, **changes
    }  # fmt: skip
    made: TenantItem = stamped(TenantItem, "TENANT", **values)
    return made


def erasure() -> ErasureItem:
    made: ErasureItem = stamped(
        ErasureItem, f"USER#{TENANT}#{USER}", "ERASURES", tenant_id=TENANT, user_id=USER,
        requested_by=OTHER,
    )  # fmt: skip
    return made


ME, HIM, NOBODY = f"user {USER}", f"user {OTHER}", "user"
VOTER = f"user {OTHER}"
CHANGES: dict[str, tuple[Model | None, Model | None, list[tuple[str, str, str, str]]]] = {
    "login": (session(), None, [("auth.login", ME, f"session {ID}", "success")]),
    "logout": (session(revoked_at=NOW), session(),
               [("auth.session_ended", ME, f"session {ID}", "success")]),
    "use of a session": (session(last_used_at=NOW + timedelta(1)), session(), []),
    "session gone": (None, session(), []),
    "refused login": (failure(), None, [("auth.login", "anonymous", f"user {USER}", "failure")]),
    "new member": (user(), None, [("member.joined", ME, f"user {USER}", "success")]),
    "role": (user(roles={"client"}, updated_by=OTHER), user(),
             [("member.changed", HIM, f"user {USER}", "success")]),
    "owner": (user(is_owner=True, updated_by=OTHER), user(),
              [("member.changed", HIM, f"user {USER}", "success")]),
    "password": (user(password_hash="other"), user(),
                 [("member.password_changed", ME, f"user {USER}", "success")]),
    "name": (user(first_name="Z"), user(), []),
    "removed": (erasure(), None, [("member.removed", HIM, f"user {USER}", "success")]),
    "invited": (invitation(), None,
                [("invitation.created", HIM, f"invitation {ID}", "success")]),
    "accepted": (invitation("accepted"), invitation(),
                 [("invitation.accepted", NOBODY, f"invitation {ID}", "success")]),
    "withdrawn": (None, invitation(),
                  [("invitation.withdrawn", NOBODY, f"invitation {ID}", "success")]),
    "new tenant": (tenant(), None, [("tenant.created", "system", f"tenant {TENANT}", "success")]),
    "tenant off": (tenant(is_active=False), tenant(),
                   [("tenant.changed", "system", f"tenant {TENANT}", "success")]),
    "asked to connect": (account(), None,
                         [("connection.pending", ME, f"connection {ID}", "success")]),
    "connected": (account(status="connected", actor="stack"), account(),
                  [("connection.connected", "system stack", f"connection {ID}", "success")]),
    "refused": (account(status="refused", refusal_code="NO_ROLE"), account(),
                [("connection.refused", ME, f"connection {ID}", "failure")]),
    "disconnected": (account(status="disconnected"), account(status="connected"),
                     [("connection.disconnected", ME, f"connection {ID}", "success")]),
    "tier": (account(tier="remediate"), account(),
             [("connection.tier_changed", ME, f"connection {ID}", "success")]),
    "keys": (account(keys_set_at=NOW), account(),
             [("connection.keys_set", ME, f"connection {ID}", "success")]),
    "probe": (account(last_verified_at=NOW), account(), []),
    "secret": (secret(), None, [("secret.stored", NOBODY, "secret db", "success")]),
    "secret again": (secret("x"), secret(), [("secret.replaced", NOBODY, "secret db", "success")]),
    "secret gone": (None, secret(), [("secret.deleted", NOBODY, "secret db", "success")]),
    "secret by": (secret(updated_by=USER), None,
                  [("secret.stored", ME, "secret db", "success")]),
    "secret about to go": (secret(updated_by=OTHER), secret(updated_by=USER), []),
    "secret removed by": (None, secret(updated_by=OTHER),
                          [("secret.deleted", HIM, "secret db", "success")]),
    "step asks": (step_approval("pending"), None,
                  [("approval.requested", ME, f"approval {ID}", "success")]),
    "step approved": (step_approval("approved", ballot(OTHER)), step_approval("pending"),
                      [("approval.approve", VOTER, f"approval {ID}", "success"),
                       ("approval.approved", VOTER, f"approval {ID}", "success")]),
    "plan asks": (approval("pending"), None,
                  [("approval.requested", ME, f"approval {ID}", "success")]),
    "first of two": (approval("pending", ballot(OTHER)), approval("pending"),
                     [("approval.approve", VOTER, f"approval {ID}", "success")]),
    "rejected": (approval("rejected", ballot(OTHER, "reject"), closed_by=OTHER),
                 approval("pending"),
                 [("approval.reject", VOTER, f"approval {ID}", "success"),
                  ("approval.rejected", VOTER, f"approval {ID}", "success")]),
    "cancelled": (approval("cancelled", closed_by=USER), approval("pending"),
                  [("approval.cancelled", ME, f"approval {ID}", "success")]),
    "expired": (approval("expired", closed_by="system"), approval("pending"),
                [("approval.expired", "system system", f"approval {ID}", "success")]),
    "policy": (version("created"), None, [("policy.created", ME, f"policy {ID}", "success")]),
    "policy gone": (version("deleted"), None, [("policy.deleted", ME, f"policy {ID}", "success")]),
    "plan made": (plan("pending_approval"), None,
                  [("plan.pending_approval", ME, f"plan {ID}", "success")]),
    "plan begun": (plan("executing", executed_by=OTHER), plan("approved"),
                   [("plan.executing", HIM, f"plan {ID}", "success")]),
    "plan failed": (plan("failed"), plan("executing"),
                    [("plan.failed", "system", f"plan {ID}", "failure")]),
    "step done": (entry("done"), entry("acting"),
                  [("plan.step.done", "system", "plan_item 1", "success")]),
    "step drifted": (entry("refused_drift"), entry("pending"),
                     [("plan.step.refused_drift", "system", "plan_item 1", "failure")]),
    "step begun": (entry("acting"), entry("pending"), []),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_acts_are_told_and_nothing_else(name: str) -> None:
    """GOV-5: logins, roles, connections, approvals, plan steps, policies, secrets; no secret."""
    new, old, expected = CHANGES[name]
    assert told(new, old) == expected


def test_what_its_time_removed_nobody_did() -> None:
    gone = invitation()
    gone.expires = NOW.timestamp() - 1
    assert told(None, gone) == []


def test_every_table_with_acts_has_an_auditor() -> None:
    assert set(AUDITORS) == {
        "identity", "onboarding", "integrations", "workflows", "governance", "findings",
    }  # fmt: skip


# ---------------------------------------------------------------------- the whole way


@pytest.fixture
def bus(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The bus with the audit function's rule; gives what the function would get."""
    client = boto3.client("events", region_name=REGION)
    sqs = boto3.client("sqs", region_name=REGION)
    client.create_event_bus(Name=BUS)
    url = sqs.create_queue(QueueName="audit")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    pattern = json.dumps({"source": ["tidegate-internal.audit"]})
    client.put_rule(Name="audit", EventBusName=BUS, EventPattern=pattern)
    client.put_targets(
        Rule="audit", EventBusName=BUS, Targets=[{"Id": "1", "Arn": arn["QueueArn"]}]
    )
    monkeypatch.setenv("EVENT_BUS_NAME", BUS)
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    settings_of.cache_clear()
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)

    def heard() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            if "Messages" not in answer:
                return found
            found += [json.loads(message["Body"]) for message in answer["Messages"]]

    yield heard
    publisher_of.cache_clear()


@pytest.mark.hazard("H2")
@pytest.mark.bite(
    "tests.integration.governance.test_governance_audit_feed.appended",
    lambda event: public.record_audit(TenantScope(event["detail"]["tenant_id"]), [act(1)]),
)
def test_a_login_is_in_the_log_once_however_often_it_is_delivered(bus: Any) -> None:
    """H2: a stream record that comes three times, an event that comes twice: one entry."""
    who = sign_in()
    rows = [row for row in SessionItem.query(f"T#{who.tenant_id}") if "#SESSION#" in row.sk]
    for _ in range(3):
        done = events.publish({"Records": [record(rows[0], sequence="7")]}, None)
        assert done == {"batchItemFailures": []}
    for event in [each for each in bus() for _ in range(2)]:
        appended(event)
    log = wiring.audit_of(TenantScope(who.tenant_id))
    entries, total, _ = log.page(AuditFilters(), 0, 10, None)
    assert total == 1
    assert (entries[0].action, entries[0].actor_id) == ("auth.login", who.user_id)
    assert entries[0].actor_email == who.email
    assert log.verification().valid


def appended(event: dict[str, Any]) -> None:
    tasks.append_audit(event, None)


def test_nothing_is_entered_for_a_tenant_that_is_gone(bus: Any) -> None:
    gone = new_id()
    rows = record(session())
    rows["dynamodb"]["Keys"]["pk"] = rows["dynamodb"]["NewImage"]["pk"] = {"S": f"T#{gone}"}
    events.publish({"Records": [rows]}, None)
    (event,) = bus()
    assert tasks.append_audit(event, None) == {"added": 0}
    assert wiring.audit_log(TenantScope(gone)).head() is None


@pytest.mark.hazard("B18")
@pytest.mark.bite("tidegate.events.mappings.governance._alert", returns={})
def test_a_decision_that_could_not_be_made_alerts(platform: Settings) -> None:
    """B18: a policy that fails raises system.alert, derived from the recorded decision."""
    scope = TenantScope(new_id())
    overflow = f"{FORBID[:-1]} when {{ context.item_count * 9223372036854775807 > 1 }};"
    policies = wiring.policies_of(scope)
    policies.create("n", overflow, enabled=True, by="u")
    decided = public.decide(
        scope, public.PolicyPrincipal("u", ("client", "user")), "ec2.delete_volume",
        public.PolicyResource("arn", "ec2:volume"), public.PolicyContext(item_count=2),
    )  # fmt: skip
    assert decided.effect == "deny"
    (row,) = DecisionItem.query(scope.pk, DecisionItem.sk.startswith("DECISION#"))
    heard, failed = publish(record(row))
    assert failed == []
    (alert,) = (event for event in heard.events if event.type == "system.alert")
    data = alert.detail["data"]
    assert (data.get("component"), data.get("decision_id")) == ("policy", decided.id)


def test_policies_and_approvals_are_told_to_others(platform: Settings) -> None:
    for new, old, expected in (
        (version("created"), None, "policy.changed"),
        (approval("pending"), None, "approval.requested"),
        (approval("approved", ballot(OTHER)), approval("pending"), "approval.decided"),
        (approval("rejected", ballot(OTHER)), approval("pending"), "approval.decided"),
        (approval("expired"), approval("pending"), "approval.expired"),
    ):
        heard, failed = publish(record(new, old))
        assert ([event.type for event in heard.events], failed) == ([expected], [])
        assert SECRET not in json.dumps(heard.events[0].detail)
    for new, old in (
        (approval("cancelled"), approval("pending")),
        (approval("pending"), approval("pending")),
    ):
        assert publish(record(new, old))[0].events == []


# ---------------------------------------------------------------------- schedule, deletion


def test_the_schedule_closes_what_is_over_in_every_tenant(platform: Settings) -> None:
    """EVT-6: every five minutes; what is pending stays."""
    one, two = sign_in(), sign_in()
    past = FixedClock(system_clock() - timedelta(days=2))
    over = [
        add_approval(
            TenantScope(who.tenant_id), "u", clock=past, expires_at=past() + timedelta(hours=1)
        )
        for who in (one, two)
    ]
    open_ = add_approval(TenantScope(one.tenant_id), "u")
    assert tasks.expire_approvals({}, None) == {"closed": 2}
    assert tasks.expire_approvals({}, None) == {"closed": 0}
    for who, id_ in zip((one, two), over, strict=True):
        store = wiring.approval_store(TenantScope(who.tenant_id))
        assert store.get(id_).status == "expired"
        assert store.get(id_).closed_by == "system"
    pending = ApprovalFilters(system_clock(), "pending")
    store = wiring.approval_store(TenantScope(one.tenant_id))
    assert [each.id for each in store.newest(pending, None)] == [open_]


def test_a_deleted_tenant_leaves_nothing(bus: Any) -> None:
    mine, other = TenantScope(new_id()), TenantScope(new_id())
    for scope in (mine, other):
        public.record_audit(scope, [act(number) for number in range(5)])
        add_approval(scope, "u")
        wiring.policies_of(scope).create("n", FORBID, enabled=True, by="u")
    rounds = 0
    while not public.forget_tenant(mine, 4):
        rounds += 1
        assert rounds < 20
    assert rounds >= 4
    client = boto3.client("dynamodb", region_name=REGION)
    left = client.scan(TableName=f"{PREFIX}-governance")["Items"]
    assert left
    assert mine.tenant_id not in json.dumps([str(row) for row in left])
    objects = boto3.client("s3", region_name=REGION).list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [each["Key"] for each in objects] == [f"audit/{other.tenant_id}/checkpoint.json"]
    assert public.forget_tenant(mine, 4)
    assert len(DynamoPolicies(other).all()) == 3
