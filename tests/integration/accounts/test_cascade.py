"""The disconnect: committed by one transaction, finished by the consumer of onboarding's stream."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from tidegate.accounts import wiring
from tidegate.accounts.service import Accounts
from tidegate.discovery.domain import ResourceFilters
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.onboarding import tasks
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.repository import DynamoGlobalRegistry, DynamoRegistrations
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import Seen, add_account, add_inventory
from tests.builders.leaving import add_open_plan
from tests.builders.onboarding import BUCKET, MACHINE
from tests.builders.settings import REGION
from tests.fakes.faults import enumerate_faults


@dataclass
class World:
    """A tenant with an account to disconnect and one to keep."""

    settings: Settings
    tenant_id: str
    leaving: Registration
    staying: Registration
    before: dict[str, Any]

    @property
    def accounts(self) -> Accounts:
        """The tenant's accounts, as a call of now sees them."""
        return wiring.accounts(self.settings, TenantScope(self.tenant_id), system_clock())

    def row(self) -> dict[str, Any]:
        """The stored item of the leaving account."""
        client = boto3.client("dynamodb", region_name=REGION)
        key = {"pk": {"S": f"T#{self.tenant_id}"}, "sk": {"S": f"ACCOUNT#{self.leaving.id}"}}
        item: dict[str, Any] = client.get_item(
            TableName="tidegate-test-onboarding", Key=key, ConsistentRead=True
        )["Item"]
        return item

    def disconnect(self) -> None:
        """What the route does."""
        self.accounts.disconnect(self.leaving.id, "test")

    def stream(self) -> dict[str, Any]:
        """What the table's stream brings after the disconnect."""
        change = {"NewImage": self.row(), "OldImage": self.before, "SequenceNumber": "1"}
        return tasks.follow_registrations({"Records": [{"dynamodb": change}]}, None)


@pytest.fixture
def settings(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    monkeypatch.setenv("DISCOVERY_MACHINE_ARN", MACHINE)
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    settings_of.cache_clear()
    yield platform
    settings_of.cache_clear()


def number() -> str:
    """An AWS account id."""
    return f"{uuid.uuid4().int % 10**12:012d}"


def make_world(settings: Settings) -> World:
    tenant_id = new_id()
    keys = {"method": "credentials", "sealed_keys": "v1.sealed", "access_key_masked": "AKIA****"}
    leaving = add_account(tenant_id, number(), **keys)
    staying = add_account(tenant_id, number())
    add_inventory(leaving, Seen(["gone-1", "gone-2"]))
    add_inventory(staying, Seen(["kept"]))
    add_open_plan(TenantScope(tenant_id), leaving.id, staying.id)
    add_open_plan(TenantScope(tenant_id), staying.id)
    world = World(settings, tenant_id, leaving, staying, {})
    world.before = world.row()
    return world


def assert_gone(world: World) -> None:
    """Out of every view, the claim free, the keys erased, the rows deleted; the rest untouched."""
    with pytest.raises(NotFound):
        world.accounts.row(world.leaving.id)
    rows, total, _ = world.accounts.resources(ResourceFilters(), 0, 10, None)
    assert ([row.name for row in rows], total) == (["kept"], 1)
    assert [row.connection.id for row in world.accounts.rows(list)] == [world.staying.id]
    registry = DynamoGlobalRegistry()
    assert registry.holder_of(world.leaving.account_id) is None
    assert registry.holder_of(world.staying.account_id) is not None
    stored = DynamoRegistrations(TenantScope(world.tenant_id)).get(world.leaving.id)
    assert stored is not None
    assert (stored.status, stored.sealed_keys) == ("disconnected", None)
    assert rows_of(world, world.leaving) == 0
    assert_plans_gone(world)
    assert rows_of(world, world.staying) == 1


def assert_plans_gone(world: World) -> None:
    """Its open plan is deleted and counted off, the approval cancelled; others stay as they are."""
    scope = TenantScope(world.tenant_id)
    rows, total, _ = DynamoPlans(scope).page(0, 10, None)
    assert total == 1
    assert [item.onboarding_id for row in rows for item in row.items] == [world.staying.id]
    table = boto3.resource("dynamodb", region_name=REGION).Table("tidegate-test-governance")
    approvals = [row for row in table.scan()["Items"] if row["pk"] == scope.pk and "quorum" in row]
    assert sorted(row["status"] for row in approvals) == ["cancelled", "pending"]


def rows_of(world: World, registration: Registration) -> int:
    """Stored rows of an account's first inventory, hidden ones too."""
    pk = f"T#{world.tenant_id}#A#{registration.account_id}#0"
    answer = boto3.client("dynamodb", region_name=REGION).query(
        TableName="tidegate-test-discovery",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
    )
    return int(answer["Count"])


def _disconnect_or_gone(world: World) -> None:
    with contextlib.suppress(NotFound):
        world.disconnect()


WRITES = {"TransactWriteItems", "UpdateItem", "PutItem", "BatchWriteItem", "DeleteObjects"}


@pytest.mark.hazard("H1")
@pytest.mark.parametrize(
    "counts",
    [
        pytest.param(lambda service, operation: operation in WRITES, id="writes"),
        pytest.param(lambda service, operation: True, id="all", marks=pytest.mark.slow),
    ],
)
def test_every_fault_of_a_disconnect_ends_disconnected(settings: Settings, counts: Any) -> None:
    """H1: each call of a disconnect throttled, killed or its answer lost: nothing lost, nothing
    twice: the caller tries again (404 once it is done) and the stream finishes."""

    @contextlib.contextmanager
    def fresh() -> Iterator[World]:
        yield make_world(settings)

    def again(world: World) -> None:
        _disconnect_or_gone(world)
        assert world.stream() == {"batchItemFailures": []}

    def flow(world: World) -> None:
        world.disconnect()

    def gone(world: World) -> None:
        world.stream()
        assert_gone(world)

    report = enumerate_faults(
        flow, again, gone, fresh, name="disconnect account", counts=counts, redeliveries=1
    )
    assert len(report.cases) >= 8


def test_the_stream_finishes_what_a_dead_call_left(settings: Settings) -> None:
    world = make_world(settings)
    scope = TenantScope(world.tenant_id)
    connections = wiring.TenantConnections(settings, scope, system_clock())
    connections.disconnect(world.leaving.id, "test")  # and the process dies here
    assert world.stream() == {"batchItemFailures": []}
    assert_gone(world)


@pytest.mark.hazard("H2")
def test_a_late_record_leaves_a_new_connection_alone(settings: Settings) -> None:
    """H2: the disconnect's record comes again after the account was connected anew."""
    world = make_world(settings)
    world.disconnect()
    world.stream()
    anew = add_account(world.tenant_id, world.leaving.account_id)
    add_inventory(anew, Seen(["new-1", "new-2"]))
    assert world.stream() == {"batchItemFailures": []}
    rows, total, _ = world.accounts.resources(ResourceFilters(), 0, 10, None)
    assert (sorted(str(row.name) for row in rows), total) == (["kept", "new-1", "new-2"], 3)
    assert world.accounts.row(anew.id).resource_count == 2
