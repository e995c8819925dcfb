"""The tenant's accounts and inventory, and the disconnect (CLI-1, CLI-2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.observability import logger

from tidegate.accounts.doctor import examine, seen
from tidegate.accounts.errors import PlanExecuting
from tidegate.accounts.grants import RoleGrants
from tidegate.accounts.permissions import FeatureState, features
from tidegate.discovery.public import DiscoveryView, Resource, ResourceFilters, Totals
from tidegate.findings.public import OpenSummary
from tidegate.onboarding.public import Connection
from tidegate.pipelines.public import CostPoint
from tidegate.workflows.public.activity import Activity

# What is read besides the inventory; the names are features of contract 2.8.
OTHER_NEEDS: Mapping[str, Sequence[str]] = {
    "costs": ("ce:GetCostAndUsage",),
    "metrics": ("cloudwatch:GetMetricData",),
}


class Connections(Protocol):
    """Onboarding, for one tenant."""

    def all(self) -> list[Connection]:
        """Every registration that is not disconnected, newest first."""

    def get(self, onboarding_id: str) -> Connection | None:
        """One registration that is not disconnected."""

    def grants(self, connection: Connection) -> RoleGrants | None:
        """What the account's role grants; None where that cannot be read."""

    def disconnect(self, onboarding_id: str, actor: str) -> Connection:
        """Disconnect in one transaction. Raises NotFound when it already is."""


class Inventory(Protocol):
    """Discovery, for one tenant."""

    def totals(self) -> Totals:
        """Counts of living resources."""

    def view(self, onboarding_id: str) -> DiscoveryView | None:
        """The latest run of a registration."""

    def resources(
        self, filters: ResourceFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Resource], int, dict[str, Any] | None]:
        """A page of resources, the total, and where the next page starts."""

    def hide(self, account_id: str) -> None:
        """Take an account's inventory out of every read."""

    def delete_some(self, account_id: str) -> bool:
        """Delete some of what was hidden; True when nothing is left."""

    def needs(self) -> Mapping[str, Sequence[str]]:
        """The IAM actions that reading each service needs."""


class Costs(Protocol):
    """The tenant's cost series."""

    def series(self) -> Sequence[CostPoint]:
        """Known days of the last month and this one, oldest first."""

    def hide(self, account_id: str) -> None:
        """Take an account's costs out of every read."""

    def delete_some(self, account_id: str) -> bool:
        """Delete some of what was hidden; True when nothing is left."""


class Findings(Protocol):
    """Findings, for one tenant."""

    def summary(self, top: int) -> OpenSummary:
        """Open findings in numbers, and the `top` ones by saving."""

    def of_account(self, account_id: str) -> int:
        """How many findings of an account are not resolved."""

    def plans(self, onboarding_id: str) -> int:
        """How many plans of a registration's account wait for anything."""

    def drop_plans(self, onboarding_id: str, by: str) -> None:
        """Delete these plans of a disconnected registration; again does nothing."""

    def realised(self) -> Decimal:
        """USD that executed actions were measured to have saved so far."""

    def executing(self, account_id: str) -> bool:
        """True while a plan is carried out or undone in the account."""

    def needs(self, *, remediate: bool) -> Mapping[str, Sequence[str]]:
        """The IAM actions of every check; with `remediate` also of every action on resources."""

    def delete_some(self, account_id: str) -> bool:
        """Delete some of what a disconnect hid; True when nothing is left."""


@dataclass(frozen=True)
class AccountRow:
    """A registration and the size of its inventory; None until a discovery has run."""

    connection: Connection
    resource_count: int | None


class Work(Protocol):
    """Workflows and approvals, for one tenant."""

    def activity(self) -> Activity:
        """Active workflows, and the executions of the last 24 hours."""

    def pending_approvals(self) -> int:
        """Approvals of every kind that wait for a vote and are not expired."""


@dataclass(frozen=True)
class Overview:
    """The tenant's accounts and resources in numbers."""

    by_status: Mapping[str, int]
    totals: Totals
    connections: Sequence[Connection]
    costs: Sequence[CostPoint]
    findings: OpenSummary
    realised: Decimal  # USD that executed actions were measured to have saved
    experiments: tuple[int, int]  # with a living run, with a run of the last seven days
    workflows: Activity
    pending_approvals: int

    @property
    def connected(self) -> int:
        """Accounts that are connected now."""
        return self.by_status.get("connected", 0)

    @property
    def setup_required(self) -> bool:
        """True while no account is connected (CLI-1)."""
        return self.connected == 0


@dataclass(frozen=True)
class Checkup:
    """What Tidegate may do in an account. `checked_at` None: as of the call."""

    connection: Connection
    features: Sequence[FeatureState]
    checked_at: datetime | None


@dataclass(frozen=True)
class Removal:
    """A disconnect that is committed; `state` tells whether the inventory is deleted already."""

    connection: Connection
    resources: int
    findings: int
    plans: int
    state: Literal["completed", "running"]


class Accounts:
    """The accounts of one tenant."""

    def __init__(
        self,
        connections: Connections,
        inventory: Inventory,
        costs: Costs,
        findings: Findings,
        experiments: Callable[[], tuple[int, int]],
        work: Work,
    ) -> None:
        """`experiments`: how many of the lab's have a living run, and one of the last week."""
        self._connections = connections
        self._inventory = inventory
        self._costs = costs
        self._findings = findings
        self._experiments = experiments
        self._work = work

    def rows(self, choose: Callable[[list[Connection]], list[Connection]]) -> list[AccountRow]:
        """The chosen ones of all living registrations, newest first."""
        chosen = choose(self._connections.all())
        counts = self._inventory.totals().by_account
        return [self._row(connection, counts) for connection in chosen]

    def row(self, onboarding_id: str) -> AccountRow:
        """One account. Raises NotFound for an absent or disconnected one."""
        return self._row(self._living(onboarding_id), self._inventory.totals().by_account)

    def overview(self, top: int = 0) -> Overview:
        """Everything the dashboard counts, and the `top` findings."""
        connections = self._connections.all()
        by_status = Counter[str](connection.status for connection in connections)
        return Overview(
            by_status,
            self._inventory.totals(),
            connections,
            self._costs.series(),
            self._findings.summary(top),
            self._findings.realised(),
            self._experiments(),
            self._work.activity(),
            self._work.pending_approvals(),
        )

    def resources(
        self, filters: ResourceFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Resource], int, dict[str, Any] | None]:
        """A page of the inventory."""
        return self._inventory.resources(filters, skip, limit, start)

    def permissions(self, onboarding_id: str) -> Checkup:
        """What the features need against what the role grants. Raises NotFound.

        Where the role's policies cannot be read: what the last discovery could read.
        """
        connection = self._living(onboarding_id)
        view = self._inventory.view(onboarding_id)
        services = self._inventory.needs()
        grants = self._connections.grants(connection)
        if grants is None:
            known_at = None if view is None else view.completed_at or view.started_at
            return Checkup(connection, features(view, services), known_at)
        needs = {f"discovery:{name}": actions for name, actions in services.items()}
        needs |= self._findings.needs(remediate=connection.tier == "remediate")
        needs |= OTHER_NEEDS
        return Checkup(connection, examine(needs, grants, seen(view, needs)), None)

    def disconnect(self, onboarding_id: str, actor: str) -> Removal:
        """Disconnect an account.

        Raises NotFound when it is absent or already disconnected, PlanExecuting.

        The transaction is the commit point. What follows (hide, delete) is also done by the
        consumer of onboarding's stream, so a failure here is no failure of the disconnect.
        """
        account_id = self._living(onboarding_id).account_id
        if self._findings.executing(account_id):
            raise PlanExecuting
        resources = self._inventory.totals().by_account.get(account_id, 0)
        findings = self._findings.of_account(account_id)
        plans = self._findings.plans(onboarding_id)
        gone = self._connections.disconnect(onboarding_id, actor)
        try:
            self._inventory.hide(account_id)
            self._costs.hide(account_id)
            self._findings.drop_plans(onboarding_id, actor)
            # Findings belong to the inventory's life, which has ended: they are hidden with it.
            stores = (self._inventory, self._costs, self._findings)
            deleted = [store.delete_some(account_id) for store in stores]
            done = all(deleted)
        except ServiceUnavailable as error:
            logger.warning("the stream will finish the disconnect", cause=error.log)
            done = False
        return Removal(gone, resources, findings, plans, "completed" if done else "running")

    def _living(self, onboarding_id: str) -> Connection:
        found = self._connections.get(onboarding_id)
        if found is None:
            raise NotFound
        return found

    @staticmethod
    def _row(connection: Connection, counts: Mapping[str, int]) -> AccountRow:
        known = connection.last_discovery_run_id is not None
        counted = counts.get(connection.account_id)
        return AccountRow(connection, (counted or 0) if known else counted)
