"""H1 for onboarding's write flows: every AWS call fails once in four ways, then redelivery."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from tidegate.discovery import public as discovery
from tidegate.onboarding import inventory, tasks, wiring
from tidegate.onboarding.credentials import GivenKeys
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.responses import HttpResponseSender
from tidegate.onboarding.service import NewRequest, disconnect
from tidegate.onboarding.verification import Patience
from tidegate_kit import clients
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.onboarding import World, make_world
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.faults import FaultReport, SideEffect, enumerate_faults
from tests.fakes.strict_aws import StrictAws, allow
from tests.fakes.tables import create_tables, dump_tables
from tests.unit.onboarding.test_callback import event

TENANT = "0a1b2c3d-0000-4000-8000-00000000000a"
SENDER = "tidegate.onboarding.responses.HttpResponseSender.send"


@dataclass
class Bed:
    """One fresh set of tables, and what the flows need."""

    world: World
    clock: FixedClock
    keys: tuple[str, str]
    answers: list[dict[str, Any]] = field(default_factory=list)
    made: Registration | None = None

    def patience(self) -> Patience:
        """Waiting moves the clock and costs no time."""
        return Patience(wiring.PATIENCE, self._wait)

    def _wait(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    def connect(self) -> None:
        """What the verify route does."""
        assert self.made is not None
        settings = wiring.settings()
        found = wiring.verifier(settings, TENANT).verify(self.made.id, None, "u")
        inventory.start_first(settings, found, self.clock)

    def stream(self) -> None:
        """What the table's stream brings after the last write."""
        table = f"{self.world.settings.table_prefix}-onboarding"
        rows = dump_tables(boto3.client("dynamodb", region_name=REGION), [table])[table]
        records = [{"dynamodb": {"NewImage": row, "SequenceNumber": "1"}} for row in rows]
        assert tasks.follow_registrations({"Records": records}, None) == {"batchItemFailures": []}

    def row(self) -> Registration:
        """The only registration."""
        (row,) = wiring.store_of(TENANT).all()
        return row

    def check_connected(self) -> None:
        """Connected once: one row, claim and listing that agree, one run."""
        row = self.row()
        assert row.status == "connected", row.status
        assert row.lease is None
        holder = wiring.registry.holder_of(CUSTOMER_ACCOUNT)
        assert holder is not None
        assert holder.onboarding_id == row.id
        assert wiring.registry.connected(None, 5) == [holder]
        living = wiring.store_of(TENANT).of_account(CUSTOMER_ACCOUNT)
        assert living is not None
        assert living.id == row.id
        self.stream()
        view = discovery.discovery_view(TenantScope(TENANT), row.id)
        assert view is not None
        assert view.run_id == row.discovery_run_id

    def check_gone(self) -> None:
        """Disconnected whole: no claim, listing, slot or key is left."""
        row = self.row()
        assert row.status == "disconnected"
        assert (row.sealed_keys, row.template_key, row.lease) == (None, None, None)
        assert wiring.registry.holder_of(CUSTOMER_ACCOUNT) is None
        assert wiring.registry.connected(None, 5) == []
        assert wiring.store_of(TENANT).of_account(CUSTOMER_ACCOUNT) is None
        self.stream()
        assert discovery.resource_totals(TenantScope(TENANT)).total == 0


@pytest.fixture
def fresh(
    platform: Settings,
    strict_aws: StrictAws,
    table_specs: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """A maker of beds; `ready` prepares one outside the fault's reach."""
    world = make_world(platform, strict_aws, monkeypatch)
    keys = world.customer().create_user("reader", {"read": allow("ec2:Describe*")})
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    specs = [s for s in table_specs if s.name.endswith(("-onboarding", "-discovery"))]

    def make(ready: Callable[[Bed], None]) -> Callable[[], Any]:
        @contextlib.contextmanager
        def bed() -> Iterator[Bed]:
            for spec in specs:  # made anew: the double copies a table for each transaction
                dynamodb.delete_table(TableName=spec.name)
            create_tables(dynamodb, specs)
            made = Bed(world, FixedClock(system_clock()), keys)
            monkeypatch.setattr(
                HttpResponseSender,
                "send",
                lambda self, url, body: made.answers.append(json.loads(body)),
            )
            monkeypatch.setattr(wiring, "system_clock", made.clock)  # instead of the world's
            monkeypatch.setattr(wiring, "patience", made.patience)
            ready(made)
            yield made
            with contextlib.suppress(Exception):
                for role in world.customer().client("iam").list_roles()["Roles"]:
                    world.customer().delete_role(role["RoleName"])

        return bed

    return make


def restart(bed: Bed) -> None:
    """A new process, a minute later: caches are gone, a dead worker's lease has ended."""
    clients.platform_client.cache_clear()
    bed.clock.advance(seconds=61)


def requested(bed: Bed) -> None:
    bed.made, _ = wiring.requests(TENANT).create(
        TENANT, "u", NewRequest(CUSTOMER_ACCOUNT, "read", (), None)
    )


def deployed(bed: Bed) -> None:
    requested(bed)
    assert bed.made is not None
    bed.world.deploy(vars(bed.made))


def connected(bed: Bed) -> None:
    deployed(bed)
    bed.connect()


def run(fresh: Any, ready: Any, flow: Any, check: Any, name: str, **options: Any) -> FaultReport:
    return enumerate_faults(
        flow, options.pop("again", flow), check, fresh(ready), name=name, restart=restart, **options
    )


@pytest.mark.hazard("H1")
def test_create(fresh: Any) -> None:
    """H1: a creation leaves one request with a slot, a pointer and a copy of its template."""

    def check(bed: Bed) -> None:
        row = bed.row()
        living = wiring.store_of(TENANT).of_account(CUSTOMER_ACCOUNT)
        assert living == row
        assert wiring.registry.tenant_of(row.id) == TENANT
        assert row.template_copy is not None

    report = run(fresh, lambda bed: None, requested, check, "onboarding create")
    assert len(report.cases) >= 16


@pytest.mark.hazard("H1")
def test_verify_and_connect(fresh: Any) -> None:
    """H1: a verification connects once, or not at all and then once."""
    report = run(
        fresh, deployed, lambda bed: bed.connect(), lambda bed: bed.check_connected(),
        "onboarding verify",
    )  # fmt: skip
    assert len(report.cases) >= 40


@pytest.mark.hazard("H1")
def test_connect_by_keys(fresh: Any) -> None:
    """H1: keys connect one registration, however often they are sent."""

    def connect(bed: Bed) -> None:
        settings = wiring.settings()
        made = wiring.key_connector(settings, TENANT).connect(TENANT, "u", GivenKeys(*bed.keys))
        inventory.start_first(settings, made.registration, bed.clock)

    run(fresh, lambda bed: None, connect, lambda bed: bed.check_connected(), "onboarding keys")


@pytest.mark.hazard("H1")
def test_disconnect(fresh: Any) -> None:
    """H1: a disconnect is whole or has not been."""

    def leave(bed: Bed) -> None:
        assert bed.made is not None
        disconnect(wiring.store_of(TENANT), bed.made.id, "u", bed.clock())
        inventory.clean_up(TENANT, CUSTOMER_ACCOUNT)

    run(
        fresh, connected, leave, lambda bed: bed.check_gone(), "onboarding disconnect",
        tolerated=(NotFound,),
    )  # fmt: skip


def records(bed: Bed, kind: str) -> dict[str, Any]:
    assert bed.made is not None
    topic = bed.world.settings.callback_topic_arn
    message = json.dumps(event(bed.made, kind))
    return {"Records": [{"Sns": {"TopicArn": topic, "Message": message}}]}


@pytest.mark.hazard("H1")
def test_stack_callback_create(fresh: Any) -> None:
    """H1: a call-back is answered, always alike, and connects once."""

    def check(bed: Bed) -> None:
        bed.check_connected()
        assert bed.answers
        assert {answer["Status"] for answer in bed.answers} == {"SUCCESS"}

    def call_back(bed: Bed) -> None:
        tasks.stack_callback(records(bed, "Create"), None)

    run(
        fresh, deployed, call_back, check, "onboarding call-back",
        side_effects=[SideEffect(SENDER)],
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_stack_callback_delete(fresh: Any) -> None:
    """H1: a stack's end disconnects, however the call-back dies."""

    def ready(bed: Bed) -> None:
        connected(bed)
        assert bed.made is not None
        bed.world.customer().delete_role(str(bed.made.role_name))

    def check(bed: Bed) -> None:
        bed.check_gone()
        assert {answer["Status"] for answer in bed.answers} == {"SUCCESS"}

    def call_back(bed: Bed) -> None:
        tasks.stack_callback(records(bed, "Delete"), None)

    run(
        fresh, ready, call_back, check, "onboarding stack end",
        side_effects=[SideEffect(SENDER)],
    )  # fmt: skip


@pytest.mark.hazard("H1")
def test_reprobe(fresh: Any) -> None:
    """H1: a sweep that dies is repeated and finds every lost access."""

    def ready(bed: Bed) -> None:
        connected(bed)
        assert bed.made is not None
        bed.world.customer().delete_role(str(bed.made.role_name))
        bed.clock.advance(days=1)

    def check(bed: Bed) -> None:
        assert bed.row().status == "access_lost"
        assert wiring.registry.holder_of(CUSTOMER_ACCOUNT) is not None

    run(fresh, ready, lambda bed: tasks.reprobe_accounts({}, None), check, "onboarding re-probe")
