"""Answers of contract 2.7."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from tidegate_kit.http import ApiModel, Timestamp

Overall = Literal["healthy", "degraded", "unhealthy"]
Service = Literal["healthy", "unhealthy"]
Availability = Literal["healthy", "unhealthy", "not_configured"]
Check = Literal["ok", "error"]


class Problem(ApiModel):
    """One entry of an error's details."""

    field: str
    message: str


class ProblemBody(ApiModel):
    """The error of ERR-1."""

    code: str
    message: str
    details: list[Problem]
    timestamp: str
    request_id: str


class _HealthAnswer(ApiModel):
    error: ProblemBody | None = Field(default=None, description="Only with status 503.")

    @model_serializer(mode="wrap")
    def _drop_absent_error(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        if data.get("error", "") is None:
            del data["error"]
        return data


class HealthEnvironment(ApiModel):
    """What the configuration alone tells; never a value of it (MON-3)."""

    issues: list[str]
    warnings: list[str]
    configured_providers: list[str]
    missing_provider_keys: list[str]
    offline: bool
    dev_mode: bool


class Components(ApiModel):
    """Each component's state."""

    database: Service
    cache: Check
    ai_provider: str | None
    ai_model: str | None
    queue: Check


class Health(_HealthAnswer):
    """GET /health."""

    status: Overall
    version: str
    environment: str
    stage: str
    timestamp: Timestamp
    env: HealthEnvironment
    components: Components
    redis_connection: Check = Field(description="Alias of components.cache.")


class Connections(ApiModel):
    """The SDK's connection pool in the answering process."""

    active: int
    idle: int
    max: int


class DatabaseService(ApiModel):
    """`response_time` in milliseconds: describe, write and read of the health marker."""

    status: Service
    response_time: float
    connections: Connections


class CacheService(ApiModel):
    """`response_time` in milliseconds; `memory_usage` of the answering process, as "45MB"."""

    status: Service
    response_time: float
    memory_usage: str


class AiService(ApiModel):
    """`response_time` in milliseconds."""

    status: Availability
    response_time: float | None


class AiServices(ApiModel):
    """Each provider; one without a key is not_configured."""

    openai: AiService
    anthropic: AiService
    bedrock: AiService


class Services(ApiModel):
    """Each service's state. `redis` names the cache (MON-2)."""

    database: DatabaseService
    redis: CacheService
    ai_services: AiServices


class MonitoringHealth(_HealthAnswer):
    """GET /api/monitoring/health."""

    status: Overall
    timestamp: Timestamp
    version: str
    environment: str
    services: Services


class SystemUsage(ApiModel):
    """The answering process: seconds it has run, and shares in percent."""

    uptime: float
    cpu_usage: float
    memory_usage: float
    disk_usage: float


class ApplicationUsage(ApiModel):
    """Requests; times in milliseconds; `requests_per_minute` is the mean of five minutes."""

    total_requests: int
    successful_requests: int
    failed_requests: int
    average_response_time: float | None
    requests_per_minute: float


class WorkflowUsage(ApiModel):
    """Executions that ended; times in seconds."""

    total_executions: int
    successful_executions: int
    failed_executions: int
    average_execution_time: float | None
    executions_last_hour: int


class AiUsage(ApiModel):
    """Inferences; costs in US dollars."""

    total_requests: int
    total_cost: float
    tokens_used: int
    average_cost_per_request: float | None


class MonitoringMetrics(ApiModel):
    """GET /api/monitoring/metrics."""

    system: SystemUsage
    application: ApplicationUsage
    workflows: WorkflowUsage
    ai_usage: AiUsage


class SeriesModel(ApiModel):
    """One line: points are [time, value], the value null where nothing can be said."""

    name: str
    unit: str
    labels: dict[str, str]
    points: list[tuple[Timestamp, float | None]]


class MetricSeries(ApiModel):
    """GET /metrics/*."""

    # `from` and `granularity` say what was asked, as it was understood.
    start: Timestamp = Field(alias="from")
    end: Timestamp = Field(alias="to")
    granularity: Literal["minute", "hour", "day"]
    series: list[SeriesModel]
    totals: dict[str, float | None]
