"""Routes of contract 2.10 but for plans and savings."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, Query
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId

from tidegate.findings import answers, calls, schemas
from tidegate.findings.domain import FindingFilters, Group
from tidegate.findings.errors import ExceptionExists, RefreshRunning
from tidegate.findings.plans import routes as plan_routes
from tidegate.findings.routes.router import router
from tidegate.findings.savings import routes as savings_routes

Page = Annotated[PageParams, Depends()]
Name = Annotated[str | None, Query(min_length=1, max_length=200)]
Account = Annotated[str | None, Query(pattern=r"^\d{12}$", examples=["111122223333"])]
Amount = Annotated[Decimal | None, Query(ge=0, le=10**9, max_digits=18, decimal_places=6)]


def filters(
    check_id: Name = None,
    account_id: Account = None,
    region: Name = None,
    status: Annotated[schemas.Status | None, Query()] = None,
    min_monthly: Amount = None,
) -> FindingFilters:
    """The filters of a list."""
    return FindingFilters(check_id, account_id, region, status, min_monthly)


Filters = Annotated[FindingFilters, Depends(filters)]


def _listed(
    call: CurrentCall, params: PageParams, wanted: FindingFilters, group: Group
) -> schemas.FindingList:
    paging = Paging(call, params, {"group": group, **asdict(wanted)})
    rows, total, next_key = calls.queries(call).page(
        group, wanted, paging.skip, paging.page_size, paging.start
    )
    shown = [answers.finding(row) for row in rows]
    return schemas.FindingList(findings=shown, **paging.fields(total, next_key))


@router.get("/waste/findings", permission="finding:read")
def list_waste_findings(call: CurrentCall, params: Page, wanted: Filters) -> schemas.FindingList:
    """Findings of waste, newest first, of every status unless one is asked for."""
    return _listed(call, params, wanted, "waste")


@router.get("/storage/findings", permission="finding:read")
def list_storage_findings(call: CurrentCall, params: Page, wanted: Filters) -> schemas.FindingList:
    """Findings of storage, newest first, of every status unless one is asked for."""
    return _listed(call, params, wanted, "storage")


@router.get("/waste/findings/{id}", permission="finding:read")
def read_waste_finding(call: CurrentCall, id: PathId) -> schemas.FindingView:
    """One finding of waste."""
    return answers.finding(calls.queries(call).get("waste", id))


@router.get("/storage/findings/{id}", permission="finding:read")
def read_storage_finding(call: CurrentCall, id: PathId) -> schemas.FindingView:
    """One finding of storage."""
    return answers.finding(calls.queries(call).get("storage", id))


@router.get("/waste/summary", permission="finding:read")
def read_waste_summary(call: CurrentCall) -> schemas.SummaryView:
    """Open findings of waste in numbers."""
    return answers.summary(calls.queries(call).summary(["waste"]))


@router.get("/storage/summary", permission="finding:read")
def read_storage_summary(call: CurrentCall) -> schemas.SummaryView:
    """Open findings of storage in numbers."""
    return answers.summary(calls.queries(call).summary(["storage"]))


@router.get("/waste/checks", permission="finding:read")
def list_waste_checks(call: CurrentCall) -> schemas.CheckList:
    """The checks of waste and their states by account and region (FND-1)."""
    return answers.checks(calls.queries(call).states("waste"))


@router.get("/storage/checks", permission="finding:read")
def list_storage_checks(call: CurrentCall) -> schemas.CheckList:
    """The checks of storage and their states by account and region (FND-1)."""
    return answers.checks(calls.queries(call).states("storage"))


@router.post(
    "/waste/refresh",
    permission="finding:manage",
    status=202,
    idempotent=True,
    errors=[RefreshRunning],
)
def refresh_waste(
    call: CurrentCall, body: schemas.RefreshStart | None = None
) -> schemas.RefreshStarted:
    """Run the checks of waste over the newest inventories."""
    return calls.refresh(call, body or schemas.RefreshStart(), "waste")


@router.post(
    "/storage/refresh",
    permission="finding:manage",
    status=202,
    idempotent=True,
    errors=[RefreshRunning],
)
def refresh_storage(
    call: CurrentCall, body: schemas.RefreshStart | None = None
) -> schemas.RefreshStarted:
    """Run the checks of storage over the newest inventories."""
    return calls.refresh(call, body or schemas.RefreshStart(), "storage")


@router.get("/waste/exceptions", permission="finding:read")
def list_exceptions(call: CurrentCall, params: Page) -> schemas.ExceptionList:
    """Every exception, newest first."""
    rows, fields = Paging(call, params, {}).slice(calls.exceptions(call).all())
    shown = [answers.exception(row, call.now) for row in rows]
    return schemas.ExceptionList(exceptions=shown, **fields)


@router.post(
    "/waste/exceptions",
    permission="finding:manage",
    status=201,
    idempotent=True,
    errors=[ExceptionExists],
)
def create_exception(call: CurrentCall, body: schemas.ExceptionCreate) -> schemas.ExceptionView:
    """Keep a finding out of the totals until a date (FND-4)."""
    made = calls.exceptions(call).create(calls.new_exception(body), call.principal.user_id)
    return answers.exception(made, call.now)


@router.delete("/waste/exceptions/{id}", permission="finding:manage")
def delete_exception(call: CurrentCall, id: PathId) -> schemas.Deleted:
    """End an exception: its finding is open again."""
    calls.exceptions(call).delete(id)
    return schemas.Deleted(id=id)


@router.get("/waste/thresholds", permission="finding:read")
def read_thresholds(call: CurrentCall) -> schemas.ThresholdsView:
    """The thresholds of every check."""
    return answers.thresholds(calls.thresholds(call).effective())


@router.put("/waste/thresholds", permission="finding:manage")
def put_thresholds(call: CurrentCall, body: schemas.ThresholdsBody) -> schemas.ThresholdsView:
    """Set thresholds; what is not named stays. They count from the next refresh on."""
    return answers.thresholds(calls.thresholds(call).merge(body.checks))


@router.post("/waste/simulate", permission="finding:manage")
def simulate(call: CurrentCall, body: schemas.SimulateBody | None = None) -> schemas.SimulationView:
    """Try checks and thresholds on a recorded inventory; nothing is written."""
    wanted = body or schemas.SimulateBody()
    return answers.simulation(calls.simulated(call, wanted), wanted.snapshot_at or call.now)


__all__ = ["plan_routes", "router", "savings_routes"]
