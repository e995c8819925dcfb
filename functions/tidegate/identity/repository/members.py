"""The members of one tenant: reads, role and state changes, removal, passwords."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tidegate_kit.auth.models import TenantItem, UserItem, UserPointerItem, user_key
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope

from tidegate.identity.errors import LastAdmin, LastOwner
from tidegate.identity.models import MemberListingItem
from tidegate.identity.repository.accounts import identity_keys, member_listing, still, still_active
from tidegate.identity.repository.admins import ADMIN, count_admin, is_admin
from tidegate.identity.repository.erasures import erasure


class MemberChanged(Exception):
    """The member was changed by someone else between read and write: read again."""


@dataclass(frozen=True)
class Page:
    """Members newest first, how many there are, and where the next page starts."""

    members: list[UserItem]
    total: int
    next_key: dict[str, Any] | None = field(default=None)


@dataclass(frozen=True)
class NewState:
    """What a member is to be. Older sessions end with every change (AUTH-13)."""

    roles: frozenset[str]
    is_active: bool
    is_owner: bool
    changed_by: str | None = field(default=None, compare=False)


class Members(Protocol):
    """The users of one tenant."""

    def tenant(self) -> TenantItem | None:
        """The tenant itself."""

    def get(self, user_id: str) -> UserItem:
        """Raises NotFound."""

    def page(self, skip: int, size: int, start: dict[str, Any] | None) -> Page:
        """One page; `start` is the `next_key` of the page before."""

    def change(self, user: UserItem, state: NewState, now: datetime) -> None:
        """Write a new state over `user` as read. Raises LastOwner or MemberChanged."""

    def remove(self, user: UserItem, now: datetime, by: str = "platform") -> None:
        """Remove a member and free its names. Raises LastAdmin, LastOwner or MemberChanged."""

    def set_password(self, user: UserItem, new_hash: str, now: datetime) -> bool:
        """Replace the password of `user` as read, ending sessions and resets; False if changed."""

    def use_reset(self, user_id: str, reset_hash: str, new_hash: str, now: datetime) -> bool:
        """As set_password, by an unexpired reset token's hash, once; False if it is none."""

    def offer_reset(self, user_id: str, reset_hash: str, until: datetime, now: datetime) -> bool:
        """Keep a reset token's hash, voiding an older one; False for an inactive member."""

    def end_sessions(self, user_id: str, now: datetime) -> None:
        """Refuse every session that began before now."""


class DynamoMembers:
    """Members on DynamoDB."""

    def __init__(self, scope: TenantScope) -> None:
        self._pk = scope.pk

    def tenant(self) -> TenantItem | None:
        (found,) = batch_get([(TenantItem, self._pk, "TENANT")])
        return found

    def get(self, user_id: str) -> UserItem:
        (found,) = batch_get([(UserItem, self._pk, user_key(user_id))])
        if found is None:
            raise NotFound
        return found

    def page(self, skip: int, size: int, start: dict[str, Any] | None) -> Page:
        tenant = self.tenant()
        total = int(tenant.user_count) if tenant is not None else 0
        if skip >= total:
            return Page([], total)
        condition: Any = MemberListingItem.sk.startswith("MEMBER#")
        if start is not None:
            condition = MemberListingItem.sk.between("MEMBER#", start["before"])
        with store_errors():
            rows = list(
                MemberListingItem.query(
                    self._pk,
                    condition,
                    scan_index_forward=False,
                    # One for the row of `start` itself, one to see whether more follow.
                    limit=skip + size + 2,
                    consistent_read=True,
                )
            )
        rows = [row for row in rows if start is None or row.sk != start["before"]]
        wanted = rows[skip : skip + size]
        more = len(rows) > skip + size
        found = batch_get([(UserItem, self._pk, user_key(row.user_id)) for row in wanted])
        return Page(
            [user for user in found if user is not None],
            total,
            {"before": wanted[-1].sk} if more and wanted else None,
        )

    def change(self, user: UserItem, state: NewState, now: datetime) -> None:
        writes = Transaction()
        writes.update(
            UserItem(self._pk, user.sk),
            [
                UserItem.roles.set(set(state.roles)),
                UserItem.is_active.set(state.is_active),
                UserItem.is_owner.set(state.is_owner),
                UserItem.updated_by.set(state.changed_by or "platform"),
                UserItem.tokens_valid_from.set(now),
                UserItem.updated_at.set(now),
            ],
            _as_read(user),
            name="user",
        )
        will = ADMIN in state.roles and state.is_active
        count_admin(writes, user.id, was=is_admin(user), will=will, now=now)
        owners = int(state.is_owner and state.is_active) - _counts_as_owner(user)
        self._count(writes, 0, owners, now)
        _commit(writes)

    def remove(self, user: UserItem, now: datetime, by: str = "platform") -> None:
        writes = Transaction()
        # The names as read are the keys that are freed, so they must still hold too.
        named = (UserItem.email == user.email) & _same_username(user)
        writes.delete(UserItem(self._pk, user.sk), _as_read(user) & named, name="user")
        writes.delete(UserPointerItem(f"USERID#{user.id}", "KEY"))
        writes.delete(member_listing(user))
        for _, item in identity_keys(user):
            writes.delete(item)
        count_admin(writes, user.id, was=is_admin(user), will=False, now=now)
        # Whoever erases what else is known of him finds him here, also after a death (ADM-1).
        writes.save(erasure(user.tenant_id, user.id, by, now))
        self._count(writes, -1, -_counts_as_owner(user), now)
        _commit(writes)

    def _count(self, writes: Transaction, users: int, owners: int, now: datetime) -> None:
        if not users and not owners:
            return
        writes.update(
            TenantItem(self._pk, "TENANT"),
            [
                TenantItem.user_count.add(users),
                TenantItem.owner_count.add(owners),
                TenantItem.updated_at.set(now),
            ],
            TenantItem.owner_count > 1 if owners < 0 else TenantItem.pk.exists(),
            name="owners",
        )

    def set_password(self, user: UserItem, new_hash: str, now: datetime) -> bool:
        return self._replace_password(
            user.id, new_hash, now, UserItem.password_hash == user.password_hash
        )

    def use_reset(self, user_id: str, reset_hash: str, new_hash: str, now: datetime) -> bool:
        return self._replace_password(
            user_id,
            new_hash,
            now,
            (UserItem.reset_hash == reset_hash)
            & (UserItem.reset_expires_at > now)
            & still_active(),
        )

    def _replace_password(self, user_id: str, new_hash: str, now: datetime, when: Any) -> bool:
        try:
            with store_errors():
                UserItem(self._pk, user_key(user_id)).update(
                    actions=[
                        UserItem.password_hash.set(new_hash),
                        UserItem.tokens_valid_from.set(now),
                        UserItem.reset_hash.remove(),
                        UserItem.reset_expires_at.remove(),
                        UserItem.updated_at.set(now),
                    ],
                    condition=when,
                )
        except ConditionFailed:
            return False
        return True

    def offer_reset(self, user_id: str, reset_hash: str, until: datetime, now: datetime) -> bool:
        try:
            with store_errors():
                UserItem(self._pk, user_key(user_id)).update(
                    actions=[
                        UserItem.reset_hash.set(reset_hash),
                        UserItem.reset_expires_at.set(until),
                        UserItem.updated_at.set(now),
                    ],
                    condition=still_active(),
                )
        except ConditionFailed:
            return False
        return True

    def end_sessions(self, user_id: str, now: datetime) -> None:
        with store_errors():
            UserItem(self._pk, user_key(user_id)).update(
                actions=[UserItem.tokens_valid_from.set(now), UserItem.updated_at.set(now)],
                condition=UserItem.pk.exists(),
            )


def _counts_as_owner(user: UserItem) -> int:
    return int(user.is_owner and user.is_active)


def _same_username(user: UserItem) -> Any:
    if user.username is None:
        return UserItem.username.does_not_exist()
    return UserItem.username == user.username


def _as_read(user: UserItem) -> Any:
    # What the owner count was computed from must still hold (B7).
    return (
        still(UserItem.is_owner, user.is_owner, before=False)
        & still(UserItem.is_active, user.is_active, before=True)
        & UserItem.pk.exists()
    )


def _commit(writes: Transaction) -> None:
    try:
        writes.commit()
    except ConditionFailed as lost:
        if "user" in lost.names:
            raise MemberChanged from None
        if "admins" in lost.names:
            raise LastAdmin from None
        if "owners" in lost.names:
            raise LastOwner from None
        raise
