"""Users and tenants as an administrator sees them: across tenants (contract 2.15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tidegate_kit.auth.models import TenantItem, UserItem, UserPointerItem, user_key
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import Conflict, NotFound
from tidegate_kit.tenancy import TenantScope

from tidegate.identity.addresses import canonical_username, username_key
from tidegate.identity.errors import EmailAlreadyRegistered, LastAdmin, LastOwner, UsernameTaken
from tidegate.identity.models import IdentityKeyItem, MemberListingItem
from tidegate.identity.repository.accounts import GlobalAccounts, still, user_writes
from tidegate.identity.repository.admins import ADMIN, count_admin, is_admin
from tidegate.identity.repository.members import MemberChanged

_BATCH = 100


@dataclass(frozen=True)
class NewUser:
    """What a user is to be; `password_hash` None leaves the password as it is."""

    first_name: str
    last_name: str
    username: str | None
    roles: frozenset[str]
    is_active: bool
    password_hash: str | None = None


class Administration(Protocol):
    """Global: every user and tenant."""

    def tenants(self) -> Iterator[TenantItem]:
        """Every tenant."""

    def tenant(self, tenant_id: str) -> TenantItem:
        """Raises NotFound."""

    def change_tenant(
        self, tenant_id: str, name: str | None, is_active: bool | None, now: datetime
    ) -> TenantItem:
        """Rename, switch on or off. Raises NotFound."""

    def users(self, tenant_id: str) -> Iterator[UserItem]:
        """The users of a tenant, newest first."""

    def user(self, user_id: str) -> UserItem:
        """Raises NotFound."""

    def add(self, user: UserItem, now: datetime, effect_key: str | None) -> None:
        """A new member of an existing tenant.

        Raises NotFound, EmailAlreadyRegistered or UsernameTaken.
        """

    def change(self, user: UserItem, new: NewUser, by: str, now: datetime) -> None:
        """Write over `user` as read.

        Raises MemberChanged, LastAdmin, LastOwner or UsernameTaken.
        """


class GlobalAdministration:
    """Administration on DynamoDB."""

    def tenants(self) -> Iterator[TenantItem]:
        ids = list(GlobalAccounts().tenant_ids())
        for start in range(0, len(ids), _BATCH):
            keys = [TenantScope(one).pk for one in ids[start : start + _BATCH]]
            for found in batch_get([(TenantItem, pk, "TENANT") for pk in keys]):
                if found is not None:
                    yield found

    def tenant(self, tenant_id: str) -> TenantItem:
        (found,) = batch_get([(TenantItem, TenantScope(tenant_id).pk, "TENANT")])
        if found is None:
            raise NotFound
        return found

    def change_tenant(
        self, tenant_id: str, name: str | None, is_active: bool | None, now: datetime
    ) -> TenantItem:
        actions: list[Any] = [TenantItem.updated_at.set(now)]
        if name is not None:
            actions.append(TenantItem.name.set(name))
        if is_active is not None:
            actions.append(TenantItem.is_active.set(is_active))
        item = TenantItem(TenantScope(tenant_id).pk, "TENANT")
        try:
            with store_errors():
                item.update(actions=actions, condition=TenantItem.pk.exists())
        except ConditionFailed:
            raise NotFound from None
        return item

    def users(self, tenant_id: str) -> Iterator[UserItem]:
        pk = TenantScope(tenant_id).pk
        with store_errors():
            rows = list(
                MemberListingItem.query(
                    pk,
                    MemberListingItem.sk.startswith("MEMBER#"),
                    scan_index_forward=False,
                    consistent_read=True,
                )
            )
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            for found in batch_get([(UserItem, pk, user_key(row.user_id)) for row in part]):
                if found is not None:
                    yield found

    def user(self, user_id: str) -> UserItem:
        (pointer,) = batch_get([(UserPointerItem, f"USERID#{user_id}", "KEY")])
        if pointer is None:
            raise NotFound
        (found,) = batch_get([(UserItem, TenantScope(pointer.tenant_id).pk, user_key(user_id))])
        if found is None:
            raise NotFound
        return found

    def add(self, user: UserItem, now: datetime, effect_key: str | None) -> None:
        writes = user_writes(user, effect_key)
        writes.update(
            TenantItem(TenantScope(user.tenant_id).pk, "TENANT"),
            [TenantItem.user_count.add(1), TenantItem.updated_at.set(now)],
            TenantItem.pk.exists(),
            name="tenant",
        )
        _commit(writes)

    def change(self, user: UserItem, new: NewUser, by: str, now: datetime) -> None:
        writes = Transaction()
        username = UserItem.username
        ends_sessions = new.password_hash is not None or not _same_rights(user, new)
        actions: list[Any] = [
            UserItem.first_name.set(new.first_name),
            UserItem.last_name.set(new.last_name),
            UserItem.roles.set(set(new.roles)),
            UserItem.is_active.set(new.is_active),
            username.set(new.username) if new.username is not None else username.remove(),
            UserItem.updated_by.set(by),
            UserItem.updated_at.set(now),
        ]
        if ends_sessions:
            actions.append(UserItem.tokens_valid_from.set(now))
        if new.password_hash is not None:
            actions += [
                UserItem.password_hash.set(new.password_hash),
                UserItem.reset_hash.remove(),
                UserItem.reset_expires_at.remove(),
            ]
        as_read = (
            still(UserItem.is_owner, user.is_owner, before=False)
            & still(UserItem.is_active, user.is_active, before=True)
            & (UserItem.updated_at == user.updated_at)
            & UserItem.pk.exists()
        )
        writes.update(UserItem(user.pk, user.sk), actions, as_read, name="user")
        _swap_username(writes, user, new.username, now)
        will = ADMIN in new.roles and new.is_active
        count_admin(writes, user.id, was=is_admin(user), will=will, now=now)
        owners = int(user.is_owner and new.is_active) - int(user.is_owner and user.is_active)
        if owners:
            writes.update(
                TenantItem(user.pk, "TENANT"),
                [TenantItem.owner_count.add(owners), TenantItem.updated_at.set(now)],
                TenantItem.owner_count > 1 if owners < 0 else TenantItem.pk.exists(),
                name="owners",
            )
        _commit(writes)


def _same_rights(user: UserItem, new: NewUser) -> bool:
    return frozenset(user.roles or ()) == new.roles and user.is_active == new.is_active


def _swap_username(
    writes: Transaction, user: UserItem, username: str | None, now: datetime
) -> None:
    before = username_key(canonical_username(user.username)) if user.username else None
    after = username_key(canonical_username(username)) if username else None
    if before == after:
        return
    if before is not None:
        writes.delete(IdentityKeyItem(before, "KEY"), name="old username")
    if after is not None:
        key = IdentityKeyItem(
            after, "KEY", user_id=user.id, tenant_id=user.tenant_id, created_at=now, updated_at=now
        )
        writes.save(key, IdentityKeyItem.pk.does_not_exist(), name="username")


def _commit(writes: Transaction) -> None:
    try:
        writes.commit()
    except ConditionFailed as lost:
        if "email" in lost.names:
            raise EmailAlreadyRegistered from None
        if "username" in lost.names:
            raise UsernameTaken from None
        if "tenant" in lost.names:
            raise NotFound from None
        if "admins" in lost.names:
            raise LastAdmin from None
        if "owners" in lost.names:
            raise LastOwner from None
        if "user" in lost.names:
            raise MemberChanged from None
        raise Conflict from None
