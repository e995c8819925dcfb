"""One contract for the repository on DynamoDB and its in-memory twin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tidegate.discovery.domain import (
    Chunk,
    Resource,
    ResourceFilters,
    Row,
    RowWrite,
    Run,
    Unit,
    resource_id,
)
from tidegate.discovery.errors import DiscoveryRunning, Superseded
from tidegate.discovery.repository import (
    DiscoveryRepository,
    DynamoDiscoveryRepository,
    place_of,
)
from tidegate.discovery.views import list_resources, totals
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import CUSTOMER_ACCOUNT
from tests.fakes.discovery import MemoryDiscoveryRepository

NOW = FixedClock()()
TENANT = new_id()
UNIT = Unit("us-east-1", "ec2-volumes")
OTHER = "333333333333"


@pytest.fixture(params=["memory", "dynamo"])
def repository(request: pytest.FixtureRequest) -> Iterator[DiscoveryRepository]:
    if request.param == "memory":
        yield MemoryDiscoveryRepository()
        return
    settings_: Settings = request.getfixturevalue("platform")
    assert settings_.table_prefix
    yield DynamoDiscoveryRepository(TenantScope(TENANT))


def new_run(account_id: str = CUSTOMER_ACCOUNT, at: datetime = NOW, onboarding: str = "") -> Run:
    return Run(
        id=new_id(),
        tenant_id=TENANT,
        onboarding_id=onboarding or new_id(),
        account_id=account_id,
        generation=0,
        status="running",
        wanted_regions=("us-east-1",),
        wanted_services=(),
        started_at=at,
        deadline_at=at + timedelta(hours=2),
    )


def row(run: Run, number: int, *, type_: str = "ec2:volume", region: str = "us-east-1") -> Row:
    arn = f"arn:aws:ec2:{region}:{run.account_id}:{type_.replace(':', '-')}/{number}"
    resource = Resource(
        id=resource_id(TENANT, run.account_id, arn),
        arn=arn,
        type=type_,
        name=f"Name#{number}",
        account_id=run.account_id,
        region=region,
        state="available",
        tags={"team": f"T{number % 3}"},
        attributes={"size_gib": number, "nested": {"a": [1, 2.5, None]}},
        metrics={"bytes": {"value": 1.5}},
        unknown=("metrics.x",),
        fingerprint="f" * 64,
        first_seen_at=run.started_at,
        last_seen_at=run.started_at,
        unchanged_since=run.started_at,
    )
    return Row(resource, "ec2-volumes", region, run.id, run.id)


def begun(repository: DiscoveryRepository, run: Run, *units: Unit) -> Run:
    run = repository.begin(run, run.started_at)
    repository.plan(run, units or (UNIT,), run.started_at)
    return run


def stored(repository: DiscoveryRepository, run: Run, rows: list[Row]) -> Unit:
    """The rows committed as one page of the run's unit; the unit after it."""
    before = repository.unit(run.id, UNIT.key)
    assert before is not None
    after = replace(
        before, page=before.page + 1, resource_count=(before.resource_count or 0) + len(rows)
    )
    repository.commit_page(run, before, after, [RowWrite(r, None, 1) for r in rows], NOW)
    return after


def test_a_run_comes_back_as_it_was_stored(repository: DiscoveryRepository) -> None:
    run = new_run()
    assert repository.run(run.id) is None
    assert repository.latest(run.onboarding_id) is None
    begun_run = repository.begin(run, NOW)
    assert begun_run == run == repository.run(run.id) == repository.latest(run.onboarding_id)
    assert repository.begin(run, NOW) == run
    assert repository.account(CUSTOMER_ACCOUNT).running_run_id == run.id


def test_one_run_at_a_time_for_an_account(repository: DiscoveryRepository) -> None:
    first = repository.begin(new_run(), NOW)
    with pytest.raises(DiscoveryRunning):
        repository.begin(new_run(), NOW)
    repository.begin(new_run(OTHER), NOW)
    later = first.deadline_at + timedelta(seconds=1)
    second = repository.begin(new_run(at=later), later)
    closed = replace(second, status="completed", completed_at=later, snapshot="s" * 64)
    assert repository.complete(closed, later) is True
    assert repository.complete(closed, later) is False
    state = repository.account(CUSTOMER_ACCOUNT)
    assert (state.running_run_id, state.last_run_id) == (None, second.id)
    assert state.last_snapshot == "s" * 64
    assert repository.run(second.id) == closed
    repository.begin(new_run(at=later), later)


def test_the_end_of_a_stale_run_leaves_the_next_one_running(
    repository: DiscoveryRepository,
) -> None:
    first = repository.begin(new_run(), NOW)
    later = first.deadline_at
    second = repository.begin(new_run(at=later), later)
    repository.complete(replace(first, status="failed", completed_at=later), later)
    assert repository.account(CUSTOMER_ACCOUNT).running_run_id == second.id


def test_units_are_planned_once(repository: DiscoveryRepository) -> None:
    units = [Unit(f"r-{n:03d}", name) for n in range(40) for name in ("a", "b", "c")]
    run = begun(repository, new_run(), *units)
    assert [unit.key for unit in repository.units(run.id)] == [unit.key for unit in units]
    done = replace(units[0], status="denied", reason="why", missing_actions=("a:B",))
    repository.commit_page(run, units[0], done, (), NOW)
    assert repository.plan(run, units, NOW)[0] == done == repository.unit(run.id, done.key)
    assert repository.unit(run.id, "r-999/a") is None
    planned = repository.run(run.id)
    assert planned is not None
    assert planned.planned


def test_a_page_is_stored_with_its_checkpoint(repository: DiscoveryRepository) -> None:
    run = begun(repository, new_run())
    rows = [row(run, number) for number in range(5)]
    after = stored(repository, run, rows)
    assert repository.unit(run.id, UNIT.key) == after
    places = [(r.resource.region, r.resource.type, r.resource.id) for r in rows]
    found = repository.rows(run, [*places, ("us-east-1", "ec2:volume", new_id())])
    assert found == {r.resource.id: r for r in rows}
    assert totals(repository).total == 5


def test_a_checkpoint_moves_once(repository: DiscoveryRepository) -> None:
    run = begun(repository, new_run())
    first = stored(repository, run, [row(run, 1)])
    with pytest.raises(Superseded):
        repository.commit_page(run, UNIT, first, [RowWrite(row(run, 2), None, 1)], NOW)
    with pytest.raises(Superseded):
        repository.commit_page(
            run, first, replace(first, page=2), [RowWrite(row(run, 1), None, 1)], NOW
        )
    assert repository.unit(run.id, UNIT.key) == first
    assert totals(repository).total == 1
    done = replace(first, status="ok", listed=True)
    repository.commit_page(run, first, done, (), NOW)
    with pytest.raises(Superseded):
        repository.commit_page(run, done, replace(done, page=9), (), NOW)


def test_a_large_page_is_whole_in_the_end(repository: DiscoveryRepository) -> None:
    run = begun(repository, new_run())
    rows = [
        row(run, number, type_=f"ec2:type-{number % 40}", region=f"r-{number % 3}")
        for number in range(100)
    ]
    after = stored(repository, run, rows)
    assert repository.unit(run.id, UNIT.key) == after
    assert totals(repository).total == 100
    assert sum(s.count for s in repository.segments(ResourceFilters(type="ec2:type-7"))) == 3


def test_vanished_rows_leave_list_and_counts_and_stay_stored(
    repository: DiscoveryRepository,
) -> None:
    run = begun(repository, new_run())
    rows = [row(run, number) for number in range(4)]
    stored(repository, run, rows)
    gone = [replace(r, vanished_run=run.id, vanished_at=NOW) for r in rows[:3]]
    repository.vanish(run, [RowWrite(r, run.id, -1) for r in gone], NOW)
    assert totals(repository).total == 1
    listed = repository.slice(run, "us-east-1", "ec2:volume", "", 10)
    assert sorted(r.living for r in listed) == [False, False, False, True]
    with pytest.raises(Superseded):
        repository.vanish(run, [RowWrite(gone[0], "another run", -1)], NOW)
    repository.vanish(
        run, [RowWrite(replace(rows[3], vanished_run="x", vanished_at=NOW), run.id, -1)], NOW
    )
    assert repository.inventory_types(run) == [("us-east-1", "ec2:volume")]
    repository.prune_counts(run)
    assert repository.inventory_types(run) == []


def test_slices_go_through_one_type_in_order(repository: DiscoveryRepository) -> None:
    run = begun(repository, new_run())
    rows = [row(run, number) for number in range(7)] + [
        row(run, number, type_="ec2:volume-2") for number in range(3)
    ]
    stored(repository, run, rows)
    seen: list[str] = []
    after = ""
    while part := repository.slice(run, "us-east-1", "ec2:volume", after, 3):
        assert len(part) <= 3
        seen += [r.resource.id for r in part]
        after = seen[-1]
    assert seen == sorted(r.resource.id for r in rows[:7])


def test_chunks_and_cursor_move_together(repository: DiscoveryRepository) -> None:
    run = begun(repository, new_run())
    planned = repository.run(run.id)
    assert planned is not None
    chunk = Chunk("us-east-1", "ec2:volume", "a", "h" * 64, 3, added=3)
    moved = repository.save_chunk(planned, chunk, "us-east-1#ec2:volume#a", NOW)
    with pytest.raises(Superseded):
        repository.save_chunk(planned, replace(chunk, first_id="b"), "x", NOW)
    repository.save_chunk(moved, replace(chunk, first_id="b", sha256=None), "y", NOW)
    assert [c.first_id for c in repository.chunks(run.id)] == ["a", "b"]
    assert repository.chunks(run.id)[0] == chunk


def test_access_is_lost_once(repository: DiscoveryRepository) -> None:
    run = begun(repository, new_run())
    repository.mark_access_lost(run, NOW)
    repository.mark_access_lost(run, NOW + timedelta(hours=1))
    found = repository.run(run.id)
    assert found is not None
    assert found.access_lost_at == NOW


@pytest.fixture
def inventory(repository: DiscoveryRepository) -> list[Row]:
    """Rows of two accounts, three runs, several regions and types; in list order."""
    rows: list[Row] = []
    for day, account in enumerate((CUSTOMER_ACCOUNT, OTHER, CUSTOMER_ACCOUNT)):
        at = NOW + timedelta(days=day, milliseconds=day)
        run = begun(repository, new_run(account, at))
        new = [
            row(run, day * 100 + n, type_=("ec2:volume", "s3:bucket")[n % 2], region=f"r-{n % 3}")
            for n in range(11)
        ]
        stored(repository, run, new)
        repository.complete(replace(run, status="completed", completed_at=at), at)
        rows += new
    return sorted(rows, key=place_of, reverse=True)


FILTERS = [
    ResourceFilters(),
    ResourceFilters(account_id=CUSTOMER_ACCOUNT),
    ResourceFilters(account_id="999999999999"),
    ResourceFilters(region="r-1"),
    ResourceFilters(type="s3:bucket"),
    ResourceFilters(account_id=OTHER, region="r-2", type="ec2:volume"),
    ResourceFilters(q="NAME#10"),
    ResourceFilters(q="team=t1", type="s3:bucket"),
    ResourceFilters(q="nothing has this"),
]


def expected(rows: list[Row], filters: ResourceFilters) -> list[str]:
    def fits(one: Row) -> bool:
        resource = one.resource
        words = f"{resource.name} {resource.arn} team={resource.tags['team']}".lower()
        return (
            filters.account_id in (None, resource.account_id)
            and filters.region in (None, resource.region)
            and filters.type in (None, resource.type)
            and (filters.q or "").lower() in words
        )

    return [one.resource.id for one in rows if fits(one)]


def test_lists_are_complete_newest_first_and_counted(
    repository: DiscoveryRepository, inventory: list[Row]
) -> None:
    assert list_resources(repository, ResourceFilters(), 0, 100, None)[0] == [
        one.resource for one in inventory
    ]
    for filters in FILTERS:
        wanted = expected(inventory, filters)
        rows, total, more = list_resources(repository, filters, 0, 100, None)
        assert [r.id for r in rows] == wanted
        assert (total, more) == (len(wanted), None)
        assert rows == sorted(rows, key=lambda r: r.first_seen_at, reverse=True)


def test_pages_and_cursors_cut_the_list_without_gap_or_repeat(
    repository: DiscoveryRepository, inventory: list[Row]
) -> None:
    for filters in FILTERS:
        wanted = expected(inventory, filters)
        for size in (4, 9):
            by_page = [
                r.id
                for skip in range(0, len(wanted) + size, size)
                for r in list_resources(repository, filters, skip, size, None)[0]
            ]
            assert by_page == wanted
            assert by_cursor(repository, filters, size) == wanted


def by_cursor(repository: DiscoveryRepository, filters: ResourceFilters, size: int) -> list[str]:
    """The whole list, page after page by cursor."""
    found: list[str] = []
    key = None
    while True:
        rows, _, key = list_resources(repository, filters, 0, size, key)
        found += [r.id for r in rows]
        if key is None:
            return found


def test_hiding_takes_one_account_out_of_every_read(
    repository: DiscoveryRepository, inventory: list[Row]
) -> None:
    repository.hide(CUSTOMER_ACCOUNT, NOW)
    counted = totals(repository)
    assert dict(counted.by_account) == {OTHER: 11}
    for q in (None, "name"):
        rows, total, _ = list_resources(repository, ResourceFilters(q=q), 0, 100, None)
        assert {r.account_id for r in rows} == {OTHER}
        assert total == 11
    while repository.delete_some(CUSTOMER_ACCOUNT, 7):
        pass
    assert totals(repository).total == 11
    assert repository.delete_some(OTHER, 7) == 0
    # Connected again, the account begins empty.
    run = begun(repository, new_run(at=NOW + timedelta(days=9)))
    assert run.generation == 1
    stored(repository, run, [row(run, 1)])
    assert totals(repository).total == 12


def test_deleting_removes_every_item_of_the_account(platform: Settings) -> None:
    """On the table itself: nothing but the account's own state is left."""
    import boto3

    from tests.builders.settings import PREFIX, REGION
    from tests.fakes.tables import dump_tables

    repository = DynamoDiscoveryRepository(TenantScope(TENANT))
    run = begun(repository, new_run())
    stored(repository, run, [row(run, n) for n in range(30)])
    repository.save_chunk(run, Chunk("r", "t", "a", None, 0), "c", NOW)
    repository.hide(CUSTOMER_ACCOUNT, NOW)
    deleted = 0
    while step := repository.delete_some(CUSTOMER_ACCOUNT, 25):
        deleted += step
    assert deleted == 30 + 2 + 1 + 2
    client = boto3.client("dynamodb", region_name=REGION)
    left = dump_tables(client, [f"{PREFIX}-discovery"])[f"{PREFIX}-discovery"]
    assert [item["sk"]["S"] for item in left] == [f"INV#A#{CUSTOMER_ACCOUNT}"]


def test_another_tenant_sees_nothing(platform: Settings) -> None:
    mine = DynamoDiscoveryRepository(TenantScope(TENANT))
    run = begun(mine, new_run())
    stored(mine, run, [row(run, 1)])
    theirs = DynamoDiscoveryRepository(TenantScope(new_id()))
    assert theirs.run(run.id) is None
    assert theirs.unit(run.id, UNIT.key) is None
    assert theirs.units(run.id) == []
    assert theirs.latest(run.onboarding_id) is None
    assert totals(theirs).total == 0
    assert theirs.rows(run, [("us-east-1", "ec2:volume", row(run, 1).resource.id)]) == {}


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["see", "miss"])), max_size=14))
def test_counts_equal_living_rows_after_any_history(
    platform: Settings, history: list[tuple[int, str]]
) -> None:
    repository = DynamoDiscoveryRepository(TenantScope(new_id()))
    run = begun(repository, new_run())
    for number, what in history:
        one = row(run, number)
        resource = one.resource
        place = (resource.region, resource.type, resource.id)
        known = repository.rows(run, [place]).get(resource.id)
        expected_run = None if known is None else known.seen_run
        if what == "see":
            counted = 1 if known is None or not known.living else 0
            repository.vanish(run, [RowWrite(one, expected_run, counted)], NOW)
        elif known is not None and known.living:
            gone = replace(known, vanished_run=run.id, vanished_at=NOW)
            repository.vanish(run, [RowWrite(gone, expected_run, -1)], NOW)
    living = [r for r in repository.slice(run, "us-east-1", "ec2:volume", "", 50) if r.living]
    rows, total, _ = list_resources(repository, ResourceFilters(), 0, 50, None)
    assert total == len(living) == len(rows)
