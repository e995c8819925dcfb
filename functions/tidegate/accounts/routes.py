"""Routes of contract 2.8."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId, Router

from tidegate.accounts import answers, schemas
from tidegate.accounts.errors import PlanExecuting
from tidegate.accounts.service import Accounts
from tidegate.accounts.wiring import accounts
from tidegate.discovery.public import ResourceFilters
from tidegate.onboarding.public import Connection

router = Router("accounts")
_TOP = 5  # findings on the dashboard
Page = Annotated[PageParams, Depends()]
AccountFilter = Annotated[str | None, Query(pattern=r"^\d{12}$", examples=["111122223333"])]
Filter = Annotated[str | None, Query(min_length=1, max_length=200)]


def of_caller(call: CurrentCall) -> Accounts:
    """The accounts of the caller's tenant."""
    return accounts(call.settings, call.principal.tenant, call.now)


@router.get("/client/accounts", permission="account:read")
def list_accounts(call: CurrentCall, params: Page) -> schemas.AccountList:
    """Every AWS account of the tenant, newest first."""
    fields: dict[str, object] = {}

    def choose(rows: list[Connection]) -> list[Connection]:
        chosen, page = Paging(call, params, {}).slice(rows)
        fields.update(page)
        return chosen

    rows = of_caller(call).rows(choose)
    return schemas.AccountList(accounts=[answers.account(row) for row in rows], **fields)


@router.get("/client/accounts/{id}", permission="account:read")
def read_account(call: CurrentCall, id: PathId) -> schemas.Account:
    """One AWS account."""
    return answers.account(of_caller(call).row(id))


@router.delete("/client/accounts/{id}", permission="account:manage", errors=[PlanExecuting])
def disconnect_account(call: CurrentCall, id: PathId) -> schemas.Disconnected:
    """Disconnect an account: its data leaves every view at once and is then deleted."""
    removal = of_caller(call).disconnect(id, call.principal.user_id)
    return answers.disconnected(removal)


@router.get("/client/dashboard", permission="account:read")
def dashboard(call: CurrentCall) -> schemas.Dashboard:
    """Everything at a glance."""
    return answers.dashboard(of_caller(call).overview(_TOP), call.now)


@router.get("/client/summary", permission="account:read")
def summary(call: CurrentCall) -> schemas.Summary:
    """The dashboard's figures in short."""
    return answers.summary(of_caller(call).overview(), call.now)


@router.get("/client/resources", permission="account:read")
def list_resources(
    call: CurrentCall,
    params: Page,
    account_id: AccountFilter = None,
    region: Filter = None,
    type: Filter = None,
    q: Filter = None,
) -> schemas.ResourceList:
    """The inventory, newest first; `q` searches names, ARNs and tags."""
    filters = ResourceFilters(account_id=account_id, region=region, type=type, q=q)
    paging = Paging(call, params, vars(filters))
    rows, total, next_key = of_caller(call).resources(
        filters, paging.skip, paging.page_size, paging.start
    )
    shown = [answers.resource(row) for row in rows]
    return schemas.ResourceList(resources=shown, **paging.fields(total, next_key))


@router.get("/client/accounts/{id}/permissions", permission="account:read")
def read_permissions(call: CurrentCall, id: PathId) -> schemas.Permissions:
    """What Tidegate may do in the account, and the template that adds what it may not."""
    return answers.permissions(of_caller(call).permissions(id), call.now)
