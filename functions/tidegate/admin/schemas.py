"""Requests and answers of contract 2.15."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Timestamp
from tidegate_kit.http.schema import NotNull

from tidegate.admin.service.stores import StoreState
from tidegate.identity.public.administration import (
    Email,
    Name,
    NewPassword,
    Registered,
    TenantItem,
    UserItem,
    Username,
    sorted_roles,
)
from tidegate.monitoring.public.web import Health, MonitoringMetrics

Role = Literal["user", "client", "admin"]
Roles = Annotated[list[Role], Field(min_length=1, max_length=3)]
_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
TenantId = Annotated[str, Field(pattern=_ID)]


class UserModel(Registered):
    """A user, as registering answers him, with his tenant."""

    tenant_id: str
    is_owner: bool

    @classmethod
    def shown(cls, user: UserItem) -> UserModel:
        """The answer for a stored user."""
        return cls(
            id=user.id, email=user.email, first_name=user.first_name, last_name=user.last_name,
            company=user.company, is_active=user.is_active, created_at=user.created_at,
            roles=sorted_roles(user.roles), tenant_id=user.tenant_id, is_owner=user.is_owner,
        )  # fmt: skip


class UserList(PageFields):
    """Users, newest first."""

    users: list[UserModel]


class CreateUser(RequestModel):
    """Into an existing tenant, or as owner of a new one named `company`."""

    email: Email
    password: NewPassword
    first_name: Name
    last_name: Name
    tenant_id: Annotated[TenantId | None, NotNull] = None
    company: Annotated[Name | None, NotNull] = None
    username: Annotated[Username | None, NotNull] = None
    roles: Roles = ["user"]

    @model_validator(mode="after")
    def _one_home(self) -> CreateUser:
        if (self.tenant_id is None) == (self.company is None):
            raise ValueError("give either tenant_id or company")
        return self


class ChangeUser(RequestModel):
    """Only what is to change."""

    first_name: Annotated[Name | None, NotNull] = None
    last_name: Annotated[Name | None, NotNull] = None
    username: Annotated[Username | None, NotNull] = None
    password: Annotated[NewPassword | None, NotNull] = None
    roles: Annotated[Roles | None, NotNull] = None
    is_active: Annotated[bool | None, NotNull] = None


class Deleted(ApiModel):
    """A removed user."""

    id: str
    deleted: Literal[True] = True


class TenantModel(ApiModel):
    """A tenant; `account_count` counts its connected AWS accounts."""

    id: str
    name: str
    is_active: bool
    user_count: int
    account_count: int
    created_at: Timestamp

    @classmethod
    def of(cls, tenant: TenantItem, accounts: int) -> TenantModel:
        """The answer for a stored tenant."""
        return cls(
            id=tenant.id, name=tenant.name, is_active=tenant.is_active,
            user_count=int(tenant.user_count), account_count=accounts,
            created_at=tenant.created_at,
        )  # fmt: skip


class TenantList(PageFields):
    """Tenants, newest first."""

    tenants: list[TenantModel]


class ChangeTenant(RequestModel):
    """Only what is to change."""

    name: Annotated[Name | None, NotNull] = None
    is_active: Annotated[bool | None, NotNull] = None


class ConfigValue(ApiModel):
    """A value in force; `source` is default, environment or runtime; secrets show as ***."""

    name: str
    value: Any
    source: Literal["default", "environment", "runtime"]
    runtime: bool = Field(description="True where PUT can change it.")


class Config(ApiModel):
    """Everything in force."""

    effective: list[ConfigValue]


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("needs an offset or Z")
    return moment


class ChangeConfig(RequestModel):
    """What can be changed while the platform runs; null takes a value back to the deployed one."""

    legacy_tokens_enabled: bool | None = None
    legacy_tokens_until: Annotated[
        Annotated[datetime, Field(strict=False), AfterValidator(_aware)] | None, Field()
    ] = None
    feature_flags: Annotated[dict[str, bool] | None, Field(max_length=100)] = None
    cross_system_targets: Annotated[dict[str, list[str]] | None, Field(max_length=50)] = None


class ExecutionCounts(ApiModel):
    """Executions that ended in the last 24 hours."""

    total: int
    failed: int


class Dashboard(ApiModel):
    """GET /admin/dashboard; `ai_cost_month` is US dollars as decimal text."""

    tenants: int
    users: int
    accounts_connected: int
    executions_24h: ExecutionCounts
    ai_cost_month: str
    alerts: int
    generated_at: Timestamp


class CertificateModel(ApiModel):
    """The public address's certificate; null where it is served without TLS."""

    expires_at: Timestamp | None
    days_left: int | None


class System(MonitoringMetrics):
    """GET /admin/system: the platform's numbers, and its certificate."""

    certificate: CertificateModel


class StoreIdentity(ApiModel):
    """Which table."""

    table: str
    arn: str
    region: str
    account: str
    stage: str


class StoreModel(ApiModel):
    """A table as configured and as reached."""

    configured: StoreIdentity
    in_use: StoreIdentity | None
    matches: bool
    reachable: bool

    @classmethod
    def of(cls, state: StoreState) -> StoreModel:
        """The answer for a table's state."""
        reached = state.in_use
        return cls(
            configured=StoreIdentity(**vars(state.configured)),
            in_use=StoreIdentity(**vars(reached)) if reached is not None else None,
            matches=state.matches,
            reachable=state.reachable,
        )


class AdminHealth(Health):
    """GET /admin/health: the public health, the tables, and how many users they hold."""

    stores: list[StoreModel]
    user_count: int


class SelfTest(ApiModel):
    """Counts of routes and what is wrong; `ok` only if nothing is."""

    ok: bool
    declared: int
    mounted: int
    deployed: int
    answered: int
    missing: list[str]
    extra: list[str]
    duplicates: list[str]


class AuditActor(ApiModel):
    """Who acted; unknown parts are empty."""

    type: str
    id: str
    email: str
    ip: str


class AuditResource(ApiModel):
    """What was acted upon."""

    type: str
    id: str


class AuditEntry(ApiModel):
    """An entry of a tenant's audit log, as in GET /governance/audit."""

    sequence: int
    timestamp: str
    actor: AuditActor
    action: str
    resource: AuditResource
    outcome: str
    request_id: str
    details: dict[str, Any]
    prev_hash: str
    hash: str


class AuditVerification(ApiModel):
    """Whether the whole log is as it was written."""

    valid: bool
    first_bad_sequence: int | None
    head_hash: str


class AuditList(PageFields):
    """Entries, newest first."""

    entries: list[AuditEntry]
    verification: AuditVerification | None = Field(
        default=None, description="With verify=true.", exclude_if=lambda value: value is None
    )
