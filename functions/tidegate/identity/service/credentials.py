"""Registration and proof of a password: the one credential service (AUTH-1 to AUTH-3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tidegate_kit.auth.models import TenantItem, UserItem, user_key
from tidegate_kit.clock import Clock, epoch, from_epoch
from tidegate_kit.errors import TooManyRequests
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope

from tidegate.identity import opaque
from tidegate.identity.addresses import login_key
from tidegate.identity.errors import InactiveAccount, InvalidCredentials, InvitationInvalid
from tidegate.identity.models import InvitationItem
from tidegate.identity.repository.accounts import Account, Accounts
from tidegate.identity.repository.invitations import Invitations
from tidegate.identity.repository.logins import Attempts, Failure, Logins
from tidegate.identity.service.passwords import Passwords

# Per account and IP (C3): keyed by both, so guessing never locks the owner out elsewhere.
ATTEMPTS = 20
WINDOW = timedelta(minutes=15)


@dataclass(frozen=True)
class Registration:
    """A wish to join. `email` and `username` are canonical and display form respectively."""

    email: str
    password: str = field(repr=False)
    first_name: str
    last_name: str
    company: str
    username: str | None = None
    invitation_token: str | None = field(default=None, repr=False)
    effect_key: str | None = None


@dataclass(frozen=True)
class Source:
    """Where an attempt comes from, for the log: IP, user agent, path."""

    ip: str
    user_agent: str
    path: str


@dataclass(frozen=True)
class Proved:
    """A user who gave the right password; `upgraded_hash` is to replace an old kind of hash."""

    user: UserItem
    upgraded_hash: str | None = field(repr=False)


class Credentials:
    """register, login and token share it (AUTH-2)."""

    def __init__(
        self,
        accounts: Accounts,
        invitations: Callable[[TenantScope], Invitations],
        logins: Logins,
        passwords: Passwords,
        clock: Clock,
        ids: IdFactory,
        secret: Callable[[int], bytes],
    ) -> None:
        self._accounts = accounts
        self._invitations = invitations
        self._logins = logins
        self._passwords = passwords
        self._clock = clock
        self._ids = ids
        self._secret = secret

    def register(self, wish: Registration, roles: frozenset[str] = frozenset({"user"})) -> UserItem:
        """A new tenant with its owner, or a member of the inviting tenant.

        `roles` are the founder's; an invited member gets those of his invitation.
        Raises EmailAlreadyRegistered, UsernameTaken or InvitationInvalid. The password is hashed
        in every case, so a known address answers as slowly as a new one (C2).
        """
        password_hash = self._passwords.hash(wish.password)
        if wish.effect_key is not None:
            # This very call was made before and died after its effect (H30).
            earlier = self._accounts.made_by(wish.effect_key, wish.email)
            if earlier is not None:
                return earlier
        if wish.invitation_token is None:
            return self._found_tenant(wish, password_hash, roles)
        invitation = self._invitation(wish.invitation_token, wish.email)
        invited = frozenset(invitation.roles)
        user = self._user(wish, password_hash, invitation.tenant_id, invited, owner=False)
        self._accounts.join(user, invitation, self._clock(), wish.effect_key)
        return user

    def _found_tenant(
        self, wish: Registration, password_hash: str, roles: frozenset[str]
    ) -> UserItem:
        now = self._clock()
        tenant_id = self._ids()
        user = self._user(wish, password_hash, tenant_id, roles, owner=True)
        tenant = TenantItem(
            TenantScope(tenant_id).pk, "TENANT", id=tenant_id, name=wish.company, is_active=True,
            user_count=1, owner_count=1, list_key=self._secret(32), created_at=now, updated_at=now,
        )  # fmt: skip
        self._accounts.create_tenant(tenant, user, wish.effect_key)
        return user

    def _user(
        self,
        wish: Registration,
        password_hash: str,
        tenant_id: str,
        roles: frozenset[str],
        *,
        owner: bool,
    ) -> UserItem:
        now = self._clock()
        user_id = self._ids()
        return UserItem(
            TenantScope(tenant_id).pk, user_key(user_id), id=user_id, tenant_id=tenant_id,
            email=wish.email, username=wish.username, password_hash=password_hash,
            first_name=wish.first_name, last_name=wish.last_name, company=wish.company,
            is_active=True, is_owner=owner, roles=set(roles), tokens_valid_from=now,
            created_at=now, updated_at=now,
        )  # fmt: skip

    def _invitation(self, token: str, email: str) -> InvitationItem:
        parsed = opaque.parse("invitation", token)
        if parsed is None:
            raise InvitationInvalid
        tenant_id, invitation_id = parsed.ids
        found = self._invitations(TenantScope(tenant_id)).get(invitation_id)
        if (
            found is None
            or found.token_hash != parsed.digest
            or found.status != "pending"
            or found.expires_at <= self._clock()
            or found.email != email
        ):
            raise InvitationInvalid
        return found

    def prove(self, login: str, password: str, source: Source) -> Proved:
        """The user of a login name and password.

        Raises InvalidCredentials, InactiveAccount (only after a right password) or
        TooManyRequests. Limits come before hashing (C17); an unknown name costs as much (C1).
        """
        now = self._clock()
        attempts = attempts_of(login, source.ip, now)
        if not self._logins.take(attempts, ATTEMPTS, now):
            wait = max(1, epoch(attempts.ends) - epoch(now))
            raise TooManyRequests(headers={"Retry-After": str(wait)})
        account = self._accounts.find(login)
        stored = account.user.password_hash if account is not None else None
        verdict = self._passwords.check(stored, password)
        if verdict.malformed and account is not None:
            logger.error("a stored password hash cannot be read", user_id=account.user.id)
        if account is None or not verdict.ok:
            raise self._refused(InvalidCredentials(), account, source)
        if not account.user.is_active or not account.tenant.is_active:
            raise self._refused(InactiveAccount(), account, source)
        self._logins.clear(attempts)
        upgraded = self._passwords.hash(password) if verdict.outdated else None
        return Proved(account.user, upgraded)

    def _refused(
        self,
        error: InvalidCredentials | InactiveAccount,
        account: Account | None,
        source: Source,
    ) -> Exception:
        failure = Failure(
            id=self._ids(), at=self._clock(), ip=source.ip, path=source.path,
            status=error.status, code=error.code,
            tenant_id=account.user.tenant_id if account else None,
            user_id=account.user.id if account else None,
        )  # fmt: skip
        logger.warning(
            "login refused", source_ip=source.ip, path=source.path, status=error.status,
            code=error.code,
        )  # fmt: skip
        self._logins.record(failure)
        return error


def attempts_of(login: str, ip: str, now: datetime) -> Attempts:
    """The counter for one account, as named, and one IP; the name is stored as a hash only."""
    length = int(WINDOW.total_seconds())
    window = epoch(now) // length
    name = login_key(login) or login
    account = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
    return Attempts(account, ip, window, from_epoch((window + 1) * length))
