"""Is each table in use the one that is configured (MON-1, IMP-10)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import Settings


@dataclass(frozen=True)
class Identity:
    """Which table: name, ARN and what the ARN says."""

    table: str
    arn: str
    region: str
    account: str
    stage: str


@dataclass(frozen=True)
class StoreState:
    """A table as configured and as reached; `in_use` None where it does not answer."""

    configured: Identity
    in_use: Identity | None

    @property
    def reachable(self) -> bool:
        """True if it answered."""
        return self.in_use is not None

    @property
    def matches(self) -> bool:
        """True if it is the configured one."""
        return self.in_use == self.configured


class Tables(Protocol):
    """The tables as the service tells of them."""

    def arn_of(self, logical: str) -> str:
        """The ARN of the table that the settings lead to. Raises ServiceUnavailable."""

    def stage_of(self, logical: str) -> str | None:
        """The stage that marked the table; None of a table without marker."""


def _identity(arn: str, stage: str) -> Identity:
    _, _, _, region, account, resource = arn.split(":", 5)
    return Identity(resource.partition("/")[2], arn, region, account, stage)


def examine(settings: Settings, names: Sequence[str], tables: Tables) -> list[StoreState]:
    """The state of each table, by logical name."""
    found = []
    for name in names:
        configured = _identity(f"{settings.table_arn_prefix}-{name}", settings.tidegate_stage)
        try:
            marked = tables.stage_of(name)
            in_use = _identity(tables.arn_of(name), marked or settings.tidegate_stage)
        except ServiceUnavailable:
            in_use = None
        found.append(StoreState(configured, in_use))
    return found
