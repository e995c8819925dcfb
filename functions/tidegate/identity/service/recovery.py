"""Changing and resetting passwords (AUTH-1, AUTH-13, AUTH-17, C2, C9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from tidegate_kit.auth.principal import Principal
from tidegate_kit.clock import Clock
from tidegate_kit.ids import IdFactory
from tidegate_kit.tenancy import TenantScope

from tidegate.identity import opaque
from tidegate.identity.errors import ResetInvalid
from tidegate.identity.repository.accounts import Accounts
from tidegate.identity.repository.logins import Logins
from tidegate.identity.repository.members import Members
from tidegate.identity.service.credentials import Credentials, Source
from tidegate.identity.service.passwords import Passwords

RESET_LIFE = timedelta(minutes=30)


@dataclass(frozen=True)
class Offered:
    """A reset token to be mailed to its user."""

    email: str
    first_name: str
    token: str = field(repr=False)


class Recovery:
    """Password changes: by the current password, or by a mailed token."""

    def __init__(
        self,
        credentials: Credentials,
        accounts: Accounts,
        members: Callable[[TenantScope], Members],
        logins: Logins,
        passwords: Passwords,
        clock: Clock,
        ids: IdFactory,
        secret: Callable[[int], bytes],
    ) -> None:
        self._credentials = credentials
        self._accounts = accounts
        self._members = members
        self._logins = logins
        self._passwords = passwords
        self._clock = clock
        self._ids = ids
        self._secret = secret

    def change(self, principal: Principal, current: str, new: str, source: Source) -> None:
        """Replace the password; every older session ends. Raises InvalidCredentials."""
        proved = self._credentials.prove(principal.email, current, source)
        new_hash = self._passwords.hash(new)
        members = self._members(principal.tenant)
        if not members.set_password(proved.user, new_hash, self._clock()):
            # Changed between the check and the write: the proof is of an older password.
            self._credentials.prove(principal.email, current, source)
            raise ResetInvalid

    def ask(self, email: str) -> None:
        """Keep the wish; known and unknown addresses take the same path (C2)."""
        self._logins.request_reset(self._ids(), email, self._clock())

    def offer(self, email: str) -> Offered | None:
        """Make a reset token for an active account; None for nobody. A newer one voids it."""
        account = self._accounts.find(email)
        if account is None or not account.user.is_active:
            return None
        user = account.user
        token = opaque.mint("reset", (user.tenant_id, user.id), self._secret(32))
        now = self._clock()
        members = self._members(TenantScope(user.tenant_id))
        if not members.offer_reset(user.id, opaque.digest(token), now + RESET_LIFE, now):
            return None
        return Offered(user.email, user.first_name, token)

    def reset(self, token: str, new: str) -> None:
        """Set a new password by token; all sessions end. Raises ResetInvalid (C9)."""
        parsed = opaque.parse("reset", token)
        if parsed is None:
            raise ResetInvalid
        tenant_id, user_id = parsed.ids
        members = self._members(TenantScope(tenant_id))
        new_hash = self._passwords.hash(new)
        if not members.use_reset(user_id, parsed.digest, new_hash, self._clock()):
            raise ResetInvalid
