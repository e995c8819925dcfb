"""One contract for both forms of each repository: on the strict double, and the in-memory twin."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tidegate.identity.errors import (
    EmailAlreadyRegistered,
    InvitationInvalid,
    LastOwner,
    UsernameTaken,
)
from tidegate.identity.models import InvitationItem
from tidegate.identity.repository.accounts import Accounts, GlobalAccounts
from tidegate.identity.repository.invitations import (
    DynamoInvitations,
    Invitations,
    invitation_key,
)
from tidegate.identity.repository.keys import GlobalSigningKeys, PublicKeys
from tidegate.identity.repository.logins import Attempts, GlobalLogins, Logins
from tidegate.identity.repository.members import (
    DynamoMembers,
    MemberChanged,
    Members,
    NewState,
)
from tidegate.identity.repository.sessions import DynamoSessions, Sessions
from tidegate_kit.auth.models import (
    SessionItem,
    SigningKeyItem,
    TenantItem,
    UserItem,
    session_key,
    user_key,
)
from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope, UserScope

from tests.fakes import identity as fakes

NOW = datetime(2026, 3, 1, 12, 0, 0, 250000, tzinfo=UTC)


@dataclass(frozen=True)
class Repositories:
    """The repositories of one form."""

    accounts: Accounts
    logins: Logins
    keys: PublicKeys
    members: Callable[[TenantScope], Members]
    sessions: Callable[[UserScope], Sessions]
    invitations: Callable[[TenantScope], Invitations]


@pytest.fixture(params=["memory", "dynamo"])
def repositories(request: pytest.FixtureRequest) -> Repositories:
    if request.param == "dynamo":
        request.getfixturevalue("platform")
        for item in SigningKeyItem.query("SIGNING_KEYS"):
            item.delete()
        return Repositories(
            GlobalAccounts(), GlobalLogins(), GlobalSigningKeys(), DynamoMembers, DynamoSessions,
            DynamoInvitations,
        )  # fmt: skip
    memory = fakes.Memory()
    return Repositories(
        fakes.MemoryAccounts(memory),
        fakes.MemoryLogins(memory),
        fakes.MemoryPublicKeys(memory),
        lambda scope: fakes.MemoryMembers(memory, scope),
        lambda scope: fakes.MemorySessions(memory, scope),
        lambda scope: fakes.MemoryInvitations(memory, scope),
    )


def a_user(tenant_id: str, email: str = "ada@example.com", **changes: Any) -> UserItem:
    user_id = new_id()
    fields: dict[str, Any] = {
        "id": user_id, "tenant_id": tenant_id, "email": email, "password_hash": "hash-1",
        "first_name": "Ada", "last_name": "L", "company": "Engines", "is_active": True,
        "is_owner": False, "roles": {"user"}, "tokens_valid_from": NOW, "created_at": NOW,
        "updated_at": NOW, **changes,
    }  # fmt: skip
    return UserItem(TenantScope(tenant_id).pk, user_key(user_id), **fields)


def found(repositories: Repositories, email: str = "ada@example.com", **changes: Any) -> UserItem:
    """A new tenant with this owner."""
    tenant_id = new_id()
    owner = a_user(tenant_id, email, is_owner=True, **changes)
    tenant = TenantItem(
        owner.pk, "TENANT", id=tenant_id, name="Engines", is_active=True, user_count=1,
        owner_count=1, list_key=os.urandom(32), created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    repositories.accounts.create_tenant(tenant, owner, effect_key="call-1")
    return owner


def invite(repositories: Repositories, tenant_id: str, **changes: Any) -> InvitationItem:
    invitation_id = new_id()
    fields: dict[str, Any] = {
        "id": invitation_id, "tenant_id": tenant_id, "email": "bob@example.com",
        "roles": {"client"}, "status": "pending", "token_hash": "token-1",
        "expires_at": NOW + timedelta(days=7), "expires": 2_000_000_000, "created_at": NOW,
        "updated_at": NOW, **changes,
    }  # fmt: skip
    item = InvitationItem(TenantScope(tenant_id).pk, invitation_key(invitation_id), **fields)
    repositories.invitations(TenantScope(tenant_id)).add(item)
    return item


def join(repositories: Repositories, tenant_id: str, email: str, **changes: Any) -> UserItem:
    user = a_user(tenant_id, email, **changes)
    invitation = invite(repositories, tenant_id, email=email)
    repositories.accounts.join(user, invitation, NOW)
    return user


def a_session(user: UserItem, **changes: Any) -> SessionItem:
    session_id = new_id()
    fields: dict[str, Any] = {
        "id": session_id, "tenant_id": user.tenant_id, "user_id": user.id, "refresh_hash": "r-1",
        "csrf_key": b"k" * 32, "ip": "203.0.113.1", "user_agent": "test", "last_used_at": NOW,
        "absolute_expires_at": NOW + timedelta(days=30), "expires": 2_000_000_000,
        "created_at": NOW, "updated_at": NOW, **changes,
    }  # fmt: skip
    return SessionItem(user.pk, session_key(user.id, session_id), **fields)


def test_an_account_is_found_by_each_of_its_names(repositories: Repositories) -> None:
    owner = found(repositories, username="Ada.L")
    for name in ("ada@example.com", "ADA@example.com", "ada.l", "Ada.L"):
        account = repositories.accounts.find(name)
        assert account is not None
        assert (account.user.id, account.tenant.id) == (owner.id, owner.tenant_id)
    assert repositories.accounts.find("nobody@example.com") is None
    assert repositories.accounts.find("not an address@") is None


def test_names_are_taken_once(repositories: Repositories) -> None:
    found(repositories, username="ada")
    with pytest.raises(EmailAlreadyRegistered):
        found(repositories)
    with pytest.raises(UsernameTaken):
        found(repositories, "other@example.com", username="ADA")
    assert repositories.accounts.find("other@example.com") is None
    assert len(list(repositories.accounts.tenant_ids())) == 1


def test_a_repeated_call_finds_what_it_made(repositories: Repositories) -> None:
    owner = found(repositories)
    made = repositories.accounts.made_by("call-1", "ada@example.com")
    assert made is not None
    assert made.id == owner.id
    assert repositories.accounts.made_by("call-2", "ada@example.com") is None


def test_an_invitation_is_used_once(repositories: Repositories) -> None:
    owner = found(repositories)
    invitation = invite(repositories, owner.tenant_id)
    repositories.accounts.join(a_user(owner.tenant_id, "bob@example.com"), invitation, NOW)
    with pytest.raises(InvitationInvalid):
        repositories.accounts.join(a_user(owner.tenant_id, "cat@example.com"), invitation, NOW)
    tenant = repositories.members(TenantScope(owner.tenant_id)).tenant()
    assert tenant is not None
    assert (tenant.user_count, tenant.owner_count) == (2, 1)


def test_an_expired_or_renewed_invitation_is_refused(repositories: Repositories) -> None:
    owner = found(repositories)
    late = invite(repositories, owner.tenant_id, expires_at=NOW)
    with pytest.raises(InvitationInvalid):
        repositories.accounts.join(a_user(owner.tenant_id, "bob@example.com"), late, NOW)
    invitation = invite(repositories, owner.tenant_id)
    before = replace_token(invitation)
    assert repositories.invitations(TenantScope(owner.tenant_id)).renew(invitation, "token-2")
    with pytest.raises(InvitationInvalid):
        repositories.accounts.join(a_user(owner.tenant_id, "bob@example.com"), before, NOW)


def replace_token(invitation: InvitationItem) -> InvitationItem:
    return InvitationItem.from_raw_data(invitation.serialize())


def test_withdrawn_invitations_are_gone(repositories: Repositories) -> None:
    owner = found(repositories)
    invitations = repositories.invitations(TenantScope(owner.tenant_id))
    invitation = invite(repositories, owner.tenant_id)
    assert [one.id for one in invitations.all()] == [invitation.id]
    foreign = repositories.invitations(TenantScope(new_id()))
    assert foreign.get(invitation.id) is None
    assert foreign.withdraw(invitation.id) is False
    assert invitations.withdraw(invitation.id) is True
    assert invitations.withdraw(invitation.id) is False
    assert invitations.all() == []


def test_members_come_newest_first_in_pages(repositories: Repositories) -> None:
    owner = found(repositories)
    joined = [
        join(
            repositories, owner.tenant_id, f"m{i}@example.com",
            created_at=NOW + timedelta(seconds=i + 1),
        ).id
        for i in range(4)
    ]  # fmt: skip
    newest_first = [*reversed(joined), owner.id]
    members = repositories.members(TenantScope(owner.tenant_id))
    first = members.page(0, 2, None)
    second = members.page(0, 2, first.next_key)
    third = members.page(4, 2, None)
    assert [user.id for user in first.members] == newest_first[:2]
    assert [user.id for user in second.members] == newest_first[2:4]
    assert [user.id for user in third.members] == newest_first[4:]
    assert (first.total, third.next_key) == (5, None)
    assert members.page(9, 2, None).members == []


def test_the_last_owner_stays(repositories: Repositories) -> None:
    owner = found(repositories)
    members = repositories.members(TenantScope(owner.tenant_id))
    for state in (
        NewState(frozenset({"user"}), is_active=True, is_owner=False),
        NewState(frozenset({"user"}), is_active=False, is_owner=True),
    ):
        with pytest.raises(LastOwner):
            members.change(owner, state, NOW)
    with pytest.raises(LastOwner):
        members.remove(owner, NOW)
    second = join(repositories, owner.tenant_id, "bob@example.com")
    members.change(second, NewState(frozenset({"user"}), is_active=True, is_owner=True), NOW)
    members.remove(owner, NOW)
    with pytest.raises(NotFound):
        members.get(owner.id)
    tenant = members.tenant()
    assert tenant is not None
    assert (tenant.user_count, tenant.owner_count) == (1, 1)


def test_a_removed_member_frees_his_names(repositories: Repositories) -> None:
    owner = found(repositories)
    bob = join(repositories, owner.tenant_id, "bob@example.com", username="Bob")
    repositories.members(TenantScope(owner.tenant_id)).remove(bob, NOW)
    assert repositories.accounts.find("bob@example.com") is None
    found(repositories, "bob@example.com", username="bob")


def test_a_renamed_member_is_not_removed_by_his_old_name(repositories: Repositories) -> None:
    owner = found(repositories)
    bob = join(repositories, owner.tenant_id, "bob@example.com", username="bob")
    read_before = UserItem.from_raw_data({**bob.serialize(), "username": {"S": "robert"}})
    with pytest.raises(MemberChanged):
        repositories.members(TenantScope(owner.tenant_id)).remove(read_before, NOW)


def test_a_change_over_an_old_reading_is_refused(repositories: Repositories) -> None:
    owner = found(repositories)
    bob = join(repositories, owner.tenant_id, "bob@example.com")
    members = repositories.members(TenantScope(owner.tenant_id))
    members.change(bob, NewState(frozenset({"user"}), is_active=True, is_owner=True), NOW)
    with pytest.raises(MemberChanged):
        members.change(bob, NewState(frozenset({"user"}), is_active=False, is_owner=False), NOW)
    with pytest.raises(MemberChanged):
        members.remove(bob, NOW)


def test_a_change_ends_older_sessions_and_names_who_made_it(repositories: Repositories) -> None:
    owner = found(repositories)
    bob = join(repositories, owner.tenant_id, "bob@example.com")
    members = repositories.members(TenantScope(owner.tenant_id))
    later = NOW + timedelta(minutes=1)
    state = NewState(frozenset({"client"}), is_active=True, is_owner=False, changed_by=owner.id)
    members.change(bob, state, later)
    stored = members.get(bob.id)
    assert (stored.roles, stored.tokens_valid_from) == ({"client"}, later)
    assert stored.updated_by == owner.id


def test_a_password_is_replaced_only_as_it_was_read(repositories: Repositories) -> None:
    owner = found(repositories)
    members = repositories.members(TenantScope(owner.tenant_id))
    later = NOW + timedelta(minutes=1)
    assert members.set_password(owner, "hash-2", later) is True
    assert members.set_password(owner, "hash-3", later) is False
    stored = members.get(owner.id)
    assert (stored.password_hash, stored.tokens_valid_from) == ("hash-2", later)


def test_a_reset_works_once_and_only_the_newest(repositories: Repositories) -> None:
    owner = found(repositories)
    members = repositories.members(TenantScope(owner.tenant_id))
    end = NOW + timedelta(minutes=30)
    assert members.offer_reset(owner.id, "reset-1", end, NOW)
    assert members.offer_reset(owner.id, "reset-2", end, NOW)
    assert members.use_reset(owner.id, "reset-1", "hash-2", NOW) is False
    assert members.use_reset(owner.id, "reset-2", "hash-2", end) is False
    assert members.use_reset(owner.id, "reset-2", "hash-2", NOW) is True
    assert members.use_reset(owner.id, "reset-2", "hash-3", NOW) is False
    assert members.offer_reset(new_id(), "reset-3", end, NOW) is False


def test_a_password_change_voids_a_reset(repositories: Repositories) -> None:
    owner = found(repositories)
    members = repositories.members(TenantScope(owner.tenant_id))
    members.offer_reset(owner.id, "reset-1", NOW + timedelta(minutes=30), NOW)
    members.set_password(members.get(owner.id), "hash-2", NOW)
    assert members.use_reset(owner.id, "reset-1", "hash-3", NOW) is False


def test_a_session_opens_only_on_the_proved_password(repositories: Repositories) -> None:
    owner = found(repositories)
    sessions = repositories.sessions(UserScope(owner.tenant_id, owner.id))
    assert sessions.open(a_session(owner), "hash-0", None) is False
    assert sessions.all() == []
    assert sessions.open(a_session(owner), "hash-1", "hash-upgraded") is True
    members = repositories.members(TenantScope(owner.tenant_id))
    assert members.get(owner.id).password_hash == "hash-upgraded"
    assert len(sessions.all()) == 1


def test_a_refresh_hash_rotates_once(repositories: Repositories) -> None:
    owner = found(repositories)
    sessions = repositories.sessions(UserScope(owner.tenant_id, owner.id))
    session = a_session(owner)
    sessions.open(session, "hash-1", None)
    assert sessions.was_rotated("r-1") is False
    assert sessions.rotate(session.id, "r-1", "r-2", NOW) is True
    assert sessions.rotate(session.id, "r-1", "r-3", NOW) is False
    assert (sessions.was_rotated("r-1"), sessions.was_rotated("r-2")) == (True, False)
    assert sessions.revoke(session.id, NOW) is True
    assert sessions.revoke(session.id, NOW) is False
    assert sessions.rotate(session.id, "r-2", "r-3", NOW) is False


def test_an_access_token_is_spent_once(repositories: Repositories) -> None:
    owner = found(repositories)
    sessions = repositories.sessions(UserScope(owner.tenant_id, owner.id))
    session = a_session(owner)
    sessions.open(session, "hash-1", None)
    until = NOW + timedelta(hours=1)
    assert sessions.spend(session.id, "jti-1", until, NOW) is True
    assert sessions.spend(session.id, "jti-1", until, NOW) is False
    sessions.revoke(session.id, NOW)
    assert sessions.spend(session.id, "jti-2", until, NOW) is False


def test_attempts_stop_at_the_limit(repositories: Repositories) -> None:
    attempts = Attempts("account", "203.0.113.1", 1, NOW + timedelta(minutes=15))
    other_ip = replace(attempts, ip="203.0.113.2")
    assert [repositories.logins.take(attempts, 2, NOW) for _ in range(3)] == [True, True, False]
    assert repositories.logins.take(other_ip, 2, NOW) is True
    repositories.logins.clear(attempts)
    assert repositories.logins.take(attempts, 2, NOW) is True


def test_a_compromised_key_stays_compromised(repositories: Repositories) -> None:
    keys = repositories.keys
    item = SigningKeyItem(
        "SIGNING_KEYS", "KEY#k1", kid="k1", x="x", y="y", status="published", active_from=NOW,
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    keys.publish(item)
    with pytest.raises(ConditionFailed):
        keys.publish(item)
    keys.mark("k1", "compromised", None, NOW)
    keys.mark("k1", "active", None, NOW)
    keys.mark("never-published", "active", None, NOW)
    assert [(one.kid, one.status) for one in keys.all()] == [("k1", "compromised")]
    keys.forget("k1")
    assert keys.all() == []


def test_one_rotation_at_a_time(repositories: Repositories) -> None:
    end = NOW + timedelta(minutes=5)
    assert repositories.keys.lease(end, NOW) is True
    assert repositories.keys.lease(end, NOW) is False
    assert repositories.keys.lease(end + timedelta(minutes=5), end) is True
    repositories.keys.release()
    assert repositories.keys.lease(end, NOW) is True


def test_another_tenant_sees_no_member(repositories: Repositories) -> None:
    owner = found(repositories)
    foreign = repositories.members(TenantScope(new_id()))
    with pytest.raises(NotFound):
        foreign.get(owner.id)
    assert foreign.page(0, 10, None).members == []
