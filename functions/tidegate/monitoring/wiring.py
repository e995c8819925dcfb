"""Builds the monitoring services on this deployment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clients import platform_client
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import identify
from tidegate_kit.settings import Settings, settings_of
from tidegate_kit.tenancy import TenantScope

from tidegate.monitoring.repository import GlobalHealthRepository
from tidegate.monitoring.repository.alerts import GlobalAlerts
from tidegate.monitoring.repository.metrics import DynamoMetrics, GlobalMetrics, Metrics
from tidegate.monitoring.service.certificate import CertificateProbe
from tidegate.monitoring.service.health import HealthService
from tidegate.monitoring.service.providers import Endpoint, Provider
from tidegate.monitoring.service.watch import Watch
from tidegate.monitoring.settings import CountingSettings, MonitoringSettings

_PROVIDER_SECONDS = 2.0
_NO_ANSWER = frozenset({500, 502, 503, 504})


class SqsQueueProbe:
    """QueueProbe on SQS. `sqs` is a boto3 client."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def waiting(self) -> bool:
        name = "ApproximateNumberOfMessages"
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"sqs: {error}") from error
        return int(answer["Attributes"][name]) > 0


class HttpModelsProbe:
    """ModelsProbe on the providers' own addresses: whatever they say, they answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def endpoints(self) -> tuple[Endpoint, ...]:
        """See ModelsProbe."""
        names: dict[str, Provider] = {"bedrock": "bedrock", "openai_compatible": "openai"}
        return tuple(Endpoint(names[name], url) for name, url in self._ai().endpoints())

    def default_model(self) -> str | None:
        """See ModelsProbe."""
        model: str | None = self._ai().default_model()
        return model

    def reach(self, endpoint: Endpoint) -> None:
        """A GET without credentials; 401 and 404 are answers too, a gateway's 502 is none."""
        from tidegate_kit.outbound import (  # a deployment without providers never needs it
            OutboundClient,
            OutboundFailed,
            OutboundPolicy,
            OutboundRefused,
        )

        client = OutboundClient(OutboundPolicy.of(self._settings))
        url = f"{endpoint.url}/models"
        try:
            answer = client.request(
                "GET", url, timeout=_PROVIDER_SECONDS, excess="cut", allow_local=True
            )
        except (OutboundFailed, OutboundRefused) as error:
            raise ServiceUnavailable(log=f"{endpoint.provider}: {error.reason}") from error
        if answer.status in _NO_ANSWER:
            raise ServiceUnavailable(log=f"{endpoint.provider}: {answer.status}")

    def _ai(self) -> Any:
        from tidegate.ai import public  # its clients cost an import

        return public


def health_service() -> HealthService:
    """The service of this process; it holds the report that is kept for ten seconds."""
    return _health_service(settings_of(MonitoringSettings))


@cache
def _health_service(settings: MonitoringSettings) -> HealthService:
    # Keyed by the whole settings: another version, stage or table never sees a kept report.
    sqs = platform_client("sqs", settings.aws_region)
    return HealthService(
        GlobalHealthRepository(),
        SqsQueueProbe(sqs, settings.events_dead_letter_url),
        settings,
        models=HttpModelsProbe(settings) if settings.ai_providers else None,
    )


def tenant_metrics(scope: TenantScope) -> Metrics:
    """The sums of one tenant."""
    return DynamoMetrics(scope)


def platform_metrics() -> Metrics:
    """The sums of the whole platform."""
    return GlobalMetrics()


def alerts() -> GlobalAlerts:
    """What an operator should look at."""
    return GlobalAlerts()


def start_task() -> Settings:
    """What a function without HTTP needs before its first read; once per process."""
    settings: Settings = settings_of(CountingSettings)
    _configure(settings)
    return settings


@cache
def _configure(settings: Settings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "monitoring")


class _ShownCertificate:
    """CertificateProbe of our own public address."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ends(self) -> datetime | None:
        from tidegate_kit.outbound.certificate import certificate_ends  # few calls need it

        return certificate_ends(self._url)


def certificate_probe() -> CertificateProbe:
    """Looks at PUBLIC_BASE_URL."""
    return _ShownCertificate(settings_of(CountingSettings).public_base_url)


def watch() -> Watch:
    """For the minute schedule."""
    from tidegate.realtime import public as realtime  # no HTTP call needs it

    def publish(
        scope: TenantScope, kind: str, data: Mapping[str, Any], source: str, now: datetime
    ) -> None:
        realtime.publish(scope, kind, data, source_id=source, now=now)

    return Watch(alerts(), realtime.connected_tenants, publish)
