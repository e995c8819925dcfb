"""Logs and metrics of every function (GEN-9, design section 4.10)."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from tidegate_kit.clock import system_clock
from tidegate_kit.settings import Settings

_TOKEN = re.compile(
    r"(Bearer\s+)[A-Za-z0-9._~+/=-]+|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|(?<=[?&])(token|ticket|sig)=[^&\s\"]+",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """Replace bearer tokens, JWTs and tokens in URLs by ***."""
    return _TOKEN.sub(lambda m: f"{m.group(1) or ''}***" if m.group(1) else "***", text)


class _Formatter(LambdaPowertoolsFormatter):
    """One JSON object a line; values are escaped by json.dumps, tokens masked (D11, A21)."""

    def serialize(self, log: Any) -> str:
        return mask(super().serialize(log))


logger = Logger(
    service="tidegate",
    logger_formatter=_Formatter(
        # ASCII only: U+2028 and its kin end a line for some readers (D11).
        json_serializer=partial(json.dumps, default=str, separators=(",", ":")),
        use_rfc3339=True,
        utc=True,
        log_record_order=["level", "message"],
    ),
)


def identify(settings: Settings, domain: str) -> None:
    """Append who is speaking to every line, once per process."""
    logger.append_keys(
        domain=domain,
        environment=settings.tidegate_env,
        stage=settings.tidegate_stage,
        version=settings.tidegate_version,
    )


_METRICS = [
    {
        "Namespace": "Tidegate",
        "Dimensions": [["domain", "stage"], ["domain", "stage", "route", "code"]],
        "Metrics": [
            {"Name": "Calls", "Unit": "Count"},
            {"Name": "Latency", "Unit": "Milliseconds"},
            {"Name": "Errors", "Unit": "Count"},
        ],
    }
]


def record_call(
    settings: Settings,
    *,
    domain: str,
    route: str,
    status: int,
    code: str,
    millis: float,
    moment: datetime,
    request_id: str,
    tenant_id: str | None,
    user_id: str | None,
) -> None:
    """The one line of a finished call: log record and metrics in one (GEN-9).

    Format: CloudWatch embedded metric format, which takes any further fields. Written past the
    logger, whose record would cost more than the rest of the line.
    """
    record = {
        "level": "INFO",
        "message": "call",
        "timestamp": moment.isoformat(timespec="milliseconds"),
        "service": "tidegate",
        "domain": domain,
        "environment": settings.tidegate_env,
        "stage": settings.tidegate_stage,
        "version": settings.tidegate_version,
        "request_id": request_id,
        "tenant_id": tenant_id,
        "user_id": user_id,
        "route": route,
        "status": status,
        "code": code or str(status),
        "duration_ms": round(millis, 2),
        "Calls": 1,
        "Latency": round(millis, 3),
        "Errors": 1 if status >= 500 else 0,
        "_aws": {"Timestamp": int(moment.timestamp() * 1000), "CloudWatchMetrics": _METRICS},
    }
    sys.stdout.write(json.dumps(record, separators=(",", ":")) + "\n")


_AWS_METRICS = [
    {
        "Namespace": "Tidegate",
        "Dimensions": [["domain", "stage"], ["domain", "stage", "aws_service"]],
        "Metrics": [{"Name": "AwsCalls", "Unit": "Count"}, {"Name": "AwsErrors", "Unit": "Count"}],
    }
]


def record_aws_call(
    tenant_id: str, account_id: str | None, service: str, operation: str, status: int | None
) -> None:
    """The line of a call into a customer's account: log record and metrics in one.

    service and operation in botocore's names ("ec2", "DescribeVolumes"); status of HTTP, None
    where nothing answered; account_id None while the account of given keys is not known yet.
    """
    logger.info(
        "aws call",
        tenant_id=tenant_id,
        account_id=account_id,
        aws_service=service,
        aws_operation=operation,
        status=status,
        AwsCalls=1,
        AwsErrors=0 if status is not None and status < 400 else 1,
        _aws={
            "Timestamp": int(system_clock().timestamp() * 1000),
            "CloudWatchMetrics": _AWS_METRICS,
        },
    )
