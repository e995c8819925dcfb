"""The tasks on the strict AWS double, in the order of the state machine's definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
import pytest
from tidegate.discovery import service, tasks, views
from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.domain import DiscoveryRequest, ResourceFilters, Run
from tidegate.discovery.engine.ports import Engine, home_region
from tidegate.discovery.repository import DynamoDiscoveryRepository
from tidegate.discovery.snapshots import S3Objects, Snapshots
from tidegate_kit.aws_session import CustomerSession, Keys
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.strict_aws.layer import StrictAws

BUCKET = "tidegate-test-data"


class DoubleAccount:
    """The customer account of the double, with unrestricted keys."""

    def __init__(self, strict: StrictAws) -> None:
        frozen = strict.account(CUSTOMER_ACCOUNT).session.get_credentials()
        assert frozen is not None
        self._keys = Keys(frozen.access_key, frozen.secret_key)
        self.reported: list[str] = []

    def open(self, run: Run, actions: Sequence[str]) -> CustomerSession:
        return CustomerSession(self._keys)

    def discovered(self, run: Run, at: Any) -> None:
        self.reported.append(run.id)


@pytest.fixture
def engine(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> Engine:
    # moto invents hundreds of images, and gives their snapshots to every account.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    scope = TenantScope(new_id())
    return Engine(
        scope=scope,
        repository=DynamoDiscoveryRepository(scope),
        snapshots=Snapshots(scope, S3Objects(BUCKET, REGION)),
        account=DoubleAccount(strict_aws),
        # moto has no DescribeCapacityReservations; recorded answers cover that one.
        collectors={k: c for k, c in COLLECTORS.items() if k != "ec2-capacity-reservations"},
        clock=FixedClock(),
        home_region=home_region(REGION),
    )


def follow_machine(engine: Engine, run_id: str) -> None:
    """Prepare, every unit until done, finish until done: the path of discovery.asl.yaml."""
    event = {"tenant_id": engine.scope.tenant_id, "run_id": run_id}
    for item in tasks._prepare(engine, event)["units"]:
        while not tasks._page(engine, item)["done"]:
            pass
    while not tasks._finish(engine, event)["done"]:
        pass


def test_a_run_finds_what_is_there(engine: Engine, strict_aws: StrictAws) -> None:
    customer = strict_aws.account(CUSTOMER_ACCOUNT)
    ec2 = customer.client("ec2")
    ec2.run_instances(ImageId="ami-12345678", MinCount=3, MaxCount=3)
    ec2.create_volume(AvailabilityZone="us-east-1a", Size=10, VolumeType="gp2")
    customer.client("logs").create_log_group(logGroupName="/app#1")
    customer.client("s3").create_bucket(Bucket="customer-bucket")
    request = DiscoveryRequest(
        engine.scope.tenant_id, new_id(), CUSTOMER_ACCOUNT, ("us-east-1", "eu-west-1"), None,
        new_id(),
    )  # fmt: skip
    service.start(engine.repository, request, lambda run: None, engine.clock())
    follow_machine(engine, request.run_id)
    view = views.discovery_view(engine.repository, request.onboarding_id, engine.clock())
    assert view is not None
    for region in view.regions:
        for one in region.services:
            print(region.region, one)
    assert view.status == "completed"
    rows, total, _ = views.list_resources(engine.repository, ResourceFilters(), 0, 100, None)
    assert total == len(rows) == view.resources_found
    found = views.totals(engine.repository).by_type
    assert (found["ec2:instance"], found["ec2:volume"]) == (3, 4)
    assert (found["s3:bucket"], found["logs:log-group"]) == (1, 1)
