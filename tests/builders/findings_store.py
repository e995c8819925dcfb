"""Recorded inventories in the stores of the AWS double, and refreshes run to their end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import boto3
import yaml
from tidegate.discovery.domain import Chunk, Resource, Row, Run, Unit
from tidegate.discovery.public import Coverage
from tidegate.discovery.repository import DynamoDiscoveryRepository
from tidegate.discovery.snapshots import S3Objects, Snapshots
from tidegate.findings import tasks
from tidegate.findings.domain import (
    Change,
    Finding,
    FindingResource,
    Group,
    Saving,
    finding_id,
)
from tidegate.findings.service.refresh import Parts
from tidegate.findings.wiring import findings_of, parts_of
from tidegate.onboarding.domain import Registration
from tidegate_kit.clock import Clock
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.findings import NOW, Line, covered
from tests.builders.settings import REGION
from tests.fakes.asl import Machine

ROOT = Path(__file__).resolve().parents[2]
MACHINE = ROOT / "infra" / "statemachines" / "findings-refresh.asl.yaml"
BUCKET = "tidegate-test-data"
_MINIMAL = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})


def make_bucket_and_machine() -> dict[str, str]:
    """The data bucket and a state machine to start; the settings that name them."""
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    role = boto3.client("iam", region_name=REGION).create_role(
        RoleName="states", AssumeRolePolicyDocument="{}"
    )
    made = boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name="findings-refresh", definition=_MINIMAL, roleArn=role["Role"]["Arn"]
    )
    return {"DATA_BUCKET": BUCKET, "FINDINGS_REFRESH_MACHINE_ARN": made["stateMachineArn"]}


def record(
    registration: Registration,
    lines: Sequence[Line],
    *,
    coverage: Sequence[Coverage] | None = None,
    at: datetime = NOW,
) -> Run:
    """Store a completed discovery that found these resources; its account is the registration's."""
    scope = TenantScope(registration.tenant_id)
    store = DynamoDiscoveryRepository(scope)
    run = store.begin(
        Run(
            id=new_id(),
            tenant_id=registration.tenant_id,
            onboarding_id=registration.id,
            account_id=registration.account_id,
            generation=0,
            status="running",
            wanted_regions=(),
            wanted_services=(),
            started_at=at,
            deadline_at=at + timedelta(hours=1),
        ),
        at,
    )
    snapshots = Snapshots(scope, S3Objects(BUCKET, REGION))
    ordered = sorted(lines, key=lambda one: (one["region"], one["type"], one["id"]))
    chunks: list[Chunk] = []
    for (region, type_), group in groupby(ordered, key=lambda one: (one["region"], one["type"])):
        rows = [_row(run, one) for one in group]
        digest = snapshots.write_rows(run, rows)
        chunks.append(Chunk(region, type_, rows[0].resource.id, digest, len(rows)))
    units = [_unit(unit) for unit in (covered() if coverage is None else coverage)]
    done = replace(
        run,
        status="completed",
        completed_at=at,
        snapshot=snapshots.write_manifest(run, chunks, units),
    )
    assert store.complete(done, at)
    return done


def _unit(unit: Coverage) -> Unit:
    return Unit(
        region=unit.region,
        service=unit.service,
        status=unit.status,  # type: ignore[arg-type]
        listed=unit.listed,
        reason=unit.reason,
        missing_actions=unit.missing_actions,
    )


def _row(run: Run, line: Line) -> Row:
    seen = datetime.fromisoformat(line["first_seen_at"])
    resource = Resource(
        id=line["id"],
        arn=line["arn"],
        type=line["type"],
        name=line["name"],
        account_id=run.account_id,
        region=line["region"],
        state=line["state"],
        tags=line["tags"],
        attributes=line["attributes"],
        metrics=line["metrics"],
        unknown=tuple(line["unknown"]),
        fingerprint=line["fingerprint"],
        first_seen_at=seen,
        last_seen_at=run.started_at,
        unchanged_since=datetime.fromisoformat(line["unchanged_since"]),
    )
    return Row(resource, line["service"], line["region"], run.id, run.id)


def definition() -> dict[str, Any]:
    """The machine's definition, as deployed."""
    text = MACHINE.read_text().replace(
        "${FindingsTaskFunctionArn}", "arn:aws:lambda:us-east-1:123456789012:function:f"
    )
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def machine_of(parts: Parts) -> Machine:
    """The machine on the tasks of one tenant; what goes in and out passes through JSON."""

    def run_task(arguments: dict[str, Any]) -> Any:
        event = json.loads(json.dumps(arguments))
        return json.loads(json.dumps(tasks._TASKS[event["task"]](parts, event)))

    return Machine(definition(), run_task)


def run_refresh(scope: TenantScope, refresh_id: str, clock: Clock) -> Machine:
    """Execute the machine for a stored refresh, to its end."""
    machine = machine_of(parts_of(scope, clock=clock))
    machine.execute({"tenant_id": scope.tenant_id, "refresh_id": refresh_id})
    return machine


def stored_finding(
    tenant_id: str, group: Group = "waste", *, account_id: str = "444444444444", at: datetime = NOW
) -> Finding:
    """An open finding of an account, as a refresh would have stored it."""
    check_id = "canary-check"
    arn = f"arn:aws:ec2:{REGION}:{account_id}:volume/{new_id()}"
    finding = Finding(
        id=finding_id(tenant_id, check_id, arn),
        group=group,
        check_id=check_id,
        title="canary-title",
        severity="low",
        account_id=account_id,
        onboarding_id=new_id(),
        region=REGION,
        resource=FindingResource(arn, "ec2:volume", new_id(), "canary-name", {}),
        status="open",
        evidence={"canary": "evidence"},
        fingerprint="f" * 64,
        saving=Saving(Decimal("1.5"), "1.5"),
        action=None,
        first_seen_at=at,
        last_seen_at=at,
        unit_region=REGION,
    )
    findings_of(TenantScope(tenant_id)).write([Change(None, finding)], at)
    return finding
