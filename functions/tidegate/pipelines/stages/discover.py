"""inventory-scan: discover every connected account, then evaluate the checks."""

from __future__ import annotations

from dataclasses import replace

from tidegate_kit.errors import Conflict, PolicyDenied
from tidegate_kit.ids import id_from

from tidegate.pipelines.errors import PipelineRunning
from tidegate.pipelines.executions import Execution, Problem, Unit
from tidegate.pipelines.service.ports import Account, RunView
from tidegate.pipelines.service.work import Parts, Waiting, parameter

GONE = Problem("ACCOUNT_NOT_CONNECTED", "The account was disconnected meanwhile.")


class Discover:
    """A discovery of each account; a denied one is a gap."""

    def plan(self, parts: Parts, execution: Execution) -> list[Unit]:
        """A unit an account."""
        wanted = parameter(execution, "account_ids")
        return [
            Unit(account.account_id)
            for account in parts.accounts.connected()
            if wanted is None or account.account_id in wanted
        ]

    def step(self, parts: Parts, execution: Execution, unit: Unit) -> Unit:
        """Start the account's discovery, then wait for its end."""
        account = connected(parts, unit.key)
        if account is None:
            return unit.ended(problems=[GONE])
        run_id = unit.state.get("run_id")
        if run_id is None:
            return replace(unit, state={**unit.state, "run_id": _start(parts, execution, account)})
        view = parts.discovery.view(account)
        if view is None or view.status in ("not_started", "running"):
            raise Waiting(unit)
        return unit.ended(view.resources, problems_of(account, view))


def connected(parts: Parts, account_id: str) -> Account | None:
    """The account, if it is connected now."""
    found = (one for one in parts.accounts.connected() if one.account_id == account_id)
    return next(found, None)


def _start(parts: Parts, execution: Execution, account: Account) -> str:
    run_id = id_from(f"pipeline/{execution.id}/{account.id}")
    try:
        parts.discovery.start(account, run_id)
    except Conflict:
        # Somebody else's discovery of the account goes on: its end is ours as well.
        view = parts.discovery.view(account)
        return run_id if view is None else view.run_id
    return run_id


def problems_of(account: Account, view: RunView) -> list[Problem]:
    """What the discovery left out."""
    name = f"Account {account.account_id}"
    if view.status == "failed":
        return [Problem("DISCOVERY_FAILED", f"{name}: the discovery failed.")]
    if view.status == "completed":
        return []
    shown = ", ".join(view.gaps[:5]) or "see its discovery"
    return [Problem("DISCOVERY_GAPS", f"{name} was read with gaps: {shown}.")]


class RefreshFindings:
    """The pipeline findings-refresh, started by what this scan has found (EVT-6)."""

    def plan(self, parts: Parts, execution: Execution) -> list[Unit]:
        """One unit."""
        return [Unit("findings-refresh")]

    def step(self, parts: Parts, execution: Execution, unit: Unit) -> Unit:
        """Start it; one that runs may have read the old inventory, so its end is waited for."""
        try:
            parts.start("findings-refresh", id_from(f"pipeline/{execution.id}/refresh"))
        except PipelineRunning as running:
            raise Waiting(unit) from running
        except PolicyDenied as denied:
            problem = Problem(denied.code, f"findings-refresh: {denied.message}")
            return unit.ended(problems=[problem])
        return unit.ended(1)
