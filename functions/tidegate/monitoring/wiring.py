"""Builds the health service on this deployment."""

from __future__ import annotations

import resource
import sys
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clients import platform_client
from tidegate_kit.dynamo import current_store
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import settings_of

from tidegate.monitoring.answers import ProcessUsage
from tidegate.monitoring.repository import GlobalHealthRepository
from tidegate.monitoring.service import HealthService
from tidegate.monitoring.settings import MonitoringSettings


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


def process_usage() -> ProcessUsage:
    """Pool and peak memory of this process."""
    active, idle = current_store().pool()
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, KiB on Linux
    return ProcessUsage(active, idle, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
