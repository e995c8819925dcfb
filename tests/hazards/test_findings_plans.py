"""Plans: drift, replayed approvals, the reach of sessions, undo, kills (section G)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tidegate.findings.actions import ACTIONS, MARK, declared_actions
from tidegate.findings.plans.domain import Entry, Person, Plan, PlanDecision, PlanItem, plan_hash
from tidegate.findings.plans.errors import NotReversible, PlanExecuting, UndoExpired
from tidegate.findings.plans.executor import job_of
from tidegate.findings.plans.models import PlanRow
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.plans.wiring import plan_service, runs_of
from tidegate.findings.routes import router as findings
from tidegate.governance.routes import router as governance
from tidegate_kit import session_policy
from tidegate_kit.clock import Clock, FixedClock, system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.ids import new_id
from tidegate_kit.session_policy import Grant, policy_of
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.api import ApiClient
from tests.builders.members import sign_in
from tests.builders.plans import Team, add_finding, make_machine, run_machine
from tests.builders.remediation import SUBJECTS, RemediationWorld, remediation_world
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.builders.workflows import ENVIRONMENT
from tests.fakes.faults import Kind, enumerate_faults
from tests.fakes.races import race
from tests.fakes.strict_aws import StrictAws
from tests.fakes.strict_aws.policy_eval import Decision, Request, evaluate

LATER = datetime.now(UTC) + timedelta(days=40)  # uploads of the tests are old by then
ALL = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)


@pytest.fixture
def world(
    platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> RemediationWorld:
    # Half a thousand images of moto's own, and their snapshots, would be searched at every read.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    make_machine(monkeypatch)
    return remediation_world(platform, strict_aws)


@pytest.fixture
def team(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Team:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_machine(monkeypatch)
    owner = sign_in(roles=("client",), is_owner=True)
    connected = remediation_world(platform, strict_aws, tenant_id=owner.tenant_id)
    return Team(ApiClient([findings, governance], platform), owner, connected)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", {}).get("code", answer.text)


READS = frozenset(
    name for name in declared_actions() if name.partition(":")[2].startswith(("Describe", "Get"))
)


def writes_of(aws: StrictAws, since: int) -> list[str]:
    """Calls since then that change something in the customer's account."""
    own = {action.partition(":")[2] for action in declared_actions() - READS}
    return [f"{call[0]}.{call[1]}" for call in aws.calls[since:] if call[1] in own]


# ------------------------------------------------------------------ G26, G27


def _tamper(team: Team, plan: dict[str, Any], change: Callable[[PlanRow], None]) -> None:
    """Change a stored plan behind the product's back."""
    row = PlanRow.get(team.world.scope.pk, f"PLAN#{plan['id']}")
    change(row)
    row.save()


def _in_item(name: str, value: Any) -> Callable[[PlanRow], None]:
    def change(row: PlanRow) -> None:
        fixed = json.loads(json.dumps(row.fixed))
        fixed["items"][0][name] = value
        row.fixed = fixed

    return change


def _in_price(name: str, value: Any) -> Callable[[PlanRow], None]:
    def change(row: PlanRow) -> None:
        fixed = json.loads(json.dumps(row.fixed))
        fixed["items"][0]["price"][name] = value
        row.fixed = fixed

    return change


def _later(row: PlanRow) -> None:
    row.expires_at += timedelta(hours=1)


STORED: dict[str, Callable[[PlanRow], None]] = {
    "resource": _in_item("arn", f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:volume/vol-0badc0de"),
    "resource type": _in_item("type", "ec2:instance"),
    "account": _in_item("account_id", "333333333333"),
    "region": _in_item("region", "eu-west-1"),
    "fingerprint": _in_item("fingerprint", "0" * 64),
    "action": _in_item("action", "ec2.delete_volume"),
    "parameters": _in_item("parameters", {"volume_type": "io2", "iops": 64000}),
    "price": _in_price("monthly", "99.00"),
    "formula": _in_price("formula", "0"),
    "expiry": _later,
}


# What no look at the resource can tell: the hash alone does.
ONLY_HASHED = ("stored-action", "stored-parameters", "stored-price", "stored-expiry")


@pytest.mark.hazard("G26")
@pytest.mark.bite("tidegate.findings.plans.domain.Plan.intact", returns=True, cases=ONLY_HASHED)
@pytest.mark.bite(
    "tidegate.findings.plans.service.PlanService._drift", returns=None, cases=("live",)
)
@pytest.mark.parametrize(
    "where",
    [pytest.param(f"stored {name}", id=f"stored-{name}") for name in STORED]
    + [pytest.param(f"live {name}", id=f"live-{name}") for name in ("tag", "type", "gone")],
)
def test_anything_changed_after_the_approval_is_refused(team: Team, where: str) -> None:
    """G26: one changed field of what was approved, or of the resource: 409, 0 write calls."""
    subject = team.world.make("ec2.modify_volume")
    plan = team.plan(add_finding(team.world, subject))
    team.approve(plan)
    kind, _, name = where.partition(" ")
    if kind == "stored":
        _tamper(team, plan, STORED[name])
    else:
        ec2, id_ = team.world.customer.client("ec2"), subject.arn.rpartition("/")[2]
        if name == "tag":
            ec2.create_tags(Resources=[id_], Tags=[{"Key": "team", "Value": "other"}])
        elif name == "type":
            ec2.modify_volume(VolumeId=id_, VolumeType="io1", Iops=100)
        else:
            ec2.delete_volume(VolumeId=id_)
    since = len(team.world.aws.calls)
    answer = team.execute(plan)
    assert code(answer) == (409, "PLAN_DRIFT")
    assert answer.json()["error"]["details"], "it is not said what has changed"
    assert writes_of(team.world.aws, since) == []
    assert team.get(f"/waste/plans/{plan['id']}")["status"] == "approved"


@pytest.mark.hazard("G26")
def test_a_plan_of_another_connection_is_gone(team: Team) -> None:
    """G26: a plan whose connection is no longer ours is as absent as after a disconnect (CLI-2)."""
    plan = team.plan(add_finding(team.world, team.world.make("ec2.modify_volume")))
    team.approve(plan)
    _tamper(team, plan, _in_item("onboarding_id", new_id()))
    since = len(team.world.aws.calls)
    assert code(team.execute(plan)) == (404, "NOT_FOUND")
    assert writes_of(team.world.aws, since) == []


@pytest.mark.hazard("G26")
@pytest.mark.bite("tidegate.findings.plans.executor.Executor._refuse", replacement=(
    lambda self, account, entry, item, at: self._act(
        account, self._write(entry.to("acting", captured={"volume_type": "gp2"})), item, at
    )
))  # fmt: skip
def test_a_change_between_the_check_and_the_act_is_refused_at_the_item(team: Team) -> None:
    """G26: a resource that changes after execute was accepted is not touched: refused_drift."""
    subject = team.world.make("ec2.modify_volume")
    plan = team.plan(add_finding(team.world, subject))
    team.approve(plan)
    started = team.execute(plan).json()
    id_ = subject.arn.rpartition("/")[2]
    tags = [{"Key": "team", "Value": "other"}]
    team.world.customer.client("ec2").create_tags(Resources=[id_], Tags=tags)
    since = len(team.world.aws.calls)
    run_machine(team.owner.tenant_id, started)
    assert writes_of(team.world.aws, since) == [], "acted on a changed resource"
    shown = team.get(f"/waste/plans/{plan['id']}")
    assert (shown["status"], shown["items"][0]["status"]) == ("failed", "refused_drift")


@pytest.mark.hazard("G27")
@pytest.mark.bite("tidegate.findings.plans.service.must_be_bound", returns=None)
@pytest.mark.parametrize("how", ["other plan", "slipped in", "voteless"])
def test_an_approval_counts_for_its_own_plan_alone(team: Team, how: str) -> None:
    """G27: another plan's approval, an item slipped in, a plan marked approved: refused."""
    approved = team.planned("ec2.stop_instance")
    team.approve(approved)
    target = team.planned("ec2.stop_instance")
    extra = team.world.item(team.world.make("ec2.stop_instance"))

    def change(row: PlanRow) -> None:
        row.status = "approved"
        if how == "other plan":
            row.approval_id = approved["approval_id"]
        if how == "slipped in":
            fixed = json.loads(json.dumps(row.fixed))
            fixed["items"].append(json.loads(json.dumps(vars(extra))))
            row.fixed = fixed

    _tamper(team, approved if how == "slipped in" else target, change)
    since = len(team.world.aws.calls)
    answer = team.execute(approved if how == "slipped in" else target)
    wanted = "PLAN_NOT_APPROVED" if how == "voteless" else "PLAN_DRIFT"
    assert code(answer) == (409, wanted)
    assert writes_of(team.world.aws, since) == []


@pytest.mark.hazard("G27")
@pytest.mark.bite("tidegate.findings.plans.service._must_be_approved", returns=None)
def test_an_approved_plan_expires(team: Team) -> None:
    """G27: after its expiry an approved plan is refused, and its findings are open again."""
    finding = add_finding(team.world, team.world.make("ec2.stop_instance"))
    plan = team.plan(finding, expires_in_hours=1)
    team.approve(plan)
    late = FixedClock(system_clock() + timedelta(hours=1, seconds=1))
    service = plan_service(team.world.scope, late)
    with pytest.raises(Exception) as refused:
        service.execute(plan["id"], team.owner.user_id)
    assert getattr(refused.value, "code", "") == "PLAN_EXPIRED"
    assert team.get(f"/waste/findings/{finding.id}")["status"] == "open"


@pytest.mark.hazard("G27")
@pytest.mark.bite("tidegate.findings.plans.runs.Runs._mine", replacement=(
    lambda self, plan_id, run_id: self.plans.get(plan_id)
))  # fmt: skip
def test_a_message_of_another_run_does_nothing(team: Team) -> None:
    """G27: the machine's message with an id of another run, or of a plan not begun: no call."""
    plan = team.planned("ec2.stop_instance")
    team.approve(plan)
    since = len(team.world.aws.calls)
    runs = runs_of(team.world.scope)
    item = plan["items"][0]["item_id"]
    assert runs.begin(plan["id"], new_id()) == []
    assert runs.item(plan["id"], new_id(), item).done
    assert writes_of(team.world.aws, since) == []


# ----------------------------------------------------------------------- G28


def neighbours(arn: str) -> list[str]:
    """Other resources of the same service, account and region, and of other ones."""
    head, _, name = arn.rpartition("/" if "/" in arn else ":")
    cut = "/" if "/" in arn else ":"
    changed = f"{name[:-1]}{'0' if name[-1] != '0' else '1'}"
    return [
        f"{head}{cut}{changed}",
        f"{arn}x",
        arn.replace(CUSTOMER_ACCOUNT, "333333333333") if CUSTOMER_ACCOUNT in arn else f"{arn}2",
        arn.replace(REGION, "eu-west-1") if REGION in arn else f"{arn}3",
        f"{head}{cut}*",
        "*",
    ]


@pytest.mark.hazard("G28")
@pytest.mark.bite("tidegate.findings.plans.account.policy_of", returns=ALL)
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_plans_session_reaches_nothing_else(world: RemediationWorld, name: str) -> None:
    """G28: every other action and every neighbour's ARN is denied to each session of a plan."""
    subject = world.make(name)
    plan, item = store_plan(world, name=name, subject=subject)
    since = len(world.aws.sessions)
    forward(world, plan, LATER)
    action = ACTIONS[item.action]
    sessions = [one for one in world.aws.sessions[since:] if one.session_policies]
    assert sessions, "no session was cut down"
    own = {item.arn, item.arn.replace(f":{CUSTOMER_ACCOUNT}:", "::"), f"{item.arn}:*"}
    for session in sessions:
        assert all(len(json.dumps(one)) <= 2600 for one in session.session_policies)
        for tried in sorted(declared_actions() | {"ec2:TerminateInstances", "iam:CreateUser"}):
            targets = neighbours(item.arn)
            if tried not in action.iam_actions:
                targets = [*targets, *own]
            for arn in targets:
                request = Request(tried, arn, {})
                decision = evaluate(session.session_policies, request)
                if tried in READS:
                    continue
                assert decision is not Decision.ALLOW, f"{tried} on {arn}"


@pytest.mark.hazard("G28")
@pytest.mark.bite("tidegate.findings.plans.account.policy_of", returns=ALL)
def test_a_neighbour_called_with_the_plans_own_session_is_denied(world: RemediationWorld) -> None:
    """G28: calls really made with the session of a plan: neighbour and other action denied."""
    subject, neighbour = world.make("ec2.stop_instance"), world.make("ec2.stop_instance")
    item = world.item(subject)
    workshop = world.accounts(item)
    client = workshop.client("ec2", [Grant(("ec2:StopInstances",), (item.arn,))])
    id_, other = (one.arn.rpartition("/")[2] for one in (subject, neighbour))
    for call in (
        lambda: client.stop_instances(InstanceIds=[other]),
        lambda: client.stop_instances(InstanceIds=[id_, other]),
        lambda: client.start_instances(InstanceIds=[id_]),
        lambda: client.create_tags(Resources=[id_], Tags=[{"Key": "a", "Value": "b"}]),
        lambda: client.describe_instances(),
    ):
        with pytest.raises(ClientError) as denied:
            call()
        assert denied.value.response["Error"]["Code"] == "UnauthorizedOperation"
    client.stop_instances(InstanceIds=[id_])


@pytest.mark.hazard("G28")
@pytest.mark.bite("tidegate_kit.session_policy.literal", replacement=lambda text: text)
@pytest.mark.parametrize("name", ["*", "a?", "${aws:username}", "b*c", "$"])
def test_patterns_in_names_are_refused(name: str) -> None:
    """G28: a resource name that IAM would read as a pattern or variable never gets in a policy."""
    with pytest.raises(ValueError, match="refused"):
        Grant(("s3:AbortMultipartUpload",), (f"arn:aws:s3:::bucket/{name}",))


@pytest.mark.hazard("G28")
@pytest.mark.bite("tidegate_kit.session_policy.split", replacement=lambda grants: [ALL])
def test_what_is_too_long_is_split_and_never_widened() -> None:
    """G28: 300 resources: several policies of 2,048 characters that together allow just them."""
    arns = [f"arn:aws:s3:::bucket/{'k' * 60}-{number}" for number in range(300)]
    policies = session_policy.split([Grant(("s3:AbortMultipartUpload",), tuple(arns))])
    assert all(len(one) <= 2048 for one in policies)
    documents = [json.loads(one) for one in policies]
    named = [arn for one in documents for part in one["Statement"] for arn in part["Resource"]]
    assert sorted(named) == sorted(arns)
    assert {tuple(p["Action"]) for one in documents for p in one["Statement"]} == {
        ("s3:AbortMultipartUpload",)
    }
    with pytest.raises(ValueError, match="characters"):
        policy_of([Grant(("s3:AbortMultipartUpload",), tuple(arns))])


# ------------------------------------------------------------------ G29, G30


def store_plan(
    world: RemediationWorld, *, name: str, subject: Any = None, status: str = "executing"
) -> tuple[Plan, PlanItem]:
    """A plan with one item as if it had been approved and begun."""
    item = world.item(subject or world.make(name))
    now = system_clock()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    expires = now + timedelta(hours=72)
    run_id = new_id()
    kind: Any = status
    plan = Plan(
        id=new_id(), status=kind, plan_hash=plan_hash((item,), expires), items=(item,),
        decision=PlanDecision("allow", (), {}, 0, "client"),
        created_by=Person(new_id(), ("client",), None), created_at=LATER, expires_at=expires,
        execution_id=run_id, executed_at=now, run_id=run_id,
        run_deadline_at=now + timedelta(hours=8),
    )  # fmt: skip
    writes = Transaction()
    DynamoPlans(world.scope).add(writes, plan)
    writes.commit()
    return plan, item


def forward(world: RemediationWorld, plan: Plan, now: datetime | None = None) -> None:
    """The run, as the machine does it."""
    clock: Clock = system_clock if now is None else FixedClock(now)
    runs = runs_of(world.scope, clock)
    for item_id in runs.begin(plan.id, str(plan.run_id)):
        for _ in range(20):
            if runs.item(plan.id, str(plan.run_id), item_id).done:
                break
    runs.finish(plan.id, str(plan.run_id))


def entry_of(world: RemediationWorld, plan: Plan) -> Entry:
    found = DynamoPlans(world.scope).entry(plan.id, plan.items[0].id)
    assert found is not None
    return found


def undo(world: RemediationWorld, plan: Plan, clock: Clock = system_clock) -> Entry:
    started = plan_service(world.scope, clock).undo(plan.id, None, "somebody")
    forward(world, started)
    return entry_of(world, plan)


@pytest.mark.hazard("G29")
@pytest.mark.bite("tidegate.findings.plans.service.PlanService._undoable", replacement=(
    lambda self, plan, entries, item_ids: [item.id for item in plan.items]
), cases=("after",))  # fmt: skip
@pytest.mark.parametrize("seconds", [-1, 0, 1], ids=["before", "at", "after"])
def test_an_undo_at_its_deadline(world: RemediationWorld, seconds: int) -> None:
    """G29: until the deadline it works, one second after it is refused with its code."""
    plan, _ = store_plan(world, name="ec2.create_tags")
    forward(world, plan)
    until = entry_of(world, plan).undo_until
    assert until is not None
    clock = FixedClock(until + timedelta(seconds=seconds))
    if seconds <= 0:
        assert undo(world, plan, clock).step == "undone"
        return
    with pytest.raises(UndoExpired):
        undo(world, plan, clock)
    assert entry_of(world, plan).step == "done"


@pytest.mark.hazard("G29")
def test_an_undo_is_done_once(world: RemediationWorld) -> None:
    """G29: a second undo is a stated refusal and changes nothing."""
    plan, _ = store_plan(world, name="ec2.stop_instance")
    forward(world, plan)
    assert undo(world, plan).step == "undone"
    since = len(world.aws.calls)
    with pytest.raises(NotReversible):
        undo(world, plan)
    assert writes_of(world.aws, since) == []


@pytest.mark.hazard("G29")
@pytest.mark.bite("tidegate.findings.actions.ec2_instances.CreateTags.phase", returns="applied")
def test_an_undo_leaves_what_the_customer_has_changed(world: RemediationWorld) -> None:
    """G29: a tag that the customer has set to a third value stays; the refusal says so."""
    plan, item = store_plan(world, name="ec2.create_tags")
    forward(world, plan)
    id_ = item.arn.rpartition("/")[2]
    ec2 = world.customer.client("ec2")
    ec2.create_tags(Resources=[id_], Tags=[{"Key": "team", "Value": "third"}])
    entry = undo(world, plan)
    tags = {
        one["Key"]: one["Value"]
        for one in ec2.describe_volumes(VolumeIds=[id_])["Volumes"][0]["Tags"]
    }
    assert tags["team"] == "third", "the customer's change was overwritten"
    assert entry.step == "done"
    assert entry.problem is not None
    assert entry.problem.code == "CHANGED_SINCE"


@pytest.mark.hazard("G29")
@pytest.mark.bite(
    "tidegate.findings.plans.repository._superseded", replacement=contextlib.nullcontext
)
def test_eight_undos_at_once_are_one(world: RemediationWorld) -> None:
    """G29: 8 undos of one plan at once, 100 rounds: one starts, the others are refused."""
    plan, _ = store_plan(world, name="ec2.stop_instance")
    forward(world, plan)
    done = replace(entry_of(world, plan), version=0)
    plans = [_executed(world.scope, plan, done) for _ in range(100)]

    def attempt(worker: int, number: int) -> str:
        return str(plan_service(world.scope).undo(plans[number], None, f"u{worker}").run_id)

    outcome = race(8, attempt, rounds=100)
    outcome.assert_one_winner(loses_with=PlanExecuting)


def _executed(scope: TenantScope, of: Plan, entry: Entry) -> str:
    plan = replace(of, id=new_id(), status="executed", run_id=None)
    store, writes = DynamoPlans(scope), Transaction()
    store.add(writes, plan)
    writes.commit()
    store.write(replace(entry, plan_id=plan.id), system_clock())
    return plan.id


@dataclass
class Case:
    """One plan in one world, for one fault."""

    world: RemediationWorld
    plan: Plan
    item: PlanItem


KILLS = (Kind.KILL_BEFORE, Kind.KILL_AFTER)


def _cases() -> list[Any]:
    kills = [pytest.param(name, KILLS, id=f"{name}, kills") for name in SUBJECTS]
    other = tuple(kind for kind in Kind if kind not in KILLS)
    slow = [
        pytest.param(name, other, marks=pytest.mark.slow, id=f"{name}, other faults")
        for name in SUBJECTS
    ]
    return [*kills, *slow]


def _counted(service: str, operation: str) -> bool:
    # Opening a session changes nothing, and a failing one is the failing read after it.
    return service != "sts"


@pytest.mark.hazard("G30")
@pytest.mark.parametrize(("name", "kinds"), _cases())
def test_kill_the_executor_anywhere(
    world: RemediationWorld, name: str, kinds: tuple[Kind, ...]
) -> None:
    """G30: died at any call: done once, undo entry before the act, one ledger entry."""

    @contextlib.contextmanager
    def fresh() -> Iterator[Case]:
        plan, item = store_plan(world, name=name)
        yield Case(world, plan, item)

    def run(case: Case) -> None:
        forward(case.world, case.plan, LATER)

    def holds(case: Case) -> None:
        entry = entry_of(case.world, case.plan)
        assert entry.step == "done", entry
        assert entry.problem is None
        action = ACTIONS[case.item.action]
        found = case.world.read(case.item.ref)
        assert action.phase(found, job_of(entry, case.item, LATER)) == "applied"
        plans = DynamoPlans(case.world.scope)
        assert plans.get(case.plan.id).status == "executed"
        assert plans.ledger_entry(case.plan.id, case.item.id) is not None
        assert len(_marked(case)) == (1 if name == "ec2.delete_volume" else 0)

    enumerate_faults(
        run, run, holds, fresh, name=f"execute {name}", counts=_counted, kinds=kinds, redeliveries=1
    )


def _marked(case: Case) -> list[str]:
    marks = [{"Name": f"tag:{MARK}", "Values": [case.item.id]}]
    ec2 = case.world.customer.client("ec2")
    found = ec2.describe_snapshots(OwnerIds=["self"], Filters=marks)["Snapshots"]
    return [one["SnapshotId"] for one in found]


REVERSIBLE = [name for name in SUBJECTS if ACTIONS[name.partition(" ")[0]].reversible]


@pytest.mark.hazard("G30")
@pytest.mark.parametrize("name", REVERSIBLE)
def test_kill_the_undo_anywhere(world: RemediationWorld, name: str) -> None:
    """G30: an undo that died at any call ends as one undo: one volume, no snapshot left."""

    @contextlib.contextmanager
    def fresh() -> Iterator[Case]:
        plan, item = store_plan(world, name=name)
        forward(world, plan)
        started = plan_service(world.scope).undo(plan.id, None, "somebody")
        yield Case(world, started, item)

    def run(case: Case) -> None:
        forward(case.world, case.plan)

    def holds(case: Case) -> None:
        entry = entry_of(case.world, case.plan)
        assert (entry.step, entry.problem) == ("undone", None), entry
        if name != "ec2.delete_volume":
            found = case.world.read(case.item.ref)
            job = job_of(entry, case.item, LATER)
            assert ACTIONS[case.item.action].phase(found, job) == "before"
            return
        assert _marked(case) == []
        source = [{"Name": "snapshot-id", "Values": [entry.captured["snapshot_id"]]}]
        made = case.world.customer.client("ec2").describe_volumes(Filters=source)["Volumes"]
        assert [one["VolumeId"] for one in made] == [entry.restored["volume_id"]]

    enumerate_faults(
        run, run, holds, fresh, name=f"undo {name}", counts=_counted, kinds=KILLS, redeliveries=1
    )


@pytest.mark.hazard("G30")
def test_irreversible_actions_need_two_others(team: Team) -> None:
    """G30: an irreversible plan with one approver is not executed; the requester never counts."""
    # Policies that would let anything happen at once change nothing about that.
    for policy in team.get("/governance/policies")["policies"]:
        path = f"/governance/policies/{policy['id']}"
        off = team.client.put(path, json={"enabled": False}, headers=team.owner.headers)
        assert off.status_code == 200, off.text
    text = 'permit (principal, action == Action::"logs.put_retention", resource);'
    made = team.post("/governance/policies", {"name": "At once", "text": text})
    assert made.status_code == 201, made.text
    plan = team.planned("logs.put_retention")
    assert (plan["status"], plan["decision"]["quorum"]) == ("pending_approval", 2)
    vote = {"subject_hash": plan["plan_hash"]}
    path = f"/approvals/{plan['approval_id']}/approve"
    assert code(team.post(path, vote)) == (403, "SELF_APPROVAL")
    assert team.post(path, vote, team.colleague(0)).status_code == 200
    assert code(team.post(path, vote, team.colleague(0))) == (409, "ALREADY_DECIDED")
    assert code(team.execute(plan)) == (409, "PLAN_NOT_APPROVED")
    assert team.post(path, vote, team.colleague(1)).status_code == 200
    assert team.execute(plan).status_code == 202
