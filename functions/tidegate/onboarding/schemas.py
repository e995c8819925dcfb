"""Request and response bodies of contract 2.9."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Timestamp
from tidegate_kit.http.schema import Line

AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]{1,16}){1,2}-[0-9]{1,2}$")]
# An account of another partition cannot trust a role of this one (G6).
_OTHER_PARTITIONS = ("cn-", "us-gov-", "us-iso", "eu-isoe-")
Label = Annotated[Line, Field(min_length=1, max_length=2000)]
KeyText = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[\x21-\x7e]+$")]
RoleArnText = Annotated[str, Field(min_length=1, max_length=2000)]
ServiceName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]


def _distinct(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("holds a value twice")
    return values


def _of_this_partition(values: list[str]) -> list[str]:
    if any(value.startswith(_OTHER_PARTITIONS) for value in values):
        raise ValueError("names a region of another AWS partition")
    return _distinct(values)


Regions = Annotated[list[Region], Field(max_length=50), AfterValidator(_of_this_partition)]
Services = Annotated[
    list[ServiceName], Field(min_length=1, max_length=50), AfterValidator(_distinct)
]


class CreateBody(RequestModel):
    """Absent or empty `regions`: all that the account has enabled."""

    account_id: AccountId
    tier: Literal["read", "remediate"] = "read"
    regions: Regions | None = None
    label: Label | None = None


class VerifyBody(RequestModel):
    """Absent `role_arn`: the role that the template makes."""

    role_arn: RoleArnText | None = None


class CredentialsBody(RequestModel):
    """Long-lived access keys of an IAM user."""

    access_key_id: KeyText = Field(repr=False)
    secret_access_key: KeyText = Field(repr=False)
    account_id: AccountId | None = None
    regions: Regions | None = None
    label: Label | None = None


class RediscoverBody(RequestModel):
    """Absent: the account's regions, every service."""

    regions: Regions | None = None
    services: Services | None = None


class CheckOut(ApiModel):
    name: str
    outcome: Literal["pass", "fail"]
    detail: str


class RefusalOut(ApiModel):
    code: str
    fix: str


class RequestOut(ApiModel):
    """A request. The role's fields are null for accounts connected by access keys."""

    id: str
    account_id: str
    tier: str
    regions: list[str]
    label: str | None
    status: str
    connection_method: str
    external_id: str | None
    role_name: str | None
    template_url: str | None
    template_url_expires_at: Timestamp | None
    quick_create_url: str | None
    created_at: Timestamp


class RequestDetailOut(RequestOut):
    checks: list[CheckOut]
    refusal: RefusalOut | None


class RequestList(PageFields):
    requests: list[RequestDetailOut]


class RunOut(ApiModel):
    run_id: str | None
    status: str


class VerifiedOut(ApiModel):
    id: str
    account_id: str
    status: str
    role_arn: str
    checks: list[CheckOut]
    connected_at: Timestamp
    discovery: RunOut


class WarningOut(ApiModel):
    code: str
    message: str


class CredentialsOut(ApiModel):
    """A CLI Account (contract 2.8) with its discovery run and warnings."""

    id: str
    account_id: str
    label: str | None
    connection_method: str
    status: str
    tier: str
    regions: list[str]
    role_arn: str | None
    access_key_id: str | None
    refusal: RefusalOut | None
    resource_count: int | None
    created_at: Timestamp
    connected_at: Timestamp | None
    last_verified_at: Timestamp | None
    last_discovery_at: Timestamp | None
    discovery: RunOut
    warnings: list[WarningOut]


class ServiceOut(ApiModel):
    """`resource_count` is null where the service could not be read to its end (ONB-8)."""

    service: str
    status: Literal["pending", "ok", "partial", "denied", "skipped"]
    resource_count: int | None
    reason: str | None
    missing_actions: list[str]


class RegionOut(ApiModel):
    region: str
    services: list[ServiceOut]


class DiscoveryOut(ApiModel):
    id: str
    account_id: str
    run_id: str | None
    status: Literal["not_started", "running", "completed", "completed_with_gaps", "failed"]
    progress: int = Field(ge=0, le=100)
    started_at: Timestamp | None
    completed_at: Timestamp | None
    resources_found: int
    regions: list[RegionOut]


class RediscoverOut(ApiModel):
    id: str
    run_id: str
    status: Literal["running"]
