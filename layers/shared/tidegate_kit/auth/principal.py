"""The one Principal that every protected route sees (IMP-18)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tidegate_kit.auth.permissions import permissions_of
from tidegate_kit.tenancy import TenantScope, UserScope


@dataclass(frozen=True)
class Principal:
    """A signed-in member, as the store knows him now (AUTH-7)."""

    user_id: str
    tenant_id: str
    email: str
    roles: frozenset[str]
    is_owner: bool
    session_id: str | None
    token_id: str
    issued_at: datetime
    via: Literal["bearer", "cookie"]
    list_key: bytes = field(repr=False)

    @property
    def permissions(self) -> frozenset[str]:
        """Every permission held."""
        return permissions_of(self.roles, is_owner=self.is_owner)

    @property
    def tenant(self) -> TenantScope:
        """Scope for tenant data."""
        return TenantScope(self.tenant_id)

    @property
    def user(self) -> UserScope:
        """Scope for private data."""
        return UserScope(self.tenant_id, self.user_id)
