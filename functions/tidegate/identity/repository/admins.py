"""The set of active administrators: one global item.

So two administrators who demote each other at once cannot both succeed (LAST_ADMIN).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import size
from tidegate_kit.auth.models import UserItem
from tidegate_kit.dynamo import Transaction

from tidegate.identity.models import AdminsItem

ADMIN = "admin"
_KEY = ("ADMINS", "ALL")


def is_admin(user: UserItem) -> bool:
    """True for an active administrator."""
    return ADMIN in (user.roles or ()) and bool(user.is_active)


def count_admin(writes: Transaction, user_id: str, *, was: bool, will: bool, now: datetime) -> None:
    """Keep the set in step with a change of one user.

    Taking the last one away fails under the name "admins".
    """
    if was == will:
        return
    stamp = [
        AdminsItem.schema_version.set(1),
        AdminsItem.created_at.set(AdminsItem.created_at | now),
        AdminsItem.updated_at.set(now),
    ]
    if will:
        writes.update(AdminsItem(*_KEY), [AdminsItem.ids.add({user_id}), *stamp], name="grant")
        return
    taken = AdminsItem.ids.delete({user_id})
    others: Any = size(AdminsItem.ids) > 1  # type: ignore[no-untyped-call]
    writes.update(AdminsItem(*_KEY), [taken, *stamp], others, name="admins")
