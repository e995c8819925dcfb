"""What other domains may ask of identity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate_kit.auth.models import UserItem
from tidegate_kit.auth.permissions import permissions_of
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope

from tidegate.identity.addresses import canonical_username
from tidegate.identity.repository.accounts import GlobalAccounts
from tidegate.identity.repository.members import DynamoMembers
from tidegate.identity.repository.names import USERNAME_TAKEN, Names, add_rename, read_names

__all__ = [
    "USERNAME_TAKEN",
    "MemberView",
    "Names",
    "add_rename",
    "canonical_username",
    "member",
    "read_names",
    "tenant_exists",
    "tenant_is_active",
    "tenants",
]


@dataclass(frozen=True)
class MemberView:
    """A member as stored now."""

    id: str
    tenant_id: str
    email: str
    first_name: str
    last_name: str
    roles: frozenset[str]
    is_owner: bool
    is_active: bool

    @property
    def permissions(self) -> frozenset[str]:
        """Every permission held; none for an inactive member."""
        if not self.is_active:
            return frozenset()
        return permissions_of(self.roles, is_owner=self.is_owner)


def member(scope: TenantScope, user_id: str) -> MemberView | None:
    """A member of this tenant by a consistent read; None where there is no such member."""
    try:
        return _view(DynamoMembers(scope).get(user_id))
    except NotFound:
        return None


def tenants() -> Iterator[TenantScope]:
    """Every tenant, for schedules; inactive ones too (see `tenant_is_active`)."""
    for tenant_id in GlobalAccounts().tenant_ids():
        yield TenantScope(tenant_id)


def tenant_exists(scope: TenantScope) -> bool:
    """False for an unknown or deleted tenant."""
    return DynamoMembers(scope).tenant() is not None


def tenant_is_active(scope: TenantScope) -> bool:
    """False for a switched-off or unknown tenant."""
    tenant = DynamoMembers(scope).tenant()
    return tenant is not None and tenant.is_active


def _view(user: UserItem) -> MemberView:
    return MemberView(
        id=user.id, tenant_id=user.tenant_id, email=user.email, first_name=user.first_name,
        last_name=user.last_name, roles=frozenset(user.roles or {"user"}),
        is_owner=user.is_owner, is_active=user.is_active,
    )  # fmt: skip
