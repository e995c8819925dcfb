"""What the engine needs of the rest: sessions in the customer account, a report at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tidegate_kit.clock import Clock
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery.collectors.base import ClientSource, Collector
from tidegate.discovery.domain import Run
from tidegate.discovery.repository import DiscoveryRepository
from tidegate.discovery.snapshots import Snapshots


class AccessLost(Exception):
    """The account does not let us in any more: role removed, keys deactivated, disconnected."""


class Account(Protocol):
    """The customer account of a run."""

    def open(self, run: Run, actions: Sequence[str]) -> ClientSource:
        """A fresh session allowed exactly these actions (G22).

        Raises AccessLost when the account refuses or is disconnected, ServiceUnavailable for
        what proves nothing.
        """

    def discovered(self, run: Run, at: datetime) -> None:
        """Tell onboarding that the run is complete. Idempotent."""


@dataclass(frozen=True)
class Engine:
    """The parts that the three steps share, for one tenant."""

    scope: TenantScope
    repository: DiscoveryRepository
    snapshots: Snapshots
    account: Account
    collectors: dict[str, Collector]
    clock: Clock
    home_region: str
    has_time: Callable[[], bool] = lambda: True


def home_region(platform_region: str) -> str:
    """Where the global services of the platform's partition answer."""
    if platform_region.startswith("cn-"):
        return "cn-north-1"
    return "us-gov-west-1" if platform_region.startswith("us-gov-") else "us-east-1"
