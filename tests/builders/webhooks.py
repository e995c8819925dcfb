"""The delivery machine of tests: a state machine in the AWS double, walked by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from tidegate.integrations.webhooks import tasks
from tidegate_kit.clock import iso, system_clock
from tidegate_kit.ids import new_id

from tests.builders.settings import PLATFORM_ACCOUNT, PREFIX, REGION

_MACHINE = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


def bus_event(tenant_id: str | None, event_type: str, **changes: Any) -> dict[str, Any]:
    """An event as EventBridge hands it to a rule's target."""
    detail = {
        "id": new_id(), "tenant_id": tenant_id, "occurred_at": iso(system_clock()),
        "request_id": None, "schema_version": 1, "data": {"n": 1}, **changes,
    }  # fmt: skip
    return {"source": "tidegate.test", "detail-type": event_type, "detail": detail}


@dataclass(frozen=True)
class DeliveryMachine:
    """Runs what the stream starts. `arn` is the machine's."""

    arn: str

    def rows(self) -> list[dict[str, Any]]:
        """Every item of the table as the stream tells it."""
        client = boto3.client("dynamodb", region_name=REGION)
        found: list[dict[str, Any]] = client.scan(TableName=f"{PREFIX}-integrations")["Items"]
        return found

    def follow(self) -> None:
        """Give every item to the stream's consumer, as if it had just been written."""
        records = [
            {"dynamodb": {"NewImage": item, "SequenceNumber": str(number)}}
            for number, item in enumerate(self.rows())
        ]
        assert tasks.follow({"Records": records}, None) == {"batchItemFailures": []}

    def inputs(self) -> list[dict[str, Any]]:
        """The input of every execution that was started."""
        sfn = boto3.client("stepfunctions", region_name=REGION)
        started = sfn.list_executions(stateMachineArn=self.arn)["executions"]
        return [
            json.loads(sfn.describe_execution(executionArn=one["executionArn"])["input"])
            for one in started
        ]

    def attempt(self) -> list[dict[str, Any]]:
        """One step of every execution that was started."""
        return [tasks.attempt(given, None) for given in self.inputs()]


def delivery_machine(monkeypatch: pytest.MonkeyPatch) -> DeliveryMachine:
    """The machine, and the settings that name it."""
    arn = boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name="webhook-delivery",
        definition=json.dumps(_MACHINE),
        roleArn=f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/machine",
    )["stateMachineArn"]
    monkeypatch.setenv("WEBHOOK_MACHINE_ARN", arn)
    return DeliveryMachine(arn)
