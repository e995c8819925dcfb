"""Requests and answers of contract 2.4."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Text, Timestamp
from tidegate_kit.http.schema import ID_PATTERN, Line, NotNull

from tidegate.integrations.channels import Channel
from tidegate.integrations.domain import MAX_DEPTH, AccountType, HealthStatus, depth

_ACCOUNT_ID = r"^[A-Za-z0-9_.:@-]{1,128}$"
_SECRET_NAME = r"^[A-Za-z_][A-Za-z0-9_-]{0,199}$"  # noqa: S105 - a pattern
_EMAIL = r"^[^@\s]{1,64}@[^@\s]{1,189}\.[^@\s.]{1,63}$"

AccountId = Annotated[str, StringConstraints(pattern=_ACCOUNT_ID)]
PathAccountId = Annotated[str, Path(pattern=_ACCOUNT_ID)]
PathSecretName = Annotated[str, Path(pattern=_SECRET_NAME)]
JsonMap = dict[str, Any]
Uuid = Annotated[str, StringConstraints(pattern=ID_PATTERN)]


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds a character that is not text") from None
    return value


class AccountUpsert(RequestModel):
    """POST /user/integrations/accounts."""

    account_id: AccountId
    account_type: AccountType
    configuration: JsonMap


class AccountBatch(RequestModel):
    """POST /user/integrations/accounts/batch."""

    accounts: Annotated[list[AccountUpsert], Field(max_length=25)]

    @model_validator(mode="after")
    def _no_repeats(self) -> AccountBatch:
        if len({one.account_id for one in self.accounts}) != len(self.accounts):
            raise ValueError("accounts repeat an account_id")
        return self


class AccountModel(ApiModel):
    """An account; secrets of its configuration are masked."""

    user_id: str
    account_id: str
    account_type: AccountType
    configuration: JsonMap
    connected: bool
    created_at: Timestamp
    updated_at: Timestamp


class UpsertedAccount(AccountModel):
    """An account as stored by this call."""

    created: bool


class AccountList(PageFields):
    """GET /user/integrations/accounts."""

    accounts: list[AccountModel]


class BatchAnswer(ApiModel):
    """Accounts in the order sent, and how many were new."""

    accounts: list[AccountModel]
    created: int
    updated: int


class DeletedAccount(ApiModel):
    """Answer of DELETE."""

    account_id: str
    connected: Literal[False] = False
    deleted: Literal[True] = True


class ToolModel(ApiModel):
    """What an account lets a workflow do."""

    name: str
    account_id: str
    account_type: AccountType
    connected: bool
    actions: list[str]
    node_types: list[str]


class Tools(ApiModel):
    """GET /user/tools."""

    tools: list[ToolModel]


Handle = Annotated[Line, StringConstraints(min_length=1, max_length=2000)]
Email = Annotated[Line, StringConstraints(max_length=254, pattern=_EMAIL)]


class TargetFields(RequestModel):
    """POST and PUT of a communication target."""

    name: Annotated[Line, StringConstraints(min_length=1, max_length=200)]
    email: Email | None = None
    twitter_username: Handle | None = None
    instagram_username: Handle | None = None
    notes: Annotated[Text, StringConstraints(min_length=1, max_length=2000)] | None = None


class TargetModel(ApiModel):
    """A communication target."""

    id: str
    user_id: str
    name: str
    email: str | None
    twitter_username: str | None
    instagram_username: str | None
    notes: str | None
    active: bool
    created_at: Timestamp
    updated_at: Timestamp


class TargetList(PageFields):
    """GET /user/communication-targets."""

    targets: list[TargetModel]


class Deleted(ApiModel):
    """Answer of a DELETE."""

    id: str
    deleted: Literal[True] = True


class InitiateRequest(RequestModel):
    """POST /user/orchestrator/initiate-communications: `message` or `template`."""

    target_ids: Annotated[
        Annotated[list[Uuid], Field(min_length=1, max_length=200)] | None, NotNull
    ] = None
    channels: Annotated[
        Annotated[list[Channel], Field(min_length=1, max_length=3)] | None, NotNull
    ] = None
    subject: Annotated[
        Annotated[Line, StringConstraints(min_length=1, max_length=2000)] | None, NotNull
    ] = None
    message: Annotated[
        Annotated[Text, StringConstraints(min_length=1, max_length=5000)] | None, NotNull
    ] = None
    template: Annotated[
        Annotated[Line, StringConstraints(min_length=1, max_length=200)] | None, NotNull
    ] = None
    variables: Annotated[JsonMap | None, NotNull] = None

    @model_validator(mode="after")
    def _one_text(self) -> InitiateRequest:
        if (self.message is None) == (self.template is None):
            raise ValueError("give either message or template")
        if depth(self.variables or {}) > MAX_DEPTH:
            raise ValueError("variables are nested too deeply")
        return self


class SkippedTarget(ApiModel):
    """A target that gets nothing by some channel."""

    target_id: str
    reason: str


class Initiated(ApiModel):
    """Answer of initiate-communications."""

    execution_id: str
    workflow_id: str
    status: str
    started_at: Timestamp
    target_count: int
    skipped: list[SkippedTarget]


class ConnectionTest(ApiModel):
    """Answer of a connection test that passed."""

    account_id: str
    ok: Literal[True] = True
    latency_ms: int
    checked_at: Timestamp


class AccountHealth(ApiModel):
    """What the last checks of an account found."""

    account_id: str
    status: HealthStatus
    last_checked_at: Timestamp | None
    last_success_at: Timestamp | None
    last_error: str | None


class SecretValue(RequestModel):
    """PUT /user/secrets/{name}: kept exactly as sent."""

    value: Annotated[
        str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_encodable)
    ] = Field(repr=False)


class SecretModel(ApiModel):
    """A secret without its value."""

    name: str
    updated_at: Timestamp


class SecretList(PageFields):
    """GET /user/secrets."""

    secrets: list[SecretModel]
