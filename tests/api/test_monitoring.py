"""Health and the API's documents over the whole pipeline (contract 2.7, MON-1 to MON-3)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ConnectTimeoutError
from tidegate.monitoring.routes import router
from tidegate.monitoring.wiring import _health_service
from tidegate_kit import dynamo
from tidegate_kit.clock import FixedClock
from tidegate_kit.settings import Settings, settings_of

from tests.builders.api import ApiClient
from tests.builders.settings import PLATFORM_ACCOUNT, REGION
from tests.fakes.openai_server import openai_server

PROVIDERS = {"openai", "anthropic", "bedrock"}


@pytest.fixture
def queue(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The dead-letter queue that the function's settings name."""
    url = str(boto3.client("sqs", region_name=REGION).create_queue(QueueName="dead")["QueueUrl"])
    monkeypatch.setenv("EVENTS_DEAD_LETTER_URL", url)
    settings_of.cache_clear()
    yield url
    _health_service.cache_clear()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def client(platform: Settings, queue: str, clock: FixedClock) -> ApiClient:
    return ApiClient([router], platform, clock)


class Outage:
    """Makes the SDK fail for chosen operations."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operations: set[str] = set()
        self.calls: list[str] = []
        self.error: Exception = ConnectTimeoutError(endpoint_url="https://store.example.invalid")
        real = BaseClient._make_api_call

        def call(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
            self.calls.append(operation)
            if operation in self.operations:
                raise self.error
            return real(client, operation, arguments)

        monkeypatch.setattr(BaseClient, "_make_api_call", call)


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    return Outage(monkeypatch)


def assert_unhealthy(answer: Any, reason: str) -> None:
    body = answer.json()
    assert answer.status_code == 503, body
    assert body["status"] == "unhealthy"
    assert body["components"]["database"] == "unhealthy"
    assert [issue for issue in body["env"]["issues"] if issue == f"database: {reason}"]
    error = body["error"]
    assert set(error) == {"code", "message", "details", "timestamp", "request_id"}
    assert error["code"] == "SERVICE_UNAVAILABLE"
    assert error["details"] == [{"field": "components.database", "message": reason}]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["retry-after"]


def test_health_has_exactly_the_contracted_shape(client: ApiClient) -> None:
    for path in ("/health", "/api/health", "/api/health/"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.json() == {
            "status": "healthy",
            "version": "0.0.0-test",
            "environment": "development",
            "stage": "test",
            "timestamp": "2026-01-02T03:04:05Z",
            "env": {
                "issues": [],
                "warnings": [],
                "configured_providers": [],
                "missing_provider_keys": ["anthropic", "openai"],
                "offline": True,
                "dev_mode": True,
            },
            "components": {
                "database": "healthy",
                "cache": "ok",
                "ai_provider": None,
                "ai_model": None,
                "queue": "ok",
            },
            "redis_connection": "ok",
        }
        assert answer.headers["x-ratelimit-limit"] == "200"
        assert answer.headers["cache-control"] == "no-store"


def test_monitoring_health_has_exactly_the_contracted_shape(client: ApiClient) -> None:
    answer = client.get("/api/monitoring/health")
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"status", "timestamp", "version", "environment", "services"}
    database, redis = body["services"]["database"], body["services"]["redis"]
    assert set(database) == {"status", "response_time", "connections"}
    assert database["status"] == redis["status"] == "healthy"
    assert database["response_time"] > 0
    assert set(database["connections"]) == {"active", "idle", "max"}
    assert database["connections"]["max"] == 20
    assert set(redis) == {"status", "response_time", "memory_usage"}
    assert re.fullmatch(r"[1-9]\d*MB", redis["memory_usage"])
    assert set(body["services"]["ai_services"]) == PROVIDERS
    for provider in body["services"]["ai_services"].values():
        assert provider == {"status": "not_configured", "response_time": None}


def test_configured_providers_of_models_are_shown(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2.7: a provider is not_configured only without key or address; MON-1: else it is probed."""
    with openai_server() as server:
        monkeypatch.setenv("AI_PROVIDERS", "openai_compatible")
        monkeypatch.setenv("AI_BASE_URL", server.base_url)
        monkeypatch.setenv("AI_DEFAULT_MODEL", "best")
        settings_of.cache_clear()
        body = client.get("/health").json()
        services = client.get("/monitoring/health").json()["services"]["ai_services"]
    assert body["status"] == "healthy", body
    assert body["env"]["configured_providers"] == ["openai"]
    assert body["env"]["missing_provider_keys"] == ["anthropic"]
    assert body["env"]["offline"] is False
    assert body["components"]["ai_provider"] == "openai"
    assert body["components"]["ai_model"] == "nova-pro"
    assert services["openai"]["status"] == "healthy"
    assert services["openai"]["response_time"] > 0
    for other in ("anthropic", "bedrock"):
        assert services[other] == {"status": "not_configured", "response_time": None}


def test_a_provider_of_models_that_is_gone_degrades(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MON-1: AI failure is degraded and 200; its address is not told (MON-3)."""
    with openai_server() as server:
        url = server.base_url
    monkeypatch.setenv("AI_PROVIDERS", "openai_compatible")
    monkeypatch.setenv("AI_BASE_URL", url)
    settings_of.cache_clear()
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["env"]["issues"] == ["ai openai: does not answer, or refuses"]
    assert url not in answer.text


@pytest.mark.hazard("H24")
@pytest.mark.parametrize("operation", ["DescribeTable", "UpdateItem", "BatchGetItem"])
def test_an_unreachable_store_is_unhealthy(
    client: ApiClient, outage: Outage, operation: str
) -> None:
    """H24: a store that cannot be described, written or read is not healthy, and is named."""
    outage.operations = {operation}
    assert_unhealthy(client.get("/health"), "does not answer, or refuses")
    services = client.get("/monitoring/health").json()["services"]
    assert services["database"]["status"] == "unhealthy"
    outage.operations = set()
    assert client.get("/health").status_code == 200  # a failure is not kept


@pytest.mark.hazard("H24")
@pytest.mark.bite("tidegate.monitoring.repository.GlobalHealthRepository.write_marker", returns=0)
def test_denied_writes_are_unhealthy(client: ApiClient, outage: Outage) -> None:
    """H24: a store that may be read but not written is not healthy (IMP-14)."""
    client.get("/docs")
    outage.operations = {"UpdateItem"}
    outage.error = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": f"{PLATFORM_ACCOUNT} may not"}},
        "UpdateItem",
    )
    answer = client.get("/health")
    assert_unhealthy(answer, "does not answer, or refuses")
    assert PLATFORM_ACCOUNT not in answer.text


@pytest.mark.hazard("H24")
def test_a_missing_table_is_unhealthy(client: ApiClient) -> None:
    """H24: no fallback store: without its table the platform is not healthy."""
    boto3.client("dynamodb", region_name=REGION).delete_table(TableName="tidegate-test-platform")
    assert_unhealthy(client.get("/health"), "does not answer, or refuses")


@pytest.mark.hazard("H24")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"table_arn_prefix": f"arn:aws:dynamodb:{REGION}:{PLATFORM_ACCOUNT}:table/tidegate-x"},
            "the table in use is not the configured one",
        ),
        (
            {"table_arn_prefix": f"arn:aws:dynamodb:{REGION}:999999999999:table/tidegate-test"},
            "the table in use is not the configured one",
        ),
        ({"tidegate_stage": "other"}, "the table in use belongs to another stage"),
    ],
)
@pytest.mark.bite("tidegate.monitoring.service.health.HealthService._check_store", returns=None)
def test_a_wrong_table_or_stage_is_unhealthy(
    platform: Settings,
    client: ApiClient,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    reason: str,
) -> None:
    """H24: configured for another table, account or stage than the one reached: 503, named."""
    assert client.get("/health").status_code == 200  # this stage marks its table
    for name, value in change.items():
        monkeypatch.setenv(name.upper(), value)
    settings_of.cache_clear()
    elsewhere = ApiClient([router], platform.model_copy(update=change))
    answer = elsewhere.get("/health")
    assert_unhealthy(answer, reason)
    assert "arn:" not in answer.text
    assert PLATFORM_ACCOUNT not in answer.text


def test_a_good_report_is_kept_for_ten_seconds(
    client: ApiClient, clock: FixedClock, outage: Outage
) -> None:
    def writes() -> int:
        return outage.calls.count("DescribeTable")

    client.get("/health")
    clock.advance(seconds=9)
    client.get("/health")
    assert writes() == 1
    clock.advance(seconds=1)
    client.get("/health")
    assert writes() == 2


def test_a_failing_queue_only_degrades(client: ApiClient, outage: Outage) -> None:
    outage.operations = {"GetQueueAttributes"}
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["components"]["queue"] == "error"
    assert "error" not in answer.json()


def test_waiting_dead_letters_are_a_warning_without_a_count(client: ApiClient, queue: str) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    for number in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    body = client.get("/health").json()
    assert body["env"]["warnings"] == ["queue: undelivered events wait in the dead-letter queue"]


def test_health_is_limited_by_address(client: ApiClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).headers["x-ratelimit-limit"] == "100"


def test_unknown_paths_and_methods_are_answered_with_the_envelope(client: ApiClient) -> None:
    for path in ("/", "/nothing", "/api", "/api/nothing/here", "/health/x"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "NOT_FOUND"
        assert answer.headers["x-tidegate-env"] == "development"
    answer = client.post("/health")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


def test_the_document_names_the_deployed_base_url(client: ApiClient) -> None:
    answer = client.get("/openapi.json")
    document = json.loads(answer.content)
    assert answer.headers["content-type"] == "application/json"
    assert document["openapi"].startswith("3.1")
    bases = {server["variables"]["base"]["default"] for server in document["servers"]}
    assert bases == {"http://127.0.0.1:8000"}
    again = client.get("/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_list_every_route_and_load_nothing(client: ApiClient, path: str) -> None:
    page = client.get(path)
    document = client.get("/openapi.json").json()
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for route in document["paths"]:
        assert f"<code>{route}</code>" in page.text
    assert not re.search(r"<script|<link|<img|<iframe|\ssrc=|@import|url\(|\son\w+=", page.text)
    if path == "/redoc":
        for name in document["components"]["schemas"]:
            assert f'id="schema-{name}"' in page.text


def test_the_pools_connections_are_counted(httpserver: Any, environment: None) -> None:
    """A real local endpoint: one kept connection after one call."""
    httpserver.expect_request("/").respond_with_json({"TableNames": []})
    store = dynamo.Store("x", REGION, credentials=("a", "b", "c"))
    store.connection.host = httpserver.url_for("/")
    store.connection.dispatch("ListTables", {})
    active, idle = store.pool()
    assert (active, idle) == (0, 1)
