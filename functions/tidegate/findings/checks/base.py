"""What a check is: a pure function of a resource, its measurements, prices and thresholds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.subject import Subject
from tidegate.findings.domain import Group, Saving, Severity, SuggestedAction
from tidegate.findings.prices.book import PriceBook

UNDO_HOURS = 72  # FND-9
METRICS = "cloudwatch:GetMetricData"
REGIONS = "ec2:DescribeRegions"  # without it the regions to look in are not known

Thresholds = Mapping[str, Decimal]

# FND-12
REVERSIBLE = frozenset(
    {
        "ec2.delete_volume", "ec2.modify_volume", "ec2.stop_instance", "ec2.create_tags",
        "rds.stop_instance", "rds.modify_storage", "lambda.set_memory", "dynamodb.set_capacity",
    }
)  # fmt: skip
IRREVERSIBLE = frozenset(
    {
        "logs.put_retention", "s3.put_lifecycle", "s3.abort_multipart", "ec2.release_address",
        "ec2.delete_snapshot", "ec2.deregister_image", "ec2.delete_nat_gateway",
        "ec2.delete_vpc_endpoint", "elb.delete_load_balancer", "ecr.put_lifecycle",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """A threshold of a check: its default and what it may be set to."""

    default: Decimal
    low: Decimal
    high: Decimal
    unit: str


@dataclass(frozen=True)
class Hit:
    """A resource that meets the condition of a check."""

    saving: Saving
    evidence: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Check(ABC):
    """One check. Subclasses say what they read; `examine` decides.

    `type` is the resource type. `services` are discovery's: the first lists the resources, the
    others what they are compared with. `reads` maps each attribute or `metrics.<name>` to the IAM
    action that it is read with; `lists` are the actions of the listings.
    """

    check_id: ClassVar[str]
    group: ClassVar[Group]
    title: ClassVar[str]
    severity: ClassVar[Severity] = "medium"
    type: ClassVar[str]
    also: ClassVar[tuple[str, ...]] = ()  # further types
    services: ClassVar[tuple[str, ...]]
    is_global: ClassVar[bool] = False
    lists: ClassVar[tuple[str, ...]]
    reads: ClassVar[Mapping[str, str]]
    limits: ClassVar[Mapping[str, Limit]] = {}
    action: ClassVar[str | None] = None
    formula: ClassVar[str]

    @abstractmethod
    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """What is found, None when the resource is clean. Raises Unread: unknown."""

    @property
    def types(self) -> tuple[str, ...]:
        """Every resource type that it looks at."""
        return (self.type, *self.also)

    @property
    def required_actions(self) -> tuple[str, ...]:
        """The IAM actions without which its outcome is unknown, sorted."""
        regions = () if self.is_global else (REGIONS,)
        return tuple(sorted({*self.lists, *self.reads.values(), *regions}))

    @property
    def defaults(self) -> dict[str, Decimal]:
        """Its thresholds as shipped."""
        return {name: limit.default for name, limit in self.limits.items()}

    def suggest(self, hit: Hit) -> SuggestedAction | None:
        """The action for a hit (FND-12)."""
        if self.action is None:
            return None
        reversible = self.action in REVERSIBLE
        return SuggestedAction(
            self.action, reversible, UNDO_HOURS if reversible else None, hit.parameters
        )


def days(default: int, *, high: int = 3650) -> Limit:
    """A threshold in days; 0 asks for no waiting at all."""
    return Limit(Decimal(default), Decimal(0), Decimal(high), "days")


def percent(default: int) -> Limit:
    """A threshold in percent."""
    return Limit(Decimal(default), Decimal(0), Decimal(100), "percent")


def number(default: int, unit: str) -> Limit:
    """A threshold that counts something."""
    return Limit(Decimal(default), Decimal(0), Decimal(10**12), unit)
