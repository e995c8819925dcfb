"""Sessions, refresh tokens and kinds of tokens through the pipeline (A11-A19, A21)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from tidegate.identity import opaque, wiring
from tidegate.identity.repository.sessions import DynamoSessions
from tidegate.identity.service.credentials import Proved, Source
from tidegate_kit.auth.authenticate import DynamoMemberStore
from tidegate_kit.auth.models import (
    SessionItem,
    TenantItem,
    UserItem,
    user_key,
)
from tidegate_kit.auth.tokens import Claims
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import UserScope

from tests.builders.identity import (
    PASSWORD,
    IdentityClient,
    bearer,
    code_of,
    store_signing_ring,
)
from tests.builders.members import claims_for, sign, sign_in
from tests.builders.sessions import admin_router, claims_of
from tests.fakes.races import race


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(system_clock())


@pytest.fixture
def client(
    platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> IdentityClient:
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "4")
    store_signing_ring(platform, lambda: clock() - timedelta(seconds=2))
    return IdentityClient(platform, admin_router(), clock=clock)


@pytest.mark.hazard("A11")
def test_kinds_of_tokens_are_never_swapped(client: IdentityClient) -> None:
    """A11: refresh, reset, invitation and cross-system tokens open nothing but their own door."""
    tokens = client.signed_in()
    recovery = wiring.identity(client_clock(client)).recovery
    offered = recovery.offer("ada@example.com")
    assert offered is not None
    invitation = client.invited(tokens["access_token"], "bob@example.com")
    granted = client.post(
        "/auth/cross-system-token",
        json={"target_system": "analytics", "permissions": ["metrics:read"]},
        headers=bearer(tokens["access_token"]),
    ).json()["token"]
    others = {
        "refresh": tokens["refresh_token"], "reset": offered.token, "invitation": invitation,
        "cross-system": granted,
    }  # fmt: skip
    for kind, token in others.items():
        assert client.me(token).status_code == 401, kind
        if kind != "refresh":
            assert client.refresh(token).status_code == 401, kind
        if kind != "reset":
            body = {"token": token, "new_password": "another password"}
            assert code_of(client.post("/auth/password/reset", json=body)) == "RESET_INVALID"
    # An access token in the place of a refresh token's body is none.
    in_body = {"refresh_token": tokens["access_token"]}
    assert client.post("/auth/refresh", json=in_body).status_code == 401
    assert client.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.hazard("A11")
def test_an_access_token_renews_once_and_never_after_logout(client: IdentityClient) -> None:
    """A11: an access token renews only itself, once, and not after logout."""
    token = client.signed_in()["access_token"]
    renewed = client.refresh(token)
    assert set(renewed.json()) == {"access_token", "token_type", "expires_in"}
    assert client.me(renewed.json()["access_token"]).status_code == 200
    assert client.refresh(token).status_code == 401
    fresh = renewed.json()["access_token"]
    client.post("/auth/logout", headers=bearer(fresh))
    assert client.refresh(fresh).status_code == 401


def client_clock(client: IdentityClient) -> Any:
    return client.app._clock  # type: ignore[attr-defined]


@pytest.mark.hazard("A13")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_member", returns=None, cases=("disabled",))
@pytest.mark.parametrize("how", ["disabled", "deleted"])
def test_a_disabled_or_deleted_user(client: IdentityClient, how: str) -> None:
    """A13: his token is refused at the next request."""
    owner = client.signed_in()
    bob = client.member(owner["access_token"], "bob@example.com")
    path = f"/members/{claims_of(bob['access_token'])['sub']}"
    headers = bearer(owner["access_token"])
    if how == "disabled":
        changed = client.patch(path, json={"is_active": False}, headers=headers)
        assert changed.json()["is_active"] is False
    else:
        assert client.delete(path, headers=headers).status_code == 200
    assert client.me(bob["access_token"]).status_code == 401
    assert client.refresh(bob["refresh_token"]).status_code == 401


@pytest.mark.hazard("A14")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_member", returns=None)
@pytest.mark.parametrize("everywhere", [False, True])
def test_logout_ends_every_token(
    client: IdentityClient, platform: Settings, clock: FixedClock, everywhere: bool
) -> None:
    """A14: access and refresh tokens are refused at once, also by another process."""
    client.register()
    first, second = client.login(), client.login()
    clock.advance(seconds=1)
    path = "/auth/logout?all=true" if everywhere else "/auth/logout"
    answer = client.post(path, headers=bearer(first["access_token"]))
    assert answer.json()["sessions_revoked"] == (2 if everywhere else 1)
    other_process = IdentityClient(platform, clock=clock)
    assert other_process.me(first["access_token"]).status_code == 401
    assert other_process.refresh(first["refresh_token"]).status_code == 401
    assert other_process.me(second["access_token"]).status_code == (401 if everywhere else 200)


@pytest.mark.hazard("A15")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_member", returns=None)
@pytest.mark.parametrize("change", ["password", "reset", "role", "ownership"])
def test_older_sessions_end_with_a_change(
    client: IdentityClient, clock: FixedClock, change: str
) -> None:
    """A15: every session older than the change is refused; the next one works at once."""
    owner = client.signed_in()
    bob = client.member(owner["access_token"], "bob@example.com")
    clock.advance(microseconds=1)
    path = f"/members/{claims_of(bob['access_token'])['sub']}"
    new = PASSWORD
    if change == "password":
        new = "a new long password"
        body = {"current_password": PASSWORD, "new_password": new}
        answer = client.post("/auth/password", json=body, headers=bearer(bob["access_token"]))
    elif change == "reset":
        new = "a new long password"
        offered = wiring.identity(clock).recovery.offer("bob@example.com")
        assert offered is not None
        body = {"token": offered.token, "new_password": new}
        answer = client.post("/auth/password/reset", json=body)
    else:
        wish: dict[str, Any] = {"roles": ["client"]} if change == "role" else {"is_owner": True}
        answer = client.patch(path, json=wish, headers=bearer(owner["access_token"]))
    assert answer.status_code == 200, answer.text
    assert client.me(bob["access_token"]).status_code == 401
    assert client.refresh(bob["refresh_token"]).status_code == 401
    again = client.login("bob@example.com", new)
    assert client.me(again["access_token"]).status_code == 200


@pytest.mark.hazard("A16")
@pytest.mark.bite("tidegate.identity.repository.sessions.DynamoSessions.revoke", returns=True)
def test_a_reused_refresh_token_ends_its_family(
    client: IdentityClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A16: reuse is 401 REFRESH_REUSED, ends the whole family, and is a security event."""
    tokens = client.signed_in()
    second = client.refresh(tokens["refresh_token"]).json()
    third = client.refresh(second["refresh_token"]).json()
    reused = client.refresh(tokens["refresh_token"])
    assert (reused.status_code, code_of(reused)) == (401, "REFRESH_REUSED")
    assert "security event" in caplog.text
    for token in (third["refresh_token"], second["refresh_token"]):
        assert client.refresh(token).status_code == 401
    for pair in (tokens, second, third):
        assert client.me(pair["access_token"]).status_code == 401


@pytest.mark.hazard("A16")
def test_a_guessed_secret_ends_nothing(client: IdentityClient) -> None:
    """A16: ids alone are no proof, so a forged refresh token cannot log its victim out."""
    tokens = client.signed_in()
    claims = claims_of(tokens["access_token"])
    forged = opaque.mint("refresh", (claims["tid"], claims["sub"], claims["sid"]), b"\0" * 32)
    assert code_of(client.refresh(forged)) == "TOKEN_INVALID"
    assert client.me(tokens["access_token"]).status_code == 200
    assert client.refresh(tokens["refresh_token"]).status_code == 200


def rotate_without_condition(
    self: DynamoSessions, session_id: str, old_hash: str, new_hash: str, now: datetime
) -> bool:
    item = self._item(session_id)
    item.update(actions=[SessionItem.refresh_hash.set(new_hash)])
    self._spent(f"ROTATED#{old_hash}", session_id, 2_000_000_000, now).save()
    return True


@pytest.mark.hazard("A17")
@pytest.mark.bite(
    "tidegate.identity.repository.sessions.DynamoSessions.rotate", rotate_without_condition
)
def test_concurrent_refreshes_make_one_pair(platform: Settings) -> None:
    """A17: of eight concurrent refreshes one gets a pair, and no second family lives."""
    store_signing_ring(platform)
    services = wiring.identity()
    user = stored_user()
    issued: dict[int, Any] = {}

    def setup(number: int) -> None:
        issued[number] = services.sessions.open(Proved(user, None), Source("ip", "ua", "path"))

    def refresh(worker: int, number: int) -> str:
        presented = services.sessions.present(issued[number].refresh_token)
        return services.sessions.rotate(presented).refresh_token

    outcome = race(8, refresh, rounds=20, setup=setup)
    counts = [len(rnd.winners) for rnd in outcome.rounds]
    assert counts == [1] * 20, f"winners per round: {counts}"
    for rnd in outcome.rounds:
        assert {error.code for error in rnd.errors} <= {  # type: ignore[attr-defined]
            "REFRESH_REUSED", "SESSION_REVOKED",
        }  # fmt: skip
        (winner,) = rnd.winners
        session = services.sessions.present(winner.result).session
        assert session.revoked_at is not None


@pytest.mark.slow
@pytest.mark.hazard("A17")
def test_concurrent_refreshes_make_one_pair_every_time(platform: Settings) -> None:
    """A17: the same, a hundred rounds."""
    store_signing_ring(platform)
    services = wiring.identity()
    user = stored_user()
    sessions = DynamoSessions(UserScope(user.tenant_id, user.id))
    issued: dict[int, Any] = {}

    def setup(number: int) -> None:
        issued[number] = services.sessions.open(Proved(user, None), Source("ip", "ua", "path"))

    def rotate(worker: int, number: int) -> None:
        session = issued[number].session
        now = system_clock()
        old = opaque.digest(issued[number].refresh_token)
        if not sessions.rotate(session.id, old, f"new-{worker}", now):
            raise LookupError("lost")

    race(8, rotate, rounds=100, setup=setup).assert_one_winner(loses_with=LookupError)


def stored_user() -> UserItem:
    member = sign_in()
    return UserItem.get(f"T#{member.tenant_id}", user_key(member.user_id))


@pytest.mark.hazard("A18")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_session", returns=None)
def test_idle_sessions_expire(client: IdentityClient, clock: FixedClock) -> None:
    """A18: 24 hours without use end a session; use at hour 23 keeps it."""
    tokens = client.signed_in()
    clock.advance(hours=23)
    tokens = client.refresh(tokens["refresh_token"]).json()
    clock.advance(hours=23)
    tokens = client.refresh(tokens["refresh_token"]).json()
    clock.advance(hours=24)
    late = client.refresh(tokens["refresh_token"])
    assert (late.status_code, code_of(late)) == (401, "SESSION_EXPIRED")


@pytest.mark.hazard("A18")
@pytest.mark.bite("tidegate_kit.auth.authenticate.check_session", returns=None)
def test_rotation_never_moves_the_absolute_end(client: IdentityClient, clock: FixedClock) -> None:
    """A18: used every hour, a session still ends 30 days after its login."""
    tokens = client.signed_in()
    start = clock()
    while clock() < start + timedelta(days=30) - timedelta(hours=20):
        clock.advance(hours=20)
        answer = client.refresh(tokens["refresh_token"])
        assert answer.status_code == 200
        tokens = answer.json()
    clock.now = start + timedelta(days=30)
    late = client.refresh(tokens["refresh_token"])
    assert (late.status_code, code_of(late)) == (401, "SESSION_EXPIRED")


@pytest.mark.hazard("A18")
def test_any_authenticated_call_is_use(client: IdentityClient, clock: FixedClock) -> None:
    """A18: calls alone keep the session alive, and renewing works at hour 23."""
    token = client.signed_in()["access_token"]
    for _ in range(46):
        clock.advance(minutes=30)
        token = client.refresh(token).json()["access_token"]
    assert client.me(token).status_code == 200


def believe_claims(self: DynamoMemberStore, claims: Claims) -> Any:
    """A hole: whoever has a right signature is an admin of the tenant he names."""
    from tidegate_kit.auth.authenticate import Member

    user = UserItem(
        "T#x", "USER#x", id=claims.user_id, tenant_id=claims.tenant_id, email="e", is_active=True,
        is_owner=True, roles={"admin"}, tokens_valid_from=claims.issued_at,
        username=None, first_name="", last_name="", company="",
    )  # fmt: skip
    tenant = TenantItem("T#x", "TENANT", id=claims.tenant_id, is_active=True, list_key=b"k" * 32)
    return Member(tenant, user, None)


@pytest.mark.hazard("A19")
@pytest.mark.bite("tidegate_kit.auth.authenticate.DynamoMemberStore.find", believe_claims)
def test_membership_comes_from_the_store(client: IdentityClient, clock: FixedClock) -> None:
    """A19: a role or tenant in the token, even a rightly signed one, decides nothing."""
    member, other = sign_in(clock=clock), sign_in(clock=clock)
    now = clock()
    stale = sign(claims_for(
        member.tenant_id, member.user_id, member.session_id, member.email, now, role="admin"
    ))  # fmt: skip
    assert client.get("/admin-only", headers=bearer(stale)).status_code == 403
    moved = sign(claims_for(other.tenant_id, member.user_id, member.session_id, member.email, now))
    assert client.me(moved).status_code == 401
    borrowed = sign(
        claims_for(member.tenant_id, member.user_id, other.session_id, member.email, now)
    )
    assert client.me(borrowed).status_code == 401


@pytest.mark.hazard("A21")
@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "Authorization"])
def test_a_token_in_the_query_string(client: IdentityClient, name: str) -> None:
    """A21: is no credential."""
    token = client.signed_in()["access_token"]
    answer = client.get(f"/auth/me?{name}={token}")
    assert (answer.status_code, code_of(answer)) == (401, "AUTHENTICATION_REQUIRED")
