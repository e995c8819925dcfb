"""AWS Compute Optimizer: over-sized instances, volumes of an older type, functions' memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tidegate.findings.recommendations.advice import Recommendation

SOURCE = "compute-optimizer"
_PAGE_SIZE = 1000  # the most that the service gives
_MAX_PAGES = 500

Read = Callable[[Mapping[str, Any]], Recommendation | None]


class Incomplete(Exception):
    """The service did not tell everything: what it told is not taken for the whole."""


@dataclass(frozen=True)
class Source:
    """One listing of recommendations.

    `dependent` are the actions that AWS names as needed for `action`. `read` gives None for what
    saves nothing.
    """

    operation: str
    action: str
    dependent: tuple[str, ...]
    listed: str
    type: str
    check_ids: tuple[str, ...]
    read: Read


def recommended(client: Any, source: Source, account_id: str) -> Iterator[Recommendation]:
    """The account's recommendations in the client's region, page by page.

    Raises Incomplete, and what the client raises.
    """
    token: str | None = None
    for _ in range(_MAX_PAGES):
        more = {} if token is None else {"nextToken": token}
        answer = getattr(client, source.operation)(maxResults=_PAGE_SIZE, **more)
        for error in answer.get("errors", ()):
            raise Incomplete(f"{error.get('identifier')}: {error.get('code')}")
        for given in answer.get(source.listed, ()):
            # A management account may be told of its members.
            one = source.read(given) if given.get("accountId", account_id) == account_id else None
            if one is not None:
                yield one
        following = answer.get("nextToken") or None
        if following is None:
            return
        if following == token:
            break
        token = following
    raise Incomplete("the listing does not end")


def _instance(given: Mapping[str, Any]) -> Recommendation | None:
    idle = given.get("idle") == "True"
    # AWS's documentation spells the finding with underscores, its API description without.
    finding = str(given.get("finding", "")).replace("_", "").lower()
    if not idle and finding != "overprovisioned":
        return None
    best = _best(given.get("recommendationOptions"))
    checks = ("ec2-idle",) if idle else ("ec2-old-generation", "ec2-idle")
    return _made(given, given["instanceArn"], checks, best, best.get("instanceType"))


def _volume(given: Mapping[str, Any]) -> Recommendation | None:
    if given.get("finding") != "NotOptimized":
        return None
    best = _best(given.get("volumeRecommendationOptions"))
    type_ = best.get("configuration", {}).get("volumeType")
    if _amount(best, "savingsOpportunity")[0] is None:
        return None  # asks for more, not for less
    return _made(given, given["volumeArn"], ("ebs-gp2-to-gp3",), best, type_)


def _function(given: Mapping[str, Any]) -> Recommendation | None:
    if "MemoryOverprovisioned" not in given.get("findingReasonCodes", ()):
        return None
    best = _best(given.get("memorySizeRecommendationOptions"))
    memory = best.get("memorySize")
    arn = ":".join(given["functionArn"].split(":")[:7])  # without the version
    text = None if memory is None else f"{memory} MiB"
    return _made(given, arn, ("lambda-overmemory",), best, text)


def _best(options: Any) -> Mapping[str, Any]:
    """The option that AWS ranks first; nothing where it gives none."""
    return min(options or [{}], key=lambda option: option.get("rank", 0))


def _made(
    given: Mapping[str, Any],
    arn: str,
    check_ids: tuple[str, ...],
    best: Mapping[str, Any],
    recommends: str | None,
) -> Recommendation:
    saving, currency = _amount(best, "savingsOpportunity")
    discounted, other = _amount(best, "savingsOpportunityAfterDiscounts")
    return Recommendation(
        source=SOURCE,
        arn=arn,
        check_ids=check_ids,
        finding="Idle" if given.get("idle") == "True" else str(given.get("finding")),
        recommends=recommends,
        saving=saving,
        discounted=discounted,
        currency=currency or other,
        as_of=given.get("lastRefreshTimestamp"),
    )


def _amount(option: Mapping[str, Any], name: str) -> tuple[Decimal | None, str | None]:
    """(monthly amount, currency); None where AWS gives none or none above 0."""
    amount = (option.get(name) or {}).get("estimatedMonthlySavings") or {}
    value = Decimal(str(amount.get("value", 0)))
    return (value, amount.get("currency")) if value > 0 else (None, None)


SOURCES = (
    Source(
        "get_ec2_instance_recommendations",
        "compute-optimizer:GetEC2InstanceRecommendations",
        ("ec2:DescribeInstances",),
        "instanceRecommendations",
        "ec2:instance",
        ("ec2-idle", "ec2-old-generation"),
        _instance,
    ),
    Source(
        "get_ebs_volume_recommendations",
        "compute-optimizer:GetEBSVolumeRecommendations",
        ("ec2:DescribeVolumes",),
        "volumeRecommendations",
        "ec2:volume",
        ("ebs-gp2-to-gp3",),
        _volume,
    ),
    Source(
        "get_lambda_function_recommendations",
        "compute-optimizer:GetLambdaFunctionRecommendations",
        ("lambda:ListFunctions", "lambda:ListProvisionedConcurrencyConfigs"),
        "lambdaFunctionRecommendations",
        "lambda:function",
        ("lambda-overmemory",),
        _function,
    ),
)


def declared_actions() -> tuple[str, ...]:
    """Every IAM action that reading recommendations needs, sorted."""
    return tuple(sorted({a for one in SOURCES for a in (one.action, *one.dependent)}))
