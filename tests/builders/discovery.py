"""Builds engines, runs and answers for tests of discovery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.discovery import service
from tidegate.discovery.collectors import COLLECTORS
from tidegate.discovery.collectors.base import Collector
from tidegate.discovery.domain import DiscoveryRequest, Run, Unit
from tidegate.discovery.engine.ports import Account, Engine
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
