"""Findings that can be trusted: missing permissions (G32), missing prices (G33), kills (H1)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import boto3
import pytest
from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.collectors.base import Target
from tidegate.discovery.domain import GLOBAL
from tidegate.discovery.public import Coverage
from tidegate.findings import wiring
from tidegate.findings.checks import CHECKS, EVALUATORS
from tidegate.findings.checks.base import METRICS, REGIONS
from tidegate.findings.domain import CheckState, FindingFilters, PriceUsed
from tidegate.findings.errors import RefreshGone
from tidegate.findings.prices.book import PriceBook, baseline
from tidegate.findings.service import refresh
from tidegate.findings.service.evaluation import Found, Outcome, _Blocked, evaluate, regions
from tidegate.onboarding.domain import Registration
from tidegate_kit import dynamo
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import add_account
from tests.builders.discovery import Answers
from tests.builders.findings import NOW, Line, MemoryInventory, covered, recomputed, rules
from tests.builders.findings_cases import CASES, CLASSIC
from tests.builders.findings_store import BUCKET, machine_of, record
from tests.builders.settings import CUSTOMER_ACCOUNT, PREFIX, REGION
from tests.fakes.discovery import aws_error
from tests.fakes.faults import enumerate_faults
from tests.fakes.strict_aws.layer import strict_aws
from tests.fakes.tables import create_tables, empty_tables
from tests.unit.discovery.test_recorded import ONE_THING

States = dict[tuple[str, str], CheckState]


def whole_estate() -> list[Line]:
    """Something for every check to find."""
    lines = {CLASSIC["arn"]: CLASSIC}
    for case in CASES.values():
        lines |= {one["arn"]: one for one in (case.found, *case.others)}
    return list(lines.values())


def judged(inventory: MemoryInventory) -> tuple[States, list[Found]]:
    told: list[Outcome] = []
    states = {
        (state.check_id, state.region): state
        for region in regions(inventory)
        for state in evaluate(inventory, region, rules(), told.append)
    }
    return states, [one for one in told if isinstance(one, Found)]


# ------------------------------------------------------------------ G32

ACTIONS = sorted({action for check in CHECKS.values() for action in check.required_actions})


def without(action: str) -> MemoryInventory:
    """The estate as discovery leaves it when one action is denied."""
    if action == REGIONS:
        gap = Coverage(GLOBAL, "regions", "denied", False, "the role has no permission", (action,))
        return MemoryInventory(whole_estate(), coverage=(*covered(), gap))
    changed: dict[str, Coverage] = {}
    lost: dict[str, set[str] | None] = {}
    for service, collector in COLLECTORS.items():
        if action not in collector.actions:
            continue
        names = lost_names(service, action)
        place = GLOBAL if collector.is_global else REGION
        reason = "the role has no permission"
        if names is None:
            changed[service] = Coverage(place, service, "denied", False, reason, (action,))
        else:
            changed[service] = Coverage(place, service, "partial", True, reason, (action,))
        for type_ in collector.types:
            lost[type_] = names
    lines: list[Line] = []
    for line in whole_estate():
        if line["type"] not in lost:
            lines.append(line)
        elif (names := lost[line["type"]]) is not None:
            lines.append(blinded(line, names))
    return MemoryInventory(lines, coverage=covered(without=changed))


def lost_names(service: str, action: str) -> set[str] | None:
    """What the real collector does not know without the action; None: it cannot list at all."""
    if action == METRICS:
        return {"cloudwatch"}
    collector = COLLECTORS[service]
    given: dict[tuple[str, str], Any] = dict(LISTINGS.get(service, {}))
    for read in collector.reads:
        if read.action == action:
            given[read.client, read.operation] = aws_error("AccessDeniedException", "no", 403)
    try:
        page = collector.collect(
            Answers(given).session(), Target(CUSTOMER_ACCOUNT, REGION, NOW), None
        )
    except Exception:  # the listing itself was refused
        return None
    assert page.missing_actions == (action,), (service, action)
    return set(page.resources[0].unknown)


LISTINGS: dict[str, dict[tuple[str, str], Any]] = {
    **ONE_THING,
    "s3": {
        ("s3", "list_buckets"): {"Buckets": [{"Name": "b", "CreationDate": NOW}]},
        ("s3", "get_bucket_versioning"): {"Status": "Enabled"},
        ("s3", "list_bucket_metrics_configurations"): {
            "MetricsConfigurationList": [{"Id": "everything"}]
        },
        ("s3", "list_multipart_uploads"): {
            "Uploads": [{"Key": "k", "UploadId": "u", "Initiated": NOW.replace(year=2025)}]
        },
    },
    "dynamodb": {("dynamodb", "list_tables"): {"TableNames": ["t"]}},
    "kinesis": {("kinesis", "list_streams"): {"StreamNames": ["s"]}},
    "lambda": {("lambda", "list_functions"): {"Functions": [{"FunctionName": "f"}]}},
    "iam": {
        ("iam", "list_users"): {"Users": [{"UserName": "u", "Arn": "arn:aws:iam::1:user/u"}]},
        ("iam", "list_access_keys"): {
            "AccessKeyMetadata": [{"AccessKeyId": "AKIA", "UserName": "u", "Status": "Active"}]
        },
    },
}


def blinded(line: Line, names: set[str]) -> Line:
    """The resource without what was not read."""
    made = deepcopy(line)
    for name in names:
        group, _, rest = name.partition(".")
        if name == "cloudwatch":
            series = [n for n, v in made["metrics"].items() if isinstance(v, dict) and "days" in v]
            for one in series:
                del made["metrics"][one]
                made["unknown"].append(f"metrics.{one}")
        elif group == "metrics" and "." in rest:
            whole, part = rest.split(".")
            made["metrics"][whole][part] = None
            made["unknown"].append(name)
        elif group == "metrics":
            made["metrics"].pop(rest, None)
            made["unknown"].append(name)
        else:
            made["attributes"].pop(name, None)
            made["unknown"].append(name)
    return made


@pytest.mark.hazard("G32")
@pytest.mark.bite(
    "tidegate.findings.service.evaluation._blocked",
    lambda check, region, units: _Blocked() if (region, check.services[0]) in units else None,
    cases=("ec2:DescribeVolumes", "logs:DescribeLogGroups", "s3:ListAllMyBuckets"),
)
@pytest.mark.bite(
    "tidegate.findings.checks.subject.Subject.attr",
    lambda self, name: self._line["attributes"].get(name),
    cases=("ecr:GetLifecyclePolicy", "s3:GetLifecycleConfiguration"),
)
@pytest.mark.parametrize("action", ACTIONS)
def test_without_a_permission_its_checks_are_unknown_and_no_other_changes(action: str) -> None:
    """G32: each permission removed in turn: affected checks unknown, naming it; never clean."""
    before, _ = judged(MemoryInventory(whole_estate()))
    assert {state.state for state in before.values()} == {"found"}
    after, _ = judged(without(action))
    for check_id, check in CHECKS.items():
        here = {key: state for key, state in after.items() if key[0] == check_id}
        if action in check.required_actions:
            named = [s for s in here.values() if action in s.missing_actions]
            assert [s.state for s in named] == ["unknown"], check_id
            assert named[0].reason
            assert all(state.state != "clean" for state in here.values())
            if action != REGIONS:
                assert all(state.state == "unknown" for state in here.values())
        else:
            assert here == {key: s for key, s in before.items() if key[0] == check_id}


# ------------------------------------------------------------------ G33


def other_units() -> PriceBook:
    """Every figure of the baseline, in another unit."""
    other = {"hour": "month", "GiB-month": "GiB-hour"}
    figures = [
        replace(figure, unit=other.get(figure.unit, "dozen"))
        for figure in baseline()._figures.values()
    ]
    return PriceBook("other", (figures,))


def free_of_charge(
    self: PriceBook, key: str, region: str, unit: str, name: str = "price"
) -> PriceUsed:
    found = self.figure(key, region)
    return PriceUsed(name, Decimal(0) if found is None else found.unit_price, unit, "x", "x")


@pytest.mark.hazard("G33")
@pytest.mark.bite(
    "tidegate.findings.prices.book.PriceBook.price", free_of_charge, cases=("none", "other units")
)
@pytest.mark.parametrize("book", ["none", "other units", "half"])
def test_an_unknown_price_is_unpriced_and_never_zero(book: str) -> None:
    """G33: price missing or in another unit: monthly null; known amounts are recomputable."""
    known = baseline()._figures.values()
    books = {
        "none": PriceBook("none", ()),
        "other units": other_units(),
        "half": PriceBook("half", ([f for f in known if "gp3" not in f.key],)),
    }
    told: list[Outcome] = []
    inventory = MemoryInventory(whole_estate())
    for region in regions(inventory):
        evaluate(inventory, region, rules(prices=books[book]), told.append)
    found = [one for one in told if isinstance(one, Found)]
    assert {one.check.check_id for one in found} == set(CHECKS)
    for one in found:
        saving = one.hit.saving
        if any(price.unit_price is None for price in saving.prices):
            assert saving.monthly is None
            assert recomputed(saving) is None
        else:
            assert saving.monthly is not None
            exact = recomputed(saving)
            assert exact is not None
            assert abs(Fraction(saving.monthly) - exact) <= Fraction(1, 2_000_000)
        if book != "half":
            assert (saving.monthly is not None) == (one.check.formula == "0")


# ------------------------------------------------------------------ G21, H1


@pytest.mark.hazard("G21")
@pytest.mark.bite(
    "tidegate.findings.service.refresh._running",
    lambda parts, refresh_id: refresh.Refresh(refresh_id, "running", "x", (), (), NOW, NOW),
)
def test_a_task_naming_another_tenants_refresh_is_refused(platform: Settings) -> None:
    """G21: tenant A with a refresh of B evaluates nothing and writes nothing."""
    mine = wiring.parts_of(TenantScope(new_id()), clock=FixedClock(NOW))
    theirs = wiring.parts_of(TenantScope(new_id()), clock=FixedClock(NOW))
    started = refresh.start(
        theirs, lambda one: None, refresh_id=new_id(), account_ids=None, check_ids=None,
        trigger="api",
    )  # fmt: skip
    with pytest.raises(RefreshGone):
        refresh.accounts_of(mine, started.id)
    with pytest.raises(RefreshGone):
        refresh.evaluate_account(mine, started.id, CUSTOMER_ACCOUNT, "")
    with pytest.raises(RefreshGone):
        refresh.fail_account(mine, started.id, CUSTOMER_ACCOUNT, "x")
    with pytest.raises(RefreshGone):
        refresh.finish(mine, started.id)


@dataclass
class World:
    """One tenant with an account: something found, something gone, something not known."""

    registration: Registration
    clock: FixedClock
    refresh_id: str = field(default_factory=new_id)
    launched: list[str] = field(default_factory=list)

    @property
    def scope(self) -> TenantScope:
        return TenantScope(self.registration.tenant_id)

    def run(self, refresh_id: str) -> None:
        """Start a refresh and carry it out."""
        parts = wiring.parts_of(self.scope, clock=self.clock)
        started = refresh.start(
            parts, lambda one: self.launched.append(one.id), refresh_id=refresh_id,
            account_ids=None, check_ids=["ebs-unattached", "eip-idle", "ebs-gp2-to-gp3"],
            trigger="api",
        )  # fmt: skip
        machine_of(parts).execute({"tenant_id": self.scope.tenant_id, "refresh_id": started.id})

    def flow(self) -> None:
        self.run(self.refresh_id)

    def seed(self) -> None:
        """A first refresh, then another inventory: one volume gone, one new."""
        gone = replace_line(CASES["ebs-unattached"].found, "vol-gone")
        record(self.registration, [gone, CASES["eip-idle"].found])
        self.run(new_id())
        self.clock.advance(days=1)
        new = replace_line(CASES["ebs-unattached"].found, "vol-new")
        record(
            self.registration, [new, CASES["eip-idle"].found, CASES["ebs-gp2-to-gp3"].found],
            at=self.clock(),
        )  # fmt: skip

    def check(self) -> None:
        """Each finding once, resolved where gone, counted as it is, the lease given back."""
        store = wiring.findings_of(self.scope)
        queries = wiring.queries_of(self.scope, self.clock)
        rows, total, _ = queries.page("waste", FindingFilters(), 0, 100, None)
        shown = sorted((row.resource.name, row.status) for row in rows)
        assert shown == [
            ("eipalloc-idle", "open"), ("vol-gone", "resolved"), ("vol-new", "open"),
        ]  # fmt: skip
        assert total == 3
        summary = queries.summary(["waste", "storage"])
        assert (summary.open, summary.identified_monthly) == (3, Decimal("40.65"))
        assert {count.resolved for count in store.counts()} <= {0, 1}
        refreshes = wiring.refreshes_of(self.scope)
        assert refreshes.running(self.clock()) is None
        done = refreshes.refresh(self.refresh_id)
        assert done is not None
        assert done.status == "completed"


def replace_line(line: Line, name: str) -> Line:
    made = deepcopy(line)
    made |= {"name": name, "arn": made["arn"].rsplit("/", 1)[0] + f"/{name}", "id": new_id()}
    return made


@pytest.fixture
def fresh_world(
    environment: None, table_specs: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], contextlib.AbstractContextManager[World]]]:
    """Makes worlds on one double, emptied between them."""
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    with strict_aws():
        ddb = boto3.client("dynamodb", region_name=REGION)
        names = ("findings", "discovery", "onboarding", "pipelines")
        wanted = [f"{PREFIX}-{name}" for name in names]
        specs = [spec for spec in table_specs if spec.name in wanted]
        create_tables(ddb, specs)
        boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)

        @contextlib.contextmanager
        def world() -> Iterator[World]:
            platform_client.cache_clear()
            dynamo.configure_store(dynamo.Store(PREFIX, REGION))
            empty_tables(ddb, specs)
            clock = FixedClock(NOW)
            made = World(add_account(new_id(), clock=clock), clock)
            made.seed()
            yield made

        yield world


WRITES = {"TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}


def writes(service: str, operation: str) -> bool:
    """The platform's own writes: dying at a read is dying after the write before it."""
    return operation in WRITES


@pytest.mark.hazard("H1")
@pytest.mark.bite(
    "tidegate.findings.repository.findings.FindingRows._point",
    lambda self, transaction, change, now: None,
)
def test_a_refresh_that_dies_at_any_call_ends_as_if_it_had_not(
    fresh_world: Callable[[], contextlib.AbstractContextManager[World]],
) -> None:
    """H1: throttled, killed, answer lost at every AWS call: nothing lost, nothing counted twice."""
    report = enumerate_faults(
        flow=lambda world: world.flow(),
        redeliver=lambda world: world.flow(),
        invariants=lambda world: world.check(),
        fresh=fresh_world,
        name="findings refresh",
        counts=writes,
        redeliveries=1,
    )
    assert report.violations == []


def test_every_evaluator_declares_what_it_reads_in_the_customers_role() -> None:
    """Declared is a subset of infra/onboarding/customer-role.yaml's read policy."""
    text = (Path(__file__).parents[2] / "infra/onboarding/customer-role.yaml").read_text()
    for check in EVALUATORS:
        for action in check.required_actions:
            assert f"- {action}\n" in text, (check.check_id, action)
