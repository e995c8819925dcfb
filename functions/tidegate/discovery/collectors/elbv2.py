"""Application, network and gateway load balancers, with target health and traffic (lb-idle)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import (
    Answer,
    Collector,
    Draft,
    Page,
    Read,
    Reader,
    Vanished,
    pick,
)
from tidegate.discovery.collectors.elb import add_tags, tags_by, target_counts
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, Wanted, measure

DESCRIBE = Read("elbv2", "describe_load_balancers", "elasticloadbalancing:DescribeLoadBalancers")
TAGS = Read("elbv2", "describe_tags", "elasticloadbalancing:DescribeTags")
GROUPS = Read("elbv2", "describe_target_groups", "elasticloadbalancing:DescribeTargetGroups")
HEALTH = Read("elbv2", "describe_target_health", "elasticloadbalancing:DescribeTargetHealth")
_SERIES = {
    "application": (
        Series("requests", "AWS/ApplicationELB", "RequestCount", "Sum", 7),
        Series("bytes", "AWS/ApplicationELB", "ProcessedBytes", "Sum", 7),
    ),
    "network": (
        Series("flows", "AWS/NetworkELB", "NewFlowCount", "Sum", 7),
        Series("bytes", "AWS/NetworkELB", "ProcessedBytes", "Sum", 7),
    ),
    "gateway": (
        Series("flows", "AWS/GatewayELB", "NewFlowCount", "Sum", 7),
        Series("bytes", "AWS/GatewayELB", "ProcessedBytes", "Sum", 7),
    ),
}
_PAGE_SIZE = 20  # what DescribeTags takes in one call
_MAX_GROUP_PAGES = 10


class LoadBalancers(Collector):
    """elbv2:load-balancer."""

    service = "elbv2"
    types = ("elbv2:load-balancer",)
    reads = (DESCRIBE, TAGS, GROUPS, HEALTH, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of load balancers."""
        answer = reader.call(DESCRIBE, PageSize=_PAGE_SIZE, Marker=token)
        drafts = [_draft(reader, one) for one in answer.get("LoadBalancers", [])]
        for draft in drafts:
            _add_targets(reader, draft)
        _add_tags(reader, drafts)
        measure(reader, [wanted for draft in drafts for wanted in _wanted(draft)])
        return reader.page([draft.found() for draft in drafts], answer.get("NextMarker"))


def _draft(reader: Reader, balancer: dict[str, Any]) -> Draft:
    return Draft(
        arn=balancer["LoadBalancerArn"],
        type="elbv2:load-balancer",
        region=reader.target.region,
        name=balancer.get("LoadBalancerName"),
        state=balancer.get("State", {}).get("Code"),
        attributes=pick(
            balancer,
            kind="Type",
            scheme="Scheme",
            vpc_id="VpcId",
            dns_name="DNSName",
            created_at="CreatedTime",
        ),
    )


def _wanted(draft: Draft) -> list[Wanted]:
    name = draft.arn.split(":loadbalancer/", 1)[-1]  # app/<name>/<id>, as CloudWatch has it
    series = _SERIES.get(str(draft.attributes.get("kind")), ())
    return [Wanted(draft, one, {"LoadBalancer": name}) for one in series]


def _add_targets(reader: Reader, draft: Draft) -> None:
    """`target_groups`: [{arn, type, healthy, unhealthy, total}]."""
    groups: list[dict[str, Any]] = []
    token: str | None = None
    for _ in range(_MAX_GROUP_PAGES):
        answer = _read(reader, GROUPS, LoadBalancerArn=draft.arn, Marker=token)
        if answer.data is None:
            draft.unknown.add("target_groups")
            return
        groups += answer.data.get("TargetGroups", [])
        token = answer.data.get("NextMarker")
        if not token:
            break
    counted: list[dict[str, Any]] = []
    for group in groups:
        health = _read(reader, HEALTH, TargetGroupArn=group["TargetGroupArn"])
        if health.data is None:
            draft.unknown.add("target_groups")
            return
        states = [one["TargetHealth"]["State"] for one in health.data["TargetHealthDescriptions"]]
        counted.append(
            {
                **pick(group, arn="TargetGroupArn", type="TargetType"),
                **target_counts(states),
            }
        )
    draft.attributes["target_groups"] = sorted(counted, key=lambda group: str(group["arn"]))


def _read(reader: Reader, read: Read, **parameters: Any) -> Answer:
    try:
        return reader.nested(read, **parameters)
    except Vanished:
        # Deleted between two calls: what is left to say is that it was not read.
        return Answer(None, known=False)


def _add_tags(reader: Reader, drafts: list[Draft]) -> None:
    if not drafts:
        return
    answer = _read(reader, TAGS, ResourceArns=[draft.arn for draft in drafts])
    add_tags(drafts, answer, tags_by(answer, "ResourceArn"), lambda draft: draft.arn)
