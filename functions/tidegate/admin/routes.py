"""Routes of contract 2.15. Every one is for administrators, and every act is audited (ADM-2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Response
from pydantic import AwareDatetime
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId, Router
from tidegate_kit.tenancy import TenantScope

from tidegate.admin import answers, errors, overview, schemas, wiring
from tidegate.admin.service import config as configuration
from tidegate.admin.service import selftest, stores
from tidegate.governance import public as governance
from tidegate.identity.public import administration as identity
from tidegate.monitoring.public import web as monitoring

router = Router("admin")
_READ, _WRITE = "admin:read", "admin:write"
_USER_ERRORS = [identity.LastAdmin, identity.LastOwner]
TenantFilter = Annotated[str | None, Query(pattern=r"^[0-9a-f-]{36}$")]
Filter = Annotated[str | None, Query(min_length=1, max_length=254)]


@router.get("/admin/users", permission=_READ)
def users(
    call: CurrentCall,
    page: Annotated[PageParams, Depends()],
    q: Filter = None,
    role: Annotated[schemas.Role | None, Query()] = None,
    is_active: bool | None = None,
    tenant_id: TenantFilter = None,
) -> schemas.UserList:
    """Users of every tenant, newest first; `q` looks into e-mail and names."""
    wanted = identity.UserFilter(q, role, is_active, tenant_id)
    wiring.enter_list(call, tenant_id, "admin.users.list")
    found = wiring.people(call).users(wanted)
    rows, fields = Paging(call, page, vars(wanted)).slice(found)
    return schemas.UserList(users=[schemas.UserModel.shown(one) for one in rows], **fields)


@router.post(
    "/admin/users", permission=_WRITE, status=201, idempotent=True,
    errors=[identity.EmailAlreadyRegistered, errors.TenantUnknown],
)  # fmt: skip
def create_user(body: schemas.CreateUser, call: CurrentCall) -> schemas.UserModel:
    """A user of an existing tenant, or the owner of a new one."""
    wish = identity.UserWish(
        body.email, body.password.get_secret_value(), body.first_name, body.last_name,
        body.username, frozenset(body.roles), body.tenant_id, body.company, call.effect_key,
    )  # fmt: skip
    made = wiring.create_user(call, wish)
    return schemas.UserModel.shown(made)


@router.get("/admin/users/{user_id}", permission=_READ)
def user(user_id: PathId, call: CurrentCall) -> schemas.UserModel:
    """One user."""
    found = wiring.people(call).user(user_id)
    wiring.enter(call, found.tenant_id, "admin.user.read", ("user", user_id))
    return schemas.UserModel.shown(found)


@router.put(
    "/admin/users/{user_id}", permission=_WRITE, errors=[*_USER_ERRORS, identity.UsernameTaken]
)
def change_user(user_id: PathId, body: schemas.ChangeUser, call: CurrentCall) -> schemas.UserModel:
    """Change what is sent; another password, role or state ends the user's sessions."""
    people = wiring.people(call)
    names = sorted(body.model_fields_set)
    tenant_id = people.user(user_id).tenant_id
    wiring.enter(call, tenant_id, "admin.user.change", ("user", user_id), {"fields": names})
    wish = identity.UserChange(
        body.first_name, body.last_name, body.username,
        body.password.get_secret_value() if body.password else None,
        frozenset(body.roles) if body.roles is not None else None, body.is_active,
    )  # fmt: skip
    return schemas.UserModel.shown(people.change(user_id, wish, call.principal.user_id))


@router.delete("/admin/users/{user_id}", permission=_WRITE, errors=_USER_ERRORS)
def delete_user(user_id: PathId, call: CurrentCall) -> schemas.Deleted:
    """Remove a user: his sessions end at once, then his personal data is erased (ADM-1)."""
    people = wiring.people(call)
    tenant_id = people.user(user_id).tenant_id
    wiring.enter(call, tenant_id, "admin.user.delete", ("user", user_id))
    people.delete(user_id, call.principal.user_id)
    return schemas.Deleted(id=user_id)


@router.get("/admin/tenants", permission=_READ)
def tenants(call: CurrentCall, page: Annotated[PageParams, Depends()]) -> schemas.TenantList:
    """Every tenant, newest first."""
    rows, fields = Paging(call, page, {}).slice(wiring.people(call).tenants())
    shown = [schemas.TenantModel.of(one, overview.accounts_of(one.id)) for one in rows]
    return schemas.TenantList(tenants=shown, **fields)


@router.get("/admin/tenants/{tenant_id}", permission=_READ)
def tenant(tenant_id: PathId, call: CurrentCall) -> schemas.TenantModel:
    """One tenant."""
    found = wiring.people(call).tenant(tenant_id)
    wiring.enter(call, tenant_id, "admin.tenant.read", ("tenant", tenant_id))
    return schemas.TenantModel.of(found, overview.accounts_of(tenant_id))


@router.patch("/admin/tenants/{tenant_id}", permission=_WRITE)
def change_tenant(
    tenant_id: PathId, body: schemas.ChangeTenant, call: CurrentCall
) -> schemas.TenantModel:
    """Rename a tenant or switch it on or off; members of one that is off get 401 at once."""
    people = wiring.people(call)
    people.tenant(tenant_id)
    details = body.model_dump(exclude_unset=True)
    wiring.enter(call, tenant_id, "admin.tenant.change", ("tenant", tenant_id), details)
    changed = people.change_tenant(tenant_id, body.name, body.is_active)
    return schemas.TenantModel.of(changed, overview.accounts_of(tenant_id))


@router.get("/admin/dashboard", permission=_READ)
def platform_dashboard(call: CurrentCall) -> schemas.Dashboard:
    """The platform at a glance."""
    return overview.dashboard(wiring.people(call).tenants(), call.now)


@router.get("/admin/system", permission=_READ)
def system(call: CurrentCall) -> schemas.System:
    """The platform's numbers, and how long its certificate lasts."""
    certificate = schemas.CertificateModel(**vars(monitoring.certificate(call)))
    return schemas.System(**monitoring.platform_numbers(call), certificate=certificate)


@router.get("/admin/health", permission=_READ)
def platform_health(call: CurrentCall, response: Response) -> schemas.AdminHealth:
    """Health with the identity of every table: as configured, and as reached.

    503 when unhealthy or when a table is not the configured one, with this body and the error.
    """
    body = monitoring.health(call, response)
    states = stores.examine(call.settings, overview.TABLES, wiring.tables())
    users = sum(int(one.user_count) for one in wiring.people(call).tenants())
    return answers.health(call, response, body, states, users)


@router.get("/admin/self-test", permission=_READ)
def self_test(call: CurrentCall) -> schemas.SelfTest:
    """Whether every declared route is mounted, deployed and answered."""
    return answers.self_test(selftest.examine(wiring.declared(), wiring.deployment()))


@router.get("/admin/config", permission=_READ)
def config(call: CurrentCall) -> schemas.Config:
    """What is in force, and where it comes from; secrets show as ***."""
    return answers.config(configuration.effective(wiring.settings(), wiring.runtime_config()))


@router.put(
    "/admin/config", permission=_WRITE, errors=[errors.ConfigChanged, errors.SettingUnusable]
)
def change_config(body: schemas.ChangeConfig, call: CurrentCall) -> schemas.Config:
    """Change what can be changed while the platform runs; null takes a value back."""
    changes = body.model_dump(mode="json", exclude_unset=True)
    configuration.check(changes)
    details = {"fields": sorted(changes)}
    wiring.enter(
        call, call.principal.tenant_id, "admin.config.change", ("config", "runtime"), details
    )
    chosen = wiring.change_config(changes, call)
    return answers.config(configuration.effective(wiring.settings(), chosen))


@router.get("/admin/audit", permission=_READ)
def audit(
    call: CurrentCall,
    page: Annotated[PageParams, Depends()],
    from_: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    to: AwareDatetime | None = None,
    actor: Filter = None,
    action: Filter = None,
    tenant_id: TenantFilter = None,
    verify: bool = False,
) -> schemas.AuditList:
    """The audit log of a tenant, newest first; without `tenant_id` that of the caller's own."""
    target = wiring.audited_tenant(call, tenant_id)
    filters = governance.AuditFilters(from_, to, actor, action)
    paging = Paging(call, page, {**vars(filters), "tenant_id": target})
    log = governance.audit_log(TenantScope(target))
    rows, total, next_key = log.page(filters, paging.skip, paging.page_size, paging.start)
    return answers.audit_page(log, rows, paging.fields(total, next_key), verify=verify)
