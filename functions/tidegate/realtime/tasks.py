"""Entry points of the WebSocket API, the table streams and the minute schedule."""

from __future__ import annotations

from typing import Any

from tidegate_kit.clock import system_clock
from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope

from tidegate.events.public import publish_changes
from tidegate.monitoring.public import tenant_metrics
from tidegate.realtime import wiring
from tidegate.realtime.public import connected_tenants, publish
from tidegate.realtime.repository.connections import DynamoConnections, GlobalConnections
from tidegate.realtime.service.handshake import Refused

Answer = dict[str, Any]
_PING = "tidegate_ping"


def connect(event: dict[str, Any], context: object) -> Answer:
    """`$connect`: 200, or the handshake is refused with 400, 401 or 403."""
    if event.get(_PING):
        return {"pong": True}
    connection_id = event["requestContext"]["connectionId"]
    query = event.get("queryStringParameters") or {}
    try:
        connection = wiring.handshake().open(connection_id, query)
    except Refused as refused:
        logger.info("handshake refused", status=refused.status)
        return {"statusCode": refused.status}
    logger.info("connected", tenant_id=connection.tenant_id, user_id=connection.user_id)
    return {"statusCode": 200}


def disconnect(event: dict[str, Any], context: object) -> Answer:
    """`$disconnect`: forget the connection."""
    if event.get(_PING):
        return {"pong": True}
    wiring.start_sockets()
    connection_id = event["requestContext"]["connectionId"]
    scope = GlobalConnections().tenant_of(connection_id)
    connection = DynamoConnections(scope).get(connection_id) if scope is not None else None
    if scope is not None and connection is not None:
        DynamoConnections(scope).remove(connection)
    return {"statusCode": 200}


def message(event: dict[str, Any], context: object) -> Answer:
    """`$default`: a frame of a client."""
    if event.get(_PING):
        return {"pong": True}
    wiring.start_sockets()
    connection_id = event["requestContext"]["connectionId"]
    scope = GlobalConnections().tenant_of(connection_id)
    connection = DynamoConnections(scope).get(connection_id) if scope is not None else None
    if scope is None or connection is None:
        wiring.gateway().close(connection_id)
        return {"statusCode": 410}
    wiring.frames(scope).receive(connection, event.get("body") or "")
    return {"statusCode": 200}


def push(event: dict[str, Any], context: object) -> Answer:
    """Stream of the table `realtime`: new events go to all sockets, new sockets catch up."""
    wiring.start_sockets()
    failed = []
    for record in event.get("Records", []):
        try:
            _push(record)
        except Exception:
            logger.exception("a record could not be delivered")
            failed.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
            break  # order matters: what follows is brought again with it
    return {"batchItemFailures": failed}


def _push(record: dict[str, Any]) -> None:
    if record["eventName"] != "INSERT":
        return
    keys = record["dynamodb"]["Keys"]
    parts, sort = keys["pk"]["S"].split("#"), keys["sk"]["S"]
    if parts[0] != "T":
        return
    scope = TenantScope(parts[1])
    if sort.startswith("EVENT#"):
        wiring.delivery(scope).to_all()
    elif sort.startswith("CONN#"):
        wiring.delivery(scope).catch_up(sort.removeprefix("CONN#"))


def feed(event: dict[str, Any], context: object) -> Answer:
    """Stream of the table `workflows`: progress of executions becomes messages, and what others
    are to hear goes to the event bus (a stream bears two readers, and this table has another)."""
    teller, records = wiring.feed(), event.get("Records", [])
    failed = set(publish_changes(records))
    for record in records:
        try:
            teller.tell(record)
        except Exception:
            logger.exception("a record could not be told")
            failed.add(record["dynamodb"]["SequenceNumber"])
            break
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(failed)]}


def alert(event: dict[str, Any], context: object) -> Answer:
    """`system.alert` of the event bus: the tenant's sockets hear of it, once."""
    if event.get(_PING):
        return {"pong": True}
    detail = event["detail"]
    if detail.get("tenant_id") is None:
        return {"told": False}  # about the platform, not about a tenant
    number = wiring.alert(TenantScope(str(detail["tenant_id"])), str(detail["id"]), detail["data"])
    return {"told": number is not None}


def sweep(event: dict[str, Any], context: object) -> Answer:
    """Every minute: close sockets whose session ended or whose two hours are over."""
    if event.get(_PING):
        return {"pong": True}
    wiring.start_sockets()
    closed = wiring.sweep().run(GlobalConnections().all())
    logger.info("sockets swept", closed=closed)
    return {"closed": closed}


def broadcast(event: dict[str, Any], context: object) -> Answer:
    """Every minute: tell each tenant with an open socket its numbers (RT-4, EVT-6).

    The minute names the event, so a schedule that ticks twice tells once.
    """
    if event.get(_PING):
        return {"pong": True}
    wiring.start_sockets()
    now, told, failed = system_clock(), 0, 0
    for scope in connected_tenants():
        try:
            source = f"metrics:{now:%Y-%m-%dT%H:%M}"
            data = tenant_metrics(scope)
            told += publish(scope, "metrics_update", data, source_id=source, now=now) is not None
        except Exception:
            # The others are told; the next minute tries again.
            logger.exception("metrics not told", tenant_id=scope.tenant_id)
            failed += 1
    return {"told": told, "failed": failed}
