"""Builds engines, runs and answers for tests of discovery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.discovery import service
from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.collectors.base import Collector
from tidegate.discovery.domain import DiscoveryRequest, Run, Unit
from tidegate.discovery.engine.finish import finish
from tidegate.discovery.engine.ports import Account, Engine
from tidegate.discovery.engine.prepare import prepare
from tidegate.discovery.engine.units import read_unit
from tidegate.discovery.repository import DiscoveryRepository
from tidegate.discovery.snapshots import ObjectStore, Snapshots
from tidegate_kit.clock import Clock, FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import CUSTOMER_ACCOUNT, REGION
from tests.fakes.discovery import (
    MemoryDiscoveryRepository,
    MemoryObjects,
    ScriptedAccount,
    ScriptedSession,
)

# What a nested read answers when nothing is set up: an empty, valid answer.
NESTED: dict[tuple[str, str], dict[str, Any]] = {
    ("cloudwatch", "get_metric_data"): {"MetricDataResults": []},
    ("dynamodb", "describe_table"): {"Table": {"TableStatus": "ACTIVE"}},
    ("dynamodb", "list_tags_of_resource"): {"Tags": []},
    ("ecr", "describe_images"): {"imageDetails": []},
    ("ecr", "get_lifecycle_policy"): {"lifecyclePolicyText": "{}"},
    ("ecr", "list_tags_for_resource"): {"tags": []},
    ("elasticache", "list_tags_for_resource"): {"TagList": []},
    ("elb", "describe_instance_health"): {"InstanceStates": []},
    ("elb", "describe_tags"): {"TagDescriptions": []},
    ("elbv2", "describe_tags"): {"TagDescriptions": []},
    ("elbv2", "describe_target_groups"): {"TargetGroups": []},
    ("elbv2", "describe_target_health"): {"TargetHealthDescriptions": []},
    ("iam", "get_access_key_last_used"): {"AccessKeyLastUsed": {}},
    ("iam", "list_access_keys"): {"AccessKeyMetadata": []},
    ("kinesis", "describe_stream_summary"): {"StreamDescriptionSummary": {}},
    ("kinesis", "list_tags_for_stream"): {"Tags": []},
    ("lambda", "list_tags"): {"Tags": {}},
    ("logs", "list_tags_for_resource"): {"tags": {}},
    ("rds", "list_tags_for_resource"): {"TagList": []},
    ("s3", "get_bucket_lifecycle_configuration"): {"Rules": []},
    ("s3", "get_bucket_location"): {"LocationConstraint": None},
    ("s3", "get_bucket_tagging"): {"TagSet": []},
    ("s3", "get_bucket_versioning"): {"Status": "Enabled"},
    ("s3", "list_bucket_metrics_configurations"): {},
    ("s3", "list_multipart_uploads"): {"Uploads": []},
    ("s3", "list_object_versions"): {"Versions": []},
    ("s3", "list_parts"): {"Parts": []},
    ("sts", "get_caller_identity"): {"Account": CUSTOMER_ACCOUNT},
}


@dataclass
class Answers:
    """Answers by (service, operation), over the empty nested ones."""

    given: dict[tuple[str, str], Any] = field(default_factory=dict)

    def __call__(
        self, service: str, region: str, operation: str, parameters: Mapping[str, Any]
    ) -> Any:
        answer = self.given.get((service, operation), NESTED.get((service, operation)))
        if answer is None:
            raise LookupError(f"no answer for {service}.{operation}")
        return answer(parameters) if callable(answer) else answer

    def session(self) -> ScriptedSession:
        """A session that gives these answers."""
        return ScriptedSession(self)


def build_engine(
    account: Account,
    *,
    repository: DiscoveryRepository | None = None,
    objects: ObjectStore | None = None,
    collectors: Sequence[Collector] | None = None,
    clock: Clock | None = None,
    scope: TenantScope | None = None,
) -> Engine:
    """An engine on in-memory twins where nothing else is given."""
    scope = scope or TenantScope(new_id())
    return Engine(
        scope=scope,
        repository=repository if repository is not None else MemoryDiscoveryRepository(),
        snapshots=Snapshots(scope, objects if objects is not None else MemoryObjects()),
        account=account,
        collectors=COLLECTORS
        if collectors is None
        else {collector.service: collector for collector in collectors},
        clock=clock or FixedClock(),
        home_region=REGION,
    )


def scripted(answers: Answers | None = None) -> ScriptedAccount:
    """An account that answers."""
    return ScriptedAccount((answers or Answers()).session())


def begin_run(
    engine: Engine,
    *,
    regions: Sequence[str] = (REGION,),
    services: Sequence[str] | None = None,
    run_id: str | None = None,
    onboarding_id: str | None = None,
    account_id: str = CUSTOMER_ACCOUNT,
) -> Run:
    """A stored run, its state machine not started."""
    request = DiscoveryRequest(
        tenant_id=engine.scope.tenant_id,
        onboarding_id=onboarding_id or new_id(),
        account_id=account_id,
        regions=regions,
        services=services,
        run_id=run_id or new_id(),
    )
    return service.start(engine.repository, request, lambda run: None, engine.clock())


def planned_run(engine: Engine, *units: Unit) -> Run:
    """A stored run with exactly these units."""
    run = begin_run(engine)
    engine.repository.plan(run, units, engine.clock())
    stored = engine.repository.run(run.id)
    assert stored is not None
    return stored


class PagedVolumes:
    """A region's volumes behind opaque page tokens, as DescribeVolumes gives them."""

    def __init__(self, per_region: Mapping[str, int], *, page: int | None = None) -> None:
        self.per_region = dict(per_region)
        self.page = page
        self.pages_given = 0
        self.first: dict[str, int] = {}

    def volume_ids(self, region: str) -> list[str]:
        """The volumes that the region has now."""
        first = self.first.get(region, 0)
        return [f"vol-{region}-{n:06d}" for n in range(first, first + self.per_region[region])]

    def answer(self, region: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """One page."""
        size = self.page or int(parameters["MaxResults"])
        start = int(str(parameters.get("NextToken", "after-0")).removeprefix("after-"))
        ids = self.volume_ids(region)
        self.pages_given += 1
        answer: dict[str, Any] = {
            "Volumes": [
                {"VolumeId": id_, "State": "in-use", "Size": 8, "VolumeType": "gp2"}
                for id_ in ids[start : start + size]
            ]
        }
        if start + size < len(ids):
            answer["NextToken"] = f"after-{start + size}"
        return answer

    def session(self) -> ScriptedSession:
        """A session that knows regions and volumes."""

        def answer(service: str, region: str, operation: str, parameters: Mapping[str, Any]) -> Any:
            if operation == "describe_regions":
                return {"Regions": [{"RegionName": name} for name in self.per_region]}
            if operation == "describe_volumes":
                return self.answer(region, parameters)
            return NESTED[service, operation]

        return ScriptedSession(answer)


def follow(engine: Engine, run_id: str, pages: Callable[[], None] = lambda: None) -> None:
    """Prepare, read and finish one run, as the state machine does when nothing fails."""
    for unit in prepare(engine, run_id):
        while not read_unit(engine, run_id, unit.key):
            pages()
    while not finish(engine, run_id):
        pass
