"""Deploying a stack and checking it, against scripted AWS answers."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import checks, stacks
from infra.local.config import LocalCloud, LocalCloudError
from infra.local.deploy import Deployment


class Formation:
    """A CloudFormation that walks through *statuses* and then stays at the last."""

    def __init__(self, *statuses: str, refusal: str = "") -> None:
        self.statuses = list(statuses)
        self.refusal = refusal
        self.calls: list[str] = []

    def describe_stacks(self, StackName: str) -> Any:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == "absent":
            raise ClientError({"Error": {"Message": f"{StackName} does not exist"}}, "x")
        outputs = [{"OutputKey": "K", "OutputValue": "V"}]
        return {"Stacks": [{"StackStatus": status, "Outputs": outputs}]}

    def describe_stack_events(self, StackName: str) -> Any:
        event = {
            "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
            "LogicalResourceId": "Queue",
            "ResourceType": "AWS::SQS::Queue",
            "ResourceStatus": "CREATE_FAILED",
            "ResourceStatusReason": "no such colour",
        }
        return {"StackEvents": [event]}

    def get_paginator(self, name: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        row = {"LogicalResourceId": "Queue", "PhysicalResourceId": "q-1"}
        return [{"StackResourceSummaries": [row]}]

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> None:
            self.calls.append(name)
            if self.refusal:
                raise ClientError({"Error": {"Message": self.refusal}}, name)

        return call


def test_a_new_stack_is_created() -> None:
    formation = Formation("absent", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
    outcome = stacks.deploy(formation, "s", "url", {})
    assert formation.calls == ["create_stack"]
    assert outcome == stacks.Outcome(True, {"K": "V"}, {"Queue": "q-1"})


def test_an_unchanged_stack_is_no_error() -> None:
    formation = Formation("UPDATE_COMPLETE", refusal="No updates are to be performed.")
    assert stacks.deploy(formation, "s", "url", {}).changed is False


def test_a_rolled_back_creation_is_replaced() -> None:
    formation = Formation("ROLLBACK_COMPLETE", "absent", "CREATE_COMPLETE")
    stacks.deploy(formation, "s", "url", {})
    assert formation.calls == ["delete_stack", "create_stack"]


def test_a_failed_stack_says_why() -> None:
    with pytest.raises(LocalCloudError, match=r"Queue \(AWS::SQS::Queue\): no such colour"):
        stacks.deploy(Formation("absent", "ROLLBACK_COMPLETE"), "s", "url", {})


def deployment(resources: dict[str, Any], routes: dict[str, list[str]]) -> Deployment:
    physical = {name: f"{name}-1" for name in resources}
    return Deployment({"Resources": resources}, routes, {}, physical | {"Http": "h"}, True)


class Aws:
    """Answers of the emulator that the checks read."""

    def __init__(self, payload: dict[str, Any] | None = None) -> None:
        self.payload = payload

    def get_paginator(self, name: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        return [{"Items": [{"RouteKey": "GET /a"}, {"RouteKey": "GET /c"}]}]

    def describe_time_to_live(self, **_: Any) -> Any:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}

    def invoke(self, **_: Any) -> Any:
        if self.payload is None:
            return {"Payload": io.BytesIO(b"{}")}
        body = io.BytesIO(json.dumps(self.payload).encode())
        return {"FunctionError": "Unhandled", "Payload": body}


def use(monkeypatch: pytest.MonkeyPatch, aws: Aws) -> None:
    monkeypatch.setattr(checks, "client", lambda *_: aws)


def test_route_differences_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Aws())
    made = deployment({}, {"Http": ["GET /a", "GET /b"]})
    assert checks.wrong_routes(LocalCloud(), made) == [
        "API Http: missing ['GET /b'], unexpected ['GET /c']"
    ]


def test_a_table_without_expiry_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Aws())
    ttl = {"AttributeName": "expires", "Enabled": True}
    table = {"Type": "AWS::DynamoDB::Table", "Properties": {"TimeToLiveSpecification": ttl}}
    made = deployment({"T": table, "U": {"Type": "AWS::DynamoDB::Table"}}, {})
    assert checks.wrong_ttl(LocalCloud(), made) == ["table T: expiry by 'expires' is off"]


@pytest.mark.parametrize(
    ("payload", "broken"),
    [
        (None, False),
        ({"errorType": "KeyError", "errorMessage": "Records"}, False),
        ({"errorType": "Runtime.ImportModuleError", "errorMessage": "no module"}, True),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "slow"}, True),
    ],
)
def test_a_function_that_refuses_the_ping_has_started(
    monkeypatch: pytest.MonkeyPatch, payload: dict[str, Any] | None, broken: bool
) -> None:
    use(monkeypatch, Aws(payload))
    made = deployment({"F": {"Type": "AWS::Lambda::Function"}}, {})
    assert bool(checks.broken_functions(LocalCloud(), made)) is broken


def test_all_failures_are_reported_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, Aws({"errorType": "Runtime.ImportModuleError", "errorMessage": "gone"}))
    made = deployment({"F": {"Type": "AWS::Lambda::Function"}}, {"Http": ["GET /z"]})
    with pytest.raises(LocalCloudError) as raised:
        checks.verify(LocalCloud(home=tmp_path), made, preflight=False)
    assert "GET /z" in str(raised.value)
    assert "gone" in str(raised.value)
