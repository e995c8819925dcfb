"""What other domains may use of onboarding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from tidegate_kit.aws_session import CustomerAccess, CustomerSession, Purpose
from tidegate_kit.clients import kms_sealer, platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tidegate.onboarding import service
from tidegate.onboarding.copies import S3TemplateCopies
from tidegate.onboarding.credentials import open_keys
from tidegate.onboarding.domain import Method, Refusal, Registration, Status, Tier
from tidegate.onboarding.repository import DynamoRegistrations, change
from tidegate.onboarding.template import template_source

__all__ = [
    "Connection",
    "ConnectionWarning",
    "Refusal",
    "connection",
    "connections",
    "customer_template",
    "disconnect",
    "forget_tenant",
    "mark_discovered",
    "open_session",
]

_LONG_LIVED = (
    "These access keys do not expire. A role with an External ID is safer: create an onboarding "
    "request and deploy its stack."
)
_DUE = "These access keys are older than 90 days. Make new ones and send them."
_BROAD = "These access keys may do nearly everything. Use keys of a user that may only read."


class DataSettings(Protocol):
    """Settings of a caller that reaches the data bucket."""

    @property
    def aws_region(self) -> str:
        """The platform's region."""

    @property
    def data_bucket(self) -> str:
        """The bucket of templates and inventories."""


@dataclass(frozen=True)
class ConnectionWarning:
    """Something about a connection that its owner should change."""

    code: str
    message: str


@dataclass(frozen=True)
class Connection:
    """One AWS account of one tenant. `regions` empty: all that the account has enabled."""

    id: str
    tenant_id: str
    account_id: str
    method: Method
    role_arn: str | None
    external_id: str | None
    regions: tuple[str, ...]
    tier: Tier
    status: Status
    label: str | None
    created_at: datetime
    connected_at: datetime | None
    last_verified_at: datetime | None
    refusal: Refusal | None
    access_key_id_masked: str | None
    last_discovery_run_id: str | None
    last_discovery_at: datetime | None
    warnings: tuple[ConnectionWarning, ...]


def connection(
    scope: TenantScope, onboarding_id: str, clock: Clock = system_clock
) -> Connection | None:
    """One registration that is not disconnected."""
    found = DynamoRegistrations(scope).get(onboarding_id)
    if found is None or found.status == "disconnected":
        return None
    return connection_of(found, clock())


def connections(scope: TenantScope, clock: Clock = system_clock) -> list[Connection]:
    """Every registration that is not disconnected, newest first."""
    now = clock()
    found = DynamoRegistrations(scope).all()
    return [connection_of(r, now) for r in found if r.status != "disconnected"]


def open_session(
    settings: Settings, opened: Connection, *, purpose: Purpose, policy: str | None
) -> CustomerSession:
    """A session in the customer's account, cut down by `policy` where a role is assumed.

    Raises NotFound where there is nothing to open, AccessDeniedByAccount, SealBroken,
    ServiceUnavailable.
    """
    access = CustomerAccess(settings, opened.tenant_id)
    if opened.method == "role":
        if opened.role_arn is None or opened.external_id is None:
            raise NotFound
        return access.assume(opened.role_arn, opened.external_id, purpose=purpose, policy=policy)
    stored = DynamoRegistrations(TenantScope(opened.tenant_id)).get(opened.id)
    if stored is None or stored.sealed_keys is None:
        raise NotFound
    keys = open_keys(kms_sealer(settings), stored)
    return access.with_keys(*keys, account_id=opened.account_id)


def disconnect(
    settings: Settings, scope: TenantScope, onboarding_id: str, *, actor: str, clock: Clock
) -> Connection:
    """Disconnect an account: status, claim, slot and keys in one transaction (CLI-2).

    Raises NotFound when there is none, or it is disconnected already.
    """
    del settings  # the table is the process's own; kept for callers that will pass another one
    now = clock()
    done = service.disconnect(DynamoRegistrations(scope), onboarding_id, actor, now)
    return connection_of(done, now)


def forget_tenant(
    settings: DataSettings, scope: TenantScope, *, actor: str, clock: Clock
) -> list[str]:
    """Remove all that onboarding keeps of a deleted tenant (G25); its AWS account ids.

    Discovery's inventory of those accounts is the caller's to delete.
    """
    copies = S3TemplateCopies(platform_client("s3", settings.aws_region), settings.data_bucket)
    return service.forget_tenant(DynamoRegistrations(scope), copies, actor, clock())


def mark_discovered(scope: TenantScope, onboarding_id: str, run_id: str, at: datetime) -> None:
    """Note the end of a discovery run; a disconnected or absent registration stays as it is."""

    def step(old: Registration) -> Registration:
        newer = old.last_discovery_at is not None and old.last_discovery_at >= at
        if old.status == "disconnected" or newer:
            return old
        return replace(old, last_discovery_run_id=run_id, last_discovery_at=at)

    store = DynamoRegistrations(scope)
    if store.get(onboarding_id) is not None:
        change(store, onboarding_id, step)


def customer_template() -> str:
    """The CloudFormation template that customers deploy, as YAML without values."""
    return template_source()


def connection_of(registration: Registration, now: datetime) -> Connection:
    """A registration as other domains see it."""
    return Connection(
        id=registration.id,
        tenant_id=registration.tenant_id,
        account_id=registration.account_id,
        method=registration.method,
        role_arn=registration.role_arn,
        external_id=registration.external_id,
        regions=registration.regions,
        tier=registration.tier,
        status=registration.shown_status(now),
        label=registration.label,
        created_at=registration.created_at,
        connected_at=registration.connected_at,
        last_verified_at=registration.last_verified_at,
        refusal=registration.refusal,
        access_key_id_masked=registration.access_key_masked,
        last_discovery_run_id=registration.last_discovery_run_id,
        last_discovery_at=registration.last_discovery_at,
        warnings=warnings_of(registration, now),
    )


def warnings_of(
    registration: Registration, now: datetime, *, over_privileged: bool = False
) -> tuple[ConnectionWarning, ...]:
    """What is to be said of long-lived keys (ONB-7, G20)."""
    if registration.method != "credentials":
        return ()
    found = [ConnectionWarning("LONG_LIVED_KEYS", _LONG_LIVED)]
    if over_privileged:
        found.append(ConnectionWarning("OVER_PRIVILEGED_KEYS", _BROAD))
    if registration.keys_due(now):
        found.append(ConnectionWarning("KEYS_DUE_FOR_ROTATION", _DUE))
    return tuple(found)
