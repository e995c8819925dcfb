"""Collectors on recorded AWS answers: every success is read, every error gets its status."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.collectors.base import Collector, Page, Read, Target
from tidegate.discovery.collectors.outcomes import classify
from tidegate.discovery.domain import Found, Unit
from tidegate.discovery.engine.merge import bounded
from tidegate.discovery.engine.units import read_unit
from tidegate_kit.clock import FixedClock

from tests.builders.discovery import Answers, build_engine, planned_run, scripted
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.recorded import Recording, Scenario, recordings, scenarios
from tests.fakes.strict_aws.actions import iam_action

TARGET = Target(CUSTOMER_ACCOUNT, REGION, FixedClock()())

# Where a listing's things are, and which of them a collector leaves out.
Things = Callable[[dict[str, Any]], list[Any]]
LISTED: dict[str, tuple[tuple[str, str], Things]] = {
    "ec2-instances": (
        ("ec2", "describe_instances"),
        lambda d: [
            i
            for r in d["Reservations"]
            for i in r["Instances"]
            if i["State"]["Name"] != "terminated"
        ],
    ),
    "ec2-volumes": (("ec2", "describe_volumes"), lambda d: d["Volumes"]),
    "ec2-snapshots": (("ec2", "describe_snapshots"), lambda d: d["Snapshots"]),
    "ec2-images": (("ec2", "describe_images"), lambda d: d["Images"]),
    "ec2-addresses": (("ec2", "describe_addresses"), lambda d: d["Addresses"]),
    "ec2-nat-gateways": (
        ("ec2", "describe_nat_gateways"),
        lambda d: [g for g in d["NatGateways"] if g["State"] != "deleted"],
    ),
    "ec2-network-interfaces": (
        ("ec2", "describe_network_interfaces"),
        lambda d: d["NetworkInterfaces"],
    ),
    "ec2-capacity-reservations": (
        ("ec2", "describe_capacity_reservations"),
        lambda d: [
            r
            for r in d["CapacityReservations"]
            if r["State"] not in ("cancelled", "expired", "failed", "unsupported")
        ],
    ),
    "elb": (("elb", "describe_load_balancers"), lambda d: d["LoadBalancerDescriptions"]),
    "elbv2": (("elbv2", "describe_load_balancers"), lambda d: d["LoadBalancers"]),
    "rds-instances": (("rds", "describe_db_instances"), lambda d: d["DBInstances"]),
    "rds-snapshots": (("rds", "describe_db_snapshots"), lambda d: d["DBSnapshots"]),
    "elasticache": (("elasticache", "describe_cache_clusters"), lambda d: d["CacheClusters"]),
    "s3": (("s3", "list_buckets"), lambda d: d["Buckets"]),
    "logs": (("logs", "describe_log_groups"), lambda d: d["logGroups"]),
    "ecr": (("ecr", "describe_repositories"), lambda d: d["repositories"]),
}

# One listed thing for each collector with nested reads: what a nested recording is about.
ONE_THING: dict[str, dict[tuple[str, str], dict[str, Any]]] = {
    "s3": {("s3", "list_buckets"): {"Buckets": [{"Name": "b", "BucketRegion": REGION}]}},
    "ecr": {("ecr", "describe_repositories"): {"repositories": [{"repositoryName": "r"}]}},
    "logs": {("logs", "describe_log_groups"): {"logGroups": [{"logGroupName": "g"}]}},
    "elb": {
        ("elb", "describe_load_balancers"): {
            "LoadBalancerDescriptions": [{"LoadBalancerName": "lb"}]
        }
    },
    "elbv2": {
        ("elbv2", "describe_load_balancers"): {
            "LoadBalancers": [{"LoadBalancerArn": "arn:aws:x:::loadbalancer/app/a/1"}]
        },
        ("elbv2", "describe_target_groups"): {"TargetGroups": [{"TargetGroupArn": "arn:tg"}]},
    },
    "rds-instances": {
        ("rds", "describe_db_instances"): {"DBInstances": [{"DBInstanceIdentifier": "db"}]}
    },
    "rds-snapshots": {
        ("rds", "describe_db_snapshots"): {"DBSnapshots": [{"DBSnapshotIdentifier": "s"}]}
    },
    "elasticache": {
        ("elasticache", "describe_cache_clusters"): {"CacheClusters": [{"CacheClusterId": "c"}]}
    },
}


def operation_of(recording: Recording) -> tuple[str, str] | None:
    """boto3's client and method names of a recording."""
    name = recording.client_name
    if name is None:
        return None
    if any("LoadBalancerName" in one for one in recording.data.get("TagDescriptions", [])):
        name = "elb"  # both load balancer APIs have the operation; only this one has the name
    first = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", recording.operation)
    return name, re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", first).lower()


def users_of(operation: tuple[str, str] | None) -> Iterator[tuple[Collector, Read]]:
    """The collectors that declare this read."""
    for collector in COLLECTORS.values():
        for read in collector.reads:
            if (read.client, read.operation) == operation:
                yield collector, read


@cache
def by_scenario() -> dict[str, Scenario]:
    return {scenario.name: scenario for scenario in scenarios()}


def answers_for(recording: Recording, collector: Collector) -> Answers:
    """The recording as the answer of its operation, with what else its scenario recorded."""
    given: dict[tuple[str, str], Any] = dict(ONE_THING.get(collector.service, {}))
    operation = operation_of(recording)
    listing = LISTED.get(collector.service)
    if listing is not None and listing[0] == operation:
        given = {}
        for other in by_scenario()[recording.scenario].recordings:
            if other.status_code < 300 and (name := operation_of(other)) is not None:
                given.setdefault(name, other.data)
    assert operation is not None
    given[operation] = lambda parameters: _first_page(recording)
    return Answers(given)


def _first_page(recording: Recording) -> Any:
    try:
        return recording.result()
    except ClientError as error:
        return error


def check_page(collector: Collector, page: Page) -> None:
    for found in page.resources:
        assert found.type in collector.types
        # One recording has its ARN blanked out.
        assert found.arn.startswith("arn:aws") or found.arn == "string", found.arn
        assert found.region
        assert re.fullmatch(r"[0-9a-f]{64}", found.fingerprint)
        assert found.fingerprint == again(found).fingerprint
        json.dumps([dict(found.attributes), dict(found.metrics), dict(found.tags)])
        assert all(isinstance(value, str) for value in found.tags.values())
        assert not set(found.unknown) & set(found.attributes)
        assert bounded(found) == found


def again(found: Found) -> Found:
    """The resource after a round through JSON."""
    return Found(
        **{
            **found.__dict__,
            "attributes": json.loads(json.dumps(dict(found.attributes))),
            "tags": dict(reversed(list(found.tags.items()))),
        }
    )


def test_every_recorded_success_of_a_used_operation_is_read(
    record_property: Callable[[str, object], None],
) -> None:
    read: Counter[str] = Counter()
    resources = 0
    for recording in recordings(errors=False):
        for collector, declared in users_of(operation_of(recording)):
            answers = answers_for(recording, collector)
            page = collector.collect(answers.session(), TARGET, None)
            check_page(collector, page)
            listing = LISTED.get(collector.service)
            if listing is not None and listing[0] == (declared.client, declared.operation):
                things = listing[1](recording.data)
                assert len(page.resources) == len(things), (recording, collector.service)
                resources += len(things)
            assert not page.missing_actions
            read[f"{declared.client}.{declared.operation}"] += 1
    for name, count in sorted(read.items()):
        print(f"  {name}: {count}")
    print(f"recorded successes read: {sum(read.values())}, resources: {resources}")
    record_property("recorded_successes", sum(read.values()))
    assert sum(read.values()) > 250
    assert resources > 200


def expected_kind(recording: Recording) -> str:
    """The status by the words of the body alone, kept apart from the product's table."""
    code, message = str(recording.error_code), str(recording.raw["data"]["Error"]["Message"])
    if "AccessDenied" in code:
        return "skipped" if "no longer available to new customers" in message else "denied"
    if recording.status_code == 404 or re.search(r"NotFound|NoSuch|Nonexistent", code):
        return "gone"
    return "refused"


def test_every_recorded_error_has_its_status() -> None:
    counted: Counter[str] = Counter()
    for recording in recordings(errors=True):
        client = recording.client_name or recording.service
        action = iam_action(client, recording.operation)
        with pytest.raises(ClientError) as raised:
            recording.result()
        failure = classify(raised.value, action)
        assert failure.kind == expected_kind(recording), recording
        if failure.kind == "denied":
            assert failure.action == action, recording
        unit = unit_after(raised.value)
        assert unit.resource_count is None, "an unreadable listing is never 0 resources"
        assert unit.status == {"denied": "denied", "skipped": "skipped"}.get(
            failure.kind, "partial"
        )
        assert unit.reason
        counted[failure.kind] += 1
    print(f"recorded errors classified: {sum(counted.values())}, {dict(sorted(counted.items()))}")
    assert sum(counted.values()) >= 60


def unit_after(error: ClientError) -> Unit:
    """The unit of a run whose listing ends with this error."""
    answers = Answers({("ec2", "describe_volumes"): error})
    engine = build_engine(scripted(answers))
    run = planned_run(engine, Unit(REGION, "ec2-volumes"))
    assert read_unit(engine, run.id, f"{REGION}/ec2-volumes")
    unit = engine.repository.unit(run.id, f"{REGION}/ec2-volumes")
    assert unit is not None
    return unit


def test_recorded_errors_of_nested_reads_are_absences_or_left_out() -> None:
    """What the services answer for "there is none" is a known absence, a deleted bucket is gone."""
    seen: Counter[str] = Counter()
    for recording in recordings(errors=True):
        for collector, declared in users_of(operation_of(recording)):
            if collector.service not in ONE_THING:
                continue
            if (declared.client, declared.operation) == LISTED[collector.service][0]:
                continue
            page = collector.collect(answers_for(recording, collector).session(), TARGET, None)
            assert not page.missing_actions
            if recording.error_code in ("NoSuchBucket",):
                assert page.resources == ()
            else:
                assert page.resources[0].unknown in ((), *TRAFFIC_ONLY)
            seen[str(recording.error_code)] += 1
    assert {"NoSuchLifecycleConfiguration", "NoSuchTagSet", "NoSuchBucket"} <= set(seen)
    assert "LifecyclePolicyNotFoundException" in seen


# A bucket without request metrics: AWS does not measure its traffic.
TRAFFIC_ONLY = (("metrics.bytes_downloaded", "metrics.bytes_uploaded"),)


def test_times_are_text() -> None:
    assert isinstance(TARGET.now, datetime)
    page = next(
        collector.collect(answers_for(recording, collector).session(), TARGET, None)
        for recording in recordings(service="ec2", operation="DescribeInstances", errors=False)
        for collector, _ in users_of(operation_of(recording))
        if recording.data["Reservations"]
    )
    assert page.resources[0].attributes["launched_at"].endswith("Z")
