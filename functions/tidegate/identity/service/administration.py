"""Users and tenants of the whole platform, for administrators (contract 2.15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from tidegate_kit.auth.models import TenantItem, UserItem, user_key
from tidegate_kit.clock import Clock
from tidegate_kit.errors import Conflict
from tidegate_kit.ids import IdFactory
from tidegate_kit.tenancy import TenantScope

from tidegate.identity.repository.accounts import Accounts
from tidegate.identity.repository.administration import Administration, NewUser
from tidegate.identity.repository.members import MemberChanged, Members
from tidegate.identity.service.credentials import Credentials, Registration
from tidegate.identity.service.passwords import Passwords

_TRIES = 5
T = TypeVar("T")


@dataclass(frozen=True)
class UserFilter:
    """Which users are wanted; None: all."""

    q: str | None = None
    role: str | None = None
    is_active: bool | None = None
    tenant_id: str | None = None

    def takes(self, user: UserItem) -> bool:
        """True for a user who is wanted."""
        text = " ".join((user.email, user.username or "", user.first_name, user.last_name))
        return (
            (self.q is None or self.q.lower() in text.lower())
            and (self.role is None or self.role in (user.roles or ()))
            and (self.is_active is None or user.is_active == self.is_active)
        )


@dataclass(frozen=True)
class UserWish:
    """A new user: of `tenant_id`, or owner of a new tenant named `company`."""

    email: str
    password: str = field(repr=False)
    first_name: str
    last_name: str
    username: str | None
    roles: frozenset[str]
    tenant_id: str | None
    company: str | None
    effect_key: str | None = None


@dataclass(frozen=True)
class UserChange:
    """What a PUT asks for; None leaves a part as it is."""

    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    roles: frozenset[str] | None = None
    is_active: bool | None = None


class AdminService:
    """What administrators do with users and tenants."""

    def __init__(
        self,
        store: Administration,
        accounts: Accounts,
        members: Callable[[TenantScope], Members],
        credentials: Credentials,
        passwords: Passwords,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._members = members
        self._credentials = credentials
        self._passwords = passwords
        self._clock = clock
        self._ids = ids

    def tenants(self) -> list[TenantItem]:
        """Every tenant, newest first."""
        return sorted(self._store.tenants(), key=lambda one: one.created_at, reverse=True)

    def tenant(self, tenant_id: str) -> TenantItem:
        """Raises NotFound."""
        return self._store.tenant(tenant_id)

    def change_tenant(self, tenant_id: str, name: str | None, is_active: bool | None) -> TenantItem:
        """Raises NotFound. Members of a tenant that is off get 401 at once (ADM-1)."""
        return self._store.change_tenant(tenant_id, name, is_active, self._clock())

    def users(self, wanted: UserFilter) -> list[UserItem]:
        """Every user that the filter takes, newest first."""
        return sorted(self._users(wanted), key=lambda one: one.created_at, reverse=True)

    def _users(self, wanted: UserFilter) -> Iterator[UserItem]:
        ids = [wanted.tenant_id] if wanted.tenant_id else self._accounts.tenant_ids()
        for tenant_id in ids:
            yield from (user for user in self._store.users(tenant_id) if wanted.takes(user))

    def user(self, user_id: str) -> UserItem:
        """Raises NotFound."""
        return self._store.user(user_id)

    def create(self, wish: UserWish) -> UserItem:
        """A new user. Raises NotFound (tenant), EmailAlreadyRegistered or UsernameTaken."""
        if wish.tenant_id is None:
            registration = Registration(
                wish.email, wish.password, wish.first_name, wish.last_name, wish.company or "",
                wish.username, effect_key=wish.effect_key,
            )  # fmt: skip
            return self._credentials.register(registration, roles=wish.roles)
        if wish.effect_key is not None:
            made = self._accounts.made_by(wish.effect_key, wish.email)
            if made is not None:  # this very call died after its effect (H30)
                return made
        tenant, now, user_id = self._store.tenant(wish.tenant_id), self._clock(), self._ids()
        user = UserItem(
            TenantScope(tenant.id).pk, user_key(user_id), id=user_id, tenant_id=tenant.id,
            email=wish.email, username=wish.username,
            password_hash=self._passwords.hash(wish.password), first_name=wish.first_name,
            last_name=wish.last_name, company=tenant.name, is_active=True, is_owner=False,
            roles=set(wish.roles), tokens_valid_from=now, created_at=now, updated_at=now,
        )  # fmt: skip
        self._store.add(user, now, wish.effect_key)
        return user

    def change(self, user_id: str, wish: UserChange, by: str) -> UserItem:
        """Raises NotFound, LastAdmin, LastOwner or UsernameTaken."""
        hashed = self._passwords.hash(wish.password) if wish.password is not None else None

        def once() -> UserItem:
            user = self._store.user(user_id)
            self._store.change(user, _wished(user, wish, hashed), by, self._clock())
            return self._store.user(user_id)

        return _again(once)

    def delete(self, user_id: str, by: str) -> UserItem:
        """Remove a user; his sessions end at once. Raises NotFound, LastAdmin or LastOwner."""

        def once() -> UserItem:
            user = self._store.user(user_id)
            self._members(TenantScope(user.tenant_id)).remove(user, self._clock(), by)
            return user

        return _again(once)


def _wished(user: UserItem, wish: UserChange, hashed: str | None) -> NewUser:
    return NewUser(
        first_name=user.first_name if wish.first_name is None else wish.first_name,
        last_name=user.last_name if wish.last_name is None else wish.last_name,
        username=user.username if wish.username is None else wish.username,
        roles=frozenset(user.roles or ()) if wish.roles is None else wish.roles,
        is_active=user.is_active if wish.is_active is None else wish.is_active,
        password_hash=hashed,
    )


def _again(step: Callable[[], T]) -> T:
    for _ in range(_TRIES):
        try:
            return step()
        except MemberChanged:
            continue
    raise Conflict("This user is being changed by someone else. Try again.")
