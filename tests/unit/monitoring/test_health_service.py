"""The decision whether the platform is healthy (MON-1)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from tidegate.monitoring.repository import Marker
from tidegate.monitoring.service.health import HealthService, configuration_report
from tidegate.monitoring.service.providers import Endpoint, ModelsProbe
from tidegate_kit.clock import FixedClock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import Settings

from tests.builders.settings import settings
from tests.fakes.monitoring import MemoryHealthRepository

CONFIGURED = settings(Settings)
ARN = f"{CONFIGURED.table_arn_prefix}-platform"
CLOCK = FixedClock()


class Queue:
    """A dead-letter queue in a known state."""

    def __init__(self, waiting: bool = False, down: bool = False) -> None:
        self._waiting = waiting
        self._down = down

    def waiting(self) -> bool:
        if self._down:
            raise ServiceUnavailable(log="down")
        return self._waiting


class Stale(MemoryHealthRepository):
    """A store that takes writes and gives back what was there before."""

    def read_marker(self) -> Marker | None:
        return replace(self.marker, writes=self.marker.writes - 1) if self.marker else None


class Mixed(MemoryHealthRepository):
    """A store that gives back the marker of another stage."""

    def read_marker(self) -> Marker | None:
        return Marker("other", ARN, 99)


class Forgetful(MemoryHealthRepository):
    """A store that drops what it took."""

    def read_marker(self) -> Marker | None:
        return None


def service(
    repository: MemoryHealthRepository | None = None,
    queue: Queue | None = None,
    configured: Settings = CONFIGURED,
    models: ModelsProbe | None = None,
) -> HealthService:
    ticks = itertools.count()
    return HealthService(
        repository or MemoryHealthRepository(ARN),
        queue or Queue(),
        configured,
        timer=lambda: next(ticks) / 1000,
        models=models,
    )


def test_a_store_that_takes_and_gives_back_is_healthy() -> None:
    report = service().report(CLOCK())
    assert (report.status, report.issues, report.warnings) == ("healthy", [], ())
    assert (report.database.millis, report.cache.millis) == (1.0, 1.0)


@pytest.mark.hazard("H24")
@pytest.mark.parametrize(
    ("repository", "issue"),
    [
        (MemoryHealthRepository(ARN.replace("test", "prod")), "is not the configured one"),
        (MemoryHealthRepository(ARN, Marker("other", ARN, 7)), "belongs to another stage"),
        (Stale(ARN), "not read back"),
        (Forgetful(ARN), "not read back"),
        (Mixed(ARN), "not the one written"),
        (MemoryHealthRepository(ARN, down={"table_arn"}), "does not answer"),
        (MemoryHealthRepository(ARN, down={"write_marker"}), "does not answer"),
        (MemoryHealthRepository(ARN, down={"read_marker"}), "does not answer"),
    ],
)
@pytest.mark.bite("tidegate.monitoring.service.health.HealthService._check_store", returns=None)
def test_any_other_store_is_unhealthy(repository: MemoryHealthRepository, issue: str) -> None:
    """H24: wrong table or stage, lost writes, no answer: not healthy, the component named."""
    report = service(repository).report(CLOCK())
    assert report.status == "unhealthy"
    assert issue in (report.database.issue or "")
    assert report.issues[0].startswith("database: ")


@pytest.mark.hazard("H24")
def test_a_table_of_another_region_is_unhealthy() -> None:
    """H24: the settings name one region for calls and another for the table."""
    elsewhere = CONFIGURED.model_copy(update={"aws_region": "eu-west-1"})
    report = service(configured=elsewhere).report(CLOCK())
    assert report.database.issue == "the table in use is in another region"


def test_cache_and_queue_only_degrade() -> None:
    without_cache = service(MemoryHealthRepository(ARN, down={"read_counters"})).report(CLOCK())
    assert (without_cache.status, without_cache.cache.ok) == ("degraded", False)
    without_queue = service(queue=Queue(down=True)).report(CLOCK())
    assert (without_queue.status, without_queue.queue.ok) == ("degraded", False)


class Models:
    """Two configured providers, of which `down` do not answer; `asked` counts the looks."""

    def __init__(self, *down: str) -> None:
        self.down = set(down)
        self.asked: list[str] = []

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (Endpoint("openai", "https://a.example"), Endpoint("bedrock", "https://b.example"))

    def default_model(self) -> str | None:
        return "nova-lite"

    def reach(self, endpoint: Endpoint) -> None:
        self.asked.append(endpoint.provider)
        if endpoint.provider in self.down:
            raise ServiceUnavailable(log="down")


def test_a_provider_of_models_that_does_not_answer_only_degrades() -> None:
    """MON-1: AI failure is degraded, and names the provider."""
    assert service(models=Models()).report(CLOCK()).status == "healthy"
    report = service(models=Models("bedrock")).report(CLOCK())
    assert report.status == "degraded"
    assert report.issues == ["ai bedrock: does not answer, or refuses"]
    assert [(name, probe.ok) for name, probe in report.providers.items()] == [
        ("openai", True), ("bedrock", False),
    ]  # fmt: skip


def test_a_provider_that_does_not_answer_is_asked_once_in_ten_seconds() -> None:
    """A provider that hangs must not hold up each look at health."""
    clock, models = FixedClock(), Models("bedrock")
    health = service(models=models)
    for _ in range(3):
        assert health.report(clock()).status == "degraded"
    assert models.asked == ["openai", "bedrock"]
    models.down.clear()
    clock.advance(seconds=10)
    assert health.report(clock()).status == "healthy"


def test_only_healthy_reports_are_kept_and_only_for_ten_seconds() -> None:
    clock = FixedClock()
    repository = MemoryHealthRepository(ARN, down={"write_marker"})
    health = service(repository)
    assert health.report(clock()).status == "unhealthy"
    repository.down.clear()
    kept = health.report(clock())
    assert kept.status == "healthy"
    repository.down.add("write_marker")
    clock.advance(seconds=9.999)
    assert health.report(clock()) is kept
    clock.advance(seconds=0.001)
    assert health.report(clock()).status == "unhealthy"


def test_the_configuration_is_judged_by_names_alone() -> None:
    production = CONFIGURED.model_copy(
        update={"tidegate_env": "production", "legacy_tokens_enabled": True}
    )
    issues, warnings = configuration_report(production)
    assert issues == [
        "configuration: PUBLIC_BASE_URL is not https", "configuration: WS_URL is not wss",
    ]  # fmt: skip
    assert warnings == [
        "configuration: CORS_ORIGINS allows an origin without TLS",
        "configuration: the legacy token layout is accepted",
    ]
    assert configuration_report(CONFIGURED) == ([], [])
    report = service(queue=Queue(waiting=True), configured=production).report(CLOCK())
    assert report.status == "healthy"  # a setting is no failing component
    assert report.warnings[0].startswith("queue: ")
    assert set(issues) <= set(report.issues)
