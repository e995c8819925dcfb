"""What must hold on every route, whatever domain it is of."""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tidegate import routers
from tidegate.identity.routes import router as identity
from tidegate.manifest import openapi
from tidegate.onboarding.trust_policy import judge
from tidegate_kit.auth.authenticate import DynamoMemberStore, Member
from tidegate_kit.auth.models import SessionItem, TenantItem, UserItem, session_key, user_key
from tidegate_kit.auth.tokens import Claims
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.http import lambda_app
from tidegate_kit.http.blocking import run_inline
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of

from tests.architecture.sources import kit, product
from tests.builders.identity import store_signing_ring
from tests.builders.members import SignedIn, sign_in
from tests.builders.whole_platform import Caller, owner, whole_platform
from tests.builders.workflows import chain, node
from tests.fakes.strict_aws.layer import StrictAws

CONNECT = {"account_id": "210987654321", "tier": "read", "regions": ["eu-west-1"]}


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    yield whole_platform(platform, monkeypatch)
    settings_of.cache_clear()


# ---- B16: rights that were taken away ----------------------------------------------------------


@functools.cache
def _remembered(tenant_id: str | None, user_id: str) -> dict[str, Member]:
    return {}


def found_once(self: DynamoMemberStore, claims: Claims) -> Member | None:
    """A member store that keeps what it read."""
    kept = _remembered(claims.tenant_id, claims.user_id)
    if "member" not in kept:
        found = READ(self, claims)
        if found is not None:
            kept["member"] = found
    return kept.get("member")


READ = DynamoMemberStore.find


def take_role(member: SignedIn) -> None:
    user = UserItem.get(f"T#{member.tenant_id}", user_key(member.user_id))
    user.update(actions=[UserItem.roles.set(["user"])])


def disable(member: SignedIn) -> None:
    user = UserItem.get(f"T#{member.tenant_id}", user_key(member.user_id))
    user.update(actions=[UserItem.is_active.set(False)])


def close_tenant(member: SignedIn) -> None:
    tenant = TenantItem.get(f"T#{member.tenant_id}", "TENANT")
    tenant.update(actions=[TenantItem.is_active.set(False)])


def end_session(member: SignedIn) -> None:
    place = session_key(member.user_id, member.session_id)
    session = SessionItem.get(f"T#{member.tenant_id}", place)
    session.update(actions=[SessionItem.revoked_at.set(system_clock())])


@pytest.mark.hazard("B16")
@pytest.mark.bite("tidegate_kit.auth.authenticate.DynamoMemberStore.find", found_once)
@pytest.mark.parametrize(
    ("take", "status"),
    [(take_role, 403), (disable, 401), (close_tenant, 401), (end_session, 401)],
    ids=["role", "user", "tenant", "session"],
)
def test_a_right_taken_away_is_gone_at_the_next_call(
    client: Caller, take: Any, status: int
) -> None:
    """B16: role, account, tenant or session taken away: the very next write is refused."""
    member = sign_in(roles=("client",))
    first = client.post("/onboarding/create", json=CONNECT, headers=member.headers)
    assert first.status_code == 201, first.text
    take(member)
    again = client.post("/onboarding/create", json=CONNECT, headers=member.headers)
    assert again.status_code == status


# ---- B24: identities that nobody proved --------------------------------------------------------


def forged(member: SignedIn) -> dict[str, Any]:
    claims = {"sub": member.user_id, "tid": member.tenant_id, "role": "admin"}
    return {
        "jwt": {"claims": claims, "scopes": None},
        "lambda": {"tenant_id": member.tenant_id, "user_id": member.user_id, "roles": ["admin"]},
        "iam": {"userId": member.user_id, "accountId": "111111111111"},
        "principalId": member.user_id,
    }


HEADERS = (
    "x-tenant", "x-tenant-id", "x-user", "x-user-id", "x-forwarded-user", "x-amzn-oidc-identity",
    "x-amzn-oidc-data", "x-original-user", "remote-user",
)  # fmt: skip


def direct_call(token: str | None, victim: SignedIn) -> dict[str, Any]:
    headers = dict.fromkeys(HEADERS, victim.user_id) | {"host": "api.example.com"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return {
        "version": "2.0", "rawPath": "/auth/me", "rawQueryString": "", "isBase64Encoded": False,
        "headers": headers,
        "requestContext": {
            "authorizer": forged(victim),
            "http": {"method": "GET", "path": "/auth/me", "sourceIp": "203.0.113.9"},
        },
    }  # fmt: skip


@pytest.mark.hazard("B24")
def test_only_a_token_says_who_calls(client: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """B24: a function invoked directly with a forged authorizer and headers believes neither."""
    victim, member = sign_in(roles=("client",)), sign_in()
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "test")
    handler = lambda_app(identity)
    try:
        assert handler(direct_call(None, victim), None)["statusCode"] == 401
        answer = handler(direct_call(member.token, victim), None)
    finally:
        run_inline(False)
    me = json.loads(answer["body"])
    assert (me["id"], me["tenant_id"], me["roles"]) == (member.user_id, member.tenant_id, ["user"])


# ---- D7: sizes ---------------------------------------------------------------------------------

KIB_400 = 400 * 1024


def unavailable(error: Exception) -> ServiceUnavailable:
    """The store's refusal of an item taken for an outage."""
    return ServiceUnavailable(log=str(error))


@pytest.mark.hazard("D7")
@pytest.mark.bite("tidegate_kit.dynamo._unwritten", unavailable, cases=["409600"])
@pytest.mark.parametrize("size", [KIB_400 - 2000, KIB_400 - 1, KIB_400, KIB_400 + 1, 2**20, 2**21])
def test_items_around_the_stores_limit_are_kept_or_refused(client: Caller, size: int) -> None:
    """D7: texts around 400 KB and beyond are stored whole or refused with 413 or 422."""
    headers = owner().headers
    text = "x" * size
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/workflows", {"name": text, "definition": chain(node("a"))}),
        ("POST", "/workflows", {"name": "n", "definition": chain(node("a", output={"t": text}))}),
        ("POST", "/templates", {"name": "n", "category": "c", "description": text,
                                "definition": chain(node("a"))}),
        ("POST", "/templates", {"name": "n", "category": "c",
                                "definition": chain(node("a", output={"t": text}))}),
        ("PUT", "/v1/profile", {"bio": text}),
        ("POST", "/user/communication-targets", {"name": "n", "notes": text}),
    ]  # fmt: skip
    for method, path, body in bodies:
        answer = client.request(method, path, json=body, headers=headers)
        assert answer.status_code in {200, 201, 404, 405, 413, 422}, (path, answer.text[:300])


@pytest.mark.parametrize("key", ["%20", "%00", "x" * 2049, "%23", "T%23other", "..", "%2e%2e%2f"])
def test_empty_and_oversized_keys_name_nothing(client: Caller, key: str) -> None:
    """A key that DynamoDB could not hold, or that looks like another, is 404 or 422 (D7)."""
    headers = owner().headers
    for spec in routers.all_specs():
        if spec.method == "GET" and spec.path.count("{") == 1 and not spec.public:
            path = spec.path.split("{")[0] + key + spec.path.split("}")[1]
            status = client.get(path, headers=headers).status_code
            assert status in {200, 400, 403, 404, 405, 413, 414, 422}, (path, status)


# ---- D9, D10: filters --------------------------------------------------------------------------

INJECTIONS = (
    "pk", "#pk", ":v", "data.secret", "a OR 1=1", "attribute_exists(pk)", "begins_with(pk, :v)",
    '{"S": "x"}', "T#other", "-created_at", "__proto__", "' OR ''='", "*", "%",
)  # fmt: skip


def listings() -> list[tuple[str, list[str]]]:
    """The GET routes without ids, and the names of their query parameters."""
    found = []
    for path, operations in openapi.document(routers.ROUTERS)["paths"].items():
        if "get" in operations and "{" not in path and not path.startswith("/api/"):
            parameters = operations["get"].get("parameters", [])
            found.append((path, [one["name"] for one in parameters if one["in"] == "query"]))
    return sorted(found)


@pytest.mark.hazard("D9")
@pytest.mark.parametrize(("path", "names"), listings(), ids=[path for path, _ in listings()])
def test_filters_are_values_never_expressions(client: Caller, path: str, names: list[str]) -> None:
    """D9: text that looks like an expression is a value or a 422, and finds nobody else's rows."""
    canary = f"canary-{new_id()}"
    victim, member = owner(), owner()
    body = {"name": canary, "definition": chain(node("a"))}
    made = client.post("/workflows", json=body, headers=victim.headers)
    assert made.status_code == 201, made.text
    queries = [{name: text} for name in names for text in INJECTIONS[::3]]
    queries += [dict.fromkeys(names, text) for text in INJECTIONS]
    queries += [{"sort": "pk", "order_by": "#x", "filter": text} for text in INJECTIONS[:4]]
    for query in queries:
        answer = client.get(path, params=query, headers=member.headers)
        assert answer.status_code in {200, 304, 400, 403, 404, 422, 429}, (query, answer.text[:300])
        assert canary not in answer.text


# Made of our own routes, annotations and schemas.
OWN_PATTERNS = {"app.py": "pattern", "example.py": "pattern", "callback.py": "'|'.join("}
FUNCTIONS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall",
             "finditer"}  # fmt: skip


def pattern_of(call: ast.AST) -> str | None:
    """What `re` is given here, unless it is written down in place or a constant's name."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    of = call.func.value
    if not (isinstance(of, ast.Name) and of.id == "re") or call.func.attr not in FUNCTIONS:
        return None
    first = call.args[0]
    if isinstance(first, ast.Constant | ast.JoinedStr | ast.BinOp):
        return None
    text = ast.unparse(first)
    return None if text.strip("_").isupper() else text


@pytest.mark.hazard("D10")
def test_nobody_gives_us_a_pattern() -> None:
    """D10: every regular expression is of the source; none is made of input."""
    offers = [
        f"{source.at(call)} {text}"
        for source in (*product(), *kit())
        for call in ast.walk(source.tree)
        if (text := pattern_of(call)) is not None
        and not text.startswith(OWN_PATTERNS.get(source.path.name, "-"))
    ]
    assert offers == []


@pytest.mark.hazard("D10")
def test_a_trust_policy_of_many_stars_is_read() -> None:
    """D10: a customer's pattern that would keep a backtracking matcher busy for years is judged."""
    stars = "*a" * 60 + "*b"
    statement = {
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"},
        "Condition": {"StringLike": {"sts:ExternalId": [stars, "a" * 80]}},
    }  # fmt: skip
    document = {"Version": "2012-10-17", "Statement": [statement]}
    assert judge(document, "arn:aws:iam::111111111111:role/tidegate", "a" * 80) is not None


# ---- F21: links to stored objects --------------------------------------------------------------


@pytest.mark.hazard("F21")
def test_one_place_makes_links_to_objects() -> None:
    """F21: only the copy of a role's template is linked to; its key is ours and its life short."""
    makers = [
        source.place
        for source in (*product(), *kit())
        for call in ast.walk(source.tree)
        if isinstance(call, ast.Attribute) and call.attr.startswith("generate_presigned")
    ]
    assert makers == ["copies"]


# ---- H6: indexes that lag ----------------------------------------------------------------------


@pytest.mark.hazard("H6")
def test_no_decision_waits_for_an_index(
    client: Caller, platform: Settings, strict_aws: StrictAws
) -> None:
    """H6: with every index standing still, what was made is found, unique and changeable."""
    member = owner()
    body = {"name": "n", "definition": chain(node("a"))}
    person = {
        "email": f"{new_id()}@example.com", "password": "a long enough password",
        "first_name": "A", "last_name": "B", "company": "C",
    }  # fmt: skip
    store_signing_ring(platform)
    with strict_aws.index_lag():
        assert client.post("/auth/register", json=person).status_code == 201
        twice = client.post("/auth/register", json=person)
        assert twice.json()["error"]["code"] == "EMAIL_ALREADY_REGISTERED"
        name = {"email": person["email"], "password": person["password"]}
        assert client.post("/auth/login", json=name).status_code == 200
        made = client.post("/workflows", json=body, headers=member.headers).json()
        path = f"/workflows/{made['id']}"
        assert client.get(path, headers=member.headers).status_code == 200
        changed = client.put(path, json={"name": "m"}, headers=member.headers)
        assert changed.json()["name"] == "m"
        run = client.post(f"{path}/execute", json={}, headers=member.headers)
        assert run.status_code == 202, run.text
        seen = client.get(
            f"/workflows/executions/{run.json()['execution_id']}", headers=member.headers
        )
        assert seen.status_code == 200
        first = client.post("/onboarding/create", json=CONNECT, headers=member.headers)
        assert first.status_code == 201
        assert client.delete(path, headers=member.headers).status_code == 200
        assert client.get(path, headers=member.headers).status_code == 404
