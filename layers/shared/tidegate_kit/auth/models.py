"""Items of the identity table that every function reads to authenticate a call (AUTH-7).

Owned and written by the identity domain alone; they live here because the authenticator of every
function reads them. Layout (table `identity`):

- tenant   pk T#<tid>            sk TENANT
- user     pk T#<tid>            sk USER#<uid>
- session  pk T#<tid>            sk USER#<uid>#SESSION#<sid>
- key      pk SIGNING_KEYS       sk KEY#<kid>      (global)
- pointer  pk USERID#<uid>       sk KEY            (global: user id -> tenant)
"""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)

from tidegate_kit.dynamo import Table

TABLE = "identity"


class IdentityTable(Table):
    """Every item of the table; also of those that only the identity domain reads."""

    class Meta:
        table_name = TABLE


class TenantItem(IdentityTable):
    """A tenant."""

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    is_active = BooleanAttribute(default=True)
    user_count = NumberAttribute(default=0)
    owner_count = NumberAttribute(default=0)
    # Encrypts list cursors of this tenant (B10, B17); guards no data.
    list_key = BinaryAttribute(legacy_encoding=False)


class UserItem(IdentityTable):
    """A member of one tenant."""

    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    email = UnicodeAttribute()
    username = UnicodeAttribute(null=True)
    password_hash = UnicodeAttribute()
    first_name = UnicodeAttribute()
    last_name = UnicodeAttribute()
    company = UnicodeAttribute()
    is_active = BooleanAttribute(default=True)
    is_owner = BooleanAttribute(default=False)
    roles = UnicodeSetAttribute(default=set)
    tokens_valid_from = UTCDateTimeAttribute()
    # Who made the last change of role, state or ownership; the audit log derives from it.
    updated_by = UnicodeAttribute(null=True)
    reset_hash = UnicodeAttribute(null=True)
    reset_expires_at = UTCDateTimeAttribute(null=True)

    @classmethod
    def upgrade(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {**_BEFORE_VERSION_1, "tokens_valid_from": _joined(data), **data}


# What a user record without them means: records older than the attribute.
_BEFORE_VERSION_1: dict[str, Any] = {
    "is_active": {"BOOL": True},
    "is_owner": {"BOOL": False},
    "roles": {"SS": ["user"]},
    "first_name": {"S": ""},
    "last_name": {"S": ""},
    "company": {"S": ""},
    "password_hash": {"S": "!"},  # nobody's: only a reset helps
    "created_at": {"S": "1970-01-01T00:00:00.000000+0000"},
}


def _joined(data: dict[str, Any]) -> dict[str, str]:
    joined: dict[str, str] = data.get("created_at", _BEFORE_VERSION_1["created_at"])
    return joined


class SessionItem(IdentityTable):
    """A session = a refresh-token family (AUTH-8). TTL: attribute `expires`."""

    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    refresh_hash = UnicodeAttribute()
    csrf_key = BinaryAttribute(legacy_encoding=False)
    ip = UnicodeAttribute()
    user_agent = UnicodeAttribute()
    last_used_at = UTCDateTimeAttribute()
    absolute_expires_at = UTCDateTimeAttribute()
    revoked_at = UTCDateTimeAttribute(null=True)
    expires = NumberAttribute()


class SigningKeyItem(IdentityTable):
    """A public signing key and its place in the rotation (AUTH-10)."""

    kid = UnicodeAttribute()
    x = UnicodeAttribute()
    y = UnicodeAttribute()
    # published -> active -> retired; compromised at once refuses (A20)
    status = UnicodeAttribute()
    active_from = UTCDateTimeAttribute()
    retire_after = UTCDateTimeAttribute(null=True)


class UserPointerItem(IdentityTable):
    """Global: which tenant a user id belongs to."""

    user_id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()


def user_key(user_id: str) -> str:
    """Sort key of a user."""
    return f"USER#{user_id}"


def session_key(user_id: str, session_id: str) -> str:
    """Sort key of a session; starts with the user's, so one query lists a user's sessions."""
    return f"USER#{user_id}#SESSION#{session_id}"
