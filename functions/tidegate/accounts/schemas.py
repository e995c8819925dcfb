"""Answers of contract 2.8. Money is decimal text in USD; unknown money is null (CLI-1)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from tidegate_kit.http import ApiModel, PageFields, Timestamp

Money = Annotated[str, Field(pattern=r"^-?\d+\.\d{2,}$", examples=["0.00"])]
Status = Literal["pending", "verifying", "connected", "refused", "access_lost", "disconnected"]
Method = Literal["role", "credentials"]
Severity = Literal["info", "warning", "critical"]
Tier = Literal["read", "remediate"]
AccountNumber = Annotated[str, Field(pattern=r"^\d{12}$", examples=["111122223333"])]


class RefusalView(ApiModel):
    """Why access was refused, and how to mend it (ONB-5)."""

    code: str
    fix: str


class Account(ApiModel):
    """One AWS account of the tenant."""

    id: str
    account_id: AccountNumber
    label: str | None
    connection_method: Method
    status: Status
    tier: Tier
    regions: list[str] = Field(description="Empty: every region that the account has enabled.")
    role_arn: str | None
    access_key_id: str | None = Field(description="Masked.")
    refusal: RefusalView | None
    resource_count: int | None = Field(description="null until a discovery has run.")
    created_at: Timestamp
    connected_at: Timestamp | None
    last_verified_at: Timestamp | None
    last_discovery_at: Timestamp | None


class AccountList(PageFields):
    """GET /client/accounts."""

    accounts: list[Account]


class Cascade(ApiModel):
    """What a disconnect takes with it: out of all reads now, deleted when completed."""

    state: Literal["completed", "running"]
    resources: int
    findings: int
    plans: int


class Disconnected(ApiModel):
    """DELETE /client/accounts/{id}. `cleanup` says what is left to do in the AWS account."""

    id: str
    account_id: AccountNumber
    status: Literal["disconnected"]
    message: str
    cascade: Cascade
    cleanup: str


class AccountCounts(ApiModel):
    """Accounts by status; a verification that is running counts as pending."""

    total: int
    connected: int
    pending: int
    refused: int
    access_lost: int


class TypeCount(ApiModel):
    """How many resources of one type."""

    type: str
    count: int


class ResourceCounts(ApiModel):
    """The inventory in numbers; the most frequent type first."""

    total: int
    by_type: list[TypeCount]


class CostPoint(ApiModel):
    """The cost of one day."""

    date: str
    amount: Money


class Costs(ApiModel):
    """Costs of the connected accounts; null where no cost data was read."""

    month_to_date: Money | None
    last_month: Money | None
    forecast_month: Money | None
    series: list[CostPoint]


class Savings(ApiModel):
    """What was identified and realised. Unpriced findings are counted, never valued at 0."""

    identified_monthly: Money
    realised_to_date: Money
    unpriced_findings: int
    coverage_percent: float | None


class FindingCounts(ApiModel):
    """Open findings, and the five with the greatest saving."""

    open: int
    top: list[dict[str, Any]]


class WorkflowCounts(ApiModel):
    """Active workflows and their executions."""

    active: int
    executions_last_24h: int
    failed_last_24h: int


class ExperimentCounts(ApiModel):
    """Experiments of the lab."""

    running: int
    recent: int


class ApprovalCounts(ApiModel):
    """Approvals that wait for a decision."""

    pending: int


class Alert(ApiModel):
    """Something that needs attention, in the terms of system_alert (contract part 3)."""

    severity: Severity
    component: str
    status: str
    message: str


class Dashboard(ApiModel):
    """GET /client/dashboard."""

    setup_required: bool
    accounts: AccountCounts
    resources: ResourceCounts
    costs: Costs
    savings: Savings
    findings: FindingCounts
    workflows: WorkflowCounts
    experiments: ExperimentCounts
    approvals: ApprovalCounts
    alerts: list[Alert]
    generated_at: Timestamp


class Summary(ApiModel):
    """GET /client/summary."""

    setup_required: bool
    accounts_connected: int
    resources_total: int
    open_findings: int
    identified_monthly: Money
    pending_approvals: int
    month_to_date: Money | None
    generated_at: Timestamp


class ResourceView(ApiModel):
    """One resource of the inventory."""

    id: str
    arn: str
    type: str
    name: str | None
    account_id: AccountNumber
    region: str
    state: str | None
    tags: dict[str, str]
    first_seen_at: Timestamp
    last_seen_at: Timestamp


class ResourceList(PageFields):
    """GET /client/resources, newest first."""

    resources: list[ResourceView]


class Feature(ApiModel):
    """What Tidegate can do in the account, and what it lacks for it."""

    feature: str
    granted: bool
    missing_actions: list[str]
    denied_by: Literal["policy", "scp", "unknown"] | None = Field(
        description="null where nothing is missing; unknown where it was never tried."
    )


class Permissions(ApiModel):
    """GET /client/accounts/{id}/permissions: by the role's policies, else the last discovery."""

    account_id: AccountNumber
    tier: Tier
    features: list[Feature]
    delta_template: str | None = Field(
        description="A CloudFormation template (YAML) that adds just the missing actions."
    )
    checked_at: Timestamp
