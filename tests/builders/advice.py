"""An account in which AWS recommends what a test prepared, in answers that botocore checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.stub import Stubber
from tidegate.findings.checks import CHECKS
from tidegate.findings.domain import CheckState
from tidegate.findings.prices.book import PriceBook
from tidegate.findings.recommendations.advice import Advice
from tidegate.findings.recommendations.advisor import Advisor
from tidegate.findings.service.evaluation import Found, Outcome, evaluate

from tests.builders.findings import MemoryInventory, rules
from tests.builders.findings_cases import CASES
from tests.builders.settings import CUSTOMER_ACCOUNT, REGION

OPTIMIZER, HUB, TRUSTED = "compute-optimizer", "cost-optimization-hub", "trustedadvisor"
HOME = "us-east-1"
AT = datetime(2026, 1, 1, 6, tzinfo=UTC)
_TA = f"arn:aws:trustedadvisor::{CUSTOMER_ACCOUNT}"
_STATUSES = {"maxResults": 100}
_HUB_TYPES = [
    "DynamoDBTable", "EbsVolume", "Ec2Instance", "ElastiCacheCluster", "LambdaFunction",
    "NatGateway", "RdsDbInstance", "RdsDbInstanceStorage",
]  # fmt: skip
HUB_LIST = {
    "filter": {"accountIds": [CUSTOMER_ACCOUNT], "resourceTypes": _HUB_TYPES},
    "includeAllRecommendations": True,
    "maxResults": 1000,
}
TA_LIST = {"pillar": "cost_optimizing", "maxResults": 200}


def not_authorized(action: str) -> str:
    """IAM's own text of a denial."""
    user = f"arn:aws:sts::{CUSTOMER_ACCOUNT}:assumed-role/tidegate/x"
    return (
        f"User: {user} is not authorized to perform: {action} on resource: * because no "
        f"identity-based policy allows the {action} action"
    )


class StubbedAccount:
    """A session whose services give prepared answers; a service that is not prepared has none."""

    def __init__(self, *, quiet: Collection[str] = (HUB, TRUSTED)) -> None:
        self.asked: list[tuple[str, str]] = []
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}
        self._quiet = set(quiet)

    def stub(self, service: str) -> Stubber:
        """The stub of a service, which is prepared from now on."""
        self._quiet.discard(service)
        if service not in self._stubs:
            client: Any = boto3.client(  # type: ignore[call-overload]
                service, HOME, config=Config(signature_version=UNSIGNED)
            )
            self._clients[service] = client
            self._stubs[service] = Stubber(client)
            self._stubs[service].activate()
        return self._stubs[service]

    def client(self, service: str, region: str) -> Any:
        """As a session of the customer's account."""
        self.asked.append((service, region))
        if service in self._quiet:
            if service == HUB:
                self.hub()
            else:
                self.trusted()
        return self._clients[service]

    def answers(
        self, service: str, operation: str, answer: Mapping[str, Any], request: Mapping[str, Any]
    ) -> None:
        """Prepare one answer to exactly this request."""
        self.stub(service).add_response(operation, dict(answer), dict(request))

    def refuses(self, service: str, operation: str, code: str, message: str = "") -> None:
        """Prepare one error."""
        self.stub(service).add_client_error(operation, code, message, http_status_code=400)

    def enrolled(self, status: str = "Active") -> None:
        """Prepare the Hub's answer to whether the account is enrolled."""
        items = [{"accountId": CUSTOMER_ACCOUNT, "status": status}]
        self.answers(HUB, "list_enrollment_statuses", {"items": items}, _STATUSES)

    def hub(self, *items: Mapping[str, Any]) -> None:
        """Prepare an enrolled account with these recommendations."""
        self.enrolled()
        self.answers(HUB, "list_recommendations", {"items": list(items)}, HUB_LIST)

    def trusted(self, *flagged: tuple[Mapping[str, Any], list[Mapping[str, Any]]]) -> None:
        """Prepare Trusted Advisor's recommendations, each with its resources."""
        summaries = [dict(summary) for summary, _ in flagged]
        self.answers(TRUSTED, "list_recommendations", {"recommendationSummaries": summaries},
                     TA_LIST)  # fmt: skip
        for summary, resources in flagged:
            self.answers(
                TRUSTED, "list_recommendation_resources",
                {"recommendationResourceSummaries": [dict(one) for one in resources]},
                {"recommendationIdentifier": summary["arn"], "maxResults": 200},
            )  # fmt: skip

    def done(self) -> None:
        """Assert that everything prepared was asked for."""
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()


def hub_item(type_: str, action: str, arn: str | None, **more: Any) -> dict[str, Any]:
    """A recommendation of the Hub; a value None leaves the field out."""
    made = {
        "recommendationId": "r-1", "accountId": CUSTOMER_ACCOUNT, "region": REGION,
        "resourceId": None if arn is None else arn.rpartition("/")[2], "resourceArn": arn,
        "currentResourceType": type_, "actionType": action, "currencyCode": "USD",
        "estimatedMonthlySavings": 12.5, "lastRefreshTimestamp": AT, "source": "ComputeOptimizer",
        "recommendedResourceSummary": "something smaller", **more,
    }  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


def ta_check(check: str, **more: Any) -> dict[str, Any]:
    """A recommendation of Trusted Advisor: one of its checks with what it flags."""
    return {
        "id": check, "type": "standard", "status": "warning", "pillars": ["cost_optimizing"],
        "source": "ta_check", "name": f"Check {check}", "arn": f"{_TA}:recommendation/{check}",
        "checkArn": f"arn:aws:trustedadvisor:::check/{check}",
        "resourcesAggregates": {"okCount": 0, "warningCount": 1, "errorCount": 0},
        "pillarSpecificAggregates": {
            "costOptimizing": {
                "estimatedMonthlySavings": 99.0, "estimatedPercentMonthlySavings": 0.5,
            }
        },
        **more,
    }  # fmt: skip


def ta_resource(id_: str, **more: Any) -> dict[str, Any]:
    """A resource that a check of Trusted Advisor flags."""
    return {
        "id": "1", "arn": f"{_TA}:recommendation-resource/r/1", "awsResourceId": id_,
        "regionCode": REGION, "status": "warning", "metadata": {}, "lastUpdatedAt": AT,
        "recommendationArn": f"{_TA}:recommendation/r", **more,
    }  # fmt: skip


def asked(account: StubbedAccount, types: Collection[str], region: str = REGION) -> Advice:
    """What an advisor has to say of a region; everything prepared is asked for."""
    advice = Advisor(CUSTOMER_ACCOUNT, lambda: account).region(region, types, set(CHECKS))
    account.done()
    return advice


def told(
    advice: Advice, check_id: str, prices: PriceBook | None = None
) -> tuple[list[Found], CheckState]:
    """The check on its own found case: what it found with AWS's word beside, and its state."""
    case = CASES[check_id]
    inventory = MemoryInventory([case.found, *case.others])
    heard: list[Outcome] = []
    states = evaluate(
        inventory, REGION, rules(prices=prices), lambda one: heard.append(advice.beside(one))
    )
    state = next(one for one in advice.noted(states) if one.check_id == check_id)
    return [
        one for one in heard if isinstance(one, Found) and one.check.check_id == check_id
    ], state
