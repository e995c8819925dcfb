"""cost-ingest: the daily costs of every account from Cost Explorer, each call within the budget."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from tidegate_kit.budgets import BudgetExceeded
from tidegate_kit.money import to_nano

from tidegate.pipelines.domain import CostLine, DayCosts
from tidegate.pipelines.errors import (
    AccountDenied,
    AccountGone,
    NotReadable,
    ProviderThrottled,
    TooManyLines,
)
from tidegate.pipelines.executions import Execution, Problem, Unit
from tidegate.pipelines.service.ports import Account, CostPage
from tidegate.pipelines.service.work import Parts, parameter
from tidegate.pipelines.stages.discover import GONE, connected

# https://aws.amazon.com/aws-cost-management/aws-cost-explorer/pricing/: USD 0.01 a request.
PRICE = to_nano(Decimal("0.01"))
# AWS changes the costs of a month until its bill is final, some days into the next one.
WINDOW = timedelta(days=35)
FIRST_WINDOW = timedelta(days=90)
MAX_PAGES = 50


class ReadCostExplorer:
    """A unit an account; a denied account and a spent budget are gaps."""

    def plan(self, parts: Parts, execution: Execution) -> list[Unit]:
        """Accounts that are connected; none when only a file is asked for."""
        if parameter(execution, "focus_file") is not None:
            return []
        wanted = parameter(execution, "account_ids")
        return [
            Unit(account.account_id)
            for account in parts.accounts.connected()
            if wanted is None or account.account_id in wanted
        ]

    def step(self, parts: Parts, execution: Execution, unit: Unit) -> Unit:
        """Read the whole window and store it: repeated, it replaces the same days."""
        generation = parts.costs.generation(unit.key)  # before the check: see CostSeries
        account = connected(parts, unit.key)
        if account is None:
            return unit.ended(problems=[GONE])
        start, end = span(parts, execution, account.account_id)
        try:
            days = self._read(parts, account, start, end)
            parts.costs.write(account.account_id, generation, days, parts.clock())
        except AccountDenied as denied:
            text = f"Account {account.account_id} does not allow {denied.action}."
            return unit.ended(problems=[Problem("ACCESS_DENIED", text)])
        except BudgetExceeded:
            text = f"The budget for paid AWS calls is spent; account {account.account_id} was left."
            return unit.ended(problems=[Problem("BUDGET_EXCEEDED", text)])
        except AccountGone:
            return unit.ended(problems=[GONE])
        except NotReadable as error:
            text = f"Account {account.account_id}: {error}."
            return unit.ended(problems=[Problem("NOT_READABLE", text)])
        except TooManyLines as error:
            return unit.ended(problems=[Problem("TOO_MANY_LINES", f"{unit.key}: {error}")])
        return unit.ended(len(days))

    def _read(self, parts: Parts, account: Account, start: date, end: date) -> list[DayCosts]:
        found: dict[date, dict[CostLine, Decimal]] = {}
        token: str | None = None
        for _ in range(MAX_PAGES):
            page = paid(parts, account, start, end, token)
            for day, lines in page.days.items():
                kept = found.setdefault(day, {})
                for line, amount in lines.items():
                    kept[line] = kept.get(line, Decimal(0)) + amount
            token = page.next_token
            if token is None:
                break
        else:
            raise TooManyLines(f"more than {MAX_PAGES} pages")
        return [DayCosts(day, "ce", found[day]) for day in sorted(found)]


def paid(parts: Parts, account: Account, start: date, end: date, token: str | None) -> CostPage:
    """One paid call: reserved before, settled after (PIP-2). Raises BudgetExceeded first."""
    reservation = parts.budgets.reserve(PRICE)
    try:
        page = parts.explorer.page(account, start, end, token)
    except (AccountDenied, ProviderThrottled):
        parts.budgets.release(reservation)  # AWS counts requests that it serves
        raise
    except Exception:
        parts.budgets.settle(reservation, PRICE)  # it may have been served
        raise
    parts.budgets.settle(reservation, PRICE)
    return page


def span(parts: Parts, execution: Execution, account_id: str) -> tuple[date, date]:
    """The days to read, the last one excluded."""
    start, end = parameter(execution, "start"), parameter(execution, "end")
    last = parts.today if end is None else date.fromisoformat(end) + timedelta(days=1)
    if start is not None:
        return date.fromisoformat(start), last
    known = parts.costs.totals(account_id, last - FIRST_WINDOW, last)
    return last - (WINDOW if known else FIRST_WINDOW), last
