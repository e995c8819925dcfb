"""In-memory twins of the identity repositories; tests/unit/identity proves they act alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from tidegate.identity.addresses import login_key
from tidegate.identity.errors import (
    EmailAlreadyRegistered,
    InvitationInvalid,
    LastOwner,
    UsernameTaken,
)
from tidegate.identity.models import IdentityKeyItem, InvitationItem, MemberListingItem
from tidegate.identity.repository.accounts import (
    Account,
    identity_keys,
    member_listing,
    pointer,
)
from tidegate.identity.repository.invitations import invitation_key
from tidegate.identity.repository.logins import Attempts, Failure
from tidegate.identity.repository.members import MemberChanged, NewState, Page
from tidegate_kit.auth.authenticate import Member
from tidegate_kit.auth.models import (
    SessionItem,
    SigningKeyItem,
    TenantItem,
    UserItem,
    session_key,
    user_key,
)
from tidegate_kit.auth.tokens import Claims
from tidegate_kit.dynamo import ConditionFailed, Table
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, UserScope

M = TypeVar("M", bound=Table)


class Memory:
    """Items by key. Reads give copies, as from a table; a lock makes each method atomic."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Any] = {}
        self.attempts: dict[tuple[str, str, int], int] = {}
        self.failures: list[Failure] = []
        self.reset_requests: list[tuple[str, str]] = []
        self.spent: set[tuple[str, str]] = set()
        self.leased_until: datetime | None = None
        self.lock = threading.RLock()

    def get(self, kind: type[M], pk: str, sk: str) -> M | None:
        """A copy of an item."""
        found = self.items.get((pk, sk))
        return kind.from_raw_data(found.serialize()) if found is not None else None

    def put(self, item: Table) -> None:
        """Store a copy."""
        self.items[(item.pk, item.sk)] = type(item).from_raw_data(item.serialize())  # type: ignore[attr-defined]

    def under(self, kind: type[M], pk: str, prefix: str) -> list[M]:
        """Copies of the items under a sort-key prefix, in key order."""
        return [
            kind.from_raw_data(self.items[key].serialize())
            for key in sorted(self.items)
            if key[0] == pk and key[1].startswith(prefix)
        ]


class MemoryAccounts:
    """Twin of GlobalAccounts."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, login: str) -> Account | None:
        with self._memory.lock:
            key = self._memory.get(IdentityKeyItem, login_key(login) or "EMAIL#", "KEY")
            if key is None:
                return None
            pk = TenantScope(key.tenant_id).pk
            tenant = self._memory.get(TenantItem, pk, "TENANT")
            user = self._memory.get(UserItem, pk, user_key(key.user_id))
            return Account(tenant, user) if tenant is not None and user is not None else None

    def made_by(self, effect_key: str, email: str) -> UserItem | None:
        with self._memory.lock:
            key = self._memory.get(IdentityKeyItem, f"EMAIL#{email}", "KEY")
            account = self.find(email)
            if key is None or account is None or key.effect_key != effect_key:
                return None
            return account.user

    def create_tenant(
        self, tenant: TenantItem, owner: UserItem, effect_key: str | None = None
    ) -> None:
        with self._memory.lock:
            self._refuse_taken(owner)
            self._memory.put(tenant)
            self._put_user(owner, effect_key)

    def join(
        self,
        user: UserItem,
        invitation: InvitationItem,
        now: datetime,
        effect_key: str | None = None,
    ) -> None:
        with self._memory.lock:
            self._refuse_taken(user)
            stored = self._memory.get(InvitationItem, invitation.pk, invitation.sk)
            tenant = self._memory.get(TenantItem, user.pk, "TENANT")
            if (
                stored is None
                or tenant is None
                or not tenant.is_active
                or stored.status != "pending"
                or stored.token_hash != invitation.token_hash
                or stored.expires_at <= now
            ):
                raise InvitationInvalid
            stored.status = "accepted"
            tenant.user_count = tenant.user_count + 1
            self._memory.put(stored)
            self._memory.put(tenant)
            self._put_user(user, effect_key)

    def tenant_ids(self) -> Iterator[str]:
        ids = [item.id for item in self._memory.items.values() if isinstance(item, TenantItem)]
        yield from ids

    def _refuse_taken(self, user: UserItem) -> None:
        for name, item in identity_keys(user):
            if (item.pk, item.sk) in self._memory.items:
                raise EmailAlreadyRegistered if name == "email" else UsernameTaken

    def _put_user(self, user: UserItem, effect_key: str | None) -> None:
        for _, item in identity_keys(user):
            item.effect_key = effect_key
            self._memory.put(item)
        self._memory.put(user)
        self._memory.put(pointer(user))
        self._memory.put(member_listing(user))


class MemoryMembers:
    """Twin of DynamoMembers."""

    def __init__(self, memory: Memory, scope: TenantScope) -> None:
        self._memory = memory
        self._pk = scope.pk

    def tenant(self) -> TenantItem | None:
        return self._memory.get(TenantItem, self._pk, "TENANT")

    def get(self, user_id: str) -> UserItem:
        found = self._memory.get(UserItem, self._pk, user_key(user_id))
        if found is None:
            raise NotFound
        return found

    def page(self, skip: int, size: int, start: dict[str, Any] | None) -> Page:
        rows = self._memory.under(MemberListingItem, self._pk, "MEMBER#")[::-1]
        total = len(rows)
        if start is not None:
            rows = [row for row in rows if row.sk < start["before"]]
        wanted = rows[skip : skip + size]
        more = len(rows) > skip + size
        return Page(
            [self.get(row.user_id) for row in wanted],
            total,
            {"before": wanted[-1].sk} if more and wanted else None,
        )

    def change(self, user: UserItem, state: NewState, now: datetime) -> None:
        with self._memory.lock:
            stored = self._as_read(user)
            self._count(0, int(state.is_owner and state.is_active) - _owns(stored))
            stored.roles = set(state.roles)
            stored.is_active, stored.is_owner = state.is_active, state.is_owner
            stored.updated_by = state.changed_by or "platform"
            stored.tokens_valid_from = now
            self._memory.put(stored)

    def remove(self, user: UserItem, now: datetime, by: str = "platform") -> None:
        with self._memory.lock:
            stored = self._as_read(user)
            if (stored.email, stored.username) != (user.email, user.username):
                raise MemberChanged
            self._count(-1, -_owns(stored))
            keys = [item for _, item in identity_keys(stored)]
            gone: list[Any] = [stored, pointer(stored), member_listing(stored), *keys]
            for item in gone:
                self._memory.items.pop((item.pk, item.sk), None)

    def _as_read(self, user: UserItem) -> UserItem:
        stored = self._memory.get(UserItem, self._pk, user.sk)
        if stored is None or (stored.is_owner, stored.is_active) != (user.is_owner, user.is_active):
            raise MemberChanged
        return stored

    def _count(self, users: int, owners: int) -> None:
        tenant = self.tenant()
        assert tenant is not None
        if owners < 0 and tenant.owner_count <= 1:
            raise LastOwner
        tenant.user_count = tenant.user_count + users
        tenant.owner_count = tenant.owner_count + owners
        self._memory.put(tenant)

    def set_password(self, user: UserItem, new_hash: str, now: datetime) -> bool:
        return self._replace(
            user.id, lambda stored: stored.password_hash == user.password_hash, new_hash, now
        )

    def use_reset(self, user_id: str, reset_hash: str, new_hash: str, now: datetime) -> bool:
        return self._replace(
            user_id,
            lambda stored: (
                stored.reset_hash == reset_hash
                and stored.reset_expires_at is not None
                and stored.reset_expires_at > now
                and stored.is_active
            ),
            new_hash,
            now,
        )

    def _replace(
        self, user_id: str, when: Callable[[UserItem], bool], new_hash: str, now: datetime
    ) -> bool:
        with self._memory.lock:
            stored = self._memory.get(UserItem, self._pk, user_key(user_id))
            if stored is None or not when(stored):
                return False
            stored.password_hash = new_hash
            stored.tokens_valid_from = now
            stored.reset_hash = stored.reset_expires_at = None
            self._memory.put(stored)
            return True

    def offer_reset(self, user_id: str, reset_hash: str, until: datetime, now: datetime) -> bool:
        with self._memory.lock:
            stored = self._memory.get(UserItem, self._pk, user_key(user_id))
            if stored is None or not stored.is_active:
                return False
            stored.reset_hash, stored.reset_expires_at = reset_hash, until
            self._memory.put(stored)
            return True

    def end_sessions(self, user_id: str, now: datetime) -> None:
        with self._memory.lock:
            stored = self._memory.get(UserItem, self._pk, user_key(user_id))
            if stored is None:
                raise ConditionFailed
            stored.tokens_valid_from = now
            self._memory.put(stored)


def _owns(user: UserItem) -> int:
    return int(user.is_owner and user.is_active)


class MemorySessions:
    """Twin of DynamoSessions."""

    def __init__(self, memory: Memory, scope: UserScope) -> None:
        self._memory = memory
        self._pk = scope.tenant.pk
        self._user_id = scope.user_id

    def _get(self, session_id: str) -> SessionItem | None:
        return self._memory.get(SessionItem, self._pk, session_key(self._user_id, session_id))

    def open(self, session: SessionItem, proved_hash: str, upgraded_hash: str | None) -> bool:
        with self._memory.lock:
            user = self._memory.get(UserItem, self._pk, user_key(self._user_id))
            if user is None or not user.is_active or user.password_hash != proved_hash:
                return False
            user.password_hash = upgraded_hash or user.password_hash
            self._memory.put(user)
            self._memory.put(session)
            return True

    def all(self) -> list[SessionItem]:
        return self._memory.under(SessionItem, self._pk, session_key(self._user_id, ""))

    def revoke(self, session_id: str, now: datetime) -> bool:
        with self._memory.lock:
            found = self._get(session_id)
            if found is None or found.revoked_at is not None:
                return False
            found.revoked_at = now
            self._memory.put(found)
            return True

    def rotate(self, session_id: str, old_hash: str, new_hash: str, now: datetime) -> bool:
        with self._memory.lock:
            found = self._get(session_id)
            if found is None or found.revoked_at is not None or found.refresh_hash != old_hash:
                return False
            found.refresh_hash, found.last_used_at = new_hash, now
            self._memory.put(found)
            self._memory.spent.add((self._pk, old_hash))
            return True

    def was_rotated(self, refresh_hash: str) -> bool:
        return (self._pk, refresh_hash) in self._memory.spent

    def spend(self, session_id: str, token_id: str, until: datetime, now: datetime) -> bool:
        with self._memory.lock:
            found = self._get(session_id)
            if found is None or found.revoked_at is not None:
                return False
            if (self._pk, token_id) in self._memory.spent:
                return False
            self._memory.spent.add((self._pk, token_id))
            return True


class MemoryInvitations:
    """Twin of DynamoInvitations."""

    def __init__(self, memory: Memory, scope: TenantScope) -> None:
        self._memory = memory
        self._pk = scope.pk

    def add(self, invitation: InvitationItem) -> None:
        self._memory.put(invitation)

    def renew(self, invitation: InvitationItem, token_hash: str) -> bool:
        with self._memory.lock:
            found = self.get(invitation.id)
            if found is None or found.status != "pending":
                return False
            found.token_hash = invitation.token_hash = token_hash
            self._memory.put(found)
            return True

    def get(self, invitation_id: str) -> InvitationItem | None:
        return self._memory.get(InvitationItem, self._pk, invitation_key(invitation_id))

    def all(self) -> list[InvitationItem]:
        return self._memory.under(InvitationItem, self._pk, "INVITE#")

    def withdraw(self, invitation_id: str) -> bool:
        with self._memory.lock:
            found = self.get(invitation_id)
            if found is None or found.status != "pending":
                return False
            del self._memory.items[(found.pk, found.sk)]
            return True


class MemoryLogins:
    """Twin of GlobalLogins."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def take(self, attempts: Attempts, limit: int, now: datetime) -> bool:
        with self._memory.lock:
            key = (attempts.account, attempts.ip, attempts.window)
            if self._memory.attempts.get(key, 0) >= limit:
                return False
            self._memory.attempts[key] = self._memory.attempts.get(key, 0) + 1
            return True

    def clear(self, attempts: Attempts) -> None:
        key = (attempts.account, attempts.ip, attempts.window)
        self._memory.attempts.pop(key, None)

    def record(self, failure: Failure) -> None:
        self._memory.failures.append(replace(failure))

    def request_reset(self, request_id: str, email: str, now: datetime) -> None:
        self._memory.reset_requests.append((request_id, email))


class MemoryPublicKeys:
    """Twin of GlobalSigningKeys."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def all(self) -> list[SigningKeyItem]:
        return self._memory.under(SigningKeyItem, "SIGNING_KEYS", "KEY#")

    def publish(self, item: SigningKeyItem) -> None:
        if (item.pk, item.sk) in self._memory.items:
            raise ConditionFailed
        self._memory.put(item)

    def mark(self, kid: str, status: str, retire_after: datetime | None, now: datetime) -> None:
        found = self._memory.get(SigningKeyItem, "SIGNING_KEYS", f"KEY#{kid}")
        if found is not None and found.status != "compromised":
            found.status, found.retire_after = status, retire_after
            self._memory.put(found)

    def forget(self, kid: str) -> None:
        self._memory.items.pop(("SIGNING_KEYS", f"KEY#{kid}"), None)

    def lease(self, until: datetime, now: datetime) -> bool:
        held = self._memory.leased_until
        if held is not None and held > now:
            return False
        self._memory.leased_until = until
        return True

    def release(self) -> None:
        self._memory.leased_until = None


class MemoryMemberStore:
    """Twin of the kit's DynamoMemberStore, for session claims."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, claims: Claims) -> Member | None:
        if claims.tenant_id is None or claims.session_id is None:
            return None
        pk = TenantScope(claims.tenant_id).pk
        tenant = self._memory.get(TenantItem, pk, "TENANT")
        user = self._memory.get(UserItem, pk, user_key(claims.user_id))
        sk = session_key(claims.user_id, claims.session_id)
        session = self._memory.get(SessionItem, pk, sk)
        if tenant is None or user is None or session is None:
            return None
        return Member(tenant, user, session)

    def touch(self, session: SessionItem, now: datetime) -> None:
        session.last_used_at = now
        self._memory.put(session)
