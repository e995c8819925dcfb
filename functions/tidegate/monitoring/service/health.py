"""Is the platform's store the configured one, and does it take and give back data (MON-1)?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import logger
from tidegate_kit.settings import Settings

from tidegate.monitoring.repository import ForeignStore, HealthRepository
from tidegate.monitoring.service.providers import Endpoint, ModelsProbe, NoProviders, Provider

Status = Literal["healthy", "degraded", "unhealthy"]
KEEP = timedelta(seconds=10)


class StoreMismatch(Exception):
    """The store answers, but it is not the one that the settings describe."""


class QueueProbe(Protocol):
    """Asks the dead-letter queue of the events."""

    def waiting(self) -> bool:
        """True while undelivered events wait there. Raises ServiceUnavailable."""


@dataclass(frozen=True)
class Probe:
    """One component as found: `issue` says what is wrong, `millis` how long the answer took."""

    issue: str | None
    millis: float

    @property
    def ok(self) -> bool:
        """True when nothing is wrong."""
        return self.issue is None


@dataclass(frozen=True)
class HealthReport:
    """Every component at one instant."""

    database: Probe
    cache: Probe
    queue: Probe
    warnings: tuple[str, ...]
    configuration_issues: tuple[str, ...]
    # The configured providers in the order in which they are asked.
    providers: Mapping[Provider, Probe] = field(default_factory=dict)
    model: str | None = None

    @property
    def status(self) -> Status:
        """unhealthy without the database; degraded without the cache, the queue or a provider."""
        if not self.database.ok:
            return "unhealthy"
        others = (self.cache, self.queue, *self.providers.values())
        return "healthy" if all(probe.ok for probe in others) else "degraded"

    @property
    def issues(self) -> list[str]:
        """Every issue, each beginning with its component."""
        probes = {"database": self.database, "cache": self.cache, "queue": self.queue}
        probes |= {f"ai {name}": probe for name, probe in self.providers.items()}
        found = [f"{name}: {probe.issue}" for name, probe in probes.items() if probe.issue]
        return [*found, *self.configuration_issues]


class HealthService:
    """Probes the components; keeps a good report for ten seconds in this process."""

    def __init__(
        self,
        repository: HealthRepository,
        queue: QueueProbe,
        settings: Settings,
        timer: Callable[[], float] = time.perf_counter,
        models: ModelsProbe | None = None,
    ) -> None:
        self._repository = repository
        self._queue = queue
        self._settings = settings
        self._timer = timer
        self._models = models or NoProviders()
        self._kept_providers: tuple[datetime, dict[Provider, Probe]] | None = None
        self._kept: tuple[datetime, HealthReport] | None = None

    def report(self, now: datetime) -> HealthReport:
        """The report of `now`, or one at most ten seconds old. A bad one is never kept."""
        if self._kept is not None and now - self._kept[0] < KEEP:
            return self._kept[1]
        report = self._probe(now)
        self._kept = (now, report) if report.status == "healthy" else None
        return report

    def _probe(self, now: datetime) -> HealthReport:
        warnings: list[str] = []

        def queue() -> None:
            if self._queue.waiting():
                warnings.append("queue: undelivered events wait in the dead-letter queue")

        issues, more = configuration_report(self._settings)
        return HealthReport(
            database=self._measure("database", lambda: self._check_store(now)),
            cache=self._measure("cache", self._repository.read_counters),
            queue=self._measure("queue", queue),
            warnings=(*warnings, *more),
            configuration_issues=tuple(issues),
            providers=self._providers(now),
            model=self._models.default_model(),
        )

    def _providers(self, now: datetime) -> dict[Provider, Probe]:
        """Kept for ten seconds whatever they say: a provider that hangs must not hold each call."""
        if self._kept_providers is not None and now - self._kept_providers[0] < KEEP:
            return self._kept_providers[1]

        def probe(one: Endpoint) -> Probe:
            return self._measure(f"ai {one.provider}", lambda: self._models.reach(one))

        found = {one.provider: probe(one) for one in self._models.endpoints()}
        self._kept_providers = (now, found)
        return found

    def _check_store(self, now: datetime) -> None:
        """Raise unless the configured table of the configured stage takes and gives back data."""
        stage = self._settings.tidegate_stage
        arn = self._repository.table_arn()
        if arn != f"{self._settings.table_arn_prefix}-platform":
            raise StoreMismatch("the table in use is not the configured one")
        if arn.split(":")[3] != self._settings.aws_region:
            raise StoreMismatch("the table in use is in another region")
        try:
            writes = self._repository.write_marker(stage, arn, now)
        except ForeignStore:
            raise StoreMismatch("the table in use belongs to another stage") from None
        marker = self._repository.read_marker()
        if marker is None or marker.writes < writes:
            raise StoreMismatch("the marker just written was not read back")
        if (marker.stage, marker.arn) != (stage, arn):
            raise StoreMismatch("the marker read back is not the one written")

    def _measure(self, name: str, check: Callable[[], None]) -> Probe:
        started = self._timer()
        issue: str | None = None
        try:
            check()
        except StoreMismatch as error:
            issue = str(error)
        except ServiceUnavailable as error:
            issue = "does not answer, or refuses"
            logger.error("health probe failed", component=name, cause=error.log)
        if issue is not None:
            logger.error("component not healthy", component=name, issue=issue)
        return Probe(issue, round((self._timer() - started) * 1000, 3))


def configuration_report(settings: Settings) -> tuple[list[str], list[str]]:
    """(issues, warnings) that the settings alone show; names of settings, never values (MON-3)."""
    issues: list[str] = []
    warnings: list[str] = []
    if settings.tidegate_env == "production":
        if not settings.public_base_url.startswith("https://"):
            issues.append("configuration: PUBLIC_BASE_URL is not https")
        if not settings.ws_url.startswith("wss://"):
            issues.append("configuration: WS_URL is not wss")
        if any(origin.startswith("http://") for origin in settings.cors_origin_list):
            warnings.append("configuration: CORS_ORIGINS allows an origin without TLS")
    if settings.legacy_tokens_enabled:
        warnings.append("configuration: the legacy token layout is accepted")
    return issues, warnings
