"""AWS Trusted Advisor: the resources that its cost checks flag, over all regions of an account.

Its API gives the amount of a whole check, in no currency, and none of a resource: what it tells is
evidence, never a price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.findings.recommendations.advice import Recommendation
from tidegate.findings.recommendations.source import Source, pages

SOURCE = "trustedadvisor"
NO_PLAN = "the account's support plan does not include the Trusted Advisor API"
VANISHED = "a recommendation was withdrawn while it was read"
_HOME = "us-east-1"  # any region with an endpoint answers for all
_PAGE_SIZE = 200  # the most that the service's documentation allows
_OVER = frozenset({"dismissed", "resolved"})

# Trusted Advisor's check ids (AWS Support user guide, "Cost optimization") and our checks.
_CHECKS: Mapping[str, tuple[str, ...]] = {
    "COr6dfpM03": ("ebs-gp2-to-gp3",),  # over-provisioned EBS volumes
    "COr6dfpM05": ("lambda-overmemory",),  # over-provisioned memory of functions
    "DAvU99Dc4C": ("ebs-unattached",),  # underutilized EBS volumes
    "Qch7DwouX1": ("ec2-idle",),  # low utilization of instances
    "Ti39halfu8": ("rds-idle",),  # idle DB instances
    "Z4AUBRNSmz": ("eip-idle",),  # unassociated Elastic IP addresses
    "c18d2gz128": ("ecr-no-lifecycle",),  # repositories without a lifecycle policy
    "c18d2gz150": ("ec2-stopped",),  # instances stopped for 30 days
    "c1cj39rr6v": ("s3-mpu-incomplete",),  # buckets that keep incomplete uploads
    "c1z7kmr00n": ("ec2-old-generation", "ec2-idle"),  # the Hub's top action of an instance
    "c1z7kmr02n": ("ebs-gp2-to-gp3", "ebs-unattached"),  # the Hub's of a volume
    "c1z7kmr03n": ("rds-idle",),  # the Hub's of a DB instance
    "c1z7kmr04n": ("rds-gp2",),  # the Hub's of a DB instance's storage
    "c1z7kmr05n": ("lambda-overmemory",),  # the Hub's of a function
    "c1z7kmr18n": ("nat-idle",),  # the Hub's of a NAT gateway
    "c2vlfg022t": ("nat-idle",),  # inactive NAT gateways
    "c2vlfg0jp6": ("vpc-endpoint-idle",),  # inactive interface endpoints
    "c2vlfg0k35": ("vpc-endpoint-idle",),  # inactive gateway load balancer endpoints
    "hjLMh88uM8": ("lb-idle",),  # idle classic load balancers
}


def _recommended(client: Any, account_id: str) -> Iterator[Recommendation]:
    request = {"pillar": "cost_optimizing", "maxResults": _PAGE_SIZE}
    for answer in pages(client.list_recommendations, request):
        for summary in answer["recommendationSummaries"]:
            check_ids = _CHECKS.get(str(summary.get("checkArn", "")).rpartition("/")[2])
            over = summary["status"] == "ok" or summary.get("lifecycleStage") in _OVER
            if check_ids is not None and not over:
                yield from _flagged(client, account_id, summary, check_ids)


def _flagged(
    client: Any, account_id: str, summary: Mapping[str, Any], check_ids: tuple[str, ...]
) -> Iterator[Recommendation]:
    request = {"recommendationIdentifier": summary["arn"], "maxResults": _PAGE_SIZE}
    for answer in pages(client.list_recommendation_resources, request):
        for given in answer["recommendationResourceSummaries"]:
            if given["status"] == "ok" or given.get("exclusionStatus") == "excluded":
                continue
            yield Recommendation(
                source=SOURCE,
                arn=_arn(given, account_id),
                check_ids=check_ids,
                finding=summary["name"],
                recommends=None,
                saving=None,
                discounted=None,
                currency=None,
                as_of=given["lastUpdatedAt"],
                resource_id=given["awsResourceId"] or None,
                region=given["regionCode"],
            )


def _arn(given: Mapping[str, Any], account_id: str) -> str | None:
    """The resource's ARN: its id where that is one, else the one that its metadata has."""
    id_: str = given["awsResourceId"]
    if id_.startswith("arn:"):
        return id_
    named = {
        text
        for text in given["metadata"].values()
        if text.startswith("arn:")
        and (text.split(":") + [""] * 5)[4] in ("", account_id)
        and (not id_ or text.endswith((f"/{id_}", f":{id_}")))
    }
    return named.pop() if len(named) == 1 else None


SOURCES = (
    Source(
        SOURCE,
        _HOME,
        "trustedadvisor:ListRecommendations",
        ("trustedadvisor:ListRecommendationResources",),
        tuple(sorted({check_id for check_ids in _CHECKS.values() for check_id in check_ids})),
        _recommended,
        {
            "support level": NO_PLAN,
            "SubscriptionRequiredException": NO_PLAN,
            "ResourceNotFoundException": VANISHED,
        },
    ),
)
