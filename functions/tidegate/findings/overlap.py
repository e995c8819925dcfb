"""Savings that exclude each other: a total promises each resource's cost once; pure.

A finding claims what it would do away with. Two findings that claim the same thing exclude each
other: a volume that is deleted cannot be made cheaper as well. Of findings that are linked by
their claims a total takes the greatest saving first, and leaves out whatever claims the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tidegate.findings.domain import Finding

# Savings on another part of the bill of the same resource: they add up with the others on it.
_PART: Final[Mapping[str, str]] = {
    "rds-gp2": "storage",
    "s3-mpu-incomplete": "uploads",
    "s3-noncurrent-versions": "versions",
}
# Savings on everything that a resource stores, its parts included.
_WHOLE: Final = frozenset({"s3-abandoned", "s3-no-lifecycle"})
# Savings that are made of other resources' costs: where the evidence names these.
_MADE_OF: Final[Mapping[str, str]] = {"ec2-stopped": "volume_ids", "ami-unused": "snapshot_ids"}
_BY_ID: Final = frozenset({"ec2:volume", "ec2:snapshot"})


@dataclass(frozen=True)
class Claim:
    """What one finding promises: USD a month, for doing away with `things`."""

    finding_id: str
    check_id: str
    monthly: Decimal
    things: frozenset[str]


Cluster = tuple[Claim, ...]
"""Claims that are linked by common things, ordered by finding id."""


def things_of(check_id: str, type_: str, arn: str, evidence: Mapping[str, Any]) -> frozenset[str]:
    """What a finding claims: parts of resources, by names that are equal for equal parts."""
    made_of = evidence.get(_MADE_OF.get(check_id, ""))
    if made_of:
        return frozenset(map(str, made_of))
    name = arn.rsplit("/", 1)[-1] if type_ in _BY_ID else arn
    if check_id in _WHOLE:
        return frozenset({name, f"{name}#uploads", f"{name}#versions"})
    part = _PART.get(check_id)
    return frozenset({name if part is None else f"{name}#{part}"})


def claim_of(finding: Finding) -> Claim | None:
    """What a finding promises; None where that is nothing, or not known."""
    monthly, resource = finding.saving.monthly, finding.resource
    if monthly is None or monthly <= 0:
        return None
    things = things_of(finding.check_id, resource.type, resource.arn, finding.evidence)
    return Claim(finding.id, finding.check_id, monthly, things)


def exclusive(findings: Sequence[Finding]) -> bool:
    """True when two of the findings claim the same, priced or not."""
    seen: set[str] = set()
    for one in findings:
        things = things_of(one.check_id, one.resource.type, one.resource.arn, one.evidence)
        if not seen.isdisjoint(things):
            return True
        seen |= things
    return False


def clusters(claims: Iterable[Claim]) -> list[Cluster]:
    """The claims that exclude another one, together with those; in order of finding ids."""
    every = sorted(claims, key=lambda claim: claim.finding_id)
    parent = list(range(len(every)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    first: dict[str, int] = {}
    for place, claim in enumerate(every):
        for thing in claim.things:
            parent[root(place)] = root(first.setdefault(thing, place))
    groups: dict[int, list[Claim]] = {}
    for place, claim in enumerate(every):
        groups.setdefault(root(place), []).append(claim)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def kept(claims: Iterable[Claim]) -> list[Claim]:
    """The claims that a total counts: the greatest first, none that shares a thing with another."""
    taken: set[str] = set()
    counted = []
    for claim in sorted(claims, key=lambda one: (-one.monthly, one.finding_id)):
        if taken.isdisjoint(claim.things):
            taken |= claim.things
            counted.append(claim)
    return counted


def promised_twice(claims: Sequence[Claim]) -> Decimal:
    """USD a month by which the sum of the claims is above what can be saved."""
    return _sum(claims) - _sum(kept(claims))


def _sum(claims: Iterable[Claim]) -> Decimal:
    return sum((claim.monthly for claim in claims), Decimal(0))
