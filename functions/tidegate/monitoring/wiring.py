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
from tidegate.monitoring.service.watch import Watch
from tidegate.monitoring.settings import CountingSettings, MonitoringSettings


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


def health_service() -> HealthService:
    """The service of this process; it holds the report that is kept for ten seconds."""
    return _health_service(settings_of(MonitoringSettings))


@cache
def _health_service(settings: MonitoringSettings) -> HealthService:
    # Keyed by the whole settings: another version, stage or table never sees a kept report.
    sqs = platform_client("sqs", settings.aws_region)
    return HealthService(
        GlobalHealthRepository(), SqsQueueProbe(sqs, settings.events_dead_letter_url), settings
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
