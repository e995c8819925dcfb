"""Calls into customers' accounts are counted from their log lines (contract 2.7, usage)."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from tidegate.monitoring import tasks
from tidegate.monitoring.repository.metrics import DynamoMetrics, GlobalMetrics
from tidegate.monitoring.service import reports
from tidegate_kit.aws_session import CustomerSession, Keys
from tidegate_kit.clock import system_clock
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.logs import captured_logs
from tests.builders.members import sign_in
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.strict_aws import StrictAws, allow

ONCE = Config(connect_timeout=1, retries={"total_max_attempts": 1})


@pytest.fixture
def tenant(platform: Settings) -> TenantScope:
    return TenantScope(sign_in().tenant_id)


@dataclass(frozen=True)
class Customer:
    """Keys of a customer's user, who may read volumes."""

    access_key_id: str
    secret: str

    def session(self, tenant: TenantScope | None, account_id: str | None) -> CustomerSession:
        tenant_id = None if tenant is None else tenant.tenant_id
        keys = Keys(self.access_key_id, self.secret, None, None, tenant_id, account_id)
        return CustomerSession(keys, ONCE)


@pytest.fixture
def customer(platform: Settings, strict_aws: StrictAws) -> Customer:
    policies = {"read": allow(["ec2:DescribeVolumes", "ce:*"])}
    return Customer(*strict_aws.account(CUSTOMER_ACCOUNT).create_user("reader", policies))


def told(act: Callable[[], object]) -> list[dict[str, Any]]:
    """What the log tells of an act, one object a line."""
    with captured_logs() as stream:
        act()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def counted(lines: list[dict[str, Any]]) -> None:
    events = [
        {"id": str(number), "timestamp": 1, "message": json.dumps(line)}
        for number, line in enumerate(lines)
    ]
    body = json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events}).encode()
    data = base64.b64encode(gzip.compress(body)).decode()
    for _ in range(2):  # a batch may come twice
        tasks.count_calls({"awslogs": {"data": data}}, None)


def three_calls(customer: Customer, tenant: TenantScope) -> None:
    ec2 = customer.session(tenant, CUSTOMER_ACCOUNT).client("ec2", REGION)
    ec2.describe_volumes()
    with pytest.raises(ClientError):
        ec2.describe_volumes(VolumeIds=["vol-1234567890abcdef0"])
    unknown = customer.session(tenant, None).client(
        "sts", REGION
    )  # the account of new keys is asked for
    unknown.get_caller_identity()


def test_each_call_into_a_customers_account_is_told(
    customer: Customer, tenant: TenantScope
) -> None:
    first, refused, unknown = told(lambda: three_calls(customer, tenant))
    for line in (first, refused, unknown):
        assert (line["message"], line["AwsCalls"]) == ("aws call", 1)
        assert line["tenant_id"] == tenant.tenant_id
        assert customer.secret not in json.dumps(line)
    assert (first["aws_service"], first["aws_operation"]) == ("ec2", "DescribeVolumes")
    assert (first["account_id"], first["status"], first["AwsErrors"]) == (CUSTOMER_ACCOUNT, 200, 0)
    assert (refused["status"], refused["AwsErrors"]) == (400, 1)
    assert "account_id" not in unknown


def test_a_call_that_nothing_answers_is_told_as_failed(
    customer: Customer, tenant: TenantScope
) -> None:
    def call() -> None:
        client = customer.session(tenant, CUSTOMER_ACCOUNT).client("ce", REGION)

        def refuse(**_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://ce.example.invalid")

        client.meta.events.register_first("before-send", refuse)
        with pytest.raises(EndpointConnectionError):
            client.list_cost_allocation_tags()

    (line,) = told(call)
    assert (line["aws_service"], line["AwsErrors"]) == ("ce", 1)
    assert "status" not in line


def test_calls_of_the_platforms_own_roles_are_not_told(customer: Customer) -> None:
    own = customer.session(None, None)
    assert told(lambda: own.client("sts", REGION).get_caller_identity()) == []


def test_calls_are_counted_for_their_tenant_and_account(
    customer: Customer, tenant: TenantScope
) -> None:
    """The series aws_calls and aws_cost: failed calls count, only answered paid ones cost."""
    lines = told(lambda: three_calls(customer, tenant))
    paid = {**lines[0], "aws_service": "ce"}
    counted([*lines, paid, {**paid, "AwsErrors": 1}])
    mine = DynamoMetrics(tenant)
    found = mine.total("aws")
    assert (found.count, found.failed, found.cost_nanos) == (5, 2, 10_000_000)
    assert GlobalMetrics().total("aws") == found
    now = system_clock()
    window = reports.Window(now - timedelta(hours=1), now + timedelta(hours=1), "hour", "account")
    series = {
        one.name: (one.labels, one.total)
        for one in reports.series(mine, GlobalMetrics(), "usage", window)
    }
    account = {"account": CUSTOMER_ACCOUNT}
    assert series == {"aws_calls": (account, 4), "aws_cost": (account, 0.01)}
    other = TenantScope(sign_in().tenant_id)
    assert DynamoMetrics(other).total("aws").count == 0
