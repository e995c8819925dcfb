"""Every declared action of every collector, dropped in turn, on the strict AWS double."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.collectors.base import Read
from tidegate.discovery.domain import GLOBAL, Found, ResourceFilters, Run, Unit
from tidegate.discovery.engine.units import read_unit
from tidegate.discovery.public import declared_actions
from tidegate.discovery.views import list_resources
from tidegate_kit.aws_session import CustomerSession, Keys, session_policy
from tidegate_kit.clock import FixedClock

from tests.builders.discovery import Answers, build_engine, planned_run, scripted
from tests.builders.estate import REGION, build_estate
from tests.builders.settings import CUSTOMER_ACCOUNT
from tests.fakes.discovery import aws_error
from tests.fakes.strict_aws.actions import iam_action
from tests.fakes.strict_aws.customer import Account, allow, trust
from tests.fakes.strict_aws.layer import StrictAws, strict_aws

ROOT = Path(__file__).resolve().parents[3]
ROLE = "TidegateAccess"
NOT_IN_MOTO = "ec2-capacity-reservations"

# A listing without which nothing is known; the rest are reads about what was listed.
LISTINGS = {
    "iam": {"iam:ListUsers", "iam:ListAccessKeys"},
    "s3": {"s3:ListAllMyBuckets"},
}
# What a missing nested action leaves unknown.
UNKNOWN = {
    "cloudwatch:GetMetricData": "metrics.",
    "dynamodb:DescribeTable": "provisioned",
    "dynamodb:ListTagsOfResource": "tags",
    "ecr:DescribeImages": "metrics.untagged_images",
    "ecr:GetLifecyclePolicy": "lifecycle_policy",
    "ecr:ListTagsForResource": "tags",
    "elasticache:ListTagsForResource": "tags",
    "elasticloadbalancing:DescribeInstanceHealth": "targets",
    "elasticloadbalancing:DescribeTags": "tags",
    "elasticloadbalancing:DescribeTargetGroups": "target_groups",
    "elasticloadbalancing:DescribeTargetHealth": "target_groups",
    "iam:GetAccessKeyLastUsed": "last_used_at",
    "kinesis:DescribeStreamSummary": "shards",
    "kinesis:ListTagsForStream": "tags",
    "lambda:ListTags": "tags",
    "logs:ListTagsForResource": "tags",
    "rds:ListTagsForResource": "tags",
    "s3:GetBucketLocation": "region",
    "s3:GetBucketTagging": "tags",
    "s3:GetBucketVersioning": "versioning",
    "s3:GetLifecycleConfiguration": "lifecycle",
    "s3:GetMetricsConfiguration": "metrics.bytes_downloaded",
    "s3:ListBucketMultipartUploads": "metrics.incomplete_uploads",
    "s3:ListBucketVersions": "metrics.noncurrent_versions",
    "s3:ListMultipartUploadParts": "metrics.incomplete_uploads.bytes",
}
# Reads that the double's newer answers make needless: shown on scripted answers instead.
ONLY_WHERE_NEEDED = {"s3:GetBucketLocation", "rds:ListTagsForResource"}


@pytest.fixture(scope="module")
def estate() -> Iterator[tuple[StrictAws, Account]]:
    """A customer account with one of everything, and a role that starts with no permission."""
    with pytest.MonkeyPatch.context() as patch, strict_aws() as strict:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        account = strict.account(CUSTOMER_ACCOUNT)
        build_estate(account)
        account.create_role(ROLE, trust("*"))
        yield strict, account


class RoleAccount:
    """The account through its role, cut down by the session policy of the unit."""

    def __init__(self, strict: StrictAws) -> None:
        self._strict = strict

    def open(self, run: Run, actions: Sequence[str]) -> CustomerSession:
        session = self._strict.session_of(f"arn:aws:iam::{CUSTOMER_ACCOUNT}:role/{ROLE}")
        found = session.get_credentials()
        assert found is not None
        given = self._strict.identities.sessions[found.access_key]
        given.session_policies = [yaml.safe_load(session_policy(actions))]
        return CustomerSession(Keys(found.access_key, found.secret_key, found.token))

    def discovered(self, run: Run, at: datetime) -> None:
        raise AssertionError("not part of reading a unit")


def later() -> FixedClock:
    """A month from now: uploads and versions of the estate are old by then."""
    return FixedClock(datetime.now(UTC) + timedelta(days=40))


def read_with(
    estate: tuple[StrictAws, Account], service: str, actions: Sequence[str]
) -> tuple[Unit, list[Any]]:
    """One unit read under a role with exactly these actions: the unit and its resources."""
    strict, account = estate
    account.put_role_policy(ROLE, "read", allow(list(actions) or ["sts:GetCallerIdentity"]))
    engine = build_engine(RoleAccount(strict), clock=later())
    region = GLOBAL if COLLECTORS[service].is_global else REGION
    run = planned_run(engine, Unit(region, service))
    assert read_unit(engine, run.id, f"{region}/{service}")
    unit = engine.repository.unit(run.id, f"{region}/{service}")
    assert unit is not None
    return unit, list_resources(engine.repository, ResourceFilters(), 0, 100, None)[0]


def is_listing(service: str, action: str) -> bool:
    return action in LISTINGS.get(service, {COLLECTORS[service].reads[0].action})


CASES = [
    pytest.param(service, action, id=f"{service}-without-{action}")
    for service, collector in COLLECTORS.items()
    if service != NOT_IN_MOTO
    for action in collector.actions
    if action not in ONLY_WHERE_NEEDED
]


@pytest.mark.parametrize("service", [name for name in COLLECTORS if name != NOT_IN_MOTO])
def test_the_declared_actions_are_enough(estate: tuple[StrictAws, Account], service: str) -> None:
    unit, resources = read_with(estate, service, COLLECTORS[service].actions)
    assert (unit.status, unit.missing_actions, unit.reason) == ("ok", (), None)
    assert unit.resource_count == len(resources) >= 1
    for one in resources:
        assert one.type in COLLECTORS[service].types
        assert set(one.unknown) <= {"metrics.bytes_downloaded", "metrics.bytes_uploaded"}


@pytest.mark.hazard("G32")
@pytest.mark.bite(
    "tidegate.discovery.collectors.outcomes._kind",
    returns="gone",
    cases=(
        "ec2-volumes-without-ec2",
        "elbv2-without-elasticloadbalancing:DescribeLoadBalancers",
        "dynamodb-without-dynamodb:ListTables",
    ),
)
@pytest.mark.parametrize(("service", "action"), CASES)
def test_a_dropped_permission_is_shown_and_never_zero(
    estate: tuple[StrictAws, Account], service: str, action: str
) -> None:
    """G32: each permission removed in turn is denied or partial with its action, never 0."""
    left = [other for other in COLLECTORS[service].actions if other != action]
    unit, resources = read_with(estate, service, left)
    assert unit.missing_actions == (action,)
    assert unit.reason
    if is_listing(service, action):
        assert (unit.status, unit.resource_count, resources) == ("denied", None, [])
        return
    assert unit.status == "partial"
    assert unit.resource_count == len(resources) >= 1, "what could be listed is there"
    named = UNKNOWN[action]
    assert any(name.startswith(named) for one in resources for name in one.unknown), (
        "what could not be read is named"
    )
    for one in resources:
        assert not {name.removeprefix("metrics.") for name in one.unknown} & set(one.metrics)
        assert not set(one.unknown) & set(one.attributes), "never defaulted"


@pytest.mark.parametrize("kind", ["policy", "scp"])
@pytest.mark.parametrize("service", list(COLLECTORS))
def test_a_denied_listing_says_who_denied(service: str, kind: str) -> None:
    """Also for the collector that the double has no operation for."""
    listing = COLLECTORS[service].reads[0]
    why = {
        "policy": "because no identity-based policy allows the action",
        "scp": "with an explicit deny in a service control policy",
    }[kind]
    message = f"User: x is not authorized to perform: {listing.action} on resource: * {why}"
    error = aws_error("UnauthorizedOperation", message, 403)
    engine = build_engine(scripted(Answers({(listing.client, listing.operation): error})))
    run = planned_run(engine, Unit(REGION, service))
    read_unit(engine, run.id, f"{REGION}/{service}")
    unit = engine.repository.unit(run.id, f"{REGION}/{service}")
    assert unit is not None
    assert (unit.status, unit.resource_count) == ("denied", None)
    assert unit.missing_actions == (listing.action,)
    assert ("SCP" in str(unit.reason)) == (kind == "scp")


def one_page(service: str, given: dict[tuple[str, str], Any]) -> tuple[Found, ...]:
    from tidegate.discovery.collectors.base import Target

    target = Target(CUSTOMER_ACCOUNT, REGION, later()())
    page = COLLECTORS[service].collect(Answers(given).session(), target, None)
    assert page.missing_actions
    return page.resources


def test_an_unreadable_bucket_region_leaves_the_bucket_known_and_the_rest_unknown() -> None:
    denied = aws_error("AccessDenied", "Access Denied", 403)
    listed = {"Buckets": [{"Name": "b"}]}
    (bucket,) = one_page(
        "s3", {("s3", "list_buckets"): listed, ("s3", "get_bucket_location"): denied}
    )
    assert {"region", "versioning", "lifecycle", "tags"} <= set(bucket.unknown)
    assert "versioning" not in bucket.attributes


def test_unreadable_tags_of_old_answers_are_unknown() -> None:
    denied = aws_error("AccessDenied", "Access Denied", 403)
    for service, key, thing in (
        ("rds-instances", "DBInstances", {"DBInstanceIdentifier": "db"}),
        ("rds-snapshots", "DBSnapshots", {"DBSnapshotIdentifier": "s"}),
    ):
        listing = COLLECTORS[service].reads[0]
        (found,) = one_page(
            service,
            {
                (listing.client, listing.operation): {key: [thing]},
                ("rds", "list_tags_for_resource"): denied,
            },
        )
        assert found.unknown == ("tags",)


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(read, id=f"{read.client}.{read.operation}")
        for read in sorted(
            {read for collector in COLLECTORS.values() for read in collector.reads}, key=str
        )
    ],
)
def test_the_declared_action_is_the_one_that_iam_asks_for(read: Read) -> None:
    """Against the double's table of actions, written from the service authorisation reference."""
    operation = "".join(part.title() for part in read.operation.split("_"))
    operation = {"DescribeDbInstances": "DescribeDBInstances"}.get(operation, operation)
    operation = operation.replace("Db", "DB")
    assert iam_action(read.client, operation) == read.action


def test_the_customers_role_allows_every_declared_action() -> None:
    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short forms as their plain values."""

    Loader.add_multi_constructor("!", lambda loader, suffix, node: str(node.value))
    template = yaml.load(
        (ROOT / "infra/onboarding/customer-role.yaml").read_text(),
        Loader,  # noqa: S506
    )
    role = template["Resources"]["AccessRole"]["Properties"]
    granted: set[str] = set()
    for policy in role["Policies"]:
        if isinstance(policy, dict) and policy.get("PolicyName") == "tidegate-read":
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"]
                granted.update([actions] if isinstance(actions, str) else actions)
    assert set(declared_actions()) - granted == set()


def test_every_session_policy_fits() -> None:
    for collector in COLLECTORS.values():
        assert len(session_policy(collector.actions)) <= 2048
        assert not any("*" in action for action in collector.actions)
