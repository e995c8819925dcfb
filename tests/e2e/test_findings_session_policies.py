"""The sessions of every planned action on the local cloud's IAM: the plan, nothing else (FND-8).

For each action of FND-12 the product's own code carries an item out and undoes it, in sessions that
it opens as it does on AWS: the platform's role, the customer's role of the template, the session
policy made of the action's grants. Then the keys of every one of these sessions are tried: each
call of each action, on the planned resource, on a neighbour of its kind, on resources of all other
kinds, and calls that no plan asks for. Only what belongs to the item may pass.

The limits of the double: it has no classic load balancers, so that one is deleted by the name of
none (IAM is asked before the service, as on AWS). Its IAM is not asked about what a call is about
to make (the mark of a new snapshot or volume): the last test has that from our own evaluator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import boto3
import pytest
from tidegate.discovery.public import Found, ResourceRef, declared_actions
from tidegate.findings.actions import ACTIONS, MARK, Job
from tidegate.findings.actions import declared_actions as remediation_actions
from tidegate.findings.plans.account import SessionWorkshop
from tidegate.findings.plans.domain import Entry, PlanItem
from tidegate.findings.plans.executor import Executor
from tidegate_kit import clients
from tidegate_kit.aws_session import CustomerAccess, CustomerSession
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings

from tests.builders.remediation import SUBJECTS, Subject, ec2_arn, plan_item, role_policies
from tests.builders.session_probes import FOREIGN, PROBES, SAMPLES, Probe, denied, neighbour
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION, settings
from tests.e2e.conftest import RunningCloud
from tests.fakes.findings_plans import MemoryPlans
from tests.fakes.strict_aws import Decision, Request, evaluate
from tests.fakes.strict_aws.customer import Account

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]
READING = ("Describe", "Get", "List")
LATER = system_clock() + timedelta(days=40)  # unfinished uploads are old by then

# The double has no classic load balancers: the name of one that does not exist.
CLASSIC = Subject(
    "elb.delete_load_balancer",
    "elb:load-balancer",
    f"arn:aws:elasticloadbalancing:{REGION}:{CUSTOMER_ACCOUNT}:loadbalancer/classic",
)


@dataclass
class Customer:
    """The customer's account on the local cloud with the role of the template, and ways in."""

    account: Account
    access: CustomerAccess
    role_arn: str
    external_id: str

    def session(self, policy: str | None) -> CustomerSession:
        """A session of the role, as the product opens it."""
        return self.access.assume(self.role_arn, self.external_id, purpose="plan", policy=policy)

    @property
    def uncut(self) -> CustomerSession:
        """A session that no policy cuts down: what the role itself may do."""
        return self.session(None)


@dataclass
class Opened:
    """The sessions of one item, by their policies, and how the item ended."""

    item: PlanItem
    by_policy: dict[str, CustomerSession] = field(default_factory=dict)
    entry: Entry | None = None

    @property
    def own(self) -> set[str]:
        """What belongs to the item, as IAM names it: the resource and what was made for it."""
        arns = {_as_iam(self.item.arn)}
        captured = self.entry.captured if self.entry else {}
        restored = self.entry.restored if self.entry else {}
        snapshots = [captured.get("snapshot_id"), *captured.get("snapshot_ids", [])]
        arns |= {_as_iam(ec2_arn("snapshot", one)) for one in snapshots if one}
        arns |= {f"{self.item.arn}/{one['key']}" for one in captured.get("uploads", [])}
        if "volume_id" in restored:
            arns.add(ec2_arn("volume", restored["volume_id"]))
        return arns


def _as_iam(arn: str) -> str:
    """Images and snapshots are named without an account."""
    parts = arn.split(":", 5)
    if parts[2] == "ec2" and parts[5].startswith(("image/", "snapshot/")):
        parts[4] = ""
    return ":".join(parts)


@pytest.fixture(scope="module")
def customer(cloud: RunningCloud) -> Iterator[Customer]:
    """The account connected for remediation; this process calls the local cloud meanwhile."""
    role = cloud.outputs["stack_outputs"]["OnboardingRoleArn"]
    with pytest.MonkeyPatch.context() as patched:
        yield connected(patched, cloud.config.aws_endpoint, cloud.config.platform_account, role)
    clients.platform_client.cache_clear()


def connected(patched: pytest.MonkeyPatch, endpoint: str, platform: str, role_arn: str) -> Customer:
    """Make the customer's role, and let the product's code reach the local cloud."""
    patched.setenv("AWS_ENDPOINT_URL", endpoint)
    patched.setenv("AWS_ACCESS_KEY_ID", platform)
    patched.setenv("AWS_SECRET_ACCESS_KEY", "local")
    patched.delenv("AWS_SESSION_TOKEN", raising=False)
    patched.delenv("AWS_PROFILE", raising=False)
    clients.platform_client.cache_clear()
    account = Account(CUSTOMER_ACCOUNT, boto3.Session(CUSTOMER_ACCOUNT, "local"))
    external_id, name = new_id(), f"TidegateAccess-{new_id()[:8]}"
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": role_arn},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    reads = {"Effect": "Allow", "Action": ["iam:GetRole", *declared_actions()], "Resource": "*"}
    arn = account.create_role(
        name,
        {"Version": "2012-10-17", "Statement": [trust]},
        {
            "read": {"Version": "2012-10-17", "Statement": [reads]},
            "remediate": role_policies("remediate")["tidegate-remediate"],
        },
    )
    access = CustomerAccess(settings(Settings, onboarding_role_arn=role_arn), new_id())
    return Customer(account, access, arn, external_id)


def subject_of(account: Account, name: str) -> Subject:
    """The resource of an action, made on the local cloud."""
    if name == CLASSIC.action:
        return CLASSIC
    if name != "ec2.deregister_image":
        return SUBJECTS[name](account)
    ec2 = account.client("ec2")
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=10)["VolumeId"]
    disk = {"SnapshotId": ec2.create_snapshot(VolumeId=volume)["SnapshotId"]}
    image = ec2.register_image(
        Name=new_id(),
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": disk}],
    )
    return Subject(name, "ec2:image", ec2_arn("image", image["ImageId"]))


def carried_out(customer: Customer, name: str) -> Opened:
    """The sessions of an item that was executed and, where that can be, undone."""
    subject = subject_of(customer.account, name)
    ref = ResourceRef(CUSTOMER_ACCOUNT, REGION, subject.type, subject.arn)
    blind = Found(subject.arn, subject.type, REGION)
    opened = Opened(plan_item(subject, blind, ""))

    def open_session(policy: str) -> CustomerSession:
        opened.by_policy[policy] = customer.session(policy)
        return opened.by_policy[policy]

    workshop = SessionWorkshop(REGION, open_session)
    if subject is CLASSIC:
        ACTIONS[name].act(workshop, Job(new_id(), ref, {}, LATER))  # a denial would be raised
        return opened
    found = workshop.read(ref, LATER)
    assert found is not None, subject
    opened.item = plan_item(subject, found, "")
    executor = Executor(MemoryPlans(), lambda item: workshop, lambda: LATER)
    opened.entry = _until(lambda: executor.advance("plan", opened.item, LATER), "done")
    if opened.item.reversible:
        opened.entry = _until(lambda: executor.step_back("plan", opened.item, LATER), "undone")
    return opened


def _until(step: Callable[[], Entry], wanted: str) -> Entry:
    for _ in range(20):
        entry = step()
        if entry.step == wanted and entry.problem is None:
            return entry
        assert entry.problem is None, entry
    raise AssertionError(f"never {wanted}: {entry}")


def _probe(action: str, arn: str) -> Probe | None:
    return next((one for one in PROBES[action] if one.fits(arn)), None)


# Granted for what is being made alone, by a condition that no other call meets.
ONLY_WHEN_MAKING = {"ec2.delete_volume": {"ec2:CreateTags"}}


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_plans_sessions_reach_the_plan_alone(customer: Customer, name: str) -> None:
    """Every call outside the item is denied by the local IAM, in every session of the item."""
    opened = carried_out(customer, name)
    action = ACTIONS[opened.item.action]
    passed: set[str] = set()
    tried = refused = 0
    strangers = sorted({*(neighbour(arn) for arn in opened.own), *SAMPLES})
    for session in opened.by_policy.values():
        for called in PROBES:
            for arn in (*sorted(opened.own), *strangers):
                probe = _probe(called, arn)
                if probe is None:
                    continue
                tried += 1
                if denied(session, probe, arn):
                    refused += 1
                    continue
                assert called in action.iam_actions, f"{called} passed on {arn}"
                assert arn in opened.own, f"{called} passed on the neighbour {arn}"
                passed.add(called)
        for called, probe in FOREIGN.items():
            tried, refused = tried + 1, refused + 1
            assert denied(session, probe, customer.role_arn), f"{called} passed"
    wanted = {one for one in action.iam_actions if one in PROBES}
    wanted -= ONLY_WHEN_MAKING.get(name, set())
    assert passed == wanted, "the planned calls themselves were denied"
    print(f"{name}: {len(opened.by_policy)} sessions, {tried} calls, {refused} denied")


def test_every_write_of_remediation_is_tried_and_the_role_itself_may_do_it(
    customer: Customer,
) -> None:
    """What is denied above is denied by the session's policy: without one the role may do it."""
    reads = {one for one in remediation_actions() if one.partition(":")[2].startswith(READING)}
    assert set(PROBES) == remediation_actions() - reads
    assert {name.partition(" ")[0] for name in SUBJECTS} == set(ACTIONS)
    for called, probes in PROBES.items():
        arns = [arn for arn in SAMPLES if any(probe.fits(arn) for probe in probes)]
        assert arns, called
        for arn in arns:
            probe = _probe(called, arn)
            assert probe is not None
            assert not denied(customer.uncut, probe, arn), f"{called} on {arn}"
    assert not denied(customer.uncut, FOREIGN["iam:GetRole"], customer.role_arn)


def test_what_is_made_is_marked_and_nothing_else_is_tagged(customer: Customer) -> None:
    """By our own evaluator: a snapshot or volume without the item's mark is not made."""
    opened = carried_out(customer, "ec2.delete_volume")
    policies = [json.loads(policy) for policy in opened.by_policy]
    mark = {f"aws:RequestTag/{MARK}": opened.item.id}
    for call, kind in (("CreateSnapshot", "snapshot"), ("CreateVolume", "volume")):
        new = _as_iam(ec2_arn(kind, "new"))
        allowed = [one for one in policies if _allows(one, f"ec2:{call}", new, mark)]
        assert len(allowed) == 1, call
        other = {f"aws:RequestTag/{MARK}": new_id()}
        assert not any(_allows(one, f"ec2:{call}", new, {}) for one in policies)
        assert not any(_allows(one, f"ec2:{call}", new, other) for one in policies)
        assert not any(_allows(one, "ec2:CreateTags", new, {}) for one in policies)
        assert _allows(allowed[0], "ec2:CreateTags", new, {"ec2:CreateAction": call})


def _allows(policy: dict[str, Any], action: str, arn: str, context: dict[str, Any]) -> bool:
    return evaluate([policy], Request(action, arn, context)) is Decision.ALLOW
