"""Builds the admin services on this deployment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from tidegate_kit.auth.principal import Principal
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.http import Call
from tidegate_kit.ids import new_id
from tidegate_kit.runtime_config import (
    RuntimeValues,
    read_runtime_config,
    write_runtime_config,
)
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.admin.deployment import AwsDeployment
from tidegate.admin.errors import ConfigChanged, TenantUnknown
from tidegate.admin.repository.tables import GlobalTables
from tidegate.admin.service import selftest
from tidegate.admin.settings import AdminSettings
from tidegate.governance import public as governance
from tidegate.identity.public import administration as identity
from tidegate.monitoring import public as monitoring


def settings() -> AdminSettings:
    """The settings of this process."""
    mine: AdminSettings = settings_of(AdminSettings)
    return mine


def people(call: Call) -> identity.AdminService:
    """Users and tenants, at the time of this call."""
    return identity.administration(lambda: call.now)


def deployment() -> AwsDeployment:
    """What runs."""
    mine = settings()
    # Functions that start for this call take their time: once, and no second try.
    return AwsDeployment(
        platform_client("apigatewayv2", mine.aws_region),
        platform_client("lambda", mine.aws_region),
        mine.http_api_id,
    )


@cache
def declared() -> tuple[selftest.Declared, ...]:
    """The manifest: every route of the published document."""
    return tuple(
        selftest.Declared(domain, method, path) for domain, method, path in monitoring.manifest()
    )


def tables() -> GlobalTables:
    """The tables of the deployment."""
    return GlobalTables()


def runtime_config() -> RuntimeValues:
    """What administrators have set."""
    return read_runtime_config()


def change_config(changes: Mapping[str, Any], call: Call) -> RuntimeValues:
    """Set values. Raises ConfigChanged when another administrator was faster."""
    made = write_runtime_config(read_runtime_config(), changes, call.principal.user_id, call.now)
    if made is None:
        raise ConfigChanged
    return made


def create_user(call: Call, wish: identity.UserWish) -> identity.UserItem:
    """A new user, audited where he belongs. Raises TenantUnknown, and as AdminService.create."""
    service = people(call)
    if wish.tenant_id is not None:
        try:
            service.tenant(wish.tenant_id)
        except NotFound:
            raise TenantUnknown from None
    target = wish.tenant_id or call.principal.tenant_id
    details = {"roles": sorted(wish.roles), "new_tenant": wish.tenant_id is None}
    enter(call, target, "admin.user.create", ("user", ""), details)
    return service.create(wish)


def audited_tenant(call: Call, tenant_id: str | None) -> str:
    """Whose log is read: entered in it, if it is another's. Raises NotFound."""
    if tenant_id is None or tenant_id == call.principal.tenant_id:
        return call.principal.tenant_id
    people(call).tenant(tenant_id)
    enter(call, tenant_id, "admin.audit.read", ("audit", tenant_id))
    return tenant_id


def enter_list(call: Call, tenant_id: str | None, action: str) -> None:
    """Enter that users were listed: in the tenant asked for, else in the administrator's own."""
    target = call.principal.tenant_id
    if tenant_id is not None:
        people(call).tenant(tenant_id)
        target = tenant_id
    enter(call, target, action, ("tenant", tenant_id or "all"))


def enter(
    call: Call,
    tenant_id: str,
    action: str,
    resource: tuple[str, str],
    details: Mapping[str, Any] | None = None,
    clock: Clock = system_clock,
) -> None:
    """Enter an administrator's act in the log of the tenant that it is about (ADM-2).

    Before the act: what dies on the way was still tried, and nothing is done unseen.
    """
    who: Principal = call.principal
    act = governance.AuditAct(
        source_id=new_id(),
        at=clock(),
        actor=governance.Actor("user", who.user_id, who.email, call.client_ip),
        action=action,
        resource_type=resource[0],
        resource_id=resource[1],
        request_id=call.request_id,
        details=json.loads(json.dumps(details or {})),
    )
    governance.record_audit(TenantScope(tenant_id), [act])
