"""Classic load balancers, with instance health and requests (lb-idle)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
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
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, measure_each

DESCRIBE = Read("elb", "describe_load_balancers", "elasticloadbalancing:DescribeLoadBalancers")
TAGS = Read("elb", "describe_tags", "elasticloadbalancing:DescribeTags")
HEALTH = Read("elb", "describe_instance_health", "elasticloadbalancing:DescribeInstanceHealth")
_SERIES = (
    Series("requests", "AWS/ELB", "RequestCount", "Sum", 7),
    Series("bytes", "AWS/ELB", "EstimatedProcessedBytes", "Sum", 7),
)
_PAGE_SIZE = 20  # what DescribeTags takes in one call


class ClassicLoadBalancers(Collector):
    """elb:load-balancer."""

    service = "elb"
    types = ("elb:load-balancer",)
    reads = (DESCRIBE, TAGS, HEALTH, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of load balancers."""
        answer = reader.call(DESCRIBE, PageSize=_PAGE_SIZE, Marker=token)
        drafts = [_draft(reader, one) for one in answer.get("LoadBalancerDescriptions", [])]
        drafts = [draft for draft in drafts if _add_health(reader, draft)]
        _add_tags(reader, drafts)
        measure_each(reader, drafts, _SERIES, lambda draft: {"LoadBalancerName": str(draft.name)})
        return reader.page([draft.found() for draft in drafts], answer.get("NextMarker"))


def _draft(reader: Reader, balancer: dict[str, Any]) -> Draft:
    name = balancer["LoadBalancerName"]
    attributes = pick(
        balancer, created_at="CreatedTime", scheme="Scheme", vpc_id="VPCId", dns_name="DNSName"
    )
    attributes["instance_ids"] = sorted(
        instance["InstanceId"] for instance in balancer.get("Instances", [])
    )
    return Draft(
        arn=reader.target.arn("elasticloadbalancing", f"loadbalancer/{name}"),
        type="elb:load-balancer",
        region=reader.target.region,
        name=name,
        attributes=attributes,
    )


def _add_health(reader: Reader, draft: Draft) -> bool:
    try:
        answer = reader.nested(HEALTH, LoadBalancerName=str(draft.name))
    except Vanished:
        return False
    draft.take("targets", answer, lambda data: target_counts(_states(data["InstanceStates"])))
    return True


def _states(states: list[dict[str, Any]]) -> list[str]:
    return ["healthy" if one["State"] == "InService" else "unhealthy" for one in states]


def target_counts(states: list[str]) -> dict[str, int]:
    """{"healthy": n, "unhealthy": n, "total": n}; draining and unused ones count in total only."""
    counted = Counter(states)
    return {
        "healthy": counted["healthy"],
        "unhealthy": counted["unhealthy"],
        "total": len(states),
    }


def _add_tags(reader: Reader, drafts: list[Draft]) -> None:
    if not drafts:
        return
    try:
        answer = reader.nested(TAGS, LoadBalancerNames=[str(draft.name) for draft in drafts])
    except Vanished:
        # One of them was deleted, and the call names no other's tags: not known this time.
        for draft in drafts:
            draft.unknown.add("tags")
        return
    add_tags(drafts, answer, tags_by(answer, "LoadBalancerName"), lambda draft: str(draft.name))


def add_tags(
    drafts: list[Draft],
    answer: Answer,
    tags: Mapping[str, list[dict[str, str]]],
    key: Callable[[Draft], str],
) -> None:
    """Give every draft its own tags of one DescribeTags answer; unknown where that is."""
    for draft in drafts:
        mine = tags.get(key(draft), [])
        draft.take_tags(Answer({"Tags": mine}, known=answer.known), lambda data: data["Tags"])


def tags_by(answer: Answer, key: str) -> dict[str, list[dict[str, str]]]:
    """TagDescriptions of DescribeTags by `key`; empty when they are not known."""
    described = (answer.data or {}).get("TagDescriptions", [])
    return {one[key]: one.get("Tags", []) for one in described}
