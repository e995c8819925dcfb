"""Members and invitations through the whole pipeline (contract 2.1, B5-B8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import jwt
import pytest
from tidegate.identity import public, wiring
from tidegate.identity.errors import LastOwner
from tidegate.identity.repository.members import DynamoMembers
from tidegate.identity.service.membership import Change
from tidegate_kit.auth.models import TenantItem, UserItem, user_key
from tidegate_kit.auth.principal import Principal
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.dynamo import Transaction, current_store
from tidegate_kit.ids import is_id, new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.identity import ADA, IdentityClient, bearer, code_of, store_signing_ring
from tests.builders.members import sign_in
from tests.fakes.races import race
from tests.fakes.tables import dump_tables


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(system_clock())


@pytest.fixture
def client(
    platform: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> IdentityClient:
    monkeypatch.setenv("LEGACY_BCRYPT_COST", "4")
    store_signing_ring(platform, lambda: clock() - timedelta(seconds=2))
    return IdentityClient(platform, clock=clock)


def id_of(tokens: dict[str, Any]) -> str:
    claims: dict[str, Any] = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    return str(claims["sub"])


def headers_of(tokens: dict[str, Any]) -> dict[str, str]:
    return bearer(tokens["access_token"])


def stored(settings: Settings) -> dict[str, Any]:
    """The identity table without the failed logins, which a refusal may write."""
    table = current_store().table_name("identity")
    client = boto3.client("dynamodb", region_name=settings.aws_region)
    return dump_tables(client, [table])


# ---- the life of a member -----------------------------------------------------------------------


def test_invite_join_list_change_remove(client: IdentityClient, clock: FixedClock) -> None:
    owner = client.signed_in()
    made = client.post(
        "/members/invitations",
        json={"email": "Bob@Example.com", "roles": ["client"]},
        headers=headers_of(owner),
    )
    assert made.status_code == 201
    body = made.json()
    assert set(body) == {
        "id", "email", "roles", "status", "expires_at", "created_at", "invitation_token",
    }  # fmt: skip
    assert (body["email"], body["roles"], body["status"]) == (
        "bob@example.com", ["client"], "pending",
    )  # fmt: skip
    listed = client.get("/members/invitations", headers=headers_of(owner)).json()
    assert [one["id"] for one in listed["invitations"]] == [body["id"]]
    assert "invitation_token" not in listed["invitations"][0]
    clock.advance(seconds=1)
    bob = client.signed_in(
        email="bob@example.com", company="Bob's own", invitation_token=body["invitation_token"]
    )
    me = client.me(bob["access_token"]).json()
    assert (me["roles"], me["is_owner"]) == (["client"], False)
    assert me["tenant_id"] == client.me(owner["access_token"]).json()["tenant_id"]
    page = client.get("/members", headers=headers_of(bob)).json()
    assert [one["id"] for one in page["members"]] == [id_of(bob), id_of(owner)]
    assert page["total"] == 2
    assert set(page["members"][0]) == {
        "id", "email", "first_name", "last_name", "roles", "is_owner", "is_active", "created_at",
    }  # fmt: skip
    assert client.get("/members/invitations", headers=headers_of(owner)).json()["total"] == 0
    path = f"/members/{id_of(bob)}"
    changed = client.patch(path, json={"roles": ["user"]}, headers=headers_of(owner))
    assert changed.json()["roles"] == ["user"]
    removed = client.delete(path, headers=headers_of(owner))
    assert removed.json() == {"id": id_of(bob), "deleted": True}
    assert client.get("/members", headers=headers_of(owner)).json()["total"] == 1
    assert client.register(email="bob@example.com")["id"] != id_of(bob)


def test_members_by_cursor(client: IdentityClient, clock: FixedClock) -> None:
    owner = client.signed_in()
    for number in range(3):
        clock.advance(seconds=1)
        client.member(owner["access_token"], f"m{number}@example.com")
    first = client.get("/members?page_size=3", headers=headers_of(owner)).json()
    second = client.get(
        f"/members?page_size=3&cursor={first['next_cursor']}", headers=headers_of(owner)
    ).json()
    emails = [one["email"] for page in (first, second) for one in page["members"]]
    assert emails == ["m2@example.com", "m1@example.com", "m0@example.com", "ada@example.com"]
    assert "next_cursor" not in second
    assert first["total"] == 4
    past = client.get("/members?page=9", headers=headers_of(owner)).json()
    assert past["members"] == []
    bad = client.get("/members?cursor=xyz", headers=headers_of(owner))
    assert code_of(bad) == "INVALID_CURSOR"


def test_a_patch_that_changes_nothing_ends_no_session(client: IdentityClient) -> None:
    owner = client.signed_in()
    path = f"/members/{id_of(owner)}"
    same = client.patch(path, json={"is_active": True}, headers=headers_of(owner))
    assert same.status_code == 200
    assert client.me(owner["access_token"]).status_code == 200


def test_withdrawn_and_expired_invitations(client: IdentityClient, clock: FixedClock) -> None:
    owner = client.signed_in()
    token = client.invited(owner["access_token"], "bob@example.com")
    (item,) = client.get("/members/invitations", headers=headers_of(owner)).json()["invitations"]
    path = f"/members/invitations/{item['id']}"
    assert client.delete(path, headers=headers_of(owner)).json() == {
        "id": item["id"], "deleted": True,
    }  # fmt: skip
    assert client.delete(path, headers=headers_of(owner)).status_code == 404
    late = client.invited(owner["access_token"], "cat@example.com")
    clock.advance(days=7)
    for email, invitation in (("bob@example.com", token), ("cat@example.com", late)):
        body = {**ADA, "email": email, "invitation_token": invitation}
        answer = client.post("/auth/register", json=body)
        assert (answer.status_code, code_of(answer)) == (422, "VALIDATION_ERROR")
        assert answer.json()["error"]["details"][0]["field"] == "invitation_token"


def test_inviting_a_member_is_a_conflict(client: IdentityClient) -> None:
    owner = client.signed_in()
    answer = client.post(
        "/members/invitations", json={"email": "ADA@example.com"}, headers=headers_of(owner)
    )
    assert (answer.status_code, code_of(answer)) == (409, "ALREADY_MEMBER")


def test_a_repeated_invitation_call_makes_one(client: IdentityClient) -> None:
    """H30: also when the first call died after its effect; the new token is the valid one."""
    owner = client.signed_in()
    principal = principal_of(id_of(owner), client.me(owner["access_token"]).json()["tenant_id"])
    service = wiring.identity().membership
    first = service.invite(principal, "bob@example.com", frozenset({"user"}), "e" * 64)
    again = service.invite(principal, "bob@example.com", frozenset({"user"}), "e" * 64)
    assert first.invitation.id == again.invitation.id
    assert client.get("/members/invitations", headers=headers_of(owner)).json()["total"] == 1
    old = {**ADA, "email": "bob@example.com", "invitation_token": first.token}
    assert client.post("/auth/register", json=old).status_code == 422
    client.register(email="bob@example.com", invitation_token=again.token)


def principal_of(user_id: str, tenant_id: str) -> Principal:
    return Principal(
        user_id=user_id, tenant_id=tenant_id, email="ada@example.com", roles=frozenset({"user"}),
        is_owner=True, session_id=None, token_id="", issued_at=system_clock(), via="bearer",
        list_key=b"k" * 32,
    )  # fmt: skip


# ---- tenants ------------------------------------------------------------------------------------


def test_ids_of_another_tenant_do_not_exist(client: IdentityClient, platform: Settings) -> None:
    owner, other = client.signed_in(), client.signed_in(email="eve@example.com")
    victim = id_of(owner)
    client.invited(owner["access_token"], "bob@example.com")
    (item,) = client.get("/members/invitations", headers=headers_of(owner)).json()["invitations"]
    before = stored(platform)
    calls = [
        ("PATCH", "/members/{}", victim, {"is_active": False}),
        ("DELETE", "/members/{}", victim, None),
        ("DELETE", "/members/invitations/{}", item["id"], None),
        ("DELETE", "/auth/sessions/{}", new_id(), None),
    ]
    for method, path, foreign, body in calls:
        answers = []
        for one in (foreign, new_id()):
            options = {"json": body} if body is not None else {}
            answer = client.request(method, path.format(one), headers=headers_of(other), **options)
            error = answer.json()["error"]
            answers.append((answer.status_code, error["code"], error["message"], error["details"]))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    assert stored(platform) == before
    assert [one["id"] for one in client.get("/members", headers=headers_of(other)).json()[
        "members"
    ]] == [id_of(other)]  # fmt: skip


# ---- B5 to B8 -----------------------------------------------------------------------------------


@pytest.mark.hazard("B5")
@pytest.mark.bite(
    "tidegate_kit.auth.principal.permissions_of",
    lambda roles, *, is_owner: frozenset({"member:manage"}),
)
@pytest.mark.parametrize("role", ["user", "client"])
def test_lower_roles_on_owner_routes(client: IdentityClient, platform: Settings, role: str) -> None:
    """B5: only an owner manages members; the refusal writes nothing."""
    owner = client.signed_in()
    member = client.member(owner["access_token"], "bob@example.com", (role,))
    before = stored(platform)
    headers = headers_of(member)
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/members/invitations", None),
        ("POST", "/members/invitations", {"email": "cat@example.com"}),
        ("DELETE", f"/members/invitations/{new_id()}", None),
        ("PATCH", f"/members/{id_of(owner)}", {"is_active": False}),
        ("DELETE", f"/members/{id_of(owner)}", None),
    ]
    for method, path, body in calls:
        options = {"json": body} if body is not None else {}
        answer = client.request(method, path, headers=headers, **options)
        assert (answer.status_code, code_of(answer)) == (403, "FORBIDDEN"), path
    assert stored(platform) == before


@pytest.mark.hazard("B6")
@pytest.mark.parametrize(
    "extra",
    [
        {"role": "admin"}, {"tenant_id": "x"}, {"id": "x"}, {"email": "x@example.com"},
        {"created_by": "x"}, {"password_hash": "x"}, {"tokens_valid_from": "2020-01-01"},
        {"version": 9},
    ],
)  # fmt: skip
def test_protected_fields(client: IdentityClient, extra: dict[str, Any]) -> None:
    """B6: fields that are not offered are refused in every body of this domain."""
    owner = client.signed_in()
    headers = headers_of(owner)
    patched = client.patch(f"/members/{id_of(owner)}", json=extra, headers=headers)
    registered = client.post("/auth/register", json={**ADA, **extra, "roles": ["admin"]})
    body = {"email": "bob@example.com", "is_owner": True, **extra}
    invited = client.post("/members/invitations", json=body, headers=headers)
    assert [one.status_code for one in (patched, registered, invited)] == [422, 422, 422]


@pytest.mark.hazard("B7")
@pytest.mark.bite(
    "tidegate_kit.auth.principal.permissions_of",
    lambda roles, *, is_owner: frozenset({"member:manage"}),
)
def test_nobody_promotes_himself(client: IdentityClient) -> None:
    """B7: a member gives himself neither a role nor ownership; an owner gives nobody admin."""
    owner = client.signed_in()
    member = client.member(owner["access_token"], "bob@example.com")
    path = f"/members/{id_of(member)}"
    for body in ({"roles": ["client"]}, {"is_owner": True}):
        answer = client.patch(path, json=body, headers=headers_of(member))
        assert (answer.status_code, code_of(answer)) == (403, "FORBIDDEN")
    for target in (id_of(owner), id_of(member)):
        answer = client.patch(
            f"/members/{target}", json={"roles": ["admin"]}, headers=headers_of(owner)
        )
        assert answer.status_code == 422


def blind_change(self: DynamoMembers, user: UserItem, state: Any, now: Any) -> None:
    writes = Transaction()
    writes.update(UserItem(self._pk, user.sk), [UserItem.is_owner.set(state.is_owner)])
    writes.update(TenantItem(self._pk, "TENANT"), [TenantItem.owner_count.add(-1)])
    writes.commit()


@pytest.mark.hazard("B7")
@pytest.mark.bite("tidegate.identity.repository.members.DynamoMembers.change", blind_change)
def test_the_last_owner_cannot_leave(client: IdentityClient) -> None:
    """B7: demoting, switching off or removing the last owner is 409, and changes nothing."""
    owner = client.signed_in()
    client.member(owner["access_token"], "bob@example.com")
    path = f"/members/{id_of(owner)}"
    for body in ({"is_owner": False}, {"is_active": False}):
        answer = client.patch(path, json=body, headers=headers_of(owner))
        assert (answer.status_code, code_of(answer)) == (409, "LAST_OWNER")
    assert code_of(client.delete(path, headers=headers_of(owner))) == "LAST_OWNER"
    assert client.me(owner["access_token"]).json()["is_owner"] is True


@pytest.mark.hazard("B7")
@pytest.mark.bite("tidegate.identity.repository.members.DynamoMembers.change", blind_change)
def test_two_owners_demoting_each_other(platform: Settings) -> None:
    """B7: of two owners who demote each other at once, one stays."""
    pairs: dict[int, list[Principal]] = {}
    service = wiring.identity().membership

    def setup(number: int) -> None:
        first = sign_in(is_owner=True)
        second = sign_in(tenant_id=first.tenant_id, is_owner=True)
        tenant = TenantItem(f"T#{first.tenant_id}", "TENANT")
        tenant.update(actions=[TenantItem.owner_count.set(2)])
        pairs[number] = [principal_of(one.user_id, first.tenant_id) for one in (first, second)]

    def demote_the_other(worker: int, number: int) -> None:
        me, other = pairs[number][worker % 2], pairs[number][1 - worker % 2]
        service.change(me, other.user_id, Change(is_owner=False))

    outcome = race(2, demote_the_other, rounds=20, setup=setup)
    outcome.assert_one_winner(loses_with=LastOwner)
    for one, other in pairs.values():
        owners = [
            UserItem.get(person.tenant.pk, user_key(person.user_id)).is_owner
            for person in (one, other)
        ]
        assert sorted(owners) == [False, True]


@pytest.mark.hazard("B8")
@pytest.mark.parametrize("roles", [["admin"], ["user", "admin"]])
def test_invitations_above_ones_own_role(
    client: IdentityClient, platform: Settings, roles: list[str]
) -> None:
    """B8: an owner who is no admin invites no admin."""
    owner = client.signed_in()
    before = stored(platform)
    answer = client.post(
        "/members/invitations",
        json={"email": "bob@example.com", "roles": roles},
        headers=headers_of(owner),
    )
    assert (answer.status_code, code_of(answer)) == (403, "FORBIDDEN")
    assert stored(platform) == before


def anybody(self: Any, token: str, email: str) -> Any:
    from tidegate.identity import opaque

    parsed = opaque.parse("invitation", token)
    assert parsed is not None
    return self._invitations(TenantScope(parsed.ids[0])).get(parsed.ids[1])


@pytest.mark.hazard("B8")
@pytest.mark.bite("tidegate.identity.service.credentials.Credentials._invitation", anybody)
def test_invitations_are_for_one_address(client: IdentityClient) -> None:
    """B8: another e-mail cannot use an invitation, and trying does not use it up."""
    owner = client.signed_in()
    token = client.invited(owner["access_token"], "bob@example.com")
    other = {**ADA, "email": "eve@example.com", "invitation_token": token}
    answer = client.post("/auth/register", json=other)
    assert answer.status_code == 422
    bob = client.register(email="bob@example.com", invitation_token=token)
    assert is_id(bob["id"])
    again = {**ADA, "email": "bob@example.com", "invitation_token": token}
    assert client.post("/auth/register", json=again).status_code in (400, 422)


# ---- what other domains ask ---------------------------------------------------------------------


def test_public_views(platform: Settings) -> None:
    member = sign_in(roles=("client",))
    scope = TenantScope(member.tenant_id)
    seen = public.member(scope, member.user_id)
    assert seen is not None
    assert (seen.email, seen.roles, seen.is_active) == (member.email, frozenset({"client"}), True)
    assert "account:manage" in seen.permissions
    assert public.member(TenantScope(new_id()), member.user_id) is None
    assert public.tenant_is_active(scope) is True
    assert public.tenant_is_active(TenantScope(new_id())) is False
    assert scope in list(public.tenants())
    TenantItem(scope.pk, "TENANT").update(actions=[TenantItem.is_active.set(False)])
    assert public.tenant_is_active(scope) is False
