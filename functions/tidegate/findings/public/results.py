"""Findings for other domains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery import public as discovery
from tidegate.findings import wiring
from tidegate.findings.domain import Finding, Findings, Refresh
from tidegate.findings.service import refresh as refreshes
from tidegate.findings.settings import FindingsSettings

_TOP = 5


@dataclass(frozen=True)
class OpenSummary:
    """Open findings of all groups: how many, what they cost, the greatest ones.

    `identified_monthly` is the sum of the priced ones, `coverage_percent` of the checks that could
    be judged; None before the first refresh.
    """

    identified_monthly: Decimal
    open: int
    priced: int
    unpriced: int
    coverage_percent: float | None
    top: tuple[Finding, ...]


def open_summary(
    scope: TenantScope, clock: Clock = system_clock, *, top: int = _TOP
) -> OpenSummary:
    """The tenant's open findings in numbers, and the `top` ones by saving (0: none are read)."""
    queries = wiring.queries_of(scope, clock)
    summary = queries.summary(["waste", "storage"])
    return OpenSummary(
        identified_monthly=summary.identified_monthly,
        open=summary.open,
        priced=summary.priced,
        unpriced=summary.unpriced,
        coverage_percent=summary.percent,
        top=tuple(queries.top(top)) if top else (),
    )


def open_of_account(scope: TenantScope, account_id: str) -> int:
    """How many findings of an account are not resolved."""
    counts = wiring.findings_of(scope).counts()
    return sum(count.active for count in counts if count.account_id == account_id)


def finding_view(finding: Finding) -> dict[str, Any]:
    """A finding as contract 2.10 shows it. Not for functions without HTTP: it needs the models."""
    from tidegate.findings import answers

    return answers.finding(finding).model_dump(mode="json")


def findings(scope: TenantScope) -> Findings:
    """The findings of a tenant, as plans and workflows need them."""
    return wiring.findings_of(scope)


def refresh(
    scope: TenantScope,
    account_ids: Sequence[str] | None,
    check_ids: Sequence[str] | None,
    trigger: str,
    *,
    refresh_id: str | None = None,
    clock: Clock = system_clock,
) -> str:
    """Start a refresh (None: all accounts, all checks) and return its execution id.

    The same `refresh_id` starts the same one again. Raises RefreshRunning (409) while another one
    goes on, Unprocessable for unknown accounts or checks, ServiceUnavailable. Needs
    FINDINGS_REFRESH_MACHINE_ARN and DATA_BUCKET.
    """
    settings: FindingsSettings = settings_of(FindingsSettings)
    started = refreshes.start(
        wiring.parts_of(scope, clock=clock),
        refreshes.launcher(
            settings.findings_refresh_machine_arn, settings.aws_region, scope.tenant_id
        ),
        refresh_id=refresh_id or new_id(),
        account_ids=account_ids,
        check_ids=check_ids,
        trigger=trigger,
    )
    return started.id


def refresh_state(scope: TenantScope, execution_id: str) -> Refresh | None:
    """A refresh: running, completed, or failed with the accounts that failed; None: no such one."""
    return wiring.refreshes_of(scope).refresh(execution_id)


def delete_account(scope: TenantScope, account_id: str, steps: int | None = None) -> bool:
    """Delete the findings of an account's ended lives, in at most `steps` batches of 500.

    Nothing has to hide them first: findings, counts and states are read for the account's present
    life alone, which discovery counts, so `discovery.hide_account` takes them out of every read in
    the same write (CLI-2). True when nothing is left; may be killed and called again.
    """
    store = wiring.findings_of(scope)
    present = discovery.generation(scope, account_id)
    left = steps
    while left is None or left > 0:
        if not store.delete_some(account_id, present, 500):
            return True
        left = None if left is None else left - 1
    return False


def forget_tenant(scope: TenantScope, limit: int = 500) -> bool:
    """Erase every row of the tenant in the table, plans and ledger too, up to `limit` a call.

    True when nothing is left.
    """
    return wiring.findings_of(scope).delete_any(limit) < limit
