"""Accounts across tenants: look-up by login name, registration (AUTH-1 to AUTH-3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tidegate_kit.auth.models import TenantItem, UserItem, UserPointerItem, user_key
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.tenancy import TenantScope

from tidegate.identity.addresses import email_key, login_key, username_key
from tidegate.identity.errors import EmailAlreadyRegistered, InvitationInvalid, UsernameTaken
from tidegate.identity.models import (
    IdentityKeyItem,
    InvitationItem,
    MemberListingItem,
    TenantListingItem,
)
from tidegate.identity.repository.admins import count_admin, is_admin

_KEY = "KEY"
_TENANTS = "TENANTS"


@dataclass(frozen=True)
class Account:
    """A user and his tenant, read together."""

    tenant: TenantItem
    user: UserItem


class Accounts(Protocol):
    """Global: identity keys, tenants and users."""

    def find(self, login: str) -> Account | None:
        """The account of an e-mail or username. Costs the same reads for unknown names (C1)."""

    def made_by(self, effect_key: str, email: str) -> UserItem | None:
        """The user of an e-mail, if the call named by `effect_key` registered him."""

    def create_tenant(
        self, tenant: TenantItem, owner: UserItem, effect_key: str | None = None
    ) -> None:
        """Store a tenant with its owner. Raises EmailAlreadyRegistered or UsernameTaken."""

    def join(
        self,
        user: UserItem,
        invitation: InvitationItem,
        now: datetime,
        effect_key: str | None = None,
    ) -> None:
        """Store a user invited to a tenant and use the invitation up.

        Raises EmailAlreadyRegistered, UsernameTaken or InvitationInvalid.
        """

    def tenant_ids(self) -> Iterator[str]:
        """Every tenant, in no particular order."""


class GlobalAccounts:
    """Accounts on DynamoDB."""

    def find(self, login: str) -> Account | None:
        key = login_key(login) or "EMAIL#"
        (identity,) = batch_get([(IdentityKeyItem, key, _KEY)])
        tenant_id = identity.tenant_id if identity is not None else "nobody"
        user_id = identity.user_id if identity is not None else "nobody"
        pk = TenantScope(tenant_id).pk
        tenant, user = batch_get([(TenantItem, pk, "TENANT"), (UserItem, pk, user_key(user_id))])
        if not isinstance(tenant, TenantItem) or not isinstance(user, UserItem):
            return None
        return Account(tenant, user)

    def made_by(self, effect_key: str, email: str) -> UserItem | None:
        (identity,) = batch_get([(IdentityKeyItem, email_key(email), _KEY)])
        if identity is None or identity.effect_key != effect_key:
            return None
        account = self.find(email)
        return account.user if account is not None else None

    def create_tenant(
        self, tenant: TenantItem, owner: UserItem, effect_key: str | None = None
    ) -> None:
        writes = user_writes(owner, effect_key)
        writes.save(tenant, TenantItem.pk.does_not_exist(), name="tenant")
        writes.save(TenantListingItem(_TENANTS, tenant.id, tenant_id=tenant.id, **_stamp(owner)))
        _commit(writes)

    def join(
        self,
        user: UserItem,
        invitation: InvitationItem,
        now: datetime,
        effect_key: str | None = None,
    ) -> None:
        writes = user_writes(user, effect_key)
        writes.update(
            InvitationItem(invitation.pk, invitation.sk),
            [InvitationItem.status.set("accepted"), InvitationItem.updated_at.set(now)],
            (InvitationItem.status == "pending")
            & (InvitationItem.token_hash == invitation.token_hash)
            & (InvitationItem.expires_at > now),
            name="invitation",
        )
        writes.update(
            TenantItem(TenantScope(user.tenant_id).pk, "TENANT"),
            [TenantItem.user_count.add(1), TenantItem.updated_at.set(now)],
            TenantItem.is_active == True,  # noqa: E712 - a condition expression
            name="invitation",
        )
        _commit(writes)

    def tenant_ids(self) -> Iterator[str]:
        with store_errors():
            for item in TenantListingItem.query(_TENANTS, consistent_read=True):
                yield item.tenant_id


def still(attribute: Any, value: Any, before: Any) -> Any:
    """A condition: the stored value is this one. Records older than the attribute mean `before`."""
    condition = attribute == value
    return condition | attribute.does_not_exist() if value == before else condition


def still_active() -> Any:
    """A condition on a user that is not switched off."""
    return still(UserItem.is_active, True, before=True) & UserItem.pk.exists()


def member_listing(user: UserItem) -> MemberListingItem:
    """The row that places a member in the tenant's list."""
    joined = user.created_at.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return MemberListingItem(user.pk, f"MEMBER#{joined}#{user.id}", user_id=user.id, **_stamp(user))


def identity_keys(user: UserItem) -> list[tuple[str, IdentityKeyItem]]:
    """(name, item) of each global key that a user holds."""
    keys = [("email", email_key(user.email))]
    if user.username is not None:
        keys.append(("username", username_key(user.username.lower())))
    return [
        (
            name,
            IdentityKeyItem(pk, _KEY, user_id=user.id, tenant_id=user.tenant_id, **_stamp(user)),
        )
        for name, pk in keys
    ]


def pointer(user: UserItem) -> UserPointerItem:
    """The global row from a user id to its tenant."""
    return UserPointerItem(
        f"USERID#{user.id}", _KEY, user_id=user.id, tenant_id=user.tenant_id, **_stamp(user)
    )


def _stamp(user: UserItem) -> dict[str, Any]:
    return {"created_at": user.created_at, "updated_at": user.updated_at}


def user_writes(user: UserItem, effect_key: str | None) -> Transaction:
    """What storing a new user takes; an administrator is counted as one.

    Names of the conditions that may lose: user, email, username.
    """
    writes = Transaction()
    writes.save(user, UserItem.pk.does_not_exist(), name="user")
    writes.save(pointer(user), UserPointerItem.pk.does_not_exist(), name="user")
    writes.save(member_listing(user))
    count_admin(writes, user.id, was=False, will=is_admin(user), now=user.created_at)
    for name, item in identity_keys(user):
        item.effect_key = effect_key
        writes.save(item, IdentityKeyItem.pk.does_not_exist(), name=name)
    return writes


def _commit(writes: Transaction) -> None:
    try:
        writes.commit()
    except ConditionFailed as lost:
        if "email" in lost.names:
            raise EmailAlreadyRegistered from None
        if "username" in lost.names:
            raise UsernameTaken from None
        if "invitation" in lost.names:
            raise InvitationInvalid from None
        raise
