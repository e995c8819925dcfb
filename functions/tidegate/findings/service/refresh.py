"""A refresh: the checks over the newest inventory of each account, region by region."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, ServiceUnavailable, Unprocessable

from tidegate.discovery.public import GLOBAL, Inventory
from tidegate.findings.checks import EVALUATORS
from tidegate.findings.domain import Refresh, RegionStates
from tidegate.findings.errors import RefreshGone, RefreshRunning
from tidegate.findings.prices.book import PriceBook
from tidegate.findings.recommendations.advisor import Advisor
from tidegate.findings.repository import ExceptionStore, FindingStore, Living, RefreshStore
from tidegate.findings.service.evaluation import Rules, evaluate, regions
from tidegate.findings.service.thresholds import known_checks, merged
from tidegate.findings.service.writing import Writer

# The machine's own limit is one hour (findings-refresh.asl.yaml): after that its worker is dead.
REFRESH_MAY_LAST = timedelta(hours=1, minutes=5)
_LAUNCHED_WITHIN = timedelta(minutes=1)
KEEP_RESOLVED = timedelta(days=180)
_FORGET = 100

Launch = Callable[[Refresh], None]
Inventories = Callable[[str], Inventory | None]


@dataclass(frozen=True)
class Parts:
    """What a refresh of one tenant works with. `prices` gives the book of this moment.

    `advisor` gives who asks AWS for its recommendations about an account, `ratios` what an account
    pays of list prices, by family of prices.
    """

    tenant_id: str
    findings: FindingStore
    exceptions: ExceptionStore
    refreshes: RefreshStore
    living: Living
    inventories: Inventories
    prices: Callable[[], PriceBook]
    advisor: Callable[[Inventory], Advisor]
    clock: Clock
    has_time: Callable[[], bool] = lambda: True
    ratios: Callable[[str], Mapping[str, Decimal]] = lambda account_id: {}


def start(
    parts: Parts,
    launch: Launch,
    *,
    refresh_id: str,
    account_ids: Sequence[str] | None,
    check_ids: Sequence[str] | None,
    trigger: str,
    exclusive: bool = True,
) -> Refresh:
    """Store a refresh and launch it; the same id again launches it again, which is nothing.

    Raises RefreshRunning while another exclusive one goes on, Unprocessable for an account that
    is not connected or a check that does not exist.
    """
    now = parts.clock()
    checks = () if check_ids is None else known_checks(check_ids)
    accounts = tuple(dict.fromkeys(account_ids or ()))
    if any(account not in parts.living.every() for account in accounts):
        text = "names an account that was not discovered"
        raise Unprocessable(details=[Detail("account_ids", text)])
    wanted = Refresh(refresh_id, "running", trigger, accounts, checks, now, now + REFRESH_MAY_LAST)
    try:
        refresh = parts.refreshes.begin(wanted, now, exclusive=exclusive)
    except RefreshRunning:
        _relaunch(parts, launch, now)
        raise
    if refresh.status == "running":
        launch(refresh)
    return refresh


def _relaunch(parts: Parts, launch: Launch, now: datetime) -> None:
    """Launch the one that goes on once more: whoever stored it may have died before that (H1)."""
    running = parts.refreshes.running(now)
    if running is not None and now - running.started_at > _LAUNCHED_WITHIN:
        launch(running)


def launcher(machine_arn: str, region: str, tenant_id: str) -> Launch:
    """Starts the state machine; the execution is named after the refresh, so once is enough."""

    def launch(refresh: Refresh) -> None:
        sfn: Any = platform_client("stepfunctions", region)
        try:
            sfn.start_execution(
                stateMachineArn=machine_arn,
                name=refresh.id,
                input=json.dumps({"tenant_id": tenant_id, "refresh_id": refresh.id}),
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
                raise ServiceUnavailable(log=f"stepfunctions: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"stepfunctions: {error}") from error

    return launch


def accounts_of(parts: Parts, refresh_id: str) -> list[str]:
    """The accounts that a running refresh is to evaluate. Raises RefreshGone."""
    refresh = _running(parts, refresh_id)
    if refresh is None:
        return []
    return sorted(refresh.account_ids or parts.living.every())


def evaluate_account(parts: Parts, refresh_id: str, account_id: str, after: str) -> str | None:
    """Evaluate the regions of an account above `after` ("": all), while there is time.

    The last region done, to go on from; None when the account is done. Raises RefreshGone.
    """
    refresh = _running(parts, refresh_id)
    if refresh is None:
        return None
    inventory = parts.inventories(account_id)
    if inventory is None:
        return None
    rules = _rules(parts, refresh, account_id)
    advisor = parts.advisor(inventory)
    for region in regions(inventory):
        if region <= after:
            continue
        if parts.living.one(account_id) != inventory.generation:
            return None  # disconnected meanwhile: what is written now is nobody's
        _evaluate_region(parts, inventory, region, rules, advisor)
        if not parts.has_time():
            return region
    _forget_old(parts, inventory)
    return None


def _evaluate_region(
    parts: Parts, inventory: Inventory, region: str, rules: Rules, advisor: Advisor
) -> None:
    now = parts.clock()
    known = parts.findings.region_states(inventory.account_id, inventory.generation, region)
    if known is not None and known.checked_at > inventory.taken_at:
        return  # a newer inventory was evaluated meanwhile
    writer = Writer(
        parts.findings,
        parts.tenant_id,
        inventory.onboarding_id,
        inventory.generation,
        region,
        {one.id: one for one in parts.exceptions.all() if one.active(now)},
        inventory.taken_at,
        now,
    )
    writer.begin(inventory.account_id)
    wanted = {check.check_id for check in rules.evaluators}
    types = () if region == GLOBAL else inventory.types(region)
    advice = advisor.region(region, types, wanted)
    states = evaluate(inventory, region, rules, lambda one: writer.take(advice.beside(one)))
    states = advice.noted(states)
    writer.end(states)
    clusters = writer.overlaps()
    parts.findings.save_overlaps(inventory.account_id, inventory.generation, region, clusters, now)
    # A refresh of some checks, or after a discovery of some services, keeps the rest as it was.
    before = () if known is None else known.states
    present = {state.check_id: state for state in (*before, *states)}
    parts.findings.save_states(
        RegionStates(
            inventory.account_id,
            inventory.generation,
            region,
            inventory.taken_at,
            tuple(present[check_id] for check_id in sorted(present)),
        ),
        now,
    )


def _rules(parts: Parts, refresh: Refresh, account_id: str) -> Rules:
    wanted = [c for c in EVALUATORS if not refresh.check_ids or c.check_id in refresh.check_ids]
    prices = parts.prices().with_ratios(parts.ratios(account_id))
    return Rules(wanted, prices, merged(parts.exceptions.thresholds()[0]))


def _forget_old(parts: Parts, inventory: Inventory) -> None:
    now = parts.clock()
    old = parts.findings.old_resolved(
        inventory.account_id, inventory.generation, now - KEEP_RESOLVED, _FORGET
    )
    parts.findings.forget(old, now)


def fail_account(parts: Parts, refresh_id: str, account_id: str, reason: str) -> None:
    """Note that an account could not be evaluated; its findings stay as they were."""
    if _running(parts, refresh_id) is not None:
        parts.refreshes.fail_account(refresh_id, account_id, reason, parts.clock())


def finish(parts: Parts, refresh_id: str) -> Refresh:
    """Close a refresh: failed when any account failed. Raises RefreshGone."""
    refresh = parts.refreshes.refresh(refresh_id)
    if refresh is None:
        raise RefreshGone(refresh_id)
    status: Literal["completed", "failed"] = "failed" if refresh.failures else "completed"
    now = parts.clock()
    parts.refreshes.finish(refresh_id, status, now)
    return replace(refresh, status=status, completed_at=now)


def _running(parts: Parts, refresh_id: str) -> Refresh | None:
    refresh = parts.refreshes.refresh(refresh_id)
    if refresh is None:
        raise RefreshGone(refresh_id)
    return refresh if refresh.status == "running" else None
