"""AWS's own recommendations beside ours: read, laid beside, noted, and unknown where unread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tidegate.findings.checks import CHECKS
from tidegate.findings.recommendations import compute_optimizer
from tidegate.findings.recommendations.advice import Advice
from tidegate.findings.recommendations.advisor import (
    DENIED,
    INCOMPLETE,
    NOT_ANSWERED,
    NOT_ENTERED,
    Advisor,
    NotConnected,
)
from tidegate.findings.recommendations.compute_optimizer import NOT_OPTED_IN, SOURCES
from tidegate.findings.recommendations.registry import SOURCES as ALL

from tests.builders.advice import AT, OPTIMIZER, StubbedAccount, asked, told
from tests.builders.findings_cases import CASES
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION

INSTANCES = SOURCES[0].action
GET_INSTANCES = "get_ec2_instance_recommendations"
GET_VOLUMES = "get_ebs_volume_recommendations"
GET_FUNCTIONS = "get_lambda_function_recommendations"
TYPES = {type_ for one in SOURCES for check_id in one.check_ids for type_ in CHECKS[check_id].types}


def saves(value: float, discounted: float) -> dict[str, Any]:
    return {
        "savingsOpportunity": {
            "savingsOpportunityPercentage": 50.0,
            "estimatedMonthlySavings": {"currency": "USD", "value": value},
        },
        "savingsOpportunityAfterDiscounts": {
            "savingsOpportunityPercentage": 50.0,
            "estimatedMonthlySavings": {"currency": "USD", "value": discounted},
        },
    }


def instance(arn: str, finding: str = "Overprovisioned", **more: Any) -> dict[str, Any]:
    options = [
        {"instanceType": "m5.xlarge", "rank": 2, **saves(5.0, 4.0)},
        {"instanceType": "m5.large", "rank": 1, **saves(35.04, 30.5)},
    ]
    return {
        "instanceArn": arn, "accountId": CUSTOMER_ACCOUNT, "finding": finding,
        "lastRefreshTimestamp": AT, "recommendationOptions": options, **more,
    }  # fmt: skip


class Account(StubbedAccount):
    """An account with answers of Compute Optimizer."""

    def gives(self, operation: str, answer: Mapping[str, Any], token: str | None = None) -> None:
        more = {} if token is None else {"nextToken": token}
        self.answers(OPTIMIZER, operation, answer, {"maxResults": 1000, **more})


@pytest.fixture
def account() -> Account:
    return Account()


def optimizer_gaps(advice: Advice) -> list[str]:
    return [gap.reason for gap in advice.gaps if gap.source == OPTIMIZER]


def test_one_beside_our_finding_keeps_both_amounts(account: Account) -> None:
    arn = CASES["ec2-idle"].found["arn"]
    account.gives(GET_INSTANCES, {"instanceRecommendations": [instance(arn)]})
    advice = asked(account, {"ec2:instance"})
    (found,), state = told(advice, "ec2-idle")
    assert found.hit.evidence["aws_recommendation"] == {
        "source": "compute-optimizer", "finding": "Overprovisioned", "recommends": "m5.large",
        "saving": "35.04", "saving_after_discounts": "30.5", "currency": "USD",
        "as_of": "2026-01-01T06:00:00Z",
    }  # fmt: skip
    (alone,), before = told(Advice(), "ec2-idle")
    assert found.hit.saving == alone.hit.saving  # AWS's amount is beside ours, not in it
    assert (state.state, state.findings, state.reason) == (before.state, before.findings, None)


def test_one_that_we_do_not_find_is_noted_with_the_check(account: Account) -> None:
    arn = f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:instance/i-other"
    account.gives(GET_INSTANCES, {"instanceRecommendations": [instance(arn, idle="True")]})
    (found,), state = told(asked(account, {"ec2:instance"}), "ec2-idle")
    assert "aws_recommendation" not in found.hit.evidence
    assert state.state == "found"
    assert state.reason == f"AWS also recommends a change of 1 not found here: {arn}"


def test_volumes_functions_and_what_saves_nothing(account: Account) -> None:
    volume = CASES["ebs-gp2-to-gp3"].found["arn"]
    function = f"arn:aws:lambda:{REGION}:{CUSTOMER_ACCOUNT}:function:resize"
    other = f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:instance/i-small"
    account.gives(
        GET_INSTANCES,
        {
            "instanceRecommendations": [
                instance(other, "Underprovisioned"),
                instance(other, "Optimized"),
                instance(other, accountId="999999999999"),
            ]
        },
    )
    option = {"configuration": {"volumeType": "gp3"}, "rank": 1, **saves(2.0, 2.0)}
    bigger = {"configuration": {"volumeType": "io2"}, "rank": 1}
    account.gives(
        GET_VOLUMES,
        {
            "volumeRecommendations": [
                {"volumeArn": volume, "finding": "NotOptimized",
                 "volumeRecommendationOptions": [option]},
                {"volumeArn": f"{volume}2", "finding": "NotOptimized",
                 "volumeRecommendationOptions": [bigger]},
            ]
        },
    )  # fmt: skip
    account.gives(
        GET_FUNCTIONS,
        {
            "lambdaFunctionRecommendations": [
                {"functionArn": f"{function}:$LATEST", "finding": "NotOptimized",
                 "findingReasonCodes": ["MemoryOverprovisioned"],
                 "memorySizeRecommendationOptions": [{"rank": 1, "memorySize": 256}]},
            ]
        },
    )  # fmt: skip
    advice = asked(account, TYPES)
    assert [one.arn for one in advice.recommendations] == [volume, function]
    (found,), _ = told(advice, "ebs-gp2-to-gp3")
    assert found.hit.evidence["aws_recommendation"]["recommends"] == "gp3"
    beside = advice.recommendations[1].evidence()
    assert (beside["recommends"], beside["saving"]) == ("256 MiB", None)  # unknown is not 0


def test_all_pages_are_read(account: Account) -> None:
    arns = [f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:instance/i-{n}" for n in range(2)]
    first = {"instanceRecommendations": [instance(arns[0])], "nextToken": "more"}
    account.gives(GET_INSTANCES, first)
    account.gives(GET_INSTANCES, {"instanceRecommendations": [instance(arns[1])]}, token="more")
    assert [one.arn for one in asked(account, {"ec2:instance"}).recommendations] == arns


@pytest.mark.hazard("G32")
@pytest.mark.bite("tidegate.findings.recommendations.advisor.Advisor._why", lambda *_: [])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("AccessDeniedException", DENIED),
        ("OptInRequiredException", NOT_OPTED_IN),
        ("ServiceUnavailableException", NOT_ANSWERED),
    ],
)
def test_unread_is_unknown_with_the_action(account: Account, code: str, reason: str) -> None:
    """G32: recommendations that could not be read are named unknown, never taken as none."""
    account.refuses(OPTIMIZER, GET_INSTANCES, code)
    (found,), state = told(asked(account, {"ec2:instance"}), "ec2-idle")
    assert found.hit.evidence.get("aws_recommendation") == {
        "source": "compute-optimizer", "state": "unknown", "action": INSTANCES,
        "reason": reason,
    }  # fmt: skip
    assert state.state == "found"  # ours was read from the resources all the same
    assert state.reason == (f"AWS's recommendations are not known ({INSTANCES}: {reason})")


def test_half_an_answer_is_unknown(account: Account) -> None:
    errors = [{"identifier": "i-1", "code": "InternalServerException", "message": "later"}]
    account.gives(GET_INSTANCES, {"instanceRecommendations": [], "errors": errors})
    assert optimizer_gaps(asked(account, {"ec2:instance"})) == [INCOMPLETE]
    again = {"instanceRecommendations": [], "nextToken": "same"}
    account.gives(GET_INSTANCES, again)
    account.gives(GET_INSTANCES, again, token="same")
    assert optimizer_gaps(asked(account, {"ec2:instance"})) == [INCOMPLETE]


def test_who_refuses_is_not_asked_in_every_region(account: Account) -> None:
    account.refuses(OPTIMIZER, GET_INSTANCES, "OptInRequiredException")
    advisor = Advisor(CUSTOMER_ACCOUNT, lambda: account)
    for region in ("eu-west-1", "us-east-1", "us-west-2"):  # a second call would have no answer
        advice = advisor.region(region, TYPES, set(CHECKS))
        assert optimizer_gaps(advice) == [NOT_OPTED_IN] * 3


def test_an_account_that_cannot_be_entered_is_unknown() -> None:
    calls: list[int] = []

    def closed() -> StubbedAccount:
        calls.append(1)
        raise NotConnected

    advisor = Advisor(CUSTOMER_ACCOUNT, closed)
    gaps = advisor.region(REGION, TYPES, set(CHECKS)).gaps
    assert [(gap.action, gap.reason) for gap in gaps] == [(one.action, NOT_ENTERED) for one in ALL]
    assert advisor.region(REGION, {"kinesis:stream"}, set(CHECKS)) == Advice()
    assert advisor.region(REGION, TYPES, {"eni-unused"}) == Advice()
    assert calls == [1]


def test_the_amount_of_another_change_is_no_price() -> None:
    """A smaller instance saves less than a stopped one: such an amount stays beside."""
    arn = CASES["ec2-idle"].found["arn"]
    made = compute_optimizer.SOURCES[0]
    account = Account()
    account.gives(GET_INSTANCES, {"instanceRecommendations": [instance(arn)]})
    advice = asked(account, {"ec2:instance"})
    assert made.check_ids == ("ec2-idle", "ec2-old-generation")
    assert [one.estimate for one in advice.recommendations] == [None]
