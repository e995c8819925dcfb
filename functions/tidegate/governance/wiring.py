"""Builds the services of one tenant. Knows nothing of HTTP, and nothing of workflows."""

from __future__ import annotations

import random
import time
from functools import cache, partial

from tidegate_kit.clients import kms_sealer, platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.ids import new_id
from tidegate_kit.observability import identify
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.governance.domain import PolicyPrincipal
from tidegate.governance.repository.approvals import Approvals, DynamoApprovals
from tidegate.governance.repository.audit import (
    AuditLog,
    DynamoAudit,
    DynamoAuditKeys,
    S3Checkpoints,
)
from tidegate.governance.repository.decisions import Decisions, DynamoDecisions
from tidegate.governance.repository.erasure import Erasure
from tidegate.governance.repository.policies import DynamoPolicies
from tidegate.governance.service.approvals import ApprovalService, Member
from tidegate.governance.service.audit import AuditService
from tidegate.governance.service.deciding import Deciding
from tidegate.governance.service.policies import PolicyService
from tidegate.governance.service.simulation import Simulation
from tidegate.governance.settings import AuditSettings, TaskSettings
from tidegate.governance.vault import AuditVault
from tidegate.identity import public as identity


def start_task() -> None:
    """What a function without HTTP needs before its first read; once per process."""
    _configure(settings_of(TaskSettings))


@cache
def _configure(settings: TaskSettings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "governance")


def policies_of(scope: TenantScope, clock: Clock = system_clock) -> PolicyService:
    """The tenant's policies."""
    store = DynamoPolicies(scope)
    return PolicyService(scope.tenant_id, store, partial(_is_member, scope), clock, new_id)


def deciding_of(scope: TenantScope, clock: Clock = system_clock) -> Deciding:
    """What decides by the tenant's policies."""
    return Deciding(policies_of(scope, clock).all, decisions_of(scope), clock, new_id)


def simulation_of(scope: TenantScope, clock: Clock = system_clock) -> Simulation:
    """What replays the tenant's decisions."""
    return Simulation(policies_of(scope, clock), decisions_of(scope), clock)


def approvals_of(scope: TenantScope, clock: Clock = system_clock) -> ApprovalService:
    """The tenant's approvals of plans and model promotions."""
    return ApprovalService(approval_store(scope), partial(member_of, scope), clock)


def approval_store(scope: TenantScope) -> Approvals:
    """Where they are kept."""
    return DynamoApprovals(scope)


def decisions_of(scope: TenantScope) -> Decisions:
    """The tenant's recorded decisions."""
    return DynamoDecisions(scope)


def audit_of(scope: TenantScope, clock: Clock = system_clock) -> AuditService:
    """The tenant's audit log."""
    settings = settings_of(AuditSettings)
    client = platform_client("s3", settings.aws_region)
    copies = S3Checkpoints(scope, client, settings.data_bucket)
    return AuditService(
        audit_log(scope, clock), copies, audit_keys(scope, clock), partial(_email_of, scope), _wait
    )


def _wait(attempt: int) -> None:
    """Spread those who append at once."""
    time.sleep(random.uniform(0, 0.01 * min(attempt, 20)))  # noqa: S311 - no secret


def audit_log(scope: TenantScope, clock: Clock = system_clock) -> AuditLog:
    """Its rows."""
    return DynamoAudit(scope, clock)


def audit_keys(scope: TenantScope, clock: Clock = system_clock) -> AuditVault:
    """Its secret key."""
    sealer = kms_sealer(settings_of(Settings))
    return AuditVault(scope.tenant_id, DynamoAuditKeys(scope, clock), sealer)


def erasure_of(scope: TenantScope) -> Erasure:
    """What removes everything of the tenant."""
    settings = settings_of(AuditSettings)
    return Erasure(scope, platform_client("s3", settings.aws_region), settings.data_bucket)


def _email_of(scope: TenantScope, user_id: str) -> str:
    found = None if "#" in user_id else identity.member(scope, user_id)
    return "" if found is None else found.email


def principal_of(scope: TenantScope, user_id: str) -> PolicyPrincipal | None:
    """A member as policies see him; None where there is no active one."""
    found = member_of(scope, user_id)
    if found is None or not found.is_active:
        return None
    return PolicyPrincipal(found.user_id, roles_of(found.roles, found.is_owner), found.email)


def roles_of(roles: frozenset[str], is_owner: bool) -> tuple[str, ...]:
    """The roles that policies see: an owner is also a client, everybody a user (AUTH-15)."""
    extra = {"client", "owner"} if is_owner else set()
    return tuple(sorted({"user", *roles, *extra}))


def member_of(scope: TenantScope, user_id: str) -> Member | None:
    """A member as stored now; None where there is none."""
    found = identity.member(scope, user_id)
    if found is None:
        return None
    return Member(found.id, found.email, found.roles, found.is_owner, found.is_active)


def _is_member(scope: TenantScope, user_id: str) -> bool:
    # Text from a policy is not yet known to be an id: whatever cannot be a key names nobody.
    return "#" not in user_id and bool(user_id) and identity.member(scope, user_id) is not None
