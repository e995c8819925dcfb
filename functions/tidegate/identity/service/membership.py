"""Members and invitations of a tenant (AUTH-3, AUTH-13, AUTH-15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from tidegate_kit.auth.models import UserItem
from tidegate_kit.auth.principal import Principal
from tidegate_kit.clock import Clock, epoch
from tidegate_kit.errors import Conflict, Forbidden, NotFound
from tidegate_kit.ids import IdFactory
from tidegate_kit.tenancy import TenantScope

from tidegate.identity import opaque
from tidegate.identity.errors import AlreadyMember
from tidegate.identity.models import InvitationItem
from tidegate.identity.repository.accounts import Accounts
from tidegate.identity.repository.invitations import Invitations, invitation_key
from tidegate.identity.repository.members import MemberChanged, Members, NewState, Page

INVITATION_LIFE = timedelta(days=7)
_KEPT_AFTER_END_SECONDS = 30 * 86400
_TRIES = 5
T = TypeVar("T")


@dataclass(frozen=True)
class Change:
    """What a PATCH asks for; None leaves a part as it is."""

    roles: frozenset[str] | None = None
    is_active: bool | None = None
    is_owner: bool | None = None


@dataclass(frozen=True)
class Invited:
    """A stored invitation and its token, which is shown this once."""

    invitation: InvitationItem
    token: str = field(repr=False)


class Window(Protocol):
    """Which part of a list is wanted (tidegate_kit.http.Paging)."""

    @property
    def skip(self) -> int:
        """Rows before the page."""

    @property
    def page_size(self) -> int:
        """Rows wanted."""

    @property
    def start(self) -> dict[str, Any] | None:
        """The key at which the page before ended."""


class Membership:
    """Changes to who belongs to a tenant and as what."""

    def __init__(
        self,
        members: Callable[[TenantScope], Members],
        invitations: Callable[[TenantScope], Invitations],
        accounts: Accounts,
        clock: Clock,
        ids: IdFactory,
        secret: Callable[[int], bytes],
    ) -> None:
        self._members = members
        self._invitations = invitations
        self._accounts = accounts
        self._clock = clock
        self._ids = ids
        self._secret = secret

    def page(self, scope: TenantScope, window: Window) -> Page:
        """One page of members, newest first."""
        return self._members(scope).page(window.skip, window.page_size, window.start)

    def change(self, principal: Principal, user_id: str, wish: Change) -> UserItem:
        """Apply a PATCH; the member's older sessions end. Raises NotFound or LastOwner."""
        members = self._members(principal.tenant)

        def once() -> UserItem:
            user = members.get(user_id)
            state = _wished(user, wish, principal.user_id)
            if state != _wished(user, Change(), None):
                members.change(user, state, self._clock())
                user = members.get(user_id)
            return user

        return _again(once)

    def remove(self, scope: TenantScope, user_id: str) -> None:
        """Remove a member. Raises NotFound or LastOwner."""
        members = self._members(scope)
        _again(lambda: members.remove(members.get(user_id), self._clock()))

    def invite(
        self,
        principal: Principal,
        email: str,
        roles: frozenset[str],
        effect_key: str | None = None,
    ) -> Invited:
        """Invite an address. An address that is known elsewhere answers as an unknown one (C2).

        Raises Forbidden for a role above the inviter's own (B8), AlreadyMember for a member.
        """
        if "admin" in roles and "admin" not in principal.roles:
            raise Forbidden("You cannot give a role that you do not hold.")
        known = self._accounts.find(email)
        if known is not None and known.user.tenant_id == principal.tenant_id:
            raise AlreadyMember
        invitations = self._invitations(principal.tenant)
        repeated = self._repeated(invitations, effect_key)
        if repeated is not None:
            return repeated
        now = self._clock()
        invitation_id = self._ids()
        token = self._token(principal.tenant_id, invitation_id)
        ends = now + INVITATION_LIFE
        invitation = InvitationItem(
            principal.tenant.pk, invitation_key(invitation_id), id=invitation_id,
            tenant_id=principal.tenant_id, email=email, roles=set(roles), status="pending",
            token_hash=opaque.digest(token), effect_key=effect_key, expires_at=ends,
            invited_by=principal.user_id,
            expires=epoch(ends) + _KEPT_AFTER_END_SECONDS, created_at=now, updated_at=now,
        )  # fmt: skip
        invitations.add(invitation)
        return Invited(invitation, token)

    def _repeated(self, invitations: Invitations, effect_key: str | None) -> Invited | None:
        """The invitation of this very call, if it died after its effect (H30).

        Its token reached nobody, so it gets another.
        """
        if effect_key is None:
            return None
        made = [one for one in invitations.all() if one.effect_key == effect_key]
        if not made:
            return None
        token = self._token(made[0].tenant_id, made[0].id)
        return Invited(made[0], token) if invitations.renew(made[0], opaque.digest(token)) else None

    def _token(self, tenant_id: str, invitation_id: str) -> str:
        return opaque.mint("invitation", (tenant_id, invitation_id), self._secret(32))

    def invitations(self, scope: TenantScope) -> list[InvitationItem]:
        """Every invitation that can still be accepted, newest first."""
        now = self._clock()
        found = self._invitations(scope).all()
        pending = [one for one in found if one.status == "pending" and one.expires_at > now]
        return sorted(pending, key=lambda one: one.created_at, reverse=True)

    def withdraw(self, scope: TenantScope, invitation_id: str) -> None:
        """Delete a pending invitation. Raises NotFound."""
        if not self._invitations(scope).withdraw(invitation_id):
            raise NotFound


def _wished(user: UserItem, wish: Change, changed_by: str | None) -> NewState:
    roles = frozenset(user.roles or ())
    if wish.roles is not None:
        # Only an admin gives or takes the admin role, on /admin (AUTH-15).
        roles = wish.roles | (roles & {"admin"})
    return NewState(
        roles=roles,
        is_active=user.is_active if wish.is_active is None else wish.is_active,
        is_owner=user.is_owner if wish.is_owner is None else wish.is_owner,
        changed_by=changed_by,
    )


def _again(step: Callable[[], T]) -> T:
    for _ in range(_TRIES):
        try:
            return step()
        except MemberChanged:
            continue
    raise Conflict("This member is being changed by someone else. Try again.")
