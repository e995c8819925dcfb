"""A refresh with AWS's recommendations beside its findings, stored and shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from tidegate.findings import wiring
from tidegate.findings.domain import FindingFilters
from tidegate.findings.recommendations.advisor import NOT_ENTERED, Advisor
from tidegate.findings.recommendations.compute_optimizer import SOURCES
from tidegate.findings.service import refresh
from tidegate.onboarding.domain import Registration
from tidegate_kit import dynamo
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import add_account
from tests.builders.findings import NOW
from tests.builders.findings_cases import CASES
from tests.builders.findings_store import BUCKET, machine_of, record
from tests.builders.settings import CUSTOMER_ACCOUNT, PREFIX, REGION
from tests.fakes.strict_aws.layer import strict_aws
from tests.fakes.tables import create_tables

VOLUME = CASES["ebs-gp2-to-gp3"].found


@pytest.fixture
def registration(
    environment: None, table_specs: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Registration]:
    """A connected account with one gp2 volume in its inventory; its role does not exist."""
    monkeypatch.setenv("DATA_BUCKET", BUCKET)
    with strict_aws():
        names = ("findings", "discovery", "onboarding", "pipelines")
        wanted = [f"{PREFIX}-{name}" for name in names]
        specs = [spec for spec in table_specs if spec.name in wanted]
        create_tables(boto3.client("dynamodb", region_name=REGION), specs)
        boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
        platform_client.cache_clear()
        dynamo.configure_store(dynamo.Store(PREFIX, REGION))
        made = add_account(new_id(), clock=FixedClock(NOW))
        record(made, [VOLUME])
        yield made


class Optimizer:
    """Compute Optimizer with one recommendation about the volume."""

    def client(self, service: str, region: str) -> Optimizer:
        assert (service, region) == ("compute-optimizer", REGION)
        return self

    def get_ebs_volume_recommendations(self, **_: Any) -> dict[str, Any]:
        saved = {"estimatedMonthlySavings": {"currency": "USD", "value": 1.6}}
        option = {
            "rank": 1, "configuration": {"volumeType": "gp3"}, "savingsOpportunity": saved,
        }  # fmt: skip
        one = {
            "volumeArn": VOLUME["arn"], "accountId": CUSTOMER_ACCOUNT, "finding": "NotOptimized",
            "volumeRecommendationOptions": [option],
        }  # fmt: skip
        return {"volumeRecommendations": [one]}


def refreshed(scope: TenantScope, advisor: Advisor | None = None) -> dict[str, Any]:
    """The evidence of the volume's one finding after another refresh, as stored."""
    parts = wiring.parts_of(scope, clock=FixedClock(NOW))
    if advisor is not None:
        parts = replace(parts, advisor=lambda inventory: advisor)
    started = refresh.start(
        parts, lambda one: None, refresh_id=new_id(), account_ids=None,
        check_ids=["ebs-gp2-to-gp3"], trigger="api",
    )  # fmt: skip
    machine_of(parts).execute({"tenant_id": scope.tenant_id, "refresh_id": started.id})
    queries = wiring.queries_of(scope, FixedClock(NOW))
    (row,), total, _ = queries.page("storage", FindingFilters(), 0, 100, None)
    assert total == 1  # AWS's word makes no second finding
    return dict(row.evidence)


def test_what_aws_says_is_stored_beside_ours_and_follows_each_refresh(
    registration: Registration,
) -> None:
    scope = TenantScope(registration.tenant_id)
    beside = refreshed(scope, Advisor(CUSTOMER_ACCOUNT, Optimizer))["aws_recommendation"]
    assert (beside["source"], beside["recommends"]) == ("compute-optimizer", "gp3")
    assert (beside["saving"], beside["saving_after_discounts"]) == ("1.6", None)
    # The same through onboarding's connection, whose role is gone: not known any more.
    assert refreshed(scope)["aws_recommendation"] == {
        "source": "compute-optimizer", "state": "unknown", "action": SOURCES[1].action,
        "reason": NOT_ENTERED,
    }  # fmt: skip
