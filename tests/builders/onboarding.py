"""A platform that can onboard, and customers who deploy (or spoil) the role it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from tidegate.onboarding import wiring
from tidegate.onboarding.routes import router
from tidegate.onboarding.verification import Patience
from tidegate_kit.clock import system_clock
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import CUSTOMER_ACCOUNT, PLATFORM_ACCOUNT, REGION
from tests.fakes.cloudformation import parse_template
from tests.fakes.strict_aws import StrictAws, allow, trust
from tests.fakes.strict_aws.customer import Account

BUCKET = "tidegate-test-data"
MACHINE = f"arn:aws:states:{REGION}:{PLATFORM_ACCOUNT}:stateMachine:tidegate-test-discovery"
ROLE_ARN = f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/tidegate-test-onboarding"
_PASS = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


@dataclass
class ShiftedClock:
    """The present, and what was waited for without waiting."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return system_clock() + self.ahead

    def wait(self, seconds: float) -> None:
        """Let time pass at once."""
        self.ahead += timedelta(seconds=seconds)


@dataclass
class World:
    """The platform under test and the double it runs on."""

    settings: Settings
    aws: StrictAws
    client: ApiClient
    clock: ShiftedClock = field(default_factory=ShiftedClock)

    def customer(self, account_id: str = CUSTOMER_ACCOUNT) -> Account:
        """An AWS account of a customer."""
        return self.aws.account(account_id)

    def create(
        self, member: SignedIn, account_id: str = CUSTOMER_ACCOUNT, **body: Any
    ) -> dict[str, Any]:
        """A new onboarding request."""
        answer = self.client.post(
            "/onboarding/create", json={"account_id": account_id, **body}, headers=member.headers
        )
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.json()
        return made

    def deploy(
        self,
        request: Mapping[str, Any],
        trust_policy: Mapping[str, Any] | None = None,
        *,
        readable: bool = True,
        name: str | None = None,
    ) -> str:
        """Make the role of the request's template (or one with another trust policy)."""
        name = name or str(request["role_name"])
        policies = {"tidegate-read": allow("ec2:DescribeInstances")}
        if readable:
            arn = f"arn:aws:iam::{request['account_id']}:role/{name}"
            policies["own-trust"] = allow("iam:GetRole", arn)
        return self.customer(str(request["account_id"])).create_role(
            name, trust_policy or good_trust(str(request["external_id"])), policies
        )

    def deploy_template(self, member: SignedIn, request: Mapping[str, Any]) -> str:
        """Make the role exactly as the served template says."""
        answer = self.client.get(f"/onboarding/template/{request['id']}", headers=member.headers)
        assert answer.status_code == 200, answer.text
        document = parse_template(answer.text)
        properties = document["Resources"]["AccessRole"]["Properties"]
        values = {name: p["Default"] for name, p in document["Parameters"].items()}
        values["AWS::AccountId"], values["AWS::Partition"] = str(request["account_id"]), "aws"
        policies = [resolved(p, values) for p in properties["Policies"]]
        return self.customer(str(request["account_id"])).create_role(
            values["RoleName"],
            resolved(properties["AssumeRolePolicyDocument"], values),
            {p["PolicyName"]: p["PolicyDocument"] for p in policies if p},
        )

    def verify(self, member: SignedIn, request: Mapping[str, Any], **body: Any) -> Any:
        """Call verify; the response."""
        return self.client.post(
            f"/onboarding/{request['id']}/verify", json=body, headers=member.headers
        )

    def get(self, member: SignedIn, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request as GET shows it."""
        answer = self.client.get(f"/onboarding/{request['id']}", headers=member.headers)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def connected(self, account_id: str = CUSTOMER_ACCOUNT) -> tuple[SignedIn, dict[str, Any]]:
        """A new tenant's client with one account connected by role."""
        member = sign_in(roles=("client",))
        request = self.create(member, account_id)
        self.deploy(request)
        answer = self.verify(member, request)
        assert answer.status_code == 200, answer.text
        return member, request


def resolved(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [resolved(item, values) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return None if value["Ref"] == "AWS::NoValue" else values[value["Ref"]]
    if set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"]
        for name, known in values.items():
            text = text.replace(f"${{{name}}}", known)
        return text
    if set(value) == {"Fn::If"}:
        _, then, otherwise = value["Fn::If"]
        return resolved(then if values["Tier"] == "remediate" else otherwise, values)
    return {key: resolved(item, values) for key, item in value.items()}


def good_trust(external_id: str) -> dict[str, Any]:
    """The trust policy of the template."""
    return trust(ROLE_ARN, external_id, actions=["sts:AssumeRole", "sts:TagSession"])


def make_world(platform: Settings, aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> World:
    """The onboarding domain on the strict double: role, bucket, machine; nothing sleeps."""
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    monkeypatch.setenv("DISCOVERY_MACHINE_ARN", MACHINE)
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    aws.platform.create_role(
        ROLE_ARN.rpartition("/")[2],
        trust(
            f"arn:aws:iam::{PLATFORM_ACCOUNT}:root", actions=["sts:AssumeRole", "sts:TagSession"]
        ),
        {"assume": allow(["sts:AssumeRole", "sts:TagSession"])},
    )
    boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name=MACHINE.rpartition(":")[2], definition=json.dumps(_PASS), roleArn=ROLE_ARN
    )
    world = World(platform, aws, ApiClient([router], platform))
    monkeypatch.setattr(wiring, "system_clock", world.clock)
    monkeypatch.setattr(wiring, "patience", lambda: Patience(wiring.PATIENCE, world.clock.wait))
    return world
