"""AWS Cost Optimization Hub: what AWS recommends over all regions of an account, in one list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tidegate.findings.recommendations.advice import Recommendation
from tidegate.findings.recommendations.source import Source, Unavailable, pages

SOURCE = "cost-optimization-hub"
NOT_ENROLLED = "the account is not enrolled in Cost Optimization Hub"
_HOME = "us-east-1"  # the service's one region
_PAGE_SIZE = 1000  # the most that the service gives
_STATUSES_PAGE_SIZE = 100


@dataclass(frozen=True)
class _Kind:
    """The checks of ours that an action on a type of resource means.

    `same_change`: it is the very change that the check's own saving is of.
    """

    check_ids: tuple[str, ...]
    same_change: bool = False


# By the Hub's resource type and action. Purchases and types that we have no check for are left out.
_KINDS: Mapping[tuple[str, str], _Kind] = {
    ("Ec2Instance", "Stop"): _Kind(("ec2-idle",), same_change=True),
    ("Ec2Instance", "Delete"): _Kind(("ec2-idle", "ec2-stopped")),
    ("Ec2Instance", "Rightsize"): _Kind(("ec2-old-generation", "ec2-idle")),
    ("Ec2Instance", "Upgrade"): _Kind(("ec2-old-generation",), same_change=True),
    ("Ec2Instance", "MigrateToGraviton"): _Kind(("ec2-old-generation",)),
    ("EbsVolume", "Delete"): _Kind(("ebs-unattached",), same_change=True),
    ("EbsVolume", "Upgrade"): _Kind(("ebs-gp2-to-gp3",), same_change=True),
    ("EbsVolume", "Rightsize"): _Kind(("ebs-gp2-to-gp3",)),
    ("LambdaFunction", "Rightsize"): _Kind(("lambda-overmemory",), same_change=True),
    ("RdsDbInstance", "Stop"): _Kind(("rds-idle",), same_change=True),
    ("RdsDbInstance", "Delete"): _Kind(("rds-idle",)),
    ("RdsDbInstanceStorage", "Upgrade"): _Kind(("rds-gp2",), same_change=True),
    ("RdsDbInstanceStorage", "Rightsize"): _Kind(("rds-gp2",)),
    ("NatGateway", "Delete"): _Kind(("nat-idle",), same_change=True),
    ("DynamoDBTable", "Delete"): _Kind(("dynamodb-overprovisioned",)),
    ("DynamoDBTable", "Rightsize"): _Kind(("dynamodb-overprovisioned",)),
    ("DynamoDBTable", "ScaleIn"): _Kind(("dynamodb-overprovisioned",)),
    ("ElastiCacheCluster", "Delete"): _Kind(("elasticache-idle",), same_change=True),
}


def _recommended(client: Any, account_id: str) -> Iterator[Recommendation]:
    _must_be_enrolled(client, account_id)
    request = {
        "filter": {
            "accountIds": [account_id],
            "resourceTypes": sorted({type_ for type_, _ in _KINDS}),
        },
        # Else only the largest of each resource: a volume to delete hides that it is a gp2 one.
        "includeAllRecommendations": True,
        "maxResults": _PAGE_SIZE,
    }
    for answer in pages(client.list_recommendations, request):
        for given in answer.get("items", ()):
            mine = given.get("accountId", account_id) == account_id
            one = _read(given) if mine else None
            if one is not None:
                yield one


def _must_be_enrolled(client: Any, account_id: str) -> None:
    """An account that is not enrolled has an empty list too. Raises Unavailable."""
    for answer in pages(client.list_enrollment_statuses, {"maxResults": _STATUSES_PAGE_SIZE}):
        for item in answer.get("items", ()):
            mine = item.get("accountId", account_id) == account_id
            if mine and item.get("status") == "Active":
                return
    raise Unavailable(NOT_ENROLLED)


def _read(given: Mapping[str, Any]) -> Recommendation | None:
    """None for a kind that no check of ours means, and for what saves nothing."""
    kind = _KINDS.get((str(given.get("currentResourceType")), str(given.get("actionType"))))
    amount = given.get("estimatedMonthlySavings")
    saving = None if amount is None else Decimal(str(amount))
    if kind is None or (saving is not None and saving <= 0):
        return None
    # An amount in no currency is no amount.
    currency = given.get("currencyCode") or None
    return Recommendation(
        source=SOURCE,
        arn=given.get("resourceArn") or None,
        check_ids=kind.check_ids,
        finding=str(given["actionType"]),
        recommends=given.get("recommendedResourceSummary") or None,
        saving=None if currency is None else saving,
        discounted=None,
        currency=currency,
        as_of=given.get("lastRefreshTimestamp"),
        resource_id=given.get("resourceId") or None,
        region=given.get("region") or None,
        same_change=kind.same_change,
    )


SOURCES = (
    Source(
        SOURCE,
        _HOME,
        "cost-optimization-hub:ListRecommendations",
        # AWS names GetRecommendation as needed for the listing.
        ("cost-optimization-hub:GetRecommendation", "cost-optimization-hub:ListEnrollmentStatuses"),
        tuple(sorted({check_id for kind in _KINDS.values() for check_id in kind.check_ids})),
        _recommended,
        {"not enrolled": NOT_ENROLLED},
    ),
)
