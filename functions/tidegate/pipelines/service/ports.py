"""What the stages need of the rest of the platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol

from tidegate.pipelines.domain import CostLine

RunStatus = Literal["not_started", "running", "completed", "completed_with_gaps", "failed"]


@dataclass(frozen=True)
class Account:
    """A connected account."""

    id: str
    account_id: str
    regions: tuple[str, ...]


@dataclass(frozen=True)
class RunView:
    """The latest discovery of an account."""

    run_id: str
    status: RunStatus
    resources: int
    gaps: tuple[str, ...]


@dataclass(frozen=True)
class CostPage:
    """One paid answer of Cost Explorer: costs by day, and where the next page starts."""

    days: Mapping[date, Mapping[CostLine, Decimal]]
    next_token: str | None


@dataclass(frozen=True)
class CostFile:
    """An uploaded cost file; `tag` changes with its content, `size` in bytes."""

    name: str
    tag: str
    size: int


class Accounts(Protocol):
    """The tenant's accounts."""

    def connected(self) -> list[Account]:
        """Accounts that are connected now."""


class Discovery(Protocol):
    """The inventory of an account."""

    def start(self, account: Account, run_id: str) -> None:
        """Start a discovery; the same id again does nothing. Raises DiscoveryRunning (409)."""

    def view(self, account: Account) -> RunView | None:
        """The latest discovery; None: there was none."""


class CostExplorer(Protocol):
    """Cost Explorer of a connected account: every call of `page` is paid."""

    def page(self, account: Account, start: date, end: date, token: str | None) -> CostPage:
        """Costs from start to before end.

        Raises AccountDenied, ProviderThrottled (not paid), ProviderUnavailable.
        """


class CostFiles(Protocol):
    """Cost files uploaded for the tenant."""

    def all(self) -> list[CostFile]:
        """Every file, by name."""

    def lines(self, name: str) -> Iterator[str]:
        """The text of a file, line by line. Raises FocusInvalid for what is no text."""


@dataclass(frozen=True)
class RefreshView:
    """A refresh of the findings: `failures` are accounts that could not be evaluated."""

    running: bool
    failures: tuple[str, ...]


class Findings(Protocol):
    """The checks."""

    def refresh(self, refresh_id: str, trigger: str) -> None:
        """Evaluate every check of every account; the same id again starts nothing new.

        Raises Conflict while another refresh goes on.
        """

    def refreshed(self, refresh_id: str) -> RefreshView | None:
        """How far a refresh is; None where there is no such one."""

    def measure_savings(self, day: date) -> int:
        """Write the day's savings; how many entries. Idempotent."""


class Lab(Protocol):
    """The lab."""

    def retrain(self, trigger: str) -> Sequence[str]:
        """Start the runs that are due; their ids. The same trigger again gives the same."""
