"""The engine on in-memory twins: plans, pages, resuming, vanishing, snapshots, bounded memory."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate.discovery import service
from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.collectors.base import Collector, Page, Read, Reader
from tidegate.discovery.domain import (
    DiscoveryRequest,
    Found,
    ResourceFilters,
    Run,
    RunStatus,
    Unit,
    progress_of,
)
from tidegate.discovery.engine.finish import final_status, finish
from tidegate.discovery.engine.merge import bounded
from tidegate.discovery.engine.ports import Engine
from tidegate.discovery.engine.prepare import prepare
from tidegate.discovery.engine.units import read_unit
from tidegate.discovery.errors import DiscoveryRunning
from tidegate.discovery.views import discovery_view, list_resources, totals
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id

from tests.builders.discovery import (
    Answers,
    PagedVolumes,
    begin_run,
    build_engine,
    follow,
    planned_run,
    scripted,
)
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.discovery import MemoryObjects, ScriptedAccount, aws_error
from tests.fakes.faults import Killed

VOLUMES = ("ec2-volumes",)
FOUR = ("us-east-1", "eu-west-1", "ap-south-1", "sa-east-1")


# ------------------------------------------------------------------ planning


def regions_answer(**status: str) -> dict[str, Any]:
    return {
        "Regions": [
            {"RegionName": name.replace("_", "-"), "OptInStatus": state}
            for name, state in status.items()
        ]
    }


def planned(answer: Any, wanted: Sequence[str] = ()) -> list[Unit]:
    engine = build_engine(scripted(Answers({("ec2", "describe_regions"): answer})))
    run = begin_run(engine, regions=wanted, services=("ec2-volumes", "iam"))
    prepare(engine, run.id)
    return engine.repository.units(run.id)


def test_without_a_choice_all_enabled_regions_are_read() -> None:
    units = planned(
        regions_answer(
            us_east_1="opt-in-not-required", me_south_1="not-opted-in", af_south_1="opted-in"
        )
    )
    assert [unit.key for unit in units] == [
        "af-south-1/ec2-volumes",
        "global/iam",
        "us-east-1/ec2-volumes",
    ]


def test_a_chosen_region_that_is_off_is_skipped_with_its_reason() -> None:
    answer = regions_answer(us_east_1="opt-in-not-required", me_south_1="not-opted-in")
    units = {unit.key: unit for unit in planned(answer, ("us-east-1", "me-south-1"))}
    assert units["me-south-1/ec2-volumes"].status == "skipped"
    assert "not enabled" in str(units["me-south-1/ec2-volumes"].reason)
    assert units["me-south-1/ec2-volumes"].resource_count is None
    assert units["us-east-1/ec2-volumes"].status == "pending"


def test_without_the_permission_to_list_regions_one_is_read_and_the_gap_shown() -> None:
    units = planned(aws_error("UnauthorizedOperation", status=403))
    by_key = {unit.key: unit for unit in units}
    assert set(by_key) == {"global/regions", "global/iam", "us-east-1/ec2-volumes"}
    assert by_key["global/regions"].status == "denied"
    assert by_key["global/regions"].missing_actions == ("ec2:DescribeRegions",)
    chosen = planned(aws_error("UnauthorizedOperation", status=403), ("eu-west-1",))
    assert {unit.key for unit in chosen} == {"global/iam", "eu-west-1/ec2-volumes"}


def test_planning_again_changes_nothing() -> None:
    engine = build_engine(ScriptedAccount(PagedVolumes({"us-east-1": 3}).session()))
    run = begin_run(engine, services=VOLUMES)
    first = prepare(engine, run.id)
    assert prepare(engine, run.id) == first
    read_unit(engine, run.id, first[0].key)
    assert prepare(engine, run.id) == []


# ------------------------------------------------------- pages and resuming


class Lost(Exception):
    """The answer to a write was lost."""


class Deadly:
    """Wraps a repository's or session's method: dies at a given number of calls in all."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.fired = False

    def wrap(self, owner: Any, name: str) -> None:
        inner = getattr(owner, name)

        def dying(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                self.fired = True
                raise Killed(f"before {name}")
            result = inner(*args, **kwargs)
            self.left -= 1
            if self.left == 0:
                self.fired = True
                raise Killed(f"after {name}")
            return result

        setattr(owner, name, dying)


def run_with_deaths(engine: Engine, run_id: str, deaths: Sequence[int]) -> int:
    """The whole run, killed after so many steps each time, then started again."""
    fired = 0
    watched = (
        (engine.repository, ("plan", "commit_page", "vanish", "save_chunk", "complete")),
        (engine.account, ("open", "discovered")),
    )
    originals = [(owner, name, getattr(owner, name)) for owner, names in watched for name in names]
    for at in [*deaths, 10**9]:
        deadly = Deadly(at)
        for owner, name, inner in originals:
            setattr(owner, name, inner)
            deadly.wrap(owner, name)
        try:
            follow(engine, run_id)
        except Killed:
            fired += 1
            continue
        break
    return fired


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.dictionaries(st.sampled_from(FOUR), st.integers(0, 23), min_size=1, max_size=3),
    page=st.integers(1, 9),
    deaths=st.lists(st.integers(1, 60), max_size=5),
)
def test_killed_anywhere_and_resumed_nothing_is_lost_or_doubled(
    sizes: dict[str, int], page: int, deaths: list[int]
) -> None:
    volumes = PagedVolumes(sizes, page=page)
    account = ScriptedAccount(volumes.session())
    engine = build_engine(account)
    run = begin_run(engine, regions=tuple(sizes), services=VOLUMES)
    run_with_deaths(engine, run.id, deaths)
    rows, total, _ = list_resources(engine.repository, ResourceFilters(), 0, 100, None)
    wanted = sorted(id_ for region in sizes for id_ in volumes.volume_ids(region))
    assert sorted(row.arn.rsplit("/")[-1] for row in rows) == wanted
    assert total == len(wanted)
    view = discovery_view(engine.repository, run.onboarding_id, engine.clock())
    assert view is not None
    assert (view.status, view.resources_found) == ("completed", len(wanted))
    assert [run_id for run_id, _ in account.reported].count(run.id) >= 1


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 40), page=st.integers(1, 7), steps=st.lists(st.booleans(), max_size=40))
def test_progress_never_falls_and_is_100_exactly_at_the_end(
    size: int, page: int, steps: list[bool]
) -> None:
    engine = build_engine(
        ScriptedAccount(PagedVolumes(dict.fromkeys(FOUR, size), page=page).session())
    )
    run = begin_run(engine, regions=FOUR, services=VOLUMES)
    seen: list[int] = []

    def look() -> None:
        view = discovery_view(engine.repository, run.onboarding_id, engine.clock())
        assert view is not None
        assert (view.progress == 100) == (view.status != "running")
        seen.append(view.progress)

    look()
    turns = iter(steps)
    stopping = replace(engine, has_time=lambda: next(turns, False))
    for unit in prepare(stopping, run.id):
        while not read_unit(stopping, run.id, unit.key):
            look()
    look()
    while not finish(stopping, run.id):
        look()
    look()
    assert seen == sorted(seen)
    assert seen[-1] == 100


def test_ten_thousand_resources_in_four_regions() -> None:
    volumes = PagedVolumes(dict.fromkeys(FOUR, 2_500))
    account = ScriptedAccount(volumes.session())
    objects = MemoryObjects()
    engine = build_engine(account, objects=objects)
    run = begin_run(engine, regions=FOUR, services=VOLUMES)
    stepwise = replace(engine, has_time=lambda: False)
    units = prepare(stepwise, run.id)
    calls_before = len(account.session.calls)
    peaks: list[int] = []
    steps = 0

    def measured(step: Callable[[], bool]) -> bool:
        nonlocal steps
        steps += 1
        if steps % 8:  # tracing is slow: every eighth step is measured
            return step()
        tracemalloc.start()
        try:
            return step()
        finally:
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    for unit in units:
        while not measured(lambda key=unit.key: read_unit(stepwise, run.id, key)):  # type: ignore[misc]
            pass
    pages = len(account.session.calls) - calls_before
    while not measured(lambda: finish(stepwise, run.id)):
        pass
    assert totals(engine.repository).total == 10_000
    assert pages == volumes.pages_given == 100
    assert steps > 140, "each step is a page or a slice"
    assert len(peaks) > 15
    # No step holds the inventory, which takes some 20 MB.
    assert max(peaks) < 6_000_000, f"peak of one step: {max(peaks)} bytes"
    view = discovery_view(engine.repository, run.onboarding_id, engine.clock())
    assert view is not None
    assert (view.status, view.resources_found) == ("completed", 10_000)
    print(f"10,000 resources: {pages} calls, {pages} pages, peak {max(peaks) // 1024} KiB a step")


def test_overlapping_pages_count_each_resource_once() -> None:
    pages = {
        None: ({"Volumes": [{"VolumeId": "a"}, {"VolumeId": "b"}], "NextToken": "2"}),
        "2": ({"Volumes": [{"VolumeId": "b"}, {"VolumeId": "c"}]}),
    }
    answers = Answers({("ec2", "describe_volumes"): lambda p: pages[p.get("NextToken")]})
    engine = build_engine(scripted(answers))
    run = planned_run(engine, Unit(REGION, "ec2-volumes"))
    read_unit(engine, run.id, f"{REGION}/ec2-volumes")
    unit = engine.repository.unit(run.id, f"{REGION}/ec2-volumes")
    assert unit is not None
    assert (unit.status, unit.resource_count) == ("ok", 3)
    assert totals(engine.repository).total == 3


def test_a_page_read_twice_by_two_workers_is_stored_once() -> None:
    volumes = PagedVolumes({REGION: 5}, page=2)
    engine = build_engine(ScriptedAccount(volumes.session()))
    run = planned_run(engine, Unit(REGION, "ec2-volumes"))
    other = replace(engine, account=ScriptedAccount(volumes.session()))
    started = False

    def meddle(actions: Sequence[str]) -> bool:
        nonlocal started
        if not started:
            started = True
            read_unit(replace(other, has_time=lambda: False), run.id, f"{REGION}/ec2-volumes")
        return False

    slow = ScriptedAccount(volumes.session(), refuses=meddle)
    read_unit(replace(engine, account=slow), run.id, f"{REGION}/ec2-volumes")
    unit = engine.repository.unit(run.id, f"{REGION}/ec2-volumes")
    assert unit is not None
    assert (unit.status, unit.resource_count, unit.page) == ("ok", 5, 3)
    assert totals(engine.repository).total == 5


# ----------------------------------------------------- the inventory over time


def second_run(engine: Engine, first: Run, **options: Any) -> Run:
    engine.clock.advance(days=1)  # type: ignore[attr-defined]
    run = begin_run(engine, onboarding_id=first.onboarding_id, **options)
    follow(engine, run.id)
    stored = engine.repository.run(run.id)
    assert stored is not None
    return stored


def test_new_changed_and_vanished_resources_are_told_apart() -> None:
    state = {
        "a": {"VolumeId": "a", "Size": 1},
        "b": {"VolumeId": "b", "Size": 1},
        "c": {"VolumeId": "c", "Size": 1},
    }
    answers = Answers(
        {
            ("ec2", "describe_volumes"): lambda _: {"Volumes": list(state.values())},
            ("ec2", "describe_regions"): regions_answer(us_east_1="opted-in"),
        }
    )
    objects = MemoryObjects()
    engine = build_engine(scripted(answers), objects=objects)
    first = begin_run(engine, services=VOLUMES)
    follow(engine, first.id)
    state["b"] = {"VolumeId": "b", "Size": 2}
    del state["c"]
    state["d"] = {"VolumeId": "d", "Size": 1}
    second = second_run(engine, first, services=VOLUMES)
    assert second.summary is not None
    assert {k: second.summary[k] for k in ("added", "changed", "vanished", "resources")} == {
        "added": 1, "changed": 1, "vanished": 1, "resources": 3,
    }  # fmt: skip
    rows, total, _ = list_resources(engine.repository, ResourceFilters(), 0, 10, None)
    assert total == 3
    names = [row.arn[-1] for row in rows]
    assert names[0] == "d", "newest first"
    found = dict(zip(names, rows, strict=True))
    assert found["a"].unchanged_since == found["a"].first_seen_at == first.started_at
    assert found["b"].unchanged_since == second.started_at
    assert found["a"].last_seen_at == second.started_at


def test_an_unchanged_inventory_has_the_same_snapshot_and_shares_its_objects() -> None:
    objects = MemoryObjects()
    engine = build_engine(ScriptedAccount(PagedVolumes({REGION: 600}).session()), objects=objects)
    first = begin_run(engine, services=VOLUMES)
    follow(engine, first.id)
    names = set(objects.objects)
    second = second_run(engine, first, services=VOLUMES)
    stored = engine.repository.run(first.id)
    assert stored is not None
    assert second.snapshot == stored.snapshot is not None
    assert {name for name in objects.objects if "/diffs/" not in name} <= names
    manifest = engine.snapshots.manifest(CUSTOMER_ACCOUNT, 0, str(second.snapshot))
    assert manifest is not None
    assert sum(chunk["count"] for chunk in manifest["chunks"]) == 600
    lines = [
        line
        for chunk in manifest["chunks"]
        for line in engine.snapshots.lines(CUSTOMER_ACCOUNT, 0, chunk["sha256"])
    ]
    assert len({line["arn"] for line in lines}) == 600
    assert manifest["coverage"][0]["status"] == "ok"


def test_a_run_of_one_region_leaves_the_others_alone() -> None:
    engine = build_engine(ScriptedAccount(PagedVolumes({"us-east-1": 2, "eu-west-1": 3}).session()))
    first = begin_run(engine, regions=("us-east-1", "eu-west-1"), services=VOLUMES)
    follow(engine, first.id)
    second_run(engine, first, regions=("us-east-1",), services=VOLUMES)
    assert totals(engine.repository).total == 5


def test_a_resource_that_comes_back_lives_again() -> None:
    volumes = PagedVolumes({REGION: 2})
    engine = build_engine(ScriptedAccount(volumes.session()))
    first = begin_run(engine, services=VOLUMES)
    follow(engine, first.id)
    volumes.per_region[REGION] = 1
    second_run(engine, first, services=VOLUMES)
    assert totals(engine.repository).total == 1
    volumes.per_region[REGION] = 2
    third = second_run(engine, first, services=VOLUMES)
    assert totals(engine.repository).total == 2
    assert third.summary is not None
    assert (third.summary["added"], third.summary["changed"]) == (1, 0)


def test_a_resource_near_the_item_limit_says_what_it_leaves_out() -> None:
    found = Found(
        arn="arn:aws:s3:::b", type="s3:bucket", region=REGION,
        attributes={"lifecycle": ["x" * 400_000], "versioning": "Enabled"},
        metrics={"objects": 1},
    )  # fmt: skip
    small = bounded(found)
    assert dict(small.attributes) == {"versioning": "Enabled"}
    assert small.unknown == ("lifecycle",)
    assert len(json.dumps(dict(small.attributes))) < 300_000


def test_measurements_do_not_change_the_fingerprint() -> None:
    one = Found("arn:x", "ec2:volume", REGION, attributes={"size": 1}, metrics={"m": 1})
    other = replace(one, metrics={}, unknown=("metrics.m",))
    assert one.fingerprint == other.fingerprint
    for changed in (
        replace(one, attributes={"size": 2}),
        replace(one, state="available"),
        replace(one, tags={"keep": "yes"}),
        replace(one, unknown=("size",), attributes={}),
    ):
        assert changed.fingerprint != one.fingerprint


# ------------------------------------------------------------- starting a run


def request(engine: Engine, run_id: str, account_id: str = CUSTOMER_ACCOUNT) -> DiscoveryRequest:
    return DiscoveryRequest(engine.scope.tenant_id, new_id(), account_id, (), None, run_id)


def test_starting_is_idempotent_by_run_id() -> None:
    engine = build_engine(scripted())
    wanted = request(engine, new_id())
    launched: list[str] = []
    for _ in range(3):
        service.start(
            engine.repository, wanted, lambda run: launched.append(run.id), engine.clock()
        )
    # Launching has the run id as its name, so it may be repeated and happens once.
    assert launched == [wanted.run_id] * 3


def test_a_second_run_is_refused_until_the_first_is_over_or_stale() -> None:
    clock = FixedClock()
    engine = build_engine(scripted(), clock=clock)
    first = request(engine, new_id())
    service.start(engine.repository, first, lambda run: None, clock())
    with pytest.raises(DiscoveryRunning):
        service.start(engine.repository, request(engine, new_id()), lambda run: None, clock())
    other = request(engine, new_id(), "333333333333")
    service.start(engine.repository, other, lambda run: None, clock())
    clock.advance(hours=3)
    view = discovery_view(engine.repository, first.onboarding_id, clock())
    assert view is not None
    assert (view.status, view.progress) == ("failed", 100)
    again = request(engine, new_id())
    service.start(engine.repository, again, lambda run: None, clock())
    launched: list[Run] = []
    service.start(engine.repository, again, launched.append, clock())
    assert launched


def test_a_stale_worker_writes_nothing_into_the_next_run() -> None:
    clock = FixedClock()
    engine = build_engine(ScriptedAccount(PagedVolumes({REGION: 4}).session()), clock=clock)
    old = begin_run(engine, services=VOLUMES)
    units = prepare(engine, old.id)
    clock.advance(hours=3)
    new = begin_run(engine, services=VOLUMES)
    assert read_unit(engine, old.id, units[0].key) is True
    assert finish(engine, old.id) is True
    assert totals(engine.repository).total == 0
    assert engine.repository.account(CUSTOMER_ACCOUNT).running_run_id == new.id
    follow(engine, new.id)
    assert totals(engine.repository).total == 4


# ------------------------------------------------------------------ disconnect


def test_a_hidden_account_vanishes_at_once_and_is_deleted_in_steps() -> None:
    objects = MemoryObjects()
    engine = build_engine(ScriptedAccount(PagedVolumes({REGION: 30}).session()), objects=objects)
    run = begin_run(engine, services=VOLUMES)
    follow(engine, run.id)
    repository = engine.repository
    repository.hide(CUSTOMER_ACCOUNT, engine.clock())
    assert totals(repository).total == 0
    assert list_resources(repository, ResourceFilters(), 0, 10, None)[1] == 0
    assert list_resources(repository, ResourceFilters(q="vol"), 0, 10, None)[1] == 0
    # A new connection is discovered while the old rows are still being deleted.
    again = begin_run(engine, services=VOLUMES)
    follow(engine, again.id)
    steps = 0
    while not service.delete_account(repository, engine.snapshots, CUSTOMER_ACCOUNT, 1):
        steps += 1
        assert steps < 50
    assert totals(repository).total == 30
    assert repository.run(run.id) is None
    assert repository.run(again.id) is not None
    assert all("/1/" in name for name in objects.objects)


def test_a_page_on_its_way_during_the_disconnect_writes_nothing() -> None:
    engine = build_engine(ScriptedAccount(PagedVolumes({REGION: 30}, page=5).session()))
    run = begin_run(engine, services=VOLUMES)
    units = prepare(engine, run.id)

    def disconnect(actions: Sequence[str]) -> bool:
        engine.repository.hide(CUSTOMER_ACCOUNT, engine.clock())
        while not service.delete_account(engine.repository, engine.snapshots, CUSTOMER_ACCOUNT, 5):
            pass
        return False

    slow = replace(
        engine, account=ScriptedAccount(PagedVolumes({REGION: 30}).session(), refuses=disconnect)
    )
    with pytest.raises(LookupError):
        read_unit(slow, run.id, units[0].key)
    assert totals(engine.repository).total == 0
    stored = getattr(engine.repository, "stored_rows")  # noqa: B009
    assert stored == {}


# ----------------------------------------------------------------- small parts


@pytest.mark.parametrize(
    ("units", "status"),
    [
        ([Unit("r", "a", "ok", listed=True)], "completed"),
        ([Unit("r", "a", "ok", listed=True), Unit("r", "b", "denied")], "completed_with_gaps"),
        ([Unit("r", "a", "partial", resource_count=3)], "completed_with_gaps"),
        ([Unit("r", "a", "denied"), Unit("r", "b", "skipped")], "failed"),
        ([], "completed"),
    ],
)
def test_final_status(units: list[Unit], status: RunStatus) -> None:
    assert final_status(units) == status


def test_progress_is_at_most_99_while_running() -> None:
    assert progress_of("running", [Unit("r", "a", "ok")]) == 99
    assert progress_of("running", []) == 0
    assert progress_of("failed", []) == 100


class Sneaky(Collector):
    """Calls what it does not declare."""

    service = "sneaky"
    types = ("x:y",)
    reads = (Read("ec2", "describe_volumes", "ec2:DescribeVolumes"),)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        reader.call(Read("ec2", "describe_images", "ec2:DescribeImages"))
        return reader.page([], None)


def test_a_read_that_is_not_declared_does_not_reach_aws() -> None:
    account = scripted(Answers({("ec2", "describe_images"): {"Images": []}}))
    engine = build_engine(account, collectors=[Sneaky()])
    run = planned_run(engine, Unit(REGION, "sneaky"))
    with pytest.raises(LookupError, match="not declared"):
        read_unit(engine, run.id, f"{REGION}/sneaky")
    assert account.session.calls == []


def test_services_and_types_are_registered_once() -> None:
    counted = Counter(type_ for collector in COLLECTORS.values() for type_ in collector.types)
    assert set(counted.values()) == {1}
    assert all(collector.service == name for name, collector in COLLECTORS.items())
    assert all(len(set(c.reads)) == len(c.reads) for c in COLLECTORS.values())
