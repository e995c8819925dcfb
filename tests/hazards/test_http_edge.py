"""Hostile requests at the HTTP edge: events, origins, paths, errors and logs (contract part 1)."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tidegate_kit.errors import ApiError
from tidegate_kit.http import edge
from tidegate_kit.http.app import lambda_app
from tidegate_kit.observability import mask
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.example import MARKER, example_router
from tests.builders.http_input import JSON, assert_envelope, edge_limit
from tests.builders.logs import captured_logs
from tests.builders.members import sign_in
from tests.builders.settings import settings as make_settings
from tests.fakes.recorded import vectors


@pytest.fixture
def client() -> ApiClient:
    """Routes that need no store."""
    return ApiClient([example_router()], make_settings(Settings))


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """What the kit's logger writes."""
    with captured_logs() as stream:
        yield stream


@pytest.fixture
def handler(platform: Settings) -> Any:
    """The Lambda handler of the example domain."""
    return lambda_app(example_router())


def http_event(method: str = "GET", path: str = "/query", **changes: Any) -> dict[str, Any]:
    event = {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"host": "api.example.com"}, "isBase64Encoded": False,
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "203.0.113.9"}},
    }  # fmt: skip
    return {**event, **changes}


_NOT_HTTP: list[Any] = [
    None, [], "text", 7, {}, {"version": "2.0"}, {"version": "1.0", "httpMethod": "GET"},
    {"version": "2.0", "requestContext": None}, {"version": "2.0", "requestContext": []},
    {"version": "2.0", "requestContext": {"http": None}},
    http_event(requestContext={"http": {"method": "GET"}}),
    http_event(requestContext={"http": {"method": 1, "sourceIp": "1.2.3.4"}}),
    http_event(rawPath=None), http_event(headers=None), http_event(headers=[]),
    http_event(headers={"a": 1}), http_event(headers={"a": None}), http_event(cookies="a=b"),
    http_event(cookies=[1]), http_event(rawQueryString=None), http_event(rawQueryString=5),
    http_event("POST", "/free", body=7), http_event("POST", "/free", body={"a": 1}),
    http_event("POST", "/free", body="!!", isBase64Encoded=True),
    http_event("POST", "/free", body="a", isBase64Encoded=True),
    http_event("POST", "/free", body="é", isBase64Encoded=True),
    http_event(path="query"), http_event(path="/\ud800"), http_event("GET\r\n"),
    http_event(requestContext={"http": {"method": "", "sourceIp": "1.2.3.4"}}),
]  # fmt: skip


@pytest.mark.hazard("D17")
@pytest.mark.bite("tidegate_kit.http.app._is_http_event", returns=True)
def test_foreign_and_malformed_events_are_refused(handler: Any) -> None:
    """D17: what is not an HTTP API event is 400 in the envelope; nothing crashes."""
    wrong: list[tuple[int, Any]] = []
    for number, event in enumerate(_NOT_HTTP):
        try:
            answer = handler(event, None)
        except Exception as error:
            wrong.append((number, repr(error)))
            continue
        if not 400 <= answer["statusCode"] < 500 or "error" not in json.loads(answer["body"]):
            wrong.append((number, answer["statusCode"]))
    assert wrong == []
    assert handler(http_event(), None)["statusCode"] == 200


@pytest.mark.hazard("D17")
def test_recorded_events_get_an_answer(handler: Any) -> None:
    """D17: recorded HTTP events are routed, recorded events of other kinds refused with 400."""
    for path in sorted(vectors("lambda-events").glob("*.json")):
        event = json.loads(path.read_text())
        answer = handler(event, None)
        expected = {404} if path.name.startswith("apiGatewayProxyV2") else {400}
        assert answer["statusCode"] in expected, path.name
        assert set(json.loads(answer["body"])) == {"error"}
    body = base64.b64encode(b'{"value":"\xc3\xa9"}').decode()
    event = http_event("POST", "/api/free/", body=body, isBase64Encoded=True)
    event["headers"] = {"Content-Type": "application/json", "X-REQUEST-ID": "r-1"}
    answer = handler(event, None)
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"value": "é"})
    assert answer["headers"]["x-request-id"] == "r-1"


_FOREIGN = [
    "https://evil.example", "null", "https://app.example.com.evil.example",
    "https://evil-app.example.com", "http://app.example.com", "https://app.example.com:8443",
    "https://app.example.com/", "HTTPS://APP.EXAMPLE.COM", "https://app.example.co",
    "http://localhost:30000", "*", "", "https://app.example.com, https://evil.example",
]  # fmt: skip


def _any_origin(self: Any, headers: Any) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": headers.get("origin", "*")}


@pytest.mark.hazard("C11")
@pytest.mark.bite("tidegate_kit.http.edge.Edge._cors", replacement=_any_origin)
def test_foreign_origins_get_no_allow_header(client: ApiClient) -> None:
    """C11: only exact configured origins are allowed, with credentials, never by a wildcard."""
    for origin in _FOREIGN:
        for method in ("GET", "OPTIONS"):
            headers = {"origin": origin, "access-control-request-method": "GET"}
            answer = client.request(method, "/query", headers=headers)
            allowed = [n for n in answer.headers if n.startswith("access-control-allow")]
            assert allowed == [], origin
            assert answer.headers["vary"] == "Origin"
    ours = {"origin": "https://app.example.com"}
    answer = client.get("/query", headers=ours)
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert answer.headers["access-control-allow-credentials"] == "true"
    preflight = client.request(
        "OPTIONS", "/notes", headers={**ours, "access-control-request-method": "POST"}
    )
    assert preflight.status_code == 204
    assert "*" not in str(preflight.headers)
    for name in ("authorization", "idempotency-key", "x-csrf-token", "x-halext-code"):
        assert name in preflight.headers["access-control-allow-headers"].lower()
    failed = client.get("/boom", headers=ours)
    assert failed.headers["access-control-allow-origin"] == "https://app.example.com"


@pytest.mark.hazard("C14")
@pytest.mark.bite(
    "tidegate_kit.http.route._finish", replacement=lambda response, call, spec: response
)
def test_every_answer_has_the_protective_headers(platform: Settings) -> None:
    """C14: nosniff, frame deny and HSTS on all answers; no-store where a token is answered."""
    client = ApiClient([example_router()], platform)
    member = sign_in()
    answers = [
        client.get("/query"), client.get("/boom"), client.get("/nowhere"), client.get("/items"),
        client.request("PATCH", "/query"), client.get("/items", headers=member.headers),
        client.post("/notes", content=b"{", headers=JSON),
    ]  # fmt: skip
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "max-age=31536000" in answer.headers["strict-transport-security"]
        assert answer.headers["x-tidegate-env"] == "development"
    assert answers[5].headers.get("cache-control") == "private"
    login = client.post("/login", json={"username": "a", "password": "b"})
    assert login.headers.get("cache-control") == "no-store"


_OVERRIDES = {
    "x-http-method-override": "DELETE", "x-method-override": "DELETE", "x-http-method": "DELETE",
    "x-original-url": "/query", "x-rewrite-url": "/query", "x-forwarded-prefix": "/api",
}  # fmt: skip


@pytest.mark.hazard("B14")
@pytest.mark.bite("tidegate_kit.http.edge.plain_path", replacement=lambda path: path)
def test_every_spelling_of_a_path_meets_one_decision(platform: Settings) -> None:
    """B14: /api and one trailing slash are the same route; other spellings are 404."""
    client = ApiClient([example_router()], platform)
    member = sign_in()
    for path in ("/admin", "/api/admin", "/admin/", "/api/admin/"):
        assert client.get(path).status_code == 401, path
        assert client.get(path, headers=member.headers).status_code == 403, path
        forged = client.get(path, headers={**member.headers, **_OVERRIDES})
        assert forged.status_code == 403
        for method in ("HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "FOO"):
            answer = client.request(method, path, headers=member.headers)
            assert answer.status_code == 405
            assert answer.headers["allow"] == "GET"
    for path in (
        "//admin", "/api//admin", "/Admin", "/API/admin", "/admin//", "/api/api/admin",
        "/./admin", "/x/../admin", "/%2e/admin", "/x/%2e%2e/admin", "/admin;x", "/admin;/",
        "/admin%00", "/admin%20", "/admin%2f%2f", "/api%2f%2fadmin", "/admin.json", "/admin%3f",
        "/a%64min%09", "/%5cadmin",
    ):  # fmt: skip
        answer = client.request("GET", "http://127.0.0.1:8000" + path, headers=member.headers)
        assert answer.status_code in (403, 404), path
        if answer.status_code == 404:
            assert assert_envelope(answer)["code"] == "NOT_FOUND"


def test_methods_of_all_routes_of_a_path_are_named_on_405(client: ApiClient) -> None:
    path = "/things/00000000-0000-4000-8000-000000000000"
    answer = client.delete(path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, PUT"
    assert client.get("/things/latest").json()["id"] == "latest"
    for other in ("/things/ABC", path.upper(), path + "%0a", "/things/not-an-id"):
        assert client.get(other).status_code == 404


@pytest.mark.hazard("C18")
@pytest.mark.bite(
    "tidegate_kit.http.problem._sentence", replacement=lambda problem: str(dict(problem))
)
def test_a_validation_error_does_not_echo_the_input(client: ApiClient) -> None:
    """C18: the rejected value is not in the answer, whatever was wrong with it."""
    secret = "Hunter2-Passw0rd"
    for body in (
        {"username": "a", "password": secret * 2},
        {"username": 5, "password": [secret]},
        {"username": "a", "password": "b", "scope": {"x": secret}},
        {"username": "a\x00", "password": secret},
        [secret],
        secret,
    ):
        answer = client.post("/sign-in", json=body)
        assert answer.status_code == 422
        assert secret not in answer.text
        assert_envelope(answer)
    for query in (f"n={secret}", f"fields={secret}", f"word={secret * 3}"):
        answer = client.get(f"/query?{query}")
        assert answer.status_code == 422
        assert secret not in answer.text


def _naive(error: BaseException) -> ApiError:
    return error if isinstance(error, ApiError) else ApiError(str(error))


@pytest.mark.hazard("H19")
@pytest.mark.bite("tidegate_kit.http.route.as_api_error", replacement=_naive)
def test_exception_text_is_logged_and_never_answered(client: ApiClient, logs: io.StringIO) -> None:
    """H19: an unhandled exception is the 500 envelope; its text is only in the log."""
    answer = client.get("/boom")
    assert answer.status_code == 500
    error = assert_envelope(answer)
    assert error["code"] == "INTERNAL_ERROR"
    assert MARKER not in answer.text
    assert "Traceback" not in answer.text
    logged = logs.getvalue()
    assert MARKER in logged
    assert error["request_id"] in logged


@pytest.mark.hazard("D11")
@pytest.mark.bite(
    "tidegate_kit.observability._Formatter.serialize",
    replacement=lambda self, log: f"{log['level']} {log['message']} {log}",
)
def test_a_log_record_is_one_ascii_line(client: ApiClient, logs: io.StringIO) -> None:
    """D11: line breaks, escapes and U+2028 in logged values cannot start another record."""
    from tidegate_kit.observability import logger

    logger.warning('line\r\n{"level":"FAKE"}\x1b[2J\u2028\u0085', value="\u2029\x00\n")
    lines = logs.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].isascii()
    assert json.loads(lines[0])["level"] == "WARNING"


@pytest.mark.hazard("A21")
@pytest.mark.bite("tidegate_kit.observability.mask", replacement=lambda text: text)
def test_tokens_do_not_reach_the_log(platform: Settings, logs: io.StringIO) -> None:
    """A21: a token in the query is no credential, and no log line shows it."""
    from tidegate_kit.observability import logger

    client = ApiClient([example_router()], platform)
    token = sign_in().token
    for name in ("access_token", "token", "authorization"):
        assert client.get(f"/items?{name}={token}").status_code == 401
    logger.info("dialled", url=f"wss://x/ws?token={token}&a=1", sent=f"Bearer {token}")
    logger.info("opaque", sent="Authorization: Bearer abc.DEF-123~x", url="/ws?ticket=0123456789")
    logged = logs.getvalue()
    assert "dialled" in logged
    for part in (token, token.split(".")[1], token.split(".")[2], "abc.DEF", "0123456789"):
        assert part not in logged
    assert mask("nothing to hide") == "nothing to hide"


def test_a_request_id_is_kept_only_when_plain(client: ApiClient) -> None:
    kept = client.get("/query", headers={"x-request-id": "Abc-1._9"})
    assert kept.headers["x-request-id"] == "Abc-1._9"
    for given in ("", "a b", "x" * 65, "é", "a\tb", "<script>", "a,b"):
        answer = client.get("/query", headers={"x-request-id": given.encode()})
        assert answer.headers["x-request-id"] != given
        assert len(answer.headers["x-request-id"]) == 36


def test_one_line_per_call_names_the_caller_and_counts(
    platform: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    client = ApiClient([example_router()], platform)
    member = sign_in()
    client.get("/items", headers={**member.headers, "x-request-id": "first"})
    client.get("/query", headers={"x-request-id": "second"})
    client.get("/nowhere", headers={"x-request-id": "third"})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first, second, third = lines
    assert (first["request_id"], first["route"], first["status"]) == ("first", "GET /items", 200)
    assert (first["tenant_id"], first["user_id"]) == (member.tenant_id, member.user_id)
    assert second["tenant_id"] is None
    assert (third["route"], third["code"], third["level"]) == ("unrouted", "NOT_FOUND", "INFO")
    for line in lines:
        assert (line["domain"], line["stage"], line["environment"]) == (
            "example", "test", "development"
        )  # fmt: skip
        assert line["version"] == "0.0.0-test"
        (metrics,) = line["_aws"]["CloudWatchMetrics"]
        names = {metric["Name"] for metric in metrics["Metrics"]}
        assert names <= set(line)
        assert all(set(dimension) <= set(line) for dimension in metrics["Dimensions"])
        assert line["Errors"] == 0


def test_known_defaults_of_the_edge() -> None:
    assert edge_limit() == edge.MAX_HEADER_BYTES
    assert edge.plain_path("/api") == "/"
    assert edge.plain_path("/apiary/") == "/apiary"
    assert edge.plain_path("/") == "/"
