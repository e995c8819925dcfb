"""GET /waste/savings (FND-11)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from tidegate_kit.http import CurrentCall, PageParams, Paging

from tidegate.findings.plans.schemas import SavingsView
from tidegate.findings.routes.router import router
from tidegate.findings.savings import answers
from tidegate.findings.savings.wiring import savings_service
from tidegate.findings.schemas import Instant

Page = Annotated[PageParams, Depends()]
Moment = Annotated[Instant | None, Query()]


@router.get("/waste/savings", permission="finding:read")
def read_savings(
    call: CurrentCall,
    params: Page,
    from_: Annotated[Instant | None, Query(alias="from")] = None,
    to: Moment = None,
) -> SavingsView:
    """Executed actions, newest first: estimated, measured, and realised so far."""
    entries = savings_service(call.principal.tenant, lambda: call.now).entries(from_, to)
    rows, fields = Paging(call, params, {"from": from_, "to": to}).slice(entries)
    today = call.now.date()
    return SavingsView(
        entries=[answers.ledger(row, today) for row in rows],
        totals=answers.totals(entries, today),
        **fields,
    )
