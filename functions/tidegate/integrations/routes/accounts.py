"""Integration accounts and the tools they are."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends
from tidegate_kit.http import Call, CurrentCall, PageParams, Paging

from tidegate.integrations.domain import AccountType
from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.routes.router import router
from tidegate.integrations.schemas import (
    AccountBatch,
    AccountList,
    AccountModel,
    AccountUpsert,
    BatchAnswer,
    DeletedAccount,
    PathAccountId,
    ToolModel,
    Tools,
    UpsertedAccount,
)
from tidegate.integrations.service.accounts import Shown, Upsert
from tidegate.integrations.wiring import accounts_for

Page = Annotated[PageParams, Depends()]
_PATH = "/user/integrations/accounts"


@router.get(_PATH, permission="integration:read")
def list_integration_accounts(
    page: Page, call: CurrentCall, account_type: AccountType | None = None
) -> AccountList:
    """The caller's accounts, newest first."""
    service = accounts_for(call)
    rows, fields = Paging(call, page, {"account_type": account_type}).slice(
        service.find(account_type)
    )
    shown = [AccountModel(**_fields(call, service.show(row))) for row in rows]
    return AccountList(accounts=shown, **fields)


@router.post(_PATH, permission="integration:write", idempotent=True, errors=[ChangedMeanwhile])
def put_integration_account(body: AccountUpsert, call: CurrentCall) -> UpsertedAccount:
    """Create or replace an account by its account_id; a mask sent back keeps what it hides."""
    (shown,) = accounts_for(call).put([_upsert(body)], lambda _: "")
    return UpsertedAccount(**_fields(call, shown), created=shown.created)


@router.post(
    f"{_PATH}/batch", permission="integration:write", idempotent=True, errors=[ChangedMeanwhile]
)
def put_integration_accounts(body: AccountBatch, call: CurrentCall) -> BatchAnswer:
    """Create or replace up to 25 accounts, all or none."""
    sent = [_upsert(one) for one in body.accounts]
    shown = accounts_for(call).put(sent, lambda index: f"accounts.{index}.")
    created = sum(one.created for one in shown)
    return BatchAnswer(
        accounts=[AccountModel(**_fields(call, one)) for one in shown],
        created=created,
        updated=len(shown) - created,
    )


@router.get(f"{_PATH}/{{account_id}}", permission="integration:read")
def get_integration_account(account_id: PathAccountId, call: CurrentCall) -> AccountModel:
    """An account, its secrets masked."""
    service = accounts_for(call)
    return AccountModel(**_fields(call, service.show(service.get(account_id))))


@router.delete(f"{_PATH}/{{account_id}}", permission="integration:write", errors=[ChangedMeanwhile])
def delete_integration_account(account_id: PathAccountId, call: CurrentCall) -> DeletedAccount:
    """Remove an account and erase its configuration."""
    accounts_for(call).delete(account_id)
    return DeletedAccount(account_id=account_id)


@router.get("/user/tools", permission="integration:read")
def list_tools(call: CurrentCall) -> Tools:
    """What workflows and agents can do with the caller's accounts."""
    return Tools(tools=[ToolModel(**asdict(tool)) for tool in accounts_for(call).tools()])


def _upsert(body: AccountUpsert) -> Upsert:
    return Upsert(body.account_id, body.account_type, body.configuration)


def _fields(call: Call, shown: Shown) -> dict[str, Any]:
    account = shown.account
    return {
        "user_id": call.principal.user_id, "account_id": account.id,
        "account_type": account.account_type, "configuration": shown.configuration,
        "connected": True, "created_at": account.created_at, "updated_at": account.updated_at,
    }  # fmt: skip
