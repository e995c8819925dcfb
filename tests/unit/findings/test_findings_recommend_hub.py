"""Cost Optimization Hub beside our findings: read once, counted once, unknown where unread."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tidegate.findings.checks import CHECKS
from tidegate.findings.domain import Saving
from tidegate.findings.prices.book import PriceBook
from tidegate.findings.recommendations.advice import Advice, short_id
from tidegate.findings.recommendations.advisor import (
    DENIED,
    INCOMPLETE,
    NOT_ANSWERED,
    Advisor,
)
from tidegate.findings.recommendations.cost_optimization_hub import _KINDS, NOT_ENROLLED, SOURCES

from tests.builders.advice import (
    AT,
    HUB,
    HUB_LIST,
    OPTIMIZER,
    StubbedAccount,
    asked,
    hub_item,
    not_authorized,
    ta_check,
    ta_resource,
    told,
)
from tests.builders.findings import recomputed
from tests.builders.findings_cases import CASES
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION

NO_PRICES = PriceBook("none", ())
CASE_PRICED = Saving(Decimal(0), "0")
VOLUME = CASES["ebs-unattached"].found["arn"]
NAT = CASES["nat-idle"].found["arn"]


@pytest.fixture
def account() -> StubbedAccount:
    return StubbedAccount()


def nat(account: StubbedAccount, **more: Any) -> Advice:
    account.hub(hub_item("NatGateway", "Delete", **{"arn": NAT, **more}))
    return asked(account, {"ec2:nat-gateway"})


def test_our_own_price_wins_and_the_import_is_evidence(account: StubbedAccount) -> None:
    (found,), state = told(nat(account), "nat-idle")
    (alone,), _ = told(Advice(), "nat-idle")
    assert found.hit.saving == alone.hit.saving
    assert found.hit.evidence["aws_recommendation"] == {
        "source": "cost-optimization-hub", "finding": "Delete", "recommends": "something smaller",
        "saving": "12.5", "saving_after_discounts": None, "currency": "USD",
        "as_of": "2026-01-01T06:00:00Z",
    }  # fmt: skip
    assert (state.state, state.reason) == ("found", None)


def test_where_ours_has_no_price_the_estimate_stands_in(account: StubbedAccount) -> None:
    (found,), _ = told(nat(account), "nat-idle", NO_PRICES)
    saving = found.hit.saving
    assert (saving.monthly, saving.confidence, saving.currency) == (
        Decimal("12.500000"), "estimate", "USD",
    )  # fmt: skip
    (price,) = saving.prices
    assert (price.source, price.date) == ("cost-optimization-hub", "2026-01-01")
    assert recomputed(saving) == Decimal("12.5")


@pytest.mark.hazard("G33")
@pytest.mark.bite(
    "tidegate.findings.recommendations.advice.Recommendation.estimate",
    property(lambda self: CASE_PRICED),
)
@pytest.mark.parametrize(
    "missing",
    [
        {"currencyCode": None},
        {"currencyCode": "EUR"},
        {"estimatedMonthlySavings": None},
        {"lastRefreshTimestamp": None},
        {"arn": None, "resourceId": "nat-idle"},
    ],
)
def test_half_an_estimate_is_no_price(account: StubbedAccount, missing: dict[str, Any]) -> None:
    """G33: without an amount, a currency that is ours, a date or an ARN: unpriced, never 0."""
    (found,), _ = told(nat(account, **missing), "nat-idle", NO_PRICES)
    assert found.hit.saving.monthly is None
    assert found.hit.evidence["aws_recommendation"]["source"] == HUB


def test_what_saves_nothing_or_is_not_ours_is_left_out(account: StubbedAccount) -> None:
    other = f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:natgateway/nat-other"
    account.hub(
        hub_item("NatGateway", "Delete", other, estimatedMonthlySavings=0.0),
        hub_item("NatGateway", "Delete", other, estimatedMonthlySavings=-1.0),
        hub_item("NatGateway", "Delete", other, accountId="999999999999"),
        hub_item("NatGateway", "Upgrade", other),
        hub_item("NatGateway", "Delete", other, region="eu-west-1"),
    )
    assert asked(account, {"ec2:nat-gateway"}) == Advice()


def test_one_resource_told_of_by_three_services_is_one_thing() -> None:
    volume = CASES["ebs-gp2-to-gp3"].found["arn"]
    account = StubbedAccount()
    option = {
        "rank": 1, "configuration": {"volumeType": "gp3"},
        "savingsOpportunity": {"estimatedMonthlySavings": {"currency": "USD", "value": 2.0}},
    }  # fmt: skip
    listed = {
        "volumeArn": volume, "accountId": CUSTOMER_ACCOUNT, "finding": "NotOptimized",
        "volumeRecommendationOptions": [option], "lastRefreshTimestamp": AT,
    }  # fmt: skip
    account.answers(
        OPTIMIZER, "get_ebs_volume_recommendations", {"volumeRecommendations": [listed]},
        {"maxResults": 1000},
    )  # fmt: skip
    account.hub(
        hub_item("EbsVolume", "Rightsize", volume, estimatedMonthlySavings=1.0),
        hub_item("EbsVolume", "Upgrade", volume, estimatedMonthlySavings=3.0),
    )
    account.trusted((ta_check("COr6dfpM03"), [ta_resource(volume.rpartition("/")[2])]))
    advice = asked(account, {"ec2:volume"})
    (found,), state = told(advice, "ebs-gp2-to-gp3", NO_PRICES)
    assert found.hit.saving.monthly == 2  # one amount, of the service that comes first
    shown = found.hit.evidence["aws_recommendation"]
    assert (shown["source"], shown["saving"]) == (OPTIMIZER, "2.0")
    others = [(one["source"], one["finding"], one["saving"]) for one in shown["also"]]
    assert others == [
        (HUB, "Upgrade", "3.0"), (HUB, "Rightsize", "1.0"),
        ("trustedadvisor", "Check COr6dfpM03", None),
    ]  # fmt: skip
    assert state.reason is None
    # A volume that none of our checks finds is told of once, too.
    _, elsewhere = told(advice, "ebs-unattached")
    assert elsewhere.reason is None
    untouched = [one for one in advice.noted([state]) if one.check_id == "ebs-gp2-to-gp3"]
    assert [one.reason for one in untouched] == [None]


def test_what_only_aws_finds_is_named_once_with_the_check(account: StubbedAccount) -> None:
    arn = f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:volume/vol-other"
    account.hub(
        hub_item("EbsVolume", "Delete", arn),
        hub_item("EbsVolume", "Delete", None, resourceId="vol-unnamed"),
        hub_item("EbsVolume", "Delete", None),
    )
    account.trusted((ta_check("DAvU99Dc4C"), [ta_resource("vol-other")]))
    account.answers(
        OPTIMIZER, "get_ebs_volume_recommendations", {"volumeRecommendations": []},
        {"maxResults": 1000},
    )  # fmt: skip
    (found,), state = told(asked(account, {"ec2:volume"}), "ebs-unattached")
    assert "aws_recommendation" not in found.hit.evidence
    assert state.reason == (
        "AWS also recommends a change of 3 not found here: "
        f"{arn}, one that AWS does not name, vol-unnamed"
    )


def test_it_is_asked_once_for_all_regions(account: StubbedAccount) -> None:
    there = "arn:aws:ec2:eu-west-1:111122223333:natgateway/nat-there"
    account.hub(
        hub_item("NatGateway", "Delete", NAT),
        hub_item("NatGateway", "Delete", there, region="eu-west-1"),
        hub_item("NatGateway", "Delete", f"{there}2", region=None),
    )
    advisor = Advisor(CUSTOMER_ACCOUNT, lambda: account)
    told_of = {
        region: [one.arn for one in advisor.region(region, {"ec2:nat-gateway"}, CHECKS)
                 .recommendations]
        for region in (REGION, "eu-west-1", "global")
    }  # fmt: skip
    assert told_of == {REGION: [NAT], "eu-west-1": [there, f"{there}2"], "global": []}
    assert account.asked.count((HUB, "us-east-1")) == 1


def test_all_pages_are_read_and_a_listing_without_end_is_unknown() -> None:
    items = [hub_item("NatGateway", "Delete", f"{NAT}{n}") for n in range(2)]
    for last, expected in ((None, []), ("more", [INCOMPLETE])):
        account = StubbedAccount()
        account.enrolled()
        first = {"items": items[:1], "nextToken": "more"}
        second = {"items": items[1:], **({} if last is None else {"nextToken": last})}
        account.answers(HUB, "list_recommendations", first, HUB_LIST)
        account.answers(HUB, "list_recommendations", second, {**HUB_LIST, "nextToken": "more"})
        advice = asked(account, {"ec2:nat-gateway"})
        assert [gap.reason for gap in advice.gaps] == expected
        assert len(advice.recommendations) == (0 if expected else 2)  # half is not the whole


@pytest.mark.parametrize("items", [[], [{"accountId": CUSTOMER_ACCOUNT, "status": "Inactive"}]])
def test_an_account_that_is_not_enrolled_is_unknown(
    account: StubbedAccount, items: list[dict[str, str]]
) -> None:
    account.answers(HUB, "list_enrollment_statuses", {"items": items}, {"maxResults": 100})
    (found,), state = told(asked(account, {"ec2:nat-gateway"}), "nat-idle")
    assert found.hit.evidence["aws_recommendation"] == {
        "source": HUB, "state": "unknown", "action": SOURCES[0].action, "reason": NOT_ENROLLED,
    }  # fmt: skip
    assert state.reason == (
        f"AWS's recommendations are not known ({SOURCES[0].action}: {NOT_ENROLLED})"
    )


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("AccessDeniedException", "AWS account is not enrolled for recommendations.", NOT_ENROLLED),
        ("AccessDeniedException", not_authorized(SOURCES[0].action), DENIED),
        ("ThrottlingException", "Rate exceeded", NOT_ANSWERED),
        ("InternalServerException", "", NOT_ANSWERED),
    ],
)
def test_a_refusal_is_unknown_with_its_reason(
    account: StubbedAccount, code: str, message: str, reason: str
) -> None:
    account.enrolled()
    account.refuses(HUB, "list_recommendations", code, message)
    gaps = asked(account, {"ec2:nat-gateway"}).gaps
    assert [(gap.action, gap.reason) for gap in gaps] == [(SOURCES[0].action, reason)]
    assert [gap.check_ids for gap in gaps] == [("nat-idle",)]


def test_kinds_are_of_the_service_model_and_of_our_checks(account: StubbedAccount) -> None:
    account.hub()
    model = account.client(HUB, REGION).meta.service_model
    shape = model.operation_model("ListRecommendations").input_shape.members["filter"]
    types = set(shape.members["resourceTypes"].member.enum)
    actions = set(shape.members["actionTypes"].member.enum)
    assert {type_ for type_, _ in _KINDS} <= types
    assert {action for _, action in _KINDS} <= actions
    assert {one for kind in _KINDS.values() for one in kind.check_ids} <= set(CHECKS)
    # Only the change of one check can have its price.
    assert [
        key for key, kind in _KINDS.items() if kind.same_change and len(kind.check_ids) > 1
    ] == []


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:ec2:eu-west-1:1:volume/vol-1", "vol-1"),
        ("arn:aws:ecr:eu-west-1:1:repository/team/image", "team/image"),
        ("arn:aws:rds:eu-west-1:1:db:main", "main"),
        ("arn:aws:lambda:eu-west-1:1:function:resize:$LATEST", "resize"),
        ("arn:aws:lambda:eu-west-1:1:function", ""),
        ("arn:aws:s3:::bucket", "bucket"),
        ("not an arn", "not an arn"),
        ("", ""),
    ],
)
def test_short_ids(arn: str, name: str) -> None:
    assert short_id(arn) == name
