"""Permission names and the roles that hold them (AUTH-15, AUTH-16)."""

from __future__ import annotations

from typing import Literal

Role = Literal["user", "client", "admin"]

# Markers for routes without a permission; a route must name one of these or a permission.
PUBLIC = "PUBLIC"
ANY_USER = "ANY_USER"

_VERBS: dict[str, dict[str, tuple[str, ...]]] = {
    "user": {
        "profile": ("read", "write"),
        "calendar": ("read", "write"),
        "integration": ("read", "write"),
        "communication": ("send",),
        "workflow": ("read", "create", "update", "delete", "execute"),
        "template": ("read", "create", "update", "delete"),
        "log": ("read",),
        "metrics": ("read",),
        "ai": ("route", "predict"),
        "lab": ("read", "write", "promote"),
        "pipeline": ("read",),
    },
    "client": {
        "account": ("read", "manage"),
        "finding": ("read", "manage"),
        "plan": ("create", "execute"),
        "approval": ("read", "decide"),
        "policy": ("read", "write"),
        "audit": ("read",),
        "pipeline": ("run",),
        "budget": ("write",),
    },
    "admin": {"admin": ("read", "write")},
    "owner": {"member": ("manage",)},
}


def _names(group: str) -> frozenset[str]:
    return frozenset(f"{noun}:{verb}" for noun, verbs in _VERBS[group].items() for verb in verbs)


USER_PERMISSIONS = _names("user")
CLIENT_PERMISSIONS = USER_PERMISSIONS | _names("client")
ADMIN_PERMISSIONS = USER_PERMISSIONS | _names("admin")
OWNER_PERMISSIONS = CLIENT_PERMISSIONS | _names("owner")
ALL_PERMISSIONS = CLIENT_PERMISSIONS | ADMIN_PERMISSIONS | OWNER_PERMISSIONS

_BY_ROLE: dict[str, frozenset[str]] = {
    "user": USER_PERMISSIONS,
    "client": CLIENT_PERMISSIONS,
    "admin": ADMIN_PERMISSIONS,
}
_RANK: tuple[Role, ...] = ("admin", "client", "user")


def permissions_of(roles: frozenset[str], *, is_owner: bool) -> frozenset[str]:
    """Every permission that these roles give (AUTH-15)."""
    held = frozenset().union(*(_BY_ROLE.get(role, frozenset()) for role in roles))
    return held | OWNER_PERMISSIONS if is_owner else held


def highest_role(roles: frozenset[str]) -> Role:
    """The role claim: highest of admin > client > user (AUTH-5)."""
    return next((role for role in _RANK if role in roles), "user")
