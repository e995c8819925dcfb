"""Findings in the table, plans over HTTP, and the real machine on the product's own tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from tidegate.findings.domain import (
    Change,
    ExceptionMark,
    Finding,
    FindingResource,
    PriceUsed,
    Quantity,
    Saving,
    SuggestedAction,
)
from tidegate.findings.plans import tasks
from tidegate.findings.plans.domain import Person, Plan, PlanDecision, plan_hash
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.wiring import findings_of
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.remediation import RemediationWorld, Subject
from tests.builders.settings import CUSTOMER_ACCOUNT, PLATFORM_ACCOUNT, REGION
from tests.fakes.asl import Machine

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "infra" / "statemachines" / "plan-execution.asl.yaml"
MACHINE = f"arn:aws:states:{REGION}:{PLATFORM_ACCOUNT}:stateMachine:tidegate-test-plans"
ENVIRONMENT = {
    "PLAN_MACHINE_ARN": MACHINE,
    "FINDINGS_REFRESH_MACHINE_ARN": MACHINE.replace("plans", "refresh"),
    "DATA_BUCKET": "tidegate-test-data",
}
_PASS = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


def definition() -> dict[str, Any]:
    """The plan machine as it is deployed."""
    arn = f"arn:aws:lambda:{REGION}:{PLATFORM_ACCOUNT}:function:plan-step"
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text().replace("${PlanFunctionArn}", arn))
    return loaded


def make_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings and the machine of plans in the AWS double."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name="tidegate-test-plans",
        definition=json.dumps(_PASS),
        roleArn=f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/machines",
    )


def run_machine(tenant_id: str, plan: Mapping[str, Any]) -> Machine:
    """Carry out the run that was started, by the real definition; what goes in and out is JSON."""

    def run_task(arguments: dict[str, Any]) -> Any:
        return json.loads(json.dumps(tasks.handler(json.loads(json.dumps(arguments)), None)))

    machine = Machine(definition(), run_task)
    machine.execute(
        {"tenant_id": tenant_id, "plan_id": plan["plan_id"], "run_id": plan["execution_id"]}
    )
    return machine


def saving(monthly: str | None = "12.50") -> Saving:
    """A saving of so much a month."""
    price = None if monthly is None else Decimal(monthly)
    used = PriceUsed("price", price, "month", "test", "2026-01-01")
    amount = Quantity("count", Decimal(1), "resource")
    return Saving(price, "count * price", (amount,), (used,))


def add_finding(
    world: RemediationWorld,
    subject: Subject,
    *,
    monthly: str | None = "12.50",
    excepted_until: datetime | None = None,
    **changes: Any,
) -> Finding:
    """Store an open finding about a resource as it is now."""
    now = system_clock()
    found = world.read(world.ref(subject))
    assert found is not None, subject
    item = world.item(subject)
    mark = None
    if excepted_until is not None:
        mark = ExceptionMark(new_id(), "team", "because it is", excepted_until)
    values: dict[str, Any] = {
        "id": new_id(),
        "group": "waste",
        "check_id": "ebs-unattached",
        "title": "Found by a test",
        "severity": "medium",
        "account_id": CUSTOMER_ACCOUNT,
        "onboarding_id": world.registration.id,
        "region": REGION,
        "unit_region": REGION,
        "resource": FindingResource(
            subject.arn, subject.type, new_id(), found.name, dict(found.tags)
        ),
        "status": "open" if mark is None else "excepted",
        "evidence": {},
        "fingerprint": found.fingerprint,
        "saving": saving(monthly),
        "action": SuggestedAction(
            subject.action, item.reversible, 72 if item.reversible else None, subject.parameters
        ),
        "first_seen_at": now,
        "last_seen_at": now,
        "exception": mark,
        **changes,
    }
    made = Finding(**values)
    findings_of(world.scope).write([Change(None, made)], now)
    return made


def stored_plan(scope: TenantScope, person: str) -> Plan:
    """A pending plan without items, for routes that must not show it to others."""
    now = system_clock()
    plan = Plan(
        id=new_id(),
        status="pending_approval",
        plan_hash=plan_hash((), now),
        items=(),
        decision=PlanDecision("require_approval", (), {}, 1, "client"),
        created_by=Person(person, ("client",), None),
        created_at=now,
        expires_at=now.replace(year=now.year + 1),
    )
    writes = Transaction()
    DynamoPlans(scope).add(writes, plan)
    writes.commit()
    return plan


@dataclass
class Team:
    """A tenant's owner and the colleagues who approve, over HTTP."""

    client: ApiClient
    owner: SignedIn
    world: RemediationWorld
    colleagues: list[SignedIn] = field(default_factory=list)

    def post(self, path: str, body: Any = None, who: SignedIn | None = None) -> Any:
        """POST as the owner, or somebody else."""
        headers = (who or self.owner).headers
        return self.client.post(path, json=body, headers=headers)

    def get(self, path: str) -> Any:
        """GET as the owner; the body."""
        answer = self.client.get(path, headers=self.owner.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def colleague(self, number: int = 0) -> SignedIn:
        """Somebody else who may approve."""
        while len(self.colleagues) <= number:
            made = sign_in(tenant_id=self.owner.tenant_id, roles=("client",))
            self.colleagues.append(made)
        return self.colleagues[number]

    def plan(self, *findings: Finding, **body: Any) -> dict[str, Any]:
        """A plan of these findings."""
        wanted = {"finding_ids": [one.id for one in findings], **body}
        answer = self.post("/waste/plans", wanted)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def planned(self, *names: str) -> dict[str, Any]:
        """A plan of these actions (keys of remediation.SUBJECTS) on new resources."""
        return self.plan(*(add_finding(self.world, self.world.make(name)) for name in names))

    def approve(self, plan: Mapping[str, Any]) -> None:
        """As many colleagues approve as are needed."""
        for number in range(plan["decision"]["quorum"]):
            answer = self.post(
                f"/approvals/{plan['approval_id']}/approve",
                {"subject_hash": plan["plan_hash"]},
                self.colleague(number),
            )
            assert answer.status_code == 200, answer.text

    def execute(self, plan: Mapping[str, Any]) -> Any:
        """POST execute."""
        return self.post(f"/waste/plans/{plan['id']}/execute")

    def executed(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Approve, execute, run the machine; the plan afterwards."""
        self.approve(plan)
        started = self.execute(plan)
        assert started.status_code == 202, started.text
        run_machine(self.owner.tenant_id, started.json())
        done: dict[str, Any] = self.get(f"/waste/plans/{plan['id']}")
        return done

    def undone(self, plan: Mapping[str, Any], **body: Any) -> dict[str, Any]:
        """Undo, run the machine; the plan afterwards."""
        started = self.post(f"/waste/plans/{plan['id']}/undo", body or None)
        assert started.status_code == 202, started.text
        run_machine(self.owner.tenant_id, started.json())
        done: dict[str, Any] = self.get(f"/waste/plans/{plan['id']}")
        return done
