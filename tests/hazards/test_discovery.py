"""Scans of customer accounts under faults (G14 to G19, G21, G32 in test_permissions, H1, H4)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from tidegate.discovery import service, tasks
from tidegate.discovery.domain import DiscoveryRequest, ResourceFilters, Run, Unit
from tidegate.discovery.engine.finish import finish
from tidegate.discovery.engine.ports import Engine
from tidegate.discovery.engine.prepare import prepare
from tidegate.discovery.engine.units import MAX_RESTARTS, read_unit
from tidegate.discovery.errors import RunGone
from tidegate.discovery.models import UnitItem
from tidegate.discovery.repository import DynamoDiscoveryRepository
from tidegate.discovery.snapshots import S3Objects
from tidegate.discovery.views import discovery_view, list_resources, totals
from tidegate_kit import aws_session, dynamo
from tidegate_kit.aws_session import CustomerSession, Keys
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import FixedClock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.discovery import (
    NESTED,
    Answers,
    PagedVolumes,
    begin_run,
    build_engine,
    follow,
    planned_run,
    scripted,
)
from tests.builders.settings import CUSTOMER_ACCOUNT, PREFIX, REGION
from tests.fakes.discovery import ScriptedAccount, ScriptedSession, aws_error
from tests.fakes.faults import Killed, enumerate_faults
from tests.fakes.strict_aws.layer import strict_aws
from tests.fakes.tables import create_tables, empty_tables
from tests.unit.discovery.test_state_machine import events_of, machine_of

VOLUMES = ("ec2-volumes",)
UNIT_KEY = f"{REGION}/ec2-volumes"
BUCKET = "tidegate-test-data"


def outcome(step: Callable[[], Any]) -> Any:
    """What a step gives, or the error it raises."""
    try:
        return step()
    except Exception as error:
        return error


def unit_of(engine: Engine, run: Run) -> Unit:
    unit = engine.repository.unit(run.id, UNIT_KEY)
    assert unit is not None
    return unit


# ------------------------------------------------------------ access, sessions


def scan_after_access_is_lost() -> tuple[Engine, Run, Run, ScriptedAccount]:
    """A complete run, then one in which the role disappears after three pages."""
    regions = dict.fromkeys(("ap-south-1", "eu-west-1", "sa-east-1", "us-east-1"), 6)
    account = ScriptedAccount(PagedVolumes(regions, page=2).session())
    engine = build_engine(account)
    first = begin_run(engine, regions=tuple(regions), services=VOLUMES)
    follow(engine, first.id)
    engine.clock.advance(days=1)  # type: ignore[attr-defined]
    second = begin_run(
        engine, regions=tuple(regions), services=VOLUMES, onboarding_id=first.onboarding_id
    )
    account.opened.clear()
    # One for the region list, three pages of the first region, one page of the second.
    account.refuses = lambda actions: len(account.opened) > 5
    follow(engine, second.id)
    return engine, first, second, account


@pytest.mark.hazard("G14")
@pytest.mark.bite("tidegate.discovery.engine.units.known_lost", returns=False)
@pytest.mark.bite("tidegate.discovery.engine.finish.fully_listed", returns=True)
def test_a_role_removed_during_the_scan_keeps_the_data_and_is_asked_once_more() -> None:
    """G14: access lost is shown, what is known stays and is dated, no retry storm."""
    engine, first, second, account = scan_after_access_is_lost()
    assert len(account.opened) == 6, "the first refusal is the last call"
    view = discovery_view(engine.repository, second.onboarding_id, engine.clock())
    assert view is not None
    assert view.status == "completed_with_gaps"
    lost = [unit for unit in engine.repository.units(second.id) if not unit.listed]
    assert [unit.status for unit in lost] == ["partial", "denied", "denied"]
    for unit in lost:
        assert unit.missing_actions == ("sts:AssumeRole",)
        assert "access lost" in str(unit.reason)
        assert unit.page > 0 or (unit.status, unit.resource_count) == ("denied", None)
    rows, total, _ = list_resources(engine.repository, ResourceFilters(), 0, 100, None)
    assert total == 24, "not seen is not gone"
    assert first.started_at in {row.last_seen_at for row in rows}, "the old rows keep their date"


@pytest.mark.hazard("G15")
@pytest.mark.bite("tidegate.discovery.engine.units.session_ended", returns=False)
def test_a_session_that_ends_is_assumed_again_without_a_gap() -> None:
    """G15: expiry in the middle of a scan is followed by a new session, no gap, no repeat."""
    volumes = PagedVolumes({REGION: 20}, page=2)
    calls = 0

    def answer(service_: str, region: str, operation: str, given: Mapping[str, Any]) -> Any:
        nonlocal calls
        calls += 1
        if calls % 3 == 0:
            return aws_error("RequestExpired", "Request has expired.")
        return volumes.answer(region, given)

    account = ScriptedAccount(ScriptedSession(answer))
    engine = build_engine(account)
    run = planned_run(engine, Unit(REGION, "ec2-volumes"))
    assert outcome(lambda: read_unit(engine, run.id, UNIT_KEY)) is True
    assert (unit_of(engine, run).status, unit_of(engine, run).resource_count) == ("ok", 20)
    assert totals(engine.repository).total == 20
    assert len(account.opened) == 10 + 4, "a page each, and one again for each expiry"


# ----------------------------------------------------- regions that do not answer


REGION_FAULTS: dict[str, tuple[Any, str, str]] = {
    "scp": (
        aws_error(
            "UnauthorizedOperation",
            "User: x is not authorized to perform: ec2:DescribeVolumes with an explicit deny in "
            "a service control policy",
            403,
        ),
        "denied",
        "SCP",
    ),
    "opt-in": (aws_error("AuthFailure", "not able to validate", 401), "skipped", "not enabled"),
    "subscription": (aws_error("OptInRequired", "", 401), "skipped", "not available"),
    "5xx": (aws_error("InternalError", "", 500), "partial", "did not answer"),
    "hanging": (ReadTimeoutError(endpoint_url="https://ec2"), "partial", "did not answer"),
}


@pytest.mark.hazard("G16")
@pytest.mark.bite(
    "tidegate.discovery.engine.units.cut_short",
    lambda unit, reason: replace(unit, status="ok", resource_count=0, listed=True),
)
@pytest.mark.parametrize("fault", sorted(REGION_FAULTS))
def test_one_bad_region_is_a_gap_with_its_reason(fault: str) -> None:
    """G16: SCP, opt-in, 5xx or hanging region gives a partial result with a reason, never 0."""
    error, status, reason = REGION_FAULTS[fault]
    volumes = PagedVolumes({"us-east-1": 3, "eu-west-1": 3})

    def answer(service_: str, region: str, operation: str, given: Mapping[str, Any]) -> Any:
        if operation == "describe_regions":
            return {"Regions": [{"RegionName": name} for name in volumes.per_region]}
        if operation != "describe_volumes":
            return NESTED[service_, operation]
        return error if region == "eu-west-1" else volumes.answer(region, given)

    engine = build_engine(ScriptedAccount(ScriptedSession(answer)))
    run = begin_run(engine, regions=tuple(volumes.per_region), services=VOLUMES)
    machine_of(engine).execute(events_of(engine, run.id))
    view = discovery_view(engine.repository, run.onboarding_id, engine.clock())
    assert view is not None
    assert (view.status, view.resources_found) == ("completed_with_gaps", 3)
    found = {region.region: region.services[0] for region in view.regions}
    assert (found["us-east-1"].status, found["us-east-1"].resource_count) == ("ok", 3)
    assert (found["eu-west-1"].status, found["eu-west-1"].resource_count) == (status, None)
    assert reason in str(found["eu-west-1"].reason)


@pytest.mark.hazard("G17")
@pytest.mark.bite("tidegate.discovery.collectors.outcomes._kind", returns="refused")
def test_throttling_is_waited_out_and_bounded_and_only_its_tenants_affair() -> None:
    """G17: RequestLimitExceeded is backed off adaptively, bounded, and stops no other tenant."""
    error = aws_error("RequestLimitExceeded", "Request limit exceeded.", 503)
    left: list[Any] = [error, error, {"Volumes": [{"VolumeId": "vol-1"}]}]
    engine = build_engine(
        scripted(
            Answers(
                {
                    ("ec2", "describe_regions"): {"Regions": []},
                    ("ec2", "describe_volumes"): lambda _: left.pop(0),
                }
            )
        )
    )
    run = begin_run(engine, services=VOLUMES)
    machine = machine_of(engine)
    machine.execute(events_of(engine, run.id))
    assert unit_of(engine, run).status == "ok"
    assert machine.waited >= 15, "5 s, then 10 s, before jitter"

    always = Answers(
        {("ec2", "describe_regions"): {"Regions": []}, ("ec2", "describe_volumes"): error}
    )
    account = scripted(always)
    starved = build_engine(account)
    stuck = begin_run(starved, services=VOLUMES)
    machine_of(starved).execute(events_of(starved, stuck.id))
    asked = [call for call in account.session.calls if call[2] == "describe_volumes"]
    assert len(asked) == 6, "the first and five tries"
    other = build_engine(ScriptedAccount(PagedVolumes({REGION: 2}).session()))
    neighbour = begin_run(other, services=VOLUMES)
    machine = machine_of(other)
    machine.execute(events_of(other, neighbour.id))
    assert (machine.waited, totals(other.repository).total) == (0.0, 2)

    session = CustomerSession(Keys("AKIAEXAMPLE", "secret"))
    retries = session.client("ec2", REGION).meta.config.retries
    assert retries["mode"] == "adaptive"
    assert retries["total_max_attempts"] <= 6
    assert aws_session._CUSTOMER_CONFIG.read_timeout <= 20


# -------------------------------------------------------------- page tokens


@pytest.mark.hazard("G18")
@pytest.mark.bite("tidegate.discovery.engine.units.repeats", returns=False)
def test_a_repeating_token_ends_the_unit_and_is_reported() -> None:
    """G18: a service that repeats its pagination token is not followed for ever."""
    calls = 0

    def endless(_: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls > 20:
            pytest.fail("the listing is followed in a circle")
        return {"Volumes": [{"VolumeId": f"vol-{calls % 3}"}], "NextToken": f"t{calls % 3}"}

    engine = build_engine(scripted(Answers({("ec2", "describe_volumes"): endless})))
    run = planned_run(engine, Unit(REGION, "ec2-volumes"))
    read_unit(engine, run.id, UNIT_KEY)
    unit = unit_of(engine, run)
    assert (unit.status, unit.resource_count, unit.listed) == ("partial", 3, False)
    assert "repeated" in str(unit.reason)


@pytest.mark.hazard("G18")
def test_an_expired_token_starts_the_listing_again_a_bounded_number_of_times() -> None:
    """G18: an expired pagination token is answered by a new start, twice, without repeats."""
    volumes = PagedVolumes({REGION: 9}, page=2)
    refusals = 1

    def answer(given: Mapping[str, Any]) -> Any:
        nonlocal refusals
        if given.get("NextToken") == "after-4" and refusals:
            refusals -= 1
            return aws_error("InvalidNextToken", "The token is expired")
        return volumes.answer(REGION, given)

    engine = build_engine(scripted(Answers({("ec2", "describe_volumes"): answer})))
    run = planned_run(engine, Unit(REGION, "ec2-volumes"))
    read_unit(engine, run.id, UNIT_KEY)
    assert (unit_of(engine, run).status, unit_of(engine, run).resource_count) == ("ok", 9)
    refusals = 10**6
    again = planned_run(build := build_engine(engine.account), Unit(REGION, "ec2-volumes"))
    read_unit(build, again.id, UNIT_KEY)
    unit = unit_of(build, again)
    assert (unit.status, unit.resource_count) == ("partial", 4)
    assert unit.restarts == MAX_RESTARTS
    assert "refused again" in str(unit.reason)


# ------------------------------------------------------------------ killed


class Overlapping(PagedVolumes):
    """Pages that shift while they are read: each begins with the last volume of the one before."""

    def answer(self, region: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        page = super().answer(region, parameters)
        start = int(str(parameters.get("NextToken", "after-0")).removeprefix("after-"))
        if start:
            before = self.volume_ids(region)[start - 1]
            page["Volumes"].insert(0, {"VolumeId": before, "State": "in-use", "Size": 8})
        return page


@pytest.mark.hazard("G19")
@pytest.mark.bite("tidegate.discovery.engine.merge.stored_already", returns=False)
def test_killed_at_every_step_of_every_page_the_scan_goes_on() -> None:
    """G19: a Lambda that dies anywhere is followed by one that resumes: no duplicate, no gap."""
    fired = 0
    for at in range(1, 200):
        volumes = Overlapping({REGION: 11}, page=3)
        account = ScriptedAccount(volumes.session())
        engine = build_engine(account)
        run = begin_run(engine, services=VOLUMES)
        died = die_at(engine, account, at, lambda e=engine, r=run: follow(e, r.id))  # type: ignore[misc]
        fired += died
        follow(engine, run.id)
        view = discovery_view(engine.repository, run.onboarding_id, engine.clock())
        assert view is not None
        assert (view.status, view.resources_found) == ("completed", 11)
        rows, total, _ = list_resources(engine.repository, ResourceFilters(), 0, 100, None)
        found = sorted(row.arn.rsplit("/")[-1] for row in rows)
        assert (found, total) == (volumes.volume_ids(REGION), 11)
        if not died:
            break
    assert fired > 20, "before and after every write, session and call"


def die_at(engine: Engine, account: ScriptedAccount, at: int, flow: Callable[[], Any]) -> bool:
    """Runs the flow and dies before or after its step number `at`; False if it ended before."""
    steps = 0

    def dying(inner: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal steps
            for action in (lambda: None, lambda: inner(*args, **kwargs)):
                result = action()
                steps += 1
                if steps == at:
                    raise Killed(str(at))
            return result

        return step

    owners: Sequence[tuple[Any, str]] = (
        *((engine.repository, name) for name in ("plan", "commit_page", "save_chunk", "complete")),
        (account, "open"),
        (account.session, "answer"),
    )
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for owner, name in owners:
            patch.setattr(owner, name, dying(getattr(owner, name)))
        try:
            flow()
        except Killed:
            return True
    return False


@pytest.mark.hazard("G21")
@pytest.mark.bite(
    "tidegate.discovery.repository.records.run_pk", lambda scope, run_id: f"R#{run_id}"
)
def test_a_task_naming_another_tenants_run_is_refused(platform: Settings) -> None:
    """G21: a message with tenant A and a run of B's account reads nothing and writes nothing."""
    theirs = build_engine(
        ScriptedAccount(PagedVolumes({REGION: 1}).session()),
        repository=DynamoDiscoveryRepository(scope := TenantScope(new_id())),
        scope=scope,
    )
    run = begin_run(theirs, services=VOLUMES)
    prepare(theirs, run.id)
    account = ScriptedAccount(PagedVolumes({REGION: 1}).session())
    mine = TenantScope(new_id())
    engine = build_engine(account, repository=DynamoDiscoveryRepository(mine), scope=mine)
    event = {"tenant_id": mine.tenant_id, "run_id": run.id, "unit": UNIT_KEY}
    for task in ("prepare", "page", "finish", "fail"):
        got = outcome(lambda task=task: tasks._TASKS[task](engine, {**event, "task": task}))  # type: ignore[misc]
        assert isinstance(got, RunGone), task
    assert engine.repository.units(run.id) == [], "no row of theirs is readable by the run's id"
    assert account.opened == []


# ------------------------------------------------------ every AWS call of ours


@dataclass
class World:
    """A fresh double with the tables, one tenant and one account."""

    engine: Engine
    request: DiscoveryRequest
    objects: S3Objects

    def start(self) -> None:
        self.engine.clock.advance(seconds=1)  # type: ignore[attr-defined]
        service.start(
            self.engine.repository,
            self.request,
            service.launcher(f"arn:aws:states:{REGION}:123456789012:stateMachine:d", REGION),
            self.engine.clock(),
        )

    def scan(self) -> None:
        follow(self.engine, self.request.run_id)

    def executions(self) -> int:
        return len(
            boto3.client("stepfunctions", region_name=REGION).list_executions(
                stateMachineArn=f"arn:aws:states:{REGION}:123456789012:stateMachine:d"
            )["executions"]
        )


@pytest.fixture
def fresh_world(
    environment: None, table_specs: Any
) -> Iterator[Callable[[], contextlib.AbstractContextManager[World]]]:
    """Makes worlds on one double, emptied between them: a double for each would take minutes."""
    with strict_aws():
        ddb = boto3.client("dynamodb", region_name=REGION)
        specs = [spec for spec in table_specs if spec.name == f"{PREFIX}-discovery"]
        create_tables(ddb, specs)
        boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
        sfn = boto3.client("stepfunctions", region_name=REGION)

        @contextlib.contextmanager
        def world() -> Iterator[World]:
            platform_client.cache_clear()
            dynamo.configure_store(dynamo.Store(PREFIX, REGION))
            empty_tables(ddb, specs)
            arn = sfn.create_state_machine(
                name="d",
                definition='{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}',
                roleArn="arn:aws:iam::123456789012:role/states",
            )["stateMachineArn"]
            scope = TenantScope(new_id())
            objects = S3Objects(BUCKET, REGION)
            engine = build_engine(
                ScriptedAccount(PagedVolumes({REGION: 3}, page=2).session()),
                repository=DynamoDiscoveryRepository(scope),
                objects=objects,
                scope=scope,
                clock=FixedClock(),
            )
            wanted = DiscoveryRequest(
                scope.tenant_id, new_id(), CUSTOMER_ACCOUNT, (REGION,), VOLUMES, new_id()
            )
            yield World(engine, wanted, objects)
            sfn.delete_state_machine(stateMachineArn=arn)

        yield world


WRITES = {"TransactWriteItems", "UpdateItem", "DeleteItem", "BatchWriteItem", "PutObject"}


def writes(service_: str, operation: str) -> bool:
    """The platform's own writes: dying at a read is dying after the write before it."""
    return operation in WRITES or operation in ("DeleteObjects", "StartExecution")


@pytest.mark.hazard("H1")
@pytest.mark.bite(
    "tidegate.discovery.service.must_launch",
    lambda stored, wanted: stored.started_at == wanted.started_at,  # only what is new
    cases=("start",),
)
@pytest.mark.parametrize("flow", ["start", "scan", "disconnect"])
def test_every_call_of_every_write_flow_may_fail(
    flow: str, fresh_world: Callable[[], contextlib.AbstractContextManager[World]]
) -> None:
    """H1: throttled, killed before or after, answer lost, then redelivered: 0 lost, 0 doubled."""

    def started(world: World) -> None:
        assert world.executions() == 1
        run = world.engine.repository.run(world.request.run_id)
        assert run is not None
        assert world.engine.repository.account(CUSTOMER_ACCOUNT).running_run_id == run.id

    def scan(world: World) -> None:
        begin_run(
            world.engine,
            services=VOLUMES,
            run_id=world.request.run_id,
            onboarding_id=world.request.onboarding_id,
        )
        world.scan()

    def scanned(world: World) -> None:
        counted = totals(world.engine.repository)
        rows = list_resources(world.engine.repository, ResourceFilters(), 0, 50, None)[0]
        assert (counted.total, len(rows)) == (3, 3), "counted once, listed once"
        view = discovery_view(
            world.engine.repository, world.request.onboarding_id, world.engine.clock()
        )
        assert view is not None
        assert (view.status, view.resources_found) == ("completed", 3)
        assert world.engine.repository.account(CUSTOMER_ACCOUNT).running_run_id is None

    def disconnect(world: World) -> None:
        repository = world.engine.repository
        if repository.account(CUSTOMER_ACCOUNT).generation == 0:
            repository.hide(CUSTOMER_ACCOUNT, world.engine.clock())
        service.delete_account(repository, world.engine.snapshots, CUSTOMER_ACCOUNT, None)

    def gone(world: World) -> None:
        assert totals(world.engine.repository).total == 0
        assert world.engine.repository.run(world.request.run_id) is None
        prefix = f"inventory/{world.engine.scope.tenant_id}/"
        assert world.objects.delete_prefix(prefix, 10) == 0

    @contextlib.contextmanager
    def with_inventory() -> Iterator[World]:
        with fresh_world() as world:
            scan(world)
            yield world

    act, check, fresh = {
        "start": (World.start, started, fresh_world),
        "scan": (scan, scanned, fresh_world),
        "disconnect": (disconnect, gone, with_inventory),
    }[flow]
    enumerate_faults(
        act, act, check, fresh, name=f"discovery {flow}", counts=writes, redeliveries=1
    )


@pytest.mark.hazard("H4")
@pytest.mark.bite("tidegate_kit.dynamo._unprocessed", lambda answer, table: [])
@pytest.mark.parametrize("left", ["one", "most", "all", "for ever"])
def test_unprocessed_deletes_are_sent_again_or_an_error(
    left: str, platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H4: BatchWrite leaving one, most or all items, or for ever: all written or an error."""
    scope = TenantScope(new_id())
    repository = DynamoDiscoveryRepository(scope)
    engine = build_engine(scripted(), repository=repository, scope=scope)
    run = planned_run(engine, *(Unit(f"r-{n:02d}", "a") for n in range(30)))
    partition = f"{scope.pk}#R#{run.id}"
    keys = [(item.pk, item.sk) for item in UnitItem.query(partition)]
    keep = {"one": 1, "most": 20, "all": 25, "for ever": 25}[left]
    dispatch = dynamo.current_store().connection.dispatch
    refusals = [0]

    def partly(operation: str, given: dict[str, Any], *more: Any) -> Any:
        if operation != "BatchWriteItem" or (refusals[0] >= 2 and left != "for ever"):
            return dispatch(operation, given, *more)
        refusals[0] += 1
        ((table, writes),) = given["RequestItems"].items()
        kept = writes[-keep:]
        if done := writes[: len(writes) - len(kept)]:
            dispatch(operation, {"RequestItems": {table: done}})
        return {"UnprocessedItems": {table: kept}}

    monkeypatch.setattr(dynamo.current_store().connection, "dispatch", partly)
    pauses: list[float] = []
    got = outcome(lambda: dynamo.batch_delete(UnitItem, keys, pause=pauses.append))
    monkeypatch.undo()
    remaining = len(list(UnitItem.query(partition)))
    if left == "for ever":
        assert isinstance(got, ServiceUnavailable)
        assert 0 < len(pauses) <= 6
    else:
        assert (got, remaining) == (30, 0)


def test_finish_may_be_repeated_for_ever() -> None:
    engine = build_engine(ScriptedAccount(PagedVolumes({REGION: 3}).session()))
    run = begin_run(engine, services=VOLUMES)
    follow(engine, run.id)
    stored = engine.repository.run(run.id)
    assert all(finish(engine, run.id) for _ in range(3))
    assert engine.repository.run(run.id) == stored
