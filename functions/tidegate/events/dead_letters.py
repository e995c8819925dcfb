"""What was given up: every dead letter raises `system.alert` (EVT-5)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clock import from_epoch, iso
from tidegate_kit.ids import id_from, is_id
from tidegate_kit.observability import logger

from tidegate.events.domain import SCHEMA_VERSION, Event
from tidegate.events.publisher import Bus

_MESSAGE = "Background work failed after its last retry and is kept in the dead-letter queue."


class DeadLetters:
    """Takes messages of the dead-letter queue. `queue` is a boto3 client of `sqs`."""

    def __init__(self, bus: Bus, queue: Any, archive_url: str) -> None:
        self._bus = bus
        self._queue = queue
        self._archive_url = archive_url

    def take(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        """Tell of each and keep it; ids of the messages to bring again."""
        refused = self._bus.put([alert_of(message) for message in messages])
        failed = [str(messages[place]["messageId"]) for place in sorted(refused)]
        for place, message in enumerate(messages):
            if place not in refused and not self._keep(message):
                failed.append(str(message["messageId"]))
        return failed

    def _keep(self, message: Mapping[str, Any]) -> bool:
        logger.error("dead letter", message_id=message["messageId"])
        try:
            self._queue.send_message(QueueUrl=self._archive_url, MessageBody=message["body"])
        except (ClientError, BotoCoreError) as error:
            logger.error("dead letter not kept", cause=str(error))
            return False
        return True


def alert_of(message: Mapping[str, Any]) -> Event:
    """The alert of a message in the dead-letter queue; the same message gives the same id.

    Of the tenant whose event it was, where the message tells; else of the platform (tenant_id
    null). What had been asked for is not repeated.
    """
    body = _body(message)
    return Event(
        type="system.alert",
        domain="events",
        detail={
            "id": id_from(f"dead-letter\n{message['messageId']}"),
            "tenant_id": _tenant(body),
            "occurred_at": iso(_sent_at(message)),
            "request_id": None,
            "schema_version": SCHEMA_VERSION,
            "data": {
                "severity": "critical",
                "component": _component(body),
                "status": "dead_lettered",
                "message": _MESSAGE,
            },
        },
    )


def _body(message: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        body = json.loads(message["body"])
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _tenant(body: Mapping[str, Any]) -> str | None:
    """Asynchronous calls bring what they were called with; batches of a stream only its place."""
    payload = body.get("requestPayload")
    detail = payload.get("detail") if isinstance(payload, dict) else None
    tenant = detail.get("tenant_id") if isinstance(detail, dict) else None
    return tenant if isinstance(tenant, str) and is_id(tenant) else None


def _component(body: Mapping[str, Any]) -> str:
    """The function's logical name, without account, region and deployment."""
    context = body.get("requestContext")
    arn = context.get("functionArn") if isinstance(context, dict) else None
    # arn:aws:lambda:<region>:<account>:function:<stack>-<logical name>-<suffix>[:<version>]
    name = str(arn).split(":")[6] if isinstance(arn, str) and arn.count(":") >= 6 else ""
    parts = name.split("-")
    return parts[-2] if len(parts) > 2 else name or "background"


def _sent_at(message: Mapping[str, Any]) -> datetime:
    return from_epoch(int(message["attributes"]["SentTimestamp"]) / 1000)
