"""AWS's own recommendations beside ours: read, laid beside, noted, and unknown where unread."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from tidegate.findings.checks import CHECKS
from tidegate.findings.domain import CheckState
from tidegate.findings.recommendations.advice import Advice
from tidegate.findings.recommendations.advisor import (
    DENIED,
    INCOMPLETE,
    NOT_ANSWERED,
    NOT_ENTERED,
    NOT_OPTED_IN,
    Advisor,
    NotConnected,
)
from tidegate.findings.recommendations.compute_optimizer import SOURCES, declared_actions
from tidegate.findings.service.evaluation import Found, Outcome, evaluate
from tidegate_kit.aws_session import session_policy

from tests.builders.findings import MemoryInventory, rules
from tests.builders.findings_cases import CASES
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION

INSTANCES, VOLUMES, FUNCTIONS = SOURCES
AT = datetime(2026, 1, 1, 6, tzinfo=UTC)
TYPES = {source.type for source in SOURCES}
ROLE_FILE = Path(__file__).parents[3] / "infra/onboarding/customer-role.yaml"


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


class StubbedAccount:
    """A session whose Compute Optimizer gives prepared answers, checked by AWS's description."""

    def __init__(self) -> None:
        self._client = boto3.client(
            "compute-optimizer", REGION, aws_access_key_id="a", aws_secret_access_key="b"
        )
        self.stub = Stubber(self._client)
        self.stub.activate()

    def client(self, service: str, region: str) -> Any:
        assert service == "compute-optimizer"
        return self._client

    def answers(self, operation: str, answer: Mapping[str, Any], token: str | None = None) -> None:
        more = {} if token is None else {"nextToken": token}
        self.stub.add_response(operation, dict(answer), {"maxResults": ANY, **more})

    def refuses(self, operation: str, code: str) -> None:
        self.stub.add_client_error(operation, code, http_status_code=400)


@pytest.fixture
def account() -> StubbedAccount:
    return StubbedAccount()


def asked(account: StubbedAccount, types: set[str], region: str = REGION) -> Advice:
    advice = Advisor(CUSTOMER_ACCOUNT, lambda: account).region(region, types, set(CHECKS))
    account.stub.assert_no_pending_responses()
    return advice


def told(advice: Advice, check_id: str) -> tuple[list[Found], CheckState]:
    """The check on its own found case: what it found with AWS's word beside, and its state."""
    case = CASES[check_id]
    inventory = MemoryInventory([case.found, *case.others])
    heard: list[Outcome] = []
    states = evaluate(
        inventory, REGION, rules(), lambda outcome: heard.append(advice.beside(outcome))
    )
    state = next(one for one in advice.noted(states) if one.check_id == check_id)
    return [
        one for one in heard if isinstance(one, Found) and one.check.check_id == check_id
    ], state


def test_one_beside_our_finding_keeps_both_amounts(account: StubbedAccount) -> None:
    arn = CASES["ec2-idle"].found["arn"]
    account.answers(INSTANCES.operation, {"instanceRecommendations": [instance(arn)]})
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


def test_one_that_we_do_not_find_is_noted_with_the_check(account: StubbedAccount) -> None:
    arn = f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:instance/i-other"
    account.answers(INSTANCES.operation, {"instanceRecommendations": [instance(arn, idle="True")]})
    (found,), state = told(asked(account, {"ec2:instance"}), "ec2-idle")
    assert "aws_recommendation" not in found.hit.evidence
    assert state.state == "found"
    assert state.reason == f"AWS also recommends a change of 1 not found here: {arn}"


def test_volumes_functions_and_what_saves_nothing(account: StubbedAccount) -> None:
    volume = CASES["ebs-gp2-to-gp3"].found["arn"]
    function = f"arn:aws:lambda:{REGION}:{CUSTOMER_ACCOUNT}:function:resize"
    other = f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:instance/i-small"
    account.answers(
        INSTANCES.operation,
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
    account.answers(
        VOLUMES.operation,
        {
            "volumeRecommendations": [
                {"volumeArn": volume, "finding": "NotOptimized",
                 "volumeRecommendationOptions": [option]},
                {"volumeArn": f"{volume}2", "finding": "NotOptimized",
                 "volumeRecommendationOptions": [bigger]},
            ]
        },
    )  # fmt: skip
    account.answers(
        FUNCTIONS.operation,
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


def test_all_pages_are_read(account: StubbedAccount) -> None:
    arns = [f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:instance/i-{n}" for n in range(2)]
    first = {"instanceRecommendations": [instance(arns[0])], "nextToken": "more"}
    account.answers(INSTANCES.operation, first)
    account.answers(
        INSTANCES.operation, {"instanceRecommendations": [instance(arns[1])]}, token="more"
    )
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
def test_unread_is_unknown_with_the_action(account: StubbedAccount, code: str, reason: str) -> None:
    """G32: recommendations that could not be read are named unknown, never taken as none."""
    account.refuses(INSTANCES.operation, code)
    (found,), state = told(asked(account, {"ec2:instance"}), "ec2-idle")
    assert found.hit.evidence.get("aws_recommendation") == {
        "source": "compute-optimizer", "state": "unknown", "action": INSTANCES.action,
        "reason": reason,
    }  # fmt: skip
    assert state.state == "found"  # ours was read from the resources all the same
    assert state.reason == (f"AWS's recommendations are not known ({INSTANCES.action}: {reason})")


def test_half_an_answer_is_unknown(account: StubbedAccount) -> None:
    errors = [{"identifier": "i-1", "code": "InternalServerException", "message": "later"}]
    account.answers(INSTANCES.operation, {"instanceRecommendations": [], "errors": errors})
    assert [gap.reason for gap in asked(account, {"ec2:instance"}).gaps] == [INCOMPLETE]
    again = {"instanceRecommendations": [], "nextToken": "same"}
    account.answers(INSTANCES.operation, again)
    account.answers(INSTANCES.operation, again, token="same")
    assert [gap.reason for gap in asked(account, {"ec2:instance"}).gaps] == [INCOMPLETE]


def test_who_refuses_is_not_asked_in_every_region(account: StubbedAccount) -> None:
    account.refuses(INSTANCES.operation, "OptInRequiredException")
    advisor = Advisor(CUSTOMER_ACCOUNT, lambda: account)
    for region in ("eu-west-1", "us-east-1", "us-west-2"):  # a second call would have no answer
        advice = advisor.region(region, TYPES, set(CHECKS))
        assert [gap.reason for gap in advice.gaps] == [NOT_OPTED_IN] * 3


def test_an_account_that_cannot_be_entered_is_unknown() -> None:
    calls: list[int] = []

    def closed() -> StubbedAccount:
        calls.append(1)
        raise NotConnected

    advisor = Advisor(CUSTOMER_ACCOUNT, closed)
    assert [gap.reason for gap in advisor.region(REGION, TYPES, set(CHECKS)).gaps] == [
        NOT_ENTERED
    ] * 3
    assert advisor.region(REGION, {"s3:bucket"}, set(CHECKS)) == Advice()
    assert advisor.region(REGION, TYPES, {"eip-idle"}) == Advice()
    assert calls == [1]


def test_every_source_names_checks_and_types_of_ours_and_its_actions_are_granted() -> None:
    for source in SOURCES:
        for check_id in source.check_ids:
            assert source.type in CHECKS[check_id].types
    role = ROLE_FILE.read_text()
    assert [a for a in declared_actions() if f"- {a}\n" not in role] == []
    assert len(session_policy(declared_actions())) <= 2048
