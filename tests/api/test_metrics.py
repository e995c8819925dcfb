"""Metrics over the whole pipeline (contract 2.7, MON-4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tidegate.monitoring.domain import Measurement
from tidegate.monitoring.public import count
from tidegate.monitoring.routes import router
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.api import ApiClient
from tests.builders.identity import code_of
from tests.builders.members import SignedIn, sign_in

PATHS = ("/metrics/system", "/metrics/usage", "/metrics/performance")


@pytest.fixture
def client(platform: Settings) -> ApiClient:
    return ApiClient([router], platform)


def counted(member: SignedIn, failed: int = 1, ok: int = 3) -> None:
    scope, now = TenantScope(member.tenant_id), system_clock() - timedelta(seconds=1)
    for number in range(ok + failed):
        labels = {"route": f"GET /{number % 2}", "user": member.user_id}
        one = Measurement(
            f"{member.user_id}-{number}", "request", now, number >= failed, 2_000, labels=labels
        )
        count(scope, one, FixedClock(now))
    run = Measurement(
        f"run-{member.user_id}", "execution", now, True, 1_500_000, labels={"workflow": "w"}
    )
    count(scope, run, FixedClock(now))


def get(client: ApiClient, member: SignedIn, path: str) -> Any:
    answer = client.get(path, headers=member.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_metrics_have_exactly_the_contracted_shape(client: ApiClient) -> None:
    member = sign_in()
    counted(member)
    body = get(client, member, "/api/monitoring/metrics")
    assert set(body) == {"system", "application", "workflows", "ai_usage"}
    assert set(body["system"]) == {"uptime", "cpu_usage", "memory_usage", "disk_usage"}
    assert body["system"]["uptime"] > 0
    assert all(0 <= body["system"][name] <= 100 for name in ("cpu_usage", "memory_usage"))
    assert body["application"] == {
        "total_requests": 4, "successful_requests": 3, "failed_requests": 1,
        "average_response_time": 2.0, "requests_per_minute": 0.8,
    }  # fmt: skip
    assert body["workflows"] == {
        "total_executions": 1, "successful_executions": 1, "failed_executions": 0,
        "average_execution_time": 1.5, "executions_last_hour": 1,
    }  # fmt: skip
    assert body["ai_usage"] == {
        "total_requests": 0, "total_cost": 0.0, "tokens_used": 0,
        "average_cost_per_request": None,
    }  # fmt: skip


def test_the_scrape_tells_the_same(client: ApiClient) -> None:
    member = sign_in()
    counted(member)
    answer = client.get("/monitoring/prometheus", headers=member.headers)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'tidegate_requests_total{outcome="success"} 3' in lines
    assert 'tidegate_requests_total{outcome="failure"} 1' in lines


@pytest.mark.parametrize("path", PATHS)
def test_series_have_exactly_the_contracted_shape(client: ApiClient, path: str) -> None:
    member = sign_in()
    counted(member)
    body = get(client, member, path)
    assert set(body) == {"from", "to", "granularity", "series", "totals"}
    assert body["granularity"] == "hour"
    for one in body["series"]:
        assert set(one) == {"name", "unit", "labels", "points"}
        assert 24 <= len(one["points"]) <= 25
    assert set(get(client, member, f"{path}?fields=from,series")) == {"from", "series"}


def test_groups_have_labels_and_add_up(client: ApiClient) -> None:
    member = sign_in()
    counted(member)
    whole = get(client, member, "/metrics/usage?granularity=minute")
    assert whole["totals"]["requests"] == 4
    by_route = get(client, member, "/metrics/usage?group_by=route")
    assert {tuple(one["labels"].items()) for one in by_route["series"]} == {
        (("route", "GET /0"),), (("route", "GET /1"),),
    }  # fmt: skip
    assert sum(by_route["totals"].values()) == 4
    by_workflow = get(client, member, "/metrics/usage?group_by=workflow")
    assert [one["name"] for one in by_workflow["series"]] == ["executions"]


@pytest.mark.hazard("B2")
@pytest.mark.bite(
    "tidegate.monitoring.queries.wiring.tenant_metrics",
    replacement=lambda scope: __import__(
        "tidegate.monitoring.repository.metrics", fromlist=["GlobalMetrics"]
    ).GlobalMetrics(),
)
def test_numbers_are_the_tenants_own(client: ApiClient) -> None:
    """B2: another tenant's calls move none of this tenant's numbers; only admins ask for all."""
    counted(sign_in())
    member = sign_in()
    assert get(client, member, "/monitoring/metrics")["application"]["total_requests"] == 0
    assert get(client, member, "/metrics/usage")["totals"]["requests"] == 0
    for path in ("/monitoring/metrics", "/monitoring/prometheus", *PATHS):
        answer = client.get(f"{path}?scope=platform", headers=member.headers)
        assert (answer.status_code, code_of(answer)) == (403, "FORBIDDEN")
    boss = sign_in(roles=("user", "admin"))
    found = get(client, boss, "/monitoring/metrics?scope=platform")
    assert found["application"]["total_requests"] == 4


@pytest.mark.hazard("D8")
@pytest.mark.parametrize(
    "query",
    [
        "granularity=second", "group_by=tenant", "scope=all", "from=yesterday",
        "from=2026-01-01T00:00:00", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=2026-01-01T00:00:00Z&to=2026-06-01T00:00:00Z",
        "from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z&granularity=minute", "from=1e400",
        "to=-1", "to=0001-01-01T00:00:00Z", "to=9999-12-31T23:59:59Z", "from=1700000000",
    ],
)  # fmt: skip
def test_unusable_ranges_are_refused(client: ApiClient, query: str) -> None:
    """D8: unknown, empty, too long or too fine: 422 naming the field."""
    answer = client.get(f"/metrics/usage?{query}", headers=sign_in().headers)
    assert (answer.status_code, code_of(answer)) == (422, "VALIDATION_ERROR"), answer.text
    assert answer.json()["error"]["details"]
