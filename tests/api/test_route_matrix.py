"""Every declared route against callers who must not pass (IMP-2, IMP-13, TEST-2, GEN-15, GEN-16).

The routes come from the manifest, so a new one is tested the moment it is declared.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jsonschema import Draft202012Validator
from tidegate import routers
from tidegate.manifest import openapi
from tidegate_kit.auth.models import SessionItem, UserItem, session_key, user_key
from tidegate_kit.auth.permissions import ANY_USER, USER_PERMISSIONS
from tidegate_kit.clock import system_clock
from tidegate_kit.http.spec import RouteSpec
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tests.builders import members
from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, claims_for, sign, sign_in
from tests.builders.settings import REGION
from tests.builders.victims import BODIES, CREATES, Victim, path_with
from tests.builders.whole_platform import Caller, owner, whole_platform
from tests.fakes.tables import TableSpec, dump_tables

SPECS = routers.all_specs()
PROTECTED = [spec for spec in SPECS if not spec.public]
# Administrators see every tenant, and nobody else gets as far as an id (B5 below).
ID_ROUTES = [
    spec
    for spec in SPECS
    if "{" in spec.path and spec.name not in CREATES and not spec.permission.startswith("admin:")
]
CODES = {
    "anonymous": "AUTHENTICATION_REQUIRED",
    "another scheme": "AUTHENTICATION_REQUIRED",
    "malformed": "TOKEN_INVALID",
    "foreign key": "TOKEN_INVALID",
    "wrong audience": "TOKEN_INVALID",
    "wrong issuer": "TOKEN_INVALID",
    "expired": "TOKEN_EXPIRED",
    "after logout": "SESSION_REVOKED",
    "disabled": "SESSION_REVOKED",
    "unknown user": "SESSION_REVOKED",
}


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    yield whole_platform(platform, monkeypatch)
    settings_of.cache_clear()


def call(client: ApiClient, spec: RouteSpec, path: str, **options: Any) -> httpx.Response:
    """One call of a route, with a body where its method takes one."""
    if spec.state_changing and spec.body == "json":
        options.setdefault("json", BODIES.get(spec.name, {}))
    return client.request(spec.method, path, **options)


def masked(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body without what differs from call to call."""
    # The length differs where one timestamp has no milliseconds; the bodies are compared whole.
    hidden = {"x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset", "content-length"}
    headers = {k: v for k, v in answer.headers.items() if k not in hidden}
    body = answer.json() if answer.headers.get("content-type") == "application/json" else None
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body["error"].pop("timestamp")
        body["error"].pop("request_id")
    return answer.status_code, headers, body


def _of(member: SignedIn, **changes: Any) -> dict[str, Any]:
    base = claims_for(
        member.tenant_id, member.user_id, member.session_id, member.email, system_clock()
    )
    return {**base, **changes}


def _foreign_key(member: SignedIn) -> str:
    import jwt

    headers = {"kid": members.KID, "typ": "at+jwt"}
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(_of(member), key, algorithm="ES256", headers=headers)


def _expired(member: SignedIn) -> str:
    claims = _of(member)
    return sign({**claims, **{name: claims[name] - 7200 for name in ("iat", "nbf", "exp")}})


def _after_logout(member: SignedIn) -> str:
    item = SessionItem.get(f"T#{member.tenant_id}", session_key(member.user_id, member.session_id))
    item.update(actions=[SessionItem.revoked_at.set(system_clock())])
    return member.token


def _disabled(member: SignedIn) -> str:
    item = UserItem.get(f"T#{member.tenant_id}", user_key(member.user_id))
    item.update(actions=[UserItem.is_active.set(False)])
    return member.token


CALLERS: dict[str, Callable[[SignedIn], str | None]] = {
    "anonymous": lambda member: None,
    "another scheme": lambda member: "Basic YTpi",
    "malformed": lambda member: "Bearer not.a.token",
    "foreign key": lambda member: f"Bearer {_foreign_key(member)}",
    "wrong audience": lambda member: f"Bearer {sign(_of(member, aud='elsewhere'))}",
    "wrong issuer": lambda member: f"Bearer {sign(_of(member, iss='https://evil.example'))}",
    "expired": lambda member: f"Bearer {_expired(member)}",
    "after logout": lambda member: f"Bearer {_after_logout(member)}",
    "disabled": lambda member: f"Bearer {_disabled(member)}",
    "unknown user": lambda member: f"Bearer {sign(_of(member, sub=new_id()))}",
}


@pytest.mark.parametrize("caller", CALLERS)
def test_protected_routes_refuse_callers_without_a_living_session(
    client: Caller, caller: str
) -> None:
    """401 with the envelope and WWW-Authenticate, never 422, whatever the route (IMP-2)."""
    member = sign_in(roles=("client", "admin"), is_owner=True)
    authorization = CALLERS[caller](member)
    headers = {} if authorization is None else {"Authorization": authorization}
    wrong = []
    for spec in PROTECTED:
        answer = call(client, spec, path_with(spec, new_id()), headers=headers)
        error = answer.json().get("error", {})
        if (
            answer.status_code != 401
            or error.get("code") != CODES[caller]
            or set(error) != {"code", "message", "details", "timestamp", "request_id"}
            or answer.headers.get("www-authenticate") != "Bearer"
            or "cache-control" not in answer.headers
        ):
            wrong.append((spec.name, answer.status_code, error.get("code")))
    assert wrong == []


@pytest.mark.hazard("B5")
@pytest.mark.bite("tidegate_kit.auth.principal.permissions_of", replacement=lambda *a, **k: _ALL)
def test_members_without_the_permission_are_refused(client: Caller) -> None:
    """B5: a plain user passes no route of clients, owners or admins: 403, before any look-up."""
    beyond = [
        spec
        for spec in PROTECTED
        if spec.permission != ANY_USER and spec.permission not in USER_PERMISSIONS
    ]
    assert beyond
    found = {
        spec.name: call(
            client, spec, path_with(spec, new_id()), headers=sign_in().headers
        ).status_code
        for spec in beyond
    }
    assert set(found.values()) == {403}, found


_ALL = frozenset(spec.permission for spec in PROTECTED)


@pytest.mark.hazard("B14")
@pytest.mark.bite("tidegate_kit.http.edge.plain_path", lambda path: path)
@pytest.mark.parametrize("signed_in", [False, True], ids=["anonymous", "owner"])
def test_both_spellings_answer_equally(client: Caller, signed_in: bool) -> None:
    """B14: /x, /x/, /api/x and /api/x/ of every route: the same decision and answer (GEN-4)."""
    wrong = []
    for spec in SPECS:
        if signed_in and (spec.method != "GET" or spec.secret):
            continue  # a second call of a write may rightly answer otherwise
        # Somebody else each time, so that no limit of calls by one member answers.
        headers = owner().headers if signed_in else {}
        path, _, query = path_with(spec, new_id()).partition("?")
        tail = f"?{query}" if query else ""
        answers = [
            _shape(call(client, spec, f"{spelled}{tail}", headers=headers))
            for spelled in (path, f"/api{path}", f"{path}/", f"/api{path}/")
        ]
        if any(answer != answers[0] for answer in answers):
            wrong.append((spec.name, answers))
    assert wrong == []


def _shape(answer: httpx.Response) -> Any:
    status, headers, body = masked(answer)
    kept = {k: v for k, v in headers.items() if k != "etag"}  # health tells the time
    if isinstance(body, dict):
        body = sorted(body) if "error" not in body else body
    return status, kept, body


@pytest.fixture
def victim(client: Caller) -> Victim:
    """A tenant with one of everything."""
    return Victim(client, owner(), {})


def test_every_id_route_has_a_builder(victim: Victim) -> None:
    """A new id route is tried by another tenant: list what its id names in tests/builders."""
    assert [spec.name for spec in ID_ROUTES if victim.id_for(spec) is None] == []


@pytest.mark.hazard("B1")
@pytest.mark.bite(
    "tidegate_kit.auth.principal.Principal.tenant",
    lambda principal: TenantScope(_victims[-1] if _victims else principal.tenant_id),
)
def test_ids_of_another_tenant_are_as_absent_ones(
    client: Caller, victim: Victim, table_specs: list[TableSpec]
) -> None:
    """B1: every id route as another tenant's owner: 404, equal to an id that never was."""
    for spec in ID_ROUTES:
        victim.id_for(spec)
    _victims.append(victim.owner.tenant_id)
    strangers = {spec.name: owner() for spec in ID_ROUTES}
    names = [table.name for table in table_specs if not table.name.endswith("-platform")]
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    before = dump_tables(dynamodb, names)
    wrong = []
    for spec in ID_ROUTES:
        foreign, absent = (
            call(client, spec, path_with(spec, first), headers=strangers[spec.name].headers)
            for first in (victim.id_for(spec) or "", new_id())
        )
        expected = 401 if spec.public else 404
        if foreign.status_code not in (404, expected) or masked(foreign) != masked(absent):
            wrong.append((spec.name, masked(foreign), masked(absent)))
    assert wrong == []
    assert dump_tables(dynamodb, names) == before


_victims: list[str] = []  # whose data everybody reaches while the defence is off


def test_the_victims_ids_are_real(client: Caller, victim: Victim) -> None:
    """The owner's own reads of the same ids work, so the refusals above mean something."""
    found = {}
    for spec in ID_ROUTES:
        if spec.method == "GET":
            path = path_with(spec, victim.id_for(spec) or "")
            found[spec.name] = call(client, spec, path, headers=victim.owner.headers).status_code
    # An account connected by hand has no stack to make a template of.
    found.pop("GET /onboarding/template/{id}", None)
    assert set(found.values()) == {200}, found


@pytest.mark.parametrize("spelling", ["upper", "braces", "hex", "text", "nul", "path", "uuid1"])
def test_ids_of_another_format_are_absent(client: Caller, spelling: str) -> None:
    """GEN-10: what is no lower-case UUID4 is 404, not 422."""
    id_ = new_id()
    text = {
        "upper": id_.upper() if id_.upper() != id_ else "A" * 36,
        "braces": f"%7B{id_}%7D",
        "hex": id_.replace("-", ""),
        "text": "one",
        "nul": f"{id_[:-1]}%00",
        "path": "%2e%2e",
        "uuid1": "c232ab00-9414-11ec-b3c8-9f6bdeced846",
    }[spelling]
    found = {}
    for spec in _uuid_routes():
        answer = call(client, spec, path_with(spec, text), headers=owner().headers)
        if answer.status_code not in (404, 405):
            found[spec.name] = answer.status_code
    assert found == {}


def test_every_answer_is_a_documented_one(client: Caller) -> None:
    """Status and body of each route, for an owner and for nobody, as the OpenAPI file says."""
    document = openapi.document(routers.ROUTERS)
    wrong = []
    for spec, signed_in in itertools.product(SPECS, (True, False)):
        # A tenant of its own each time: some calls end the caller's session.
        victim = Victim(client, owner(), {})
        path = path_with(spec, victim.id_for(spec) or "")
        headers = victim.owner.headers if signed_in else {}
        answer = call(client, spec, path, headers=headers)
        told = document["paths"][spec.path][spec.method.lower()]["responses"]
        if str(answer.status_code) not in told:
            wrong.append((spec.name, answer.status_code, answer.text[:200]))
            continue
        schema = _schema(document, told[str(answer.status_code)])
        if schema is not None and answer.headers["content-type"] == "application/json":
            checks = Draft202012Validator({**schema, "components": document["components"]})
            wrong += [(spec.name, 0, error.message) for error in checks.iter_errors(answer.json())]
    assert wrong == []


def _schema(document: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any] | None:
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    media = answer.get("content", {}).get("application/json", {})
    schema: dict[str, Any] | None = media.get("schema")
    return schema


def _uuid_routes() -> list[RouteSpec]:
    """Protected routes whose first parameter is an id of GEN-10, not a name."""
    paths = openapi.document(routers.ROUTERS)["paths"]

    def takes_uuid(spec: RouteSpec) -> bool:
        first = spec.path.partition("{")[2].partition("}")[0]
        parameters = paths[spec.path][spec.method.lower()]["parameters"]
        schema = next(p["schema"] for p in parameters if p["name"] == first)
        return "4[0-9a-f]{3}" in schema.get("pattern", "")

    return [spec for spec in ID_ROUTES if not spec.public and takes_uuid(spec)]


def test_the_matrix_is_as_large_as_the_manifest() -> None:
    cells = len(PROTECTED) * len(CALLERS) + len(ID_ROUTES) * 9 + len(SPECS) * 8
    assert len(PROTECTED) + sum(spec.public for spec in SPECS) == len(SPECS)
    assert cells >= 800
