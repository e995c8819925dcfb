"""Administration through the whole pipeline (contract 2.15)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from tidegate.admin import routes, tasks, wiring
from tidegate.identity.models import AdminsItem
from tidegate.identity.public import administration as identity
from tidegate.monitoring.wiring import _health_service
from tidegate.profile.routes import router as profile_routes
from tidegate_kit.auth.models import TenantItem
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.gateway_routes import DeployedRoute
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders.identity import IdentityClient, bearer, code_of, store_signing_ring
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import REGION
from tests.fakes.races import race
from tests.fakes.tables import dump_tables

PASSWORD = "long enough 1"
USER = {"id", "email", "first_name", "last_name", "company", "is_active", "created_at", "roles",
        "tenant_id", "is_owner"}  # fmt: skip


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityClient]:
    url = str(boto3.client("sqs", region_name=REGION).create_queue(QueueName="dead")["QueueUrl"])
    boto3.client("s3", region_name=REGION).create_bucket(Bucket="data")
    for name, value in {
        "EVENTS_DEAD_LETTER_URL": url, "DATA_BUCKET": "data", "HTTP_API_ID": "api",
        "LEGACY_BCRYPT_COST": "4", "ACCESS_CODE": "", "WS_CALLBACK_URL": "http://127.0.0.1:9",
        "WORKFLOW_MACHINE_ROLE_ARN": "arn:aws:iam::123456789012:role/m",
        "WORKFLOW_STEP_FUNCTION_ARN": "arn:aws:lambda:us-east-1:123456789012:function:s",
        "WORKFLOW_SCHEDULE_GROUP": "g",
        "WORKFLOW_SCHEDULE_FUNCTION_ARN": "arn:aws:lambda:us-east-1:123456789012:function:c",
        "WORKFLOW_SCHEDULE_ROLE_ARN": "arn:aws:iam::123456789012:role/c",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    settings_of.cache_clear()
    store_signing_ring(platform)
    yield IdentityClient(platform, routes.router, profile_routes)
    _health_service.cache_clear()


def admin() -> SignedIn:
    """An administrator who is counted as one."""
    made = sign_in(roles=("user", "admin"))
    now = system_clock()
    AdminsItem("ADMINS", "ALL").update(
        actions=[
            AdminsItem.ids.add({made.user_id}), AdminsItem.created_at.set(now),
            AdminsItem.updated_at.set(now),
        ]
    )  # fmt: skip
    return made


def new_user(client: IdentityClient, who: SignedIn, **changes: Any) -> dict[str, Any]:
    body = {
        "email": f"{new_id()}@example.com", "password": PASSWORD, "first_name": "Bob",
        "last_name": "Builder", "company": "Cranes", **changes,
    }  # fmt: skip
    body = {name: value for name, value in body.items() if value is not None}
    made = client.post("/admin/users", json=body, headers=who.headers)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def audited(client: IdentityClient, who: SignedIn, tenant_id: str) -> list[str]:
    answer = client.get(f"/admin/audit?tenant_id={tenant_id}&page_size=100", headers=who.headers)
    assert answer.status_code == 200, answer.text
    return [entry["action"] for entry in answer.json()["entries"]]


# ---- users ---------------------------------------------------------------------------------------


def test_the_life_of_a_user(client: IdentityClient) -> None:
    boss = admin()
    made = new_user(client, boss, username="Bobby", roles=["client"])
    assert set(made) == USER
    assert (made["is_owner"], made["roles"], made["company"]) == (True, ["client"], "Cranes")
    path = f"/api/admin/users/{made['id']}"
    assert client.get(path, headers=boss.headers).json() == made
    tokens = client.login(made["email"], PASSWORD)
    changed = client.put(
        path, json={"first_name": "Rob", "username": "Robby"}, headers=boss.headers
    )
    assert changed.json()["first_name"] == "Rob"
    assert client.me(tokens["access_token"]).status_code == 200  # a name ends no session
    assert client.login("robby", PASSWORD)
    secret = {"password": "another one 2", "roles": ["user", "client"]}
    assert client.put(path, json=secret, headers=boss.headers).json()["roles"] == ["user", "client"]
    assert client.me(tokens["access_token"]).status_code == 401
    assert client.login(made["email"], "another one 2")
    second = new_user(client, boss, tenant_id=made["tenant_id"], company=None)
    assert (second["tenant_id"], second["is_owner"]) == (made["tenant_id"], False)
    off = client.put(
        f"/admin/users/{second['id']}", json={"is_active": False}, headers=boss.headers
    )
    assert off.json()["is_active"] is False
    gone = client.delete(f"/admin/users/{second['id']}", headers=boss.headers)
    assert gone.json() == {"id": second["id"], "deleted": True}
    assert client.get(f"/admin/users/{second['id']}", headers=boss.headers).status_code == 404


def test_lists_are_filtered_and_paged(client: IdentityClient) -> None:
    boss = admin()
    first = new_user(client, boss, first_name="Zelda")
    new_user(client, boss, tenant_id=first["tenant_id"], company=None, roles=["client"])

    def emails(query: str) -> list[str]:
        answer = client.get(f"/admin/users?page_size=100&{query}", headers=boss.headers)
        assert answer.status_code == 200, answer.text
        return [one["email"] for one in answer.json()["users"]]

    assert emails("q=zELDA") == [first["email"]]
    assert len(emails(f"tenant_id={first['tenant_id']}")) == 2
    assert emails("role=admin") == [boss.email]
    assert emails("is_active=false") == []
    page = client.get("/admin/users?page_size=1", headers=boss.headers).json()
    assert (page["total"], page["total_pages"], len(page["users"])) == (3, 3, 1)
    more = client.get(
        f"/admin/users?page_size=1&cursor={page['next_cursor']}", headers=boss.headers
    )
    assert more.json()["users"][0]["id"] != page["users"][0]["id"]


def test_what_cannot_be_created_is_refused(client: IdentityClient) -> None:
    boss = admin()
    made = new_user(client, boss)
    base = {"password": PASSWORD, "first_name": "A", "last_name": "B"}
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"email": made["email"], "company": "X"}, 400, "EMAIL_ALREADY_REGISTERED"),
        ({"email": "a@example.com"}, 422, "VALIDATION_ERROR"),
        (
            {"email": "a@example.com", "company": "X", "tenant_id": new_id()},
            422,
            "VALIDATION_ERROR",
        ),
        ({"email": "a@example.com", "tenant_id": new_id()}, 422, "VALIDATION_ERROR"),
        ({"email": "a@example.com", "company": "X", "roles": ["owner"]}, 422, "VALIDATION_ERROR"),
        ({"email": "a@example.com", "company": "X", "is_owner": True}, 422, "VALIDATION_ERROR"),
    ]
    for extra, status, code in cases:
        answer = client.post("/admin/users", json={**base, **extra}, headers=boss.headers)
        assert (answer.status_code, code_of(answer)) == (status, code), answer.text
    taken = new_user(client, boss, username="unique")
    path = f"/admin/users/{made['id']}"
    answer = client.put(path, json={"username": "UNIQUE"}, headers=boss.headers)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "username")
    assert client.get(path, headers=boss.headers).json() == made
    assert taken["id"] != made["id"]


@pytest.mark.hazard("B7")
@pytest.mark.bite("tidegate.identity.repository.administration.count_admin", returns=None)
@pytest.mark.bite("tidegate.identity.repository.members.count_admin", returns=None)
def test_the_last_administrator_stays(client: IdentityClient) -> None:
    """B7: no way of demoting, switching off or removing takes the last administrator away."""
    boss = admin()
    path = f"/admin/users/{boss.user_id}"
    found = [
        client.put(path, json={"roles": ["user"]}, headers=boss.headers),
        client.put(path, json={"is_active": False}, headers=boss.headers),
        client.delete(path, headers=boss.headers),
    ]
    assert [code_of(one) for one in found] == ["LAST_ADMIN"] * 3
    assert client.get(path, headers=boss.headers).status_code == 200


@pytest.mark.hazard("B7")
def test_two_administrators_cannot_demote_each_other_at_once(client: IdentityClient) -> None:
    """B7: of two that demote each other at the same instant, one stays an administrator."""
    pair = [admin(), admin()]
    outcome = race(
        2,
        lambda worker, _: identity.administration().change(
            pair[1 - worker].user_id,
            identity.UserChange(roles=frozenset({"user"})),
            pair[worker].user_id,
        ),
        rounds=1,
    )
    assert len(outcome.rounds[0].winners) == 1
    (kept,) = AdminsItem.query("ADMINS")
    assert len(kept.ids) == 1


def test_the_last_owner_stays(client: IdentityClient) -> None:
    boss = admin()
    made = new_user(client, boss)
    for answer in (
        client.delete(f"/admin/users/{made['id']}", headers=boss.headers),
        client.put(f"/admin/users/{made['id']}", json={"is_active": False}, headers=boss.headers),
    ):
        assert (answer.status_code, code_of(answer)) == (409, "LAST_OWNER")


@pytest.mark.hazard("A13")
def test_a_deleted_user_is_out_at_once_and_his_data_goes(client: IdentityClient) -> None:
    """A13: sessions end with the removal; profile and sessions are erased, the audit id stays."""
    boss = admin()
    owner = new_user(client, boss)
    made = new_user(client, boss, tenant_id=owner["tenant_id"], company=None)
    tokens = client.login(made["email"], PASSWORD)
    put = client.put("/v1/profile", json={"bio": "CANARY"}, headers=bearer(tokens["access_token"]))
    assert put.status_code == 200, put.text
    client.delete(f"/admin/users/{made['id']}", headers=boss.headers)
    assert client.me(tokens["access_token"]).status_code == 401
    assert client.refresh(tokens["refresh_token"]).status_code == 401
    assert tasks.erase({}, None) == {"done": 1, "left": 0}
    assert tasks.erase({}, None) == {"done": 1, "left": 0}  # and nothing came late
    left = everything()
    assert "CANARY" not in left
    assert made["email"] not in left
    assert f"USER#{made['id']}" not in left
    assert made["id"] in left  # in the audit log
    assert tasks.erase({}, None) == {"done": 0, "left": 0}


def everything() -> str:
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    return repr(dump_tables(dynamodb, dynamodb.list_tables()["TableNames"]))


# ---- tenants -------------------------------------------------------------------------------------


def test_tenants_are_listed_renamed_and_switched_off(client: IdentityClient) -> None:
    boss = admin()
    made = new_user(client, boss)
    tokens = client.login(made["email"], PASSWORD)
    listed = client.get("/admin/tenants", headers=boss.headers).json()
    assert {one["name"] for one in listed["tenants"]} == {"Example", "Cranes"}
    path = f"/admin/tenants/{made['tenant_id']}"
    found = client.get(path, headers=boss.headers).json()
    assert set(found) == {"id", "name", "is_active", "user_count", "account_count", "created_at"}
    assert (found["user_count"], found["account_count"]) == (1, 0)
    changed = client.patch(path, json={"name": "Hoists", "is_active": False}, headers=boss.headers)
    assert (changed.json()["name"], changed.json()["is_active"]) == ("Hoists", False)
    assert client.me(tokens["access_token"]).status_code == 401  # ADM-1
    assert code_of(
        client.post("/auth/login", json={"email": made["email"], "password": PASSWORD})
    ) == ("INACTIVE_ACCOUNT")
    client.patch(path, json={"is_active": True}, headers=boss.headers)
    assert client.login(made["email"], PASSWORD)
    assert (
        client.patch(f"/admin/tenants/{new_id()}", json={}, headers=boss.headers).status_code == 404
    )


@pytest.mark.hazard("B5")
@pytest.mark.bite("tidegate.admin.wiring.enter", returns=None)
def test_what_administrators_do_is_entered_in_that_tenants_log(client: IdentityClient) -> None:
    """B5: another tenant's data is reached by administrators alone, and its log says so (ADM-2)."""
    boss = admin()
    made = new_user(client, boss)
    client.get(f"/admin/users/{made['id']}", headers=boss.headers)
    client.put(f"/admin/users/{made['id']}", json={"last_name": "X"}, headers=boss.headers)
    client.patch(f"/admin/tenants/{made['tenant_id']}", json={"name": "Y"}, headers=boss.headers)
    client.get(f"/admin/users?tenant_id={made['tenant_id']}", headers=boss.headers)
    actions = audited(client, boss, made["tenant_id"])
    wanted = {"admin.user.read", "admin.user.change", "admin.tenant.change", "admin.users.list",
              "admin.audit.read"}  # fmt: skip
    assert wanted <= set(actions), actions
    answer = client.get(
        f"/admin/audit?tenant_id={made['tenant_id']}&verify=true&action=admin.user.read",
        headers=boss.headers,
    ).json()
    assert answer["verification"]["valid"] is True
    (entry,) = answer["entries"]
    assert (entry["actor"]["id"], entry["resource"]["id"]) == (boss.user_id, made["id"])


def test_owners_and_members_reach_nothing_here(client: IdentityClient) -> None:
    owner = sign_in(roles=("client",), is_owner=True)
    for method, path in (
        ("GET", "/admin/users"),
        ("GET", "/admin/audit"),
        ("PUT", "/admin/config"),
    ):
        answer = client.request(method, path, headers=owner.headers, json={})
        assert (answer.status_code, code_of(answer)) == (403, "FORBIDDEN")


# ---- the platform --------------------------------------------------------------------------------


def test_dashboard_and_system(client: IdentityClient) -> None:
    boss = admin()
    new_user(client, boss)
    found = client.get("/admin/dashboard", headers=boss.headers)
    assert found.status_code == 200, found.text
    body = found.json()
    assert body.pop("generated_at").endswith("Z")
    assert body == {
        "tenants": 2, "users": 2, "accounts_connected": 0, "alerts": 0,
        "executions_24h": {"total": 0, "failed": 0}, "ai_cost_month": "0.000000",
    }  # fmt: skip
    system = client.get("/admin/system", headers=boss.headers).json()
    assert set(system) == {"system", "application", "workflows", "ai_usage", "certificate"}
    assert system["certificate"] == {"expires_at": None, "days_left": None}  # served without TLS


@pytest.mark.hazard("H24")
@pytest.mark.bite(
    "tidegate.admin.service.stores.StoreState.matches", replacement=property(lambda s: True)
)
def test_health_names_the_table_that_is_not_the_configured_one(
    client: IdentityClient, platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H24: each table as configured and as reached; one that differs is 503 and named."""
    boss = admin()
    good = client.get("/admin/health", headers=boss.headers)
    assert good.status_code == 200, good.text
    body = good.json()
    assert body["user_count"] == 1
    assert all(one["matches"] and one["reachable"] for one in body["stores"])
    assert {one["configured"]["stage"] for one in body["stores"]} == {"test"}
    real = wiring.tables().arn_of

    def elsewhere(self: Any, logical: str) -> str:
        return (
            real(logical).replace("us-east-1", "eu-west-1")
            if logical == "profile"
            else real(logical)
        )

    monkeypatch.setattr("tidegate.admin.repository.tables.GlobalTables.arn_of", elsewhere)
    bad = client.get("/admin/health", headers=boss.headers)
    assert bad.status_code == 503
    (wrong,) = [one for one in bad.json()["stores"] if not one["matches"]]
    assert wrong["configured"]["table"] == "tidegate-test-profile"
    assert wrong["in_use"]["region"] == "eu-west-1"
    assert bad.json()["error"]["details"][0]["field"] == "stores"


def test_the_self_test_answers_in_the_contracted_shape(
    client: IdentityClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nothing:
        def routes(self) -> list[DeployedRoute]:
            return []

        def ask(self, function: str, names: Any) -> None:
            return None

    monkeypatch.setattr(wiring, "deployment", Nothing)
    body = client.get("/admin/self-test", headers=admin().headers).json()
    assert set(body) == {"ok", "declared", "mounted", "deployed", "answered", "missing", "extra",
                         "duplicates"}  # fmt: skip
    assert (body["ok"], body["mounted"], body["deployed"], body["answered"]) == (False, 0, 0, 0)
    assert body["declared"] == len(body["missing"]) > 100


# ---- configuration -------------------------------------------------------------------------------


def values(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()["effective"]}


def test_configuration_tells_value_and_source_and_no_secret(
    client: IdentityClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = admin()
    monkeypatch.setenv("ACCESS_CODE", "swordfish")
    settings_of.cache_clear()
    answer = client.get("/admin/config", headers=boss.headers)
    assert "swordfish" not in answer.text
    found = values(answer)
    assert (found["access_code"]["value"], found["access_code"]["source"]) == ("***", "environment")
    assert found["tidegate_stage"]["value"] == "test"
    assert found["legacy_tokens_enabled"] == {
        "name": "legacy_tokens_enabled", "value": False, "source": "default", "runtime": True,
    }  # fmt: skip


def test_run_time_values_are_changed_and_taken_back(client: IdentityClient) -> None:
    boss = admin()
    new = {
        "legacy_tokens_enabled": True, "legacy_tokens_until": "2030-01-01T00:00:00Z",
        "feature_flags": {"beta": True}, "cross_system_targets": {"mine": ["metrics:read"]},
    }  # fmt: skip
    found = values(client.put("/admin/config", json=new, headers=boss.headers))
    assert {name: found[name]["value"] for name in new} == new
    assert {found[name]["source"] for name in new} == {"runtime"}
    assert values(client.get("/admin/config", headers=boss.headers)) == found
    token = client.post(
        "/auth/cross-system-token",
        json={"target_system": "mine", "permissions": ["metrics:read"]},
        headers=boss.headers,
    )
    assert token.status_code == 200, token.text
    back = values(client.put("/admin/config", json=dict.fromkeys(new), headers=boss.headers))
    assert {back[name]["source"] for name in new} == {"default"}


@pytest.mark.parametrize(
    "body",
    [
        {"tidegate_stage": "other"}, {"legacy_tokens_until": "soon"}, {"feature_flags": {"": True}},
        {"legacy_tokens_until": "2030-01-01T00:00:00"}, {"feature_flags": {"a": 1}},
        {"cross_system_targets": {"x": ["admin:write"]}}, {"cross_system_targets": {"x": ["no"]}},
    ],
)  # fmt: skip
def test_unusable_configuration_changes_nothing(client: IdentityClient, body: Any) -> None:
    boss = admin()
    before = values(client.get("/admin/config", headers=boss.headers))
    answer = client.put("/admin/config", json=body, headers=boss.headers)
    assert (answer.status_code, code_of(answer)) == (422, "VALIDATION_ERROR")
    assert values(client.get("/admin/config", headers=boss.headers)) == before


# ---- a tenant's end ------------------------------------------------------------------------------


@pytest.mark.hazard("G25")
@pytest.mark.bite("tidegate.admin.repository.tables.GlobalTables.erase_tenant", returns=0)
def test_a_forgotten_tenant_leaves_nothing(client: IdentityClient, platform: Settings) -> None:
    """G25: rows of every table, global ones too, and objects; another tenant keeps everything."""
    boss = admin()
    gone, kept = (new_user(client, boss, company=name) for name in ("Gone", "Kept"))
    s3 = boto3.client("s3", region_name=REGION)
    for one in (gone, kept):
        tokens = client.login(one["email"], PASSWORD)
        client.put(
            "/v1/profile", json={"bio": one["company"]}, headers=bearer(tokens["access_token"])
        )
        s3.put_object(Bucket="data", Key=f"workflows/{one['tenant_id']}/x.json", Body=b"1")
    event = {"tenant_id": gone["tenant_id"], "requested_by": "test"}
    assert tasks.erase(event, None) == {"done": 1, "left": 0}
    assert tasks.erase({}, None) == {"done": 1, "left": 0}
    assert tasks.erase({}, None) == {"done": 0, "left": 0}
    left = everything()
    assert gone["tenant_id"] not in left.replace(f"admin.{gone['tenant_id']}", "")
    assert gone["email"] not in left
    assert kept["email"] in left
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="data")["Contents"]]
    assert [key for key in keys if gone["tenant_id"] in key] == []
    assert f"workflows/{kept['tenant_id']}/x.json" in keys
    assert (
        client.post("/auth/login", json={"email": gone["email"], "password": PASSWORD}).status_code
        == 401
    )
    assert new_user(client, boss, email=gone["email"])["tenant_id"] != gone["tenant_id"]
    assert (
        client.get(f"/admin/tenants/{gone['tenant_id']}", headers=boss.headers).status_code == 404
    )


@pytest.mark.hazard("H26")
def test_an_erasure_that_dies_is_begun_again(
    client: IdentityClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H26: killed in the middle of the rows, the next run of another process goes on."""
    boss = admin()
    gone = new_user(client, boss)
    tables = "tidegate.admin.repository.tables.GlobalTables.erase_tenant"
    from tidegate.admin.repository.tables import GlobalTables

    real = GlobalTables.erase_tenant

    def dies(self: Any, logical: str, scope: TenantScope, keep: frozenset[str]) -> int:
        if logical == "identity":
            raise ServiceUnavailable(log="killed")
        return real(self, logical, scope, keep)

    with monkeypatch.context() as patched:
        patched.setattr(tables, dies)
        assert tasks.erase({"tenant_id": gone["tenant_id"]}, None) == {"done": 0, "left": 1}
    item = TenantItem.get(TenantScope(gone["tenant_id"]).pk, "TENANT")
    assert item.is_active is False  # nobody works in it meanwhile
    assert [tasks.erase({}, None)["done"] for _ in range(3)] == [1, 1, 0]
    assert gone["tenant_id"] not in everything()
