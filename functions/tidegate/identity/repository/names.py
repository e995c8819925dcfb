"""What a member is called: read and changed by the profile domain through `identity.public`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate_kit.auth.models import UserItem, user_key
from tidegate_kit.dynamo import Transaction, batch_get
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import UserScope

from tidegate.identity.addresses import canonical_username, username_key
from tidegate.identity.models import IdentityKeyItem

USERNAME_TAKEN = "username"  # the transaction item's name, found in ConditionFailed.names
_KEY = "KEY"


@dataclass(frozen=True)
class Names:
    """The names of a member."""

    email: str
    username: str | None
    first_name: str
    last_name: str
    company: str


def read_names(scope: UserScope) -> Names:
    """The names as stored, strongly consistent. Raises NotFound."""
    (user,) = batch_get([(UserItem, scope.tenant.pk, user_key(scope.user_id))])
    if user is None:
        raise NotFound
    return Names(user.email, user.username, user.first_name, user.last_name, user.company)


def add_rename(
    writes: Transaction, scope: UserScope, old: Names, new: Names, now: datetime
) -> None:
    """Add a change of username, first and last name to a transaction.

    ConditionFailed.names holds USERNAME_TAKEN if another account has the username, "names" if the
    user changed since `old` was read. Raises ValueError for an unusable username.
    """
    if new == old:
        return
    username = UserItem.username
    writes.update(
        UserItem(scope.tenant.pk, user_key(scope.user_id)),
        [
            UserItem.first_name.set(new.first_name),
            UserItem.last_name.set(new.last_name),
            username.set(new.username) if new.username is not None else username.remove(),
            UserItem.updated_at.set(now),
        ],
        (UserItem.email == old.email)
        & (username == old.username if old.username is not None else username.does_not_exist()),
        name="names",
    )
    before = username_key(canonical_username(old.username)) if old.username else None
    after = username_key(canonical_username(new.username)) if new.username else None
    if before == after:
        return
    if before is not None:
        writes.delete(IdentityKeyItem(before, _KEY), name="old username")
    if after is not None:
        key = IdentityKeyItem(
            after,
            _KEY,
            user_id=scope.user_id,
            tenant_id=scope.tenant_id,
            created_at=now,
            updated_at=now,
        )
        writes.save(key, IdentityKeyItem.pk.does_not_exist(), name=USERNAME_TAKEN)
