"""Trusted Advisor beside our findings: evidence without a price, unknown where unread."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tidegate.accounts.wiring import TenantFindings
from tidegate.findings import public as findings
from tidegate.findings.checks import CHECKS
from tidegate.findings.prices.book import PriceBook
from tidegate.findings.recommendations.advice import Advice
from tidegate.findings.recommendations.advisor import DENIED, NOT_ANSWERED, Advisor
from tidegate.findings.recommendations.registry import (
    SOURCES,
    declared_actions,
    service_actions,
)
from tidegate.findings.recommendations.source import Source
from tidegate.findings.recommendations.trusted_advisor import _CHECKS, NO_PLAN, VANISHED
from tidegate.findings.recommendations.trusted_advisor import SOURCES as TRUSTED_SOURCES
from tidegate_kit.aws_session import session_policy
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from infra.package.services import AWS_SERVICES
from tests.builders.advice import (
    HUB,
    OPTIMIZER,
    TA_LIST,
    TRUSTED,
    StubbedAccount,
    asked,
    not_authorized,
    ta_check,
    ta_resource,
    told,
)
from tests.builders.findings import NOW
from tests.builders.findings_cases import CASES
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION

LIST, RESOURCES = "trustedadvisor:ListRecommendations", "trustedadvisor:ListRecommendationResources"
NO_PRICES = PriceBook("none", ())
DATABASE = CASES["rds-idle"].found["arn"]


@pytest.fixture
def account() -> StubbedAccount:
    return StubbedAccount()


def flagged(account: StubbedAccount, *resources: dict[str, Any], **check: Any) -> Advice:
    """What is told of databases when the check of idle ones flags these."""
    account.trusted((ta_check("Ti39halfu8", **check), list(resources)))
    return asked(account, {"rds:db-instance"})


@pytest.mark.parametrize(
    "resource",
    [
        ta_resource(DATABASE),
        ta_resource(DATABASE.rpartition(":")[2].rpartition("/")[2]),
        ta_resource("", metadata={"0": "14", "6": DATABASE}),
        ta_resource(DATABASE.rpartition("/")[2], metadata={"5": REGION, "6": DATABASE}),
    ],
)
def test_a_flagged_resource_is_evidence_and_no_price(
    account: StubbedAccount, resource: dict[str, Any]
) -> None:
    """The amount of the whole check, in no currency, is not that of a resource."""
    (found,), state = told(flagged(account, resource), "rds-idle", NO_PRICES)
    assert found.hit.evidence["aws_recommendation"] == {
        "source": "trustedadvisor", "finding": "Check Ti39halfu8", "recommends": None,
        "saving": None, "saving_after_discounts": None, "currency": None,
        "as_of": "2026-01-01T06:00:00Z",
    }  # fmt: skip
    assert found.hit.saving.monthly is None
    assert (state.state, state.reason) == ("found", None)


def test_an_address_is_known_by_its_ip(account: StubbedAccount) -> None:
    address = CASES["eip-idle"].found
    account.trusted((ta_check("Z4AUBRNSmz"), [ta_resource(address["attributes"]["public_ip"])]))
    (found,), _ = told(asked(account, {"ec2:elastic-ip"}), "eip-idle")
    assert found.hit.evidence["aws_recommendation"]["source"] == TRUSTED


def test_what_is_fine_excluded_or_over_is_left_out(account: StubbedAccount) -> None:
    advice = flagged(
        account, ta_resource(DATABASE, status="ok"),
        ta_resource(DATABASE, exclusionStatus="excluded"),
    )  # fmt: skip
    assert advice == Advice()
    again = StubbedAccount()
    again.answers(
        TRUSTED, "list_recommendations",
        {
            "recommendationSummaries": [
                ta_check("Ti39halfu8", status="ok"),
                ta_check("Ti39halfu8", lifecycleStage="dismissed"),
                ta_check("1e93e4c0b5"),  # a lease that expires: none of our checks
            ]
        },
        TA_LIST,
    )  # fmt: skip
    assert asked(again, {"rds:db-instance"}) == Advice()  # no resources were asked for


def test_all_pages_of_both_listings_are_read(account: StubbedAccount) -> None:
    check = ta_check("Ti39halfu8")
    more = {"nextToken": "more"}
    account.answers(TRUSTED, "list_recommendations", {"recommendationSummaries": [], **more},
                    TA_LIST)  # fmt: skip
    account.answers(TRUSTED, "list_recommendations", {"recommendationSummaries": [check]},
                    {**TA_LIST, **more})  # fmt: skip
    request = {"recommendationIdentifier": check["arn"], "maxResults": 200}
    key = "recommendationResourceSummaries"
    account.answers(TRUSTED, "list_recommendation_resources",
                    {key: [ta_resource("db-1")], **more}, request)  # fmt: skip
    account.answers(TRUSTED, "list_recommendation_resources", {key: [ta_resource("db-2")]},
                    {**request, **more})  # fmt: skip
    advice = asked(account, {"rds:db-instance"})
    assert [one.resource_id for one in advice.recommendations] == ["db-1", "db-2"]


def test_buckets_are_told_of_where_they_are_checked(account: StubbedAccount) -> None:
    account.trusted((ta_check("c1cj39rr6v"), [ta_resource("arn:aws:s3:::logs")]))
    advisor = Advisor(CUSTOMER_ACCOUNT, lambda: account)
    assert advisor.region(REGION, {"s3:bucket"}, CHECKS) == Advice()
    (one,) = advisor.region("global", (), CHECKS).recommendations
    assert (one.arn, one.check_ids) == ("arn:aws:s3:::logs", ("s3-mpu-incomplete",))
    account.done()


@pytest.mark.parametrize(
    ("operation", "code", "message", "action", "reason"),
    [
        ("list_recommendations", "AccessDeniedException", "Access denied due to support level",
         LIST, NO_PLAN),
        ("list_recommendations", "SubscriptionRequiredException", "", LIST, NO_PLAN),
        ("list_recommendations", "AccessDeniedException", not_authorized(LIST), LIST, DENIED),
        ("list_recommendation_resources", "AccessDeniedException", not_authorized(RESOURCES),
         RESOURCES, DENIED),
        ("list_recommendation_resources", "AccessDeniedException", "", RESOURCES, DENIED),
        ("list_recommendation_resources", "ResourceNotFoundException", "", LIST, VANISHED),
        ("list_recommendations", "ThrottlingException", "", LIST, NOT_ANSWERED),
    ],
)  # fmt: skip
def test_a_refusal_is_unknown_with_its_reason(
    account: StubbedAccount, operation: str, code: str, message: str, action: str, reason: str
) -> None:
    if operation == "list_recommendation_resources":
        summaries = {"recommendationSummaries": [ta_check("Ti39halfu8")]}
        account.answers(TRUSTED, "list_recommendations", summaries, TA_LIST)
    account.refuses(TRUSTED, operation, code, message)
    (found,), state = told(asked(account, {"rds:db-instance"}), "rds-idle")
    assert found.hit.evidence["aws_recommendation"] == {
        "source": TRUSTED, "state": "unknown", "action": action, "reason": reason,
    }  # fmt: skip
    assert state.reason == f"AWS's recommendations are not known ({action}: {reason})"


COMPUTE = {
    "get_ec2_instance_recommendations": SOURCES[0],
    "get_ebs_volume_recommendations": SOURCES[1],
    "get_lambda_function_recommendations": SOURCES[2],
}
NEEDS: dict[tuple[str, str], tuple[str, ...]] = {
    **{(OPTIMIZER, operation): source.actions for operation, source in COMPUTE.items()},
    (HUB, "list_enrollment_statuses"): ("cost-optimization-hub:ListEnrollmentStatuses",),
    (HUB, "list_recommendations"): (
        "cost-optimization-hub:ListRecommendations", "cost-optimization-hub:GetRecommendation",
    ),
    (TRUSTED, "list_recommendations"): (LIST,),
    (TRUSTED, "list_recommendation_resources"): (RESOURCES,),
}  # fmt: skip
ANSWERS: dict[tuple[str, str], dict[str, Any]] = {
    (HUB, "list_enrollment_statuses"): {"items": [{"status": "Active"}]},
    (TRUSTED, "list_recommendations"): {"recommendationSummaries": [ta_check("Ti39halfu8")]},
    (TRUSTED, "list_recommendation_resources"): {"recommendationResourceSummaries": []},
}


class ClientWithout:
    """A client of a service whose calls need IAM actions, one of which the role does not have."""

    def __init__(self, service: str, missing: str) -> None:
        self._service, self._missing = service, missing

    def __getattr__(self, operation: str) -> Any:
        def call(**_: Any) -> dict[str, Any]:
            if self._missing in NEEDS[self._service, operation]:
                text = not_authorized(self._missing)
                name = "".join(word.title() for word in operation.split("_"))
                raise ClientError(
                    {"Error": {"Code": "AccessDeniedException", "Message": text}}, name
                )
            return ANSWERS.get((self._service, operation), {})

        return call


class AccountWithout:
    """A session of a role that lacks one IAM action."""

    def __init__(self, missing: str) -> None:
        self._missing = missing

    def client(self, service: str, region: str) -> ClientWithout:
        return ClientWithout(service, self._missing)


def lacking(action: str) -> list[Source]:
    """The sources that need an action."""
    return [source for source in SOURCES if action in source.actions]


@pytest.mark.hazard("G32")
@pytest.mark.bite("tidegate.findings.recommendations.advisor.Advisor._why", lambda *_: [])
@pytest.mark.parametrize("action", declared_actions())
def test_each_permission_dropped_makes_its_checks_unknown(action: str) -> None:
    """G32: without one action what needs it is unknown, with the action named; the rest is read."""
    types = {type_ for check in CHECKS.values() for type_ in check.types}
    advisor = Advisor(CUSTOMER_ACCOUNT, lambda: AccountWithout(action))
    gaps = [
        gap for region in (REGION, "global") for gap in advisor.region(region, types, CHECKS).gaps
    ]
    assert {(gap.action, gap.reason) for gap in gaps} == {(action, DENIED)}
    unknown = {(gap.source, check_id) for gap in gaps for check_id in gap.check_ids}
    assert unknown == {(one.service, id_) for one in lacking(action) for id_ in one.check_ids}


def test_checks_are_ours_and_actions_are_granted_and_shipped() -> None:
    for source in SOURCES:
        assert set(source.check_ids) <= set(CHECKS)
        assert source.service in AWS_SERVICES
    assert {one for check_ids in _CHECKS.values() for one in check_ids} == set(
        TRUSTED_SOURCES[0].check_ids
    )
    assert len(session_policy(declared_actions())) <= 2048


@pytest.mark.parametrize("remediate", [False, True])
def test_the_permission_doctor_knows_each_service_and_action(remediate: bool) -> None:
    needs = TenantFindings(TenantScope(new_id()), NOW).needs(remediate=remediate)
    told_of = {name: set(actions) for name, actions in needs.items() if "recommend" in name}
    assert told_of == {
        f"recommendations:{name}": set(actions) for name, actions in service_actions().items()
    }
    assert set().union(*told_of.values()) == set(declared_actions())
    assert findings.check_needs().items() <= needs.items()
