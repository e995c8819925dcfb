"""Entry points without HTTP: logs and events to be counted, the minute's look, certificates."""

from __future__ import annotations

from typing import Any

from tidegate_kit.clock import iso, system_clock
from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope

from tidegate.monitoring import wiring
from tidegate.monitoring.domain import Measurement
from tidegate.monitoring.repository.metrics import DynamoMetrics
from tidegate.monitoring.service import certificate, watch
from tidegate.monitoring.service.sources import (
    calls_in,
    execution_in,
    inference_in,
    read_log_batch,
)
from tidegate.monitoring.usage import process_usage

Answer = dict[str, Any]


def count_calls(event: dict[str, Any], context: object) -> Answer:
    """A batch of the calls' log: count each for its tenant and for the platform.

    Raises ServiceUnavailable when the store does not take them: Lambda brings the batch again, and
    what was counted is not counted twice.
    """
    wiring.start_task()
    now = system_clock()
    by_tenant: dict[str, list[Measurement]] = {}
    everything: list[Measurement] = []
    for tenant_id, one in calls_in(read_log_batch(event)):
        everything.append(one)
        if tenant_id is not None:
            by_tenant.setdefault(tenant_id, []).append(one)
    for tenant_id, calls in by_tenant.items():
        wiring.tenant_metrics(TenantScope(tenant_id)).add(calls, now)
    return {"counted": wiring.platform_metrics().add(everything, now)}


def count_execution(event: dict[str, Any], context: object) -> Answer:
    """An execution ended (EventBridge): count it, however often it is told (EVT-5)."""
    wiring.start_task()
    now = system_clock()
    found = execution_in(event)
    if found is None:
        return {"counted": 0}
    tenant_id, one = found
    DynamoMetrics(TenantScope(tenant_id)).add([one], now)
    return {"counted": wiring.platform_metrics().add([one], now)}


def count_inferences(event: dict[str, Any], context: object) -> Answer:
    """Stream of the table `ai`: count what was paid. Names the records to bring again."""
    wiring.start_task()
    now = system_clock()
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        try:
            found = inference_in(record)
            if found is not None:
                tenant_id, one = found
                DynamoMetrics(TenantScope(tenant_id)).add([one], now)
                wiring.platform_metrics().add([one], now)
        except Exception:
            # Whatever is wrong with one record, the others are counted.
            logger.exception("a change of AI usage was not counted")
            failed.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failed}


def check_health(event: dict[str, Any], context: object) -> Answer:
    """Every minute: probe the components, keep the figures, tell a change (EVT-6)."""
    if event.get("tidegate_ping"):
        return {"pong": True}
    wiring.start_task()
    now, usage = system_clock(), process_usage()
    report = wiring.health_service().report(now)
    changed = wiring.watch().look(report, now)
    watch.measure(wiring.platform_metrics(), report, usage.cpu, usage.memory_share, now)
    return {"status": report.status, "changed": changed}


def check_certificate(event: dict[str, Any], context: object) -> Answer:
    """Daily: an alert from 21 days before the public address's certificate ends."""
    if event.get("tidegate_ping"):
        return {"pong": True}
    wiring.start_task()
    found = certificate.check(wiring.certificate_probe(), wiring.alerts(), system_clock())
    logger.info("certificate checked", days_left=found.days_left)
    return {
        "expires_at": iso(found.expires_at) if found.expires_at else None,
        "days_left": found.days_left,
    }
