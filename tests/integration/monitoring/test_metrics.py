"""Sums that are exact: each measurement once, under threads, retries and deaths (H1, H2, H7)."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from tidegate.monitoring import public, tasks
from tidegate.monitoring.domain import Measurement, cell_of, total_of
from tidegate.monitoring.repository.metrics import DynamoMetrics, GlobalMetrics, Metrics
from tidegate_kit.auth.models import TenantItem
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Transaction, current_store
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import sign_in
from tests.builders.settings import REGION
from tests.fakes.faults import enumerate_faults
from tests.fakes.monitoring import MemoryMetrics
from tests.fakes.races import race
from tests.fakes.tables import dump_tables

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def some(count: int, start: int = 0, at: datetime = NOW) -> list[Measurement]:
    return [
        Measurement(
            f"m{n}", "request", at - timedelta(minutes=n % 7), n % 3 != 0, 1000 * n + 1,
            labels={"route": f"GET /{n % 5}", "user": f"u{n % 4}"},
        )
        for n in range(start, start + count)
    ]  # fmt: skip


@pytest.fixture
def tenant(platform: Settings) -> TenantScope:
    return TenantScope(sign_in().tenant_id)


@pytest.fixture(params=["dynamodb", "platform", "memory"])
def metrics(request: pytest.FixtureRequest, tenant: TenantScope) -> Metrics:
    kinds: dict[str, Any] = {
        "dynamodb": lambda: DynamoMetrics(tenant), "platform": GlobalMetrics,
        "memory": MemoryMetrics,
    }  # fmt: skip
    made: Metrics = kinds[request.param]()
    return made


def assert_exact(metrics: Metrics, expected: list[Measurement]) -> None:
    """Total = recount of the rows = sum of the minutes = sum of the hours."""
    wanted = total_of(map(cell_of, expected))
    days = {one.at.replace(hour=0, minute=0, second=0, microsecond=0) for one in expected}
    recount = [row for day in days for row in metrics.counted(day)]
    assert metrics.total("request") == wanted
    assert total_of(map(cell_of, recount)) == wanted
    assert wanted.count == wanted.ok + wanted.failed
    low, high = NOW - timedelta(days=3), NOW + timedelta(days=1)
    for size in ("minute", "hour"):
        for label in ("all", "route"):
            cells = [cell for *_, cell in metrics.cells("request", size, label, low, high)]
            assert total_of(cells) == wanted


def test_what_is_counted_is_found_again(metrics: Metrics) -> None:
    assert metrics.total("request").count == 0
    assert metrics.add(some(40), NOW) == 40
    assert_exact(metrics, some(40))
    first = datetime(2026, 3, 4, 5, 0, tzinfo=UTC)
    found = {(at, value) for at, value, _ in metrics.cells("request", "hour", "route", first, NOW)}
    assert found == {(first, f"GET /{n}") for n in range(5)}
    assert list(metrics.cells("request", "minute", "all", NOW, NOW + timedelta(1))) == []


def test_what_comes_again_is_not_counted_again(metrics: Metrics) -> None:
    assert metrics.add([*some(20), *some(5)], NOW) == 20
    assert metrics.add(some(20, start=10), NOW) == 10
    assert metrics.add(some(30), NOW + timedelta(hours=1)) == 0
    assert_exact(metrics, some(30))


@pytest.mark.hazard("H7")
@pytest.mark.bite(
    "tidegate.monitoring.repository.metrics.DynamoMetrics._counted_key",
    replacement=lambda self, one: ("T#x#COUNTED#" + new_id(), new_id()),
)
def test_many_workers_at_once_give_the_exact_sum(tenant: TenantScope) -> None:
    """H7: eight workers add overlapping batches to the same cells; nothing is lost or doubled."""
    batches = [some(14, start=4 * worker) for worker in range(8)]
    outcome = race(8, lambda worker, _: DynamoMetrics(tenant).add(batches[worker], NOW), rounds=1)
    assert [error for one in outcome.rounds for error in one.errors] == []
    wanted = total_of(map(cell_of, some(42)))
    assert DynamoMetrics(tenant).total("request") == wanted


@pytest.mark.hazard("H2")
@pytest.mark.bite(
    "tidegate.monitoring.tasks.calls_in",
    replacement=lambda events: (
        (tenant, Measurement(new_id(), one.kind, one.at, one.ok, one.micros, labels=one.labels))
        for tenant, one in _calls_in(events)
    ),
)
def test_a_log_batch_that_comes_twice_counts_once(tenant: TenantScope, environment: None) -> None:
    """H2: the log brings a batch twice, and once more in other company; each call counts once."""
    batch = log_batch(tenant, 20)
    for events in (batch, batch, batch[10:] + log_batch(tenant, 5, prefix="late")):
        tasks.count_calls(subscribed(events), None)
    found = DynamoMetrics(tenant).total("request")
    assert (found.count, found.failed) == (25, 10)
    assert GlobalMetrics().total("request").count == 25


def _calls_in(events: Any) -> Iterator[Any]:
    from tidegate.monitoring.service.sources import calls_in

    return calls_in(events)


def log_batch(tenant: TenantScope, count: int, prefix: str = "e") -> list[dict[str, Any]]:
    return [
        {
            "id": f"{prefix}{n}",
            "timestamp": 1,
            "message": json.dumps(
                {
                    "message": "call", "timestamp": NOW.isoformat(), "route": "GET /x",
                    "status": 200 if n % 5 < 3 else 500, "Latency": 3.5,
                    "tenant_id": tenant.tenant_id, "user_id": "u",
                }
            ),
        }
        for n in range(count)
    ]  # fmt: skip


def subscribed(events: list[dict[str, Any]]) -> dict[str, Any]:
    body = json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events}).encode()
    return {"awslogs": {"data": base64.b64encode(gzip.compress(body)).decode()}}


@pytest.mark.hazard("H1")
def test_a_worker_that_dies_anywhere_loses_and_doubles_nothing(
    platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H1: every call of the counting fails in four ways; brought again, the sum is exact."""

    monkeypatch.setattr("tidegate.monitoring.repository.metrics.CHUNK", 2)

    @contextmanager
    def fresh() -> Iterator[TenantScope]:
        yield TenantScope(sign_in().tenant_id)

    def deliver(scope: TenantScope) -> Any:
        DynamoMetrics(scope).add(some(3), NOW)

    def exact(scope: TenantScope) -> None:
        assert_exact(DynamoMetrics(scope), some(3))

    enumerate_faults(flow=deliver, redeliver=deliver, invariants=exact, fresh=fresh)


@pytest.mark.hazard("G25")
@pytest.mark.bite("tidegate.monitoring.repository.metrics.DynamoMetrics._guard", returns=None)
def test_numbers_of_a_deleted_tenant_do_not_come_back(tenant: TenantScope) -> None:
    """G25: forgotten in steps until nothing is left; what the log brings later is dropped."""
    DynamoMetrics(tenant).add(some(60, at=system_clock()), system_clock())
    steps = 0
    while not public.forget_tenant(tenant, 25):
        steps += 1
    assert steps >= 3
    TenantItem(tenant.pk, "TENANT").delete()
    assert DynamoMetrics(tenant).add(some(10, at=system_clock()), system_clock()) == 0
    table = current_store().table_name("metrics")
    left = dump_tables(boto3.client("dynamodb", region_name=REGION), [table])[table]
    assert [row for row in left if tenant.tenant_id in row["pk"]["S"]] == []


def test_a_domain_counts_in_its_own_transaction(tenant: TenantScope) -> None:
    one = Measurement(
        "i1",
        "ai",
        NOW,
        True,
        5,
        cost_nanos=1_500_000,
        tokens=30,
        labels={"model": "m", "user": "u"},
    )
    writes = Transaction()
    public.add_to(writes, tenant, one, NOW)
    assert len(writes) == 8
    writes.commit()
    assert public.tenant_metrics(tenant)["ai_usage"] == {
        "total_requests": 1, "total_cost": 0.0015, "tokens_used": 30,
        "average_cost_per_request": 0.0015,
    }  # fmt: skip
    assert DynamoMetrics(tenant).add([one], NOW) == 0


@pytest.mark.hazard("B2")
@pytest.mark.bite(
    "tidegate.monitoring.repository.metrics.DynamoMetrics._home", returns="T#everybody"
)
def test_a_tenants_numbers_are_its_own(platform: Settings) -> None:
    """B2: what one tenant's calls add to is not what another reads."""
    mine, other = (TenantScope(sign_in().tenant_id) for _ in range(2))
    DynamoMetrics(mine).add(some(12), NOW)
    assert DynamoMetrics(mine).total("request").count == 12
    assert DynamoMetrics(other).total("request").count == 0


def usage_record(tenant: TenantScope, number: int, requests: int, cost: int) -> dict[str, Any]:
    """A change of a row of AI usage as the stream tells it: from n-1 requests to n."""

    def image(count: int) -> dict[str, Any]:
        return {
            "requests": {"N": str(count)}, "cost": {"N": str(count * cost)},
            "input_tokens": {"N": str(count * 10)}, "output_tokens": {"N": str(count * 5)},
            "model": {"S": "m"}, "user_id": {"S": "u"},
        }  # fmt: skip

    return {
        "dynamodb": {
            "SequenceNumber": str(number), "ApproximateCreationDateTime": NOW.timestamp(),
            "Keys": {"pk": {"S": tenant.pk}, "sk": {"S": "USE#2026-03-04#u#m"}},
            "NewImage": image(requests),
            **({"OldImage": image(requests - 1)} if requests > 1 else {}),
        }
    }  # fmt: skip


@pytest.mark.hazard("H2")
@pytest.mark.bite(
    "tidegate.monitoring.repository.metrics.DynamoMetrics._counted_key",
    replacement=lambda self, one: (f"T#x#COUNTED#{new_id()}", new_id()),
)
def test_usage_of_models_is_counted_from_what_was_paid(
    tenant: TenantScope, environment: None
) -> None:
    """H2: each change of the usage rows counts once, also when the stream brings it again."""
    records = [usage_record(tenant, 100 + n, n, 1_500) for n in (1, 2, 3)]
    other = {
        "dynamodb": {**records[0]["dynamodb"], "Keys": {"pk": {"S": tenant.pk}, "sk": {"S": "X"}}}
    }
    for _ in range(2):
        answer = tasks.count_inferences({"Records": [*records, other]}, None)
        assert answer == {"batchItemFailures": []}
    assert public.tenant_metrics(tenant)["ai_usage"] == {
        "total_requests": 3, "total_cost": 0.0000045, "tokens_used": 45,
        "average_cost_per_request": 0.0000015,
    }  # fmt: skip


def test_a_record_that_cannot_be_counted_comes_again_alone(
    tenant: TenantScope, environment: None
) -> None:
    good, bad = usage_record(tenant, 1, 1, 10), usage_record(tenant, 2, 1, 10)
    del bad["dynamodb"]["NewImage"]["model"]
    answer = tasks.count_inferences({"Records": [bad, good]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert DynamoMetrics(tenant).total("ai").count == 1
