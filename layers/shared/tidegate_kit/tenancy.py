"""Tenant scope: the one way in which a tenant enters a key (design section 4.5, GEN-16)."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate_kit.errors import NotFound


def _safe(part: str) -> str:
    # '#' separates key parts, so a part holding one could reach into another key (B12).
    if not part or "#" in part:
        raise NotFound
    return part


@dataclass(frozen=True)
class TenantScope:
    """All data of one tenant."""

    tenant_id: str

    @property
    def pk(self) -> str:
        """Partition key prefix T#<tenant_id> (DATA-1)."""
        return f"T#{_safe(self.tenant_id)}"

    def user(self, user_id: str) -> UserScope:
        """The scope of one user of this tenant."""
        return UserScope(self.tenant_id, user_id)


@dataclass(frozen=True)
class UserScope:
    """The private data of one user."""

    tenant_id: str
    user_id: str

    @property
    def pk(self) -> str:
        """Partition key prefix T#<tenant_id>#U#<user_id> (DATA-1)."""
        return f"T#{_safe(self.tenant_id)}#U#{_safe(self.user_id)}"

    @property
    def tenant(self) -> TenantScope:
        """The scope of the user's tenant."""
        return TenantScope(self.tenant_id)


def key(*parts: str) -> str:
    """Join key parts with '#'; a part that holds the separator is refused as NotFound (B12)."""
    return "#".join(_safe(part) for part in parts)
