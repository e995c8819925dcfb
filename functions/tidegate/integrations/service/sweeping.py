"""The hourly check of every tenant's accounts (EVT-6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tidegate_kit.errors import NotFound
from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope, UserScope

from tidegate.integrations.errors import IntegrationTestFailed
from tidegate.integrations.repository import AccountRef, GlobalAccounts
from tidegate.integrations.service.checks import CheckService

_PAGE = 100


@dataclass
class Tally:
    """How a sweep went. `next` is behind what to go on when the time was up.

    passing and failing were checked; skipped: checked since the start, gone or of a tenant that is
    switched off; failed: could not be checked.
    """

    passing: int = 0
    failing: int = 0
    skipped: int = 0
    failed: int = 0
    next: AccountRef | None = None


class HealthSweep:
    """Checks accounts one after the other; one that cannot be checked stops no other."""

    def __init__(
        self,
        accounts: GlobalAccounts,
        checks: Callable[[UserScope], CheckService],
        is_active: Callable[[TenantScope], bool],
    ) -> None:
        self._accounts = accounts
        self._checks = checks
        self._is_active = is_active

    def run(
        self, started_at: datetime, after: AccountRef | None, time_left: Callable[[], bool]
    ) -> Tally:
        """Check all accounts behind `after` that were not checked since `started_at`.

        Repeating a sweep that died checks only the rest, and of two sweeps at once each spares
        what the other did. Raises ServiceUnavailable when the list cannot be read.
        """
        tally = Tally()
        first = after
        while page := self._accounts.after(after, _PAGE):
            for ref in page:
                # Each call does at least one, so that a chain of calls comes to an end.
                if after != first and not time_left():
                    tally.next = after
                    return tally
                result = self._checked(ref, started_at)
                setattr(tally, result, getattr(tally, result) + 1)
                after = ref
        return tally

    def _checked(self, ref: AccountRef, started_at: datetime) -> str:
        try:
            return self._one(ref, started_at)
        except NotFound:
            return "skipped"
        except IntegrationTestFailed:
            return "failing"
        except Exception:
            logger.exception(
                "an account could not be checked",
                tenant_id=ref.scope.tenant_id,
                account_id=ref.account_id,
            )
            return "failed"

    def _one(self, ref: AccountRef, started_at: datetime) -> str:
        if not self._is_active(ref.scope.tenant):
            return "skipped"
        checks = self._checks(ref.scope)
        health = checks.health(ref.account_id)
        if health is not None and health.last_checked_at >= started_at:
            return "skipped"
        checks.test(ref.account_id)
        return "passing"
