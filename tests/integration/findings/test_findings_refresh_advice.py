"""A refresh with AWS's recommendations beside its findings, stored and shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import boto3
import pytest
from tidegate.findings import wiring
from tidegate.findings.domain import Finding, FindingFilters
from tidegate.findings.prices.book import PriceBook
from tidegate.findings.recommendations.advisor import NOT_ENTERED, Advisor
from tidegate.findings.recommendations.cost_optimization_hub import NOT_ENROLLED
from tidegate.findings.recommendations.registry import SOURCES
from tidegate.findings.recommendations.trusted_advisor import NO_PLAN
from tidegate.findings.service import refresh
from tidegate.onboarding.domain import Registration
from tidegate_kit import dynamo
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import add_account
from tests.builders.advice import (
    AT,
    HUB,
    OPTIMIZER,
    TRUSTED,
    StubbedAccount,
    hub_item,
    ta_check,
    ta_resource,
)
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


def refreshed(
    scope: TenantScope, account: StubbedAccount | None = None, *, priced: bool = True
) -> Finding:
    """The volume's one finding after another refresh, as stored."""
    parts = wiring.parts_of(scope, clock=FixedClock(NOW))
    if account is not None:
        session = account
        parts = replace(parts, advisor=lambda inventory: Advisor(CUSTOMER_ACCOUNT, lambda: session))
    if not priced:
        parts = replace(parts, prices=lambda: PriceBook("none", ()))
    started = refresh.start(
        parts, lambda one: None, refresh_id=new_id(), account_ids=None,
        check_ids=["ebs-gp2-to-gp3"], trigger="api",
    )  # fmt: skip
    machine_of(parts).execute({"tenant_id": scope.tenant_id, "refresh_id": started.id})
    queries = wiring.queries_of(scope, FixedClock(NOW))
    (row,), total, _ = queries.page("storage", FindingFilters(), 0, 100, None)
    assert total == 1  # AWS's word makes no second finding
    return row


def advised() -> StubbedAccount:
    """An account where three services recommend a change of the volume."""
    account = StubbedAccount()
    saved = {"estimatedMonthlySavings": {"currency": "USD", "value": 1.6}}
    option = {"rank": 1, "configuration": {"volumeType": "gp3"}, "savingsOpportunity": saved}
    one = {
        "volumeArn": VOLUME["arn"], "accountId": CUSTOMER_ACCOUNT, "finding": "NotOptimized",
        "volumeRecommendationOptions": [option], "lastRefreshTimestamp": AT,
    }  # fmt: skip
    account.answers(
        OPTIMIZER, "get_ebs_volume_recommendations", {"volumeRecommendations": [one]},
        {"maxResults": 1000},
    )  # fmt: skip
    account.hub(hub_item("EbsVolume", "Upgrade", VOLUME["arn"], estimatedMonthlySavings=1.7))
    account.trusted((ta_check("c1z7kmr02n"), [ta_resource(VOLUME["arn"].rpartition("/")[2])]))
    return account


def test_what_aws_says_is_stored_beside_ours_and_follows_each_refresh(
    registration: Registration,
) -> None:
    scope = TenantScope(registration.tenant_id)
    alone = refreshed(scope).saving
    row = refreshed(scope, advised())
    beside = row.evidence["aws_recommendation"]
    assert (beside["source"], beside["recommends"]) == (OPTIMIZER, "gp3")
    assert (beside["saving"], beside["saving_after_discounts"]) == ("1.6", None)
    assert [(one["source"], one["saving"]) for one in beside["also"]] == [
        (HUB, "1.7"), (TRUSTED, None),
    ]  # fmt: skip
    assert row.saving == alone  # ours has a price: it counts, and once
    # The same through onboarding's connection, whose role is gone: not known any more.
    shown = refreshed(scope).evidence["aws_recommendation"]
    unknown = [{key: one[key] for key in ("source", "state", "action", "reason")}
               for one in (shown, *shown["also"])]  # fmt: skip
    assert unknown == [
        {"source": one.service, "state": "unknown", "action": one.action, "reason": NOT_ENTERED}
        for one in SOURCES
        if "ebs-gp2-to-gp3" in one.check_ids
    ]


def test_an_estimate_counts_once_where_ours_has_no_price(registration: Registration) -> None:
    scope = TenantScope(registration.tenant_id)
    summary = wiring.queries_of(scope, FixedClock(NOW)).summary
    assert refreshed(scope, priced=False).saving.monthly is None
    before = summary(["storage"])
    assert (before.identified_monthly, before.priced, before.unpriced) == (Decimal(0), 0, 1)
    for _ in range(2):  # the same again changes nothing
        row = refreshed(scope, advised(), priced=False)
        assert (row.saving.monthly, row.saving.confidence) == (Decimal("1.6"), "estimate")
        after = summary(["storage"])
        assert (after.identified_monthly, after.priced, after.unpriced) == (Decimal("1.6"), 1, 0)
    # No longer told: unpriced again, never the old amount or 0.
    assert refreshed(scope, priced=False).saving.monthly is None


def test_the_states_tell_what_could_not_be_asked(registration: Registration) -> None:
    scope = TenantScope(registration.tenant_id)
    account = advised_without_plan()
    refreshed(scope, account)
    account.done()
    states = wiring.queries_of(scope, FixedClock(NOW)).states("storage")["ebs-gp2-to-gp3"]
    ((_, state),) = states
    assert state.state == "found"
    assert state.reason == (
        "AWS's recommendations are not known "
        f"(cost-optimization-hub:ListRecommendations: {NOT_ENROLLED}); "
        f"AWS's recommendations are not known (trustedadvisor:ListRecommendations: {NO_PLAN})"
    )


def advised_without_plan() -> StubbedAccount:
    """An account that is opted in to Compute Optimizer alone."""
    account = StubbedAccount()
    account.answers(
        OPTIMIZER, "get_ebs_volume_recommendations", {"volumeRecommendations": []},
        {"maxResults": 1000},
    )  # fmt: skip
    account.enrolled("Inactive")
    text = "Access denied due to support level"
    account.refuses(TRUSTED, "list_recommendations", "AccessDeniedException", text)
    return account
