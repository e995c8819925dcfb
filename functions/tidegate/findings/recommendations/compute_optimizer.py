"""AWS Compute Optimizer: over-sized instances, volumes of an older type, functions' memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from tidegate.findings.recommendations.advice import Recommendation
from tidegate.findings.recommendations.source import Incomplete, Source, pages

SOURCE = "compute-optimizer"
NOT_OPTED_IN = "the account has not opted in to Compute Optimizer"
_PAGE_SIZE = 1000  # the most that the service gives
_REFUSALS = {"OptInRequiredException": NOT_OPTED_IN}

Read = Callable[[Mapping[str, Any]], Recommendation | None]


def _reader(
    operation: str, listed: str, read: Read
) -> Callable[[Any, str], Iterator[Recommendation]]:
    """Reads a listing in the client's region; `read` gives None for what saves nothing."""

    def recommended(client: Any, account_id: str) -> Iterator[Recommendation]:
        for answer in pages(getattr(client, operation), {"maxResults": _PAGE_SIZE}):
            for error in answer.get("errors", ()):
                raise Incomplete(f"{error.get('identifier')}: {error.get('code')}")
            for given in answer.get(listed, ()):
                # A management account may be told of its members.
                mine = given.get("accountId", account_id) == account_id
                one = read(given) if mine else None
                if one is not None:
                    yield one

    return recommended


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
    checks = ("ebs-gp2-to-gp3",)
    return _made(given, given["volumeArn"], checks, best, type_, same_change=type_ == "gp3")


def _function(given: Mapping[str, Any]) -> Recommendation | None:
    if "MemoryOverprovisioned" not in given.get("findingReasonCodes", ()):
        return None
    best = _best(given.get("memorySizeRecommendationOptions"))
    memory = best.get("memorySize")
    arn = ":".join(given["functionArn"].split(":")[:7])  # without the version
    text = None if memory is None else f"{memory} MiB"
    return _made(given, arn, ("lambda-overmemory",), best, text, same_change=True)


def _best(options: Any) -> Mapping[str, Any]:
    """The option that AWS ranks first; nothing where it gives none."""
    return min(options or [{}], key=lambda option: option.get("rank", 0))


def _made(
    given: Mapping[str, Any],
    arn: str,
    check_ids: tuple[str, ...],
    best: Mapping[str, Any],
    recommends: str | None,
    *,
    same_change: bool = False,
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
        same_change=same_change,
    )


def _amount(option: Mapping[str, Any], name: str) -> tuple[Decimal | None, str | None]:
    """(monthly amount, currency); None where AWS gives none or none above 0."""
    amount = (option.get(name) or {}).get("estimatedMonthlySavings") or {}
    value = Decimal(str(amount.get("value", 0)))
    return (value, amount.get("currency")) if value > 0 else (None, None)


SOURCES = (
    Source(
        SOURCE,
        None,
        "compute-optimizer:GetEC2InstanceRecommendations",
        ("ec2:DescribeInstances",),
        ("ec2-idle", "ec2-old-generation"),
        _reader("get_ec2_instance_recommendations", "instanceRecommendations", _instance),
        _REFUSALS,
    ),
    Source(
        SOURCE,
        None,
        "compute-optimizer:GetEBSVolumeRecommendations",
        ("ec2:DescribeVolumes",),
        ("ebs-gp2-to-gp3",),
        _reader("get_ebs_volume_recommendations", "volumeRecommendations", _volume),
        _REFUSALS,
    ),
    Source(
        SOURCE,
        None,
        "compute-optimizer:GetLambdaFunctionRecommendations",
        ("lambda:ListFunctions", "lambda:ListProvisionedConcurrencyConfigs"),
        ("lambda-overmemory",),
        _reader("get_lambda_function_recommendations", "lambdaFunctionRecommendations", _function),
        _REFUSALS,
    ),
)
