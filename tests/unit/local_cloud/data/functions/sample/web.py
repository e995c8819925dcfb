"""HTTP: says what it received; the path chooses how it behaves."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import sample_kit
import six


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer with the event."""
    if event.get("tidegate_ping"):
        return {"ok": True}
    path, http = event["rawPath"], event["requestContext"]["http"]
    if http["method"] == "OPTIONS":
        origin = event["headers"].get("origin", "")
        allowed = {"access-control-allow-origin": origin} if "evil" not in origin else {}
        return {"statusCode": 204, "headers": allowed}
    if path.endswith("/crash"):
        raise RuntimeError("the secret of the crash")
    if path.endswith("/slow"):
        time.sleep(3)
    if path.endswith("/missing"):
        return {"statusCode": 404, "body": json.dumps({"error": {"code": "MINE"}})}
    body = {
        "event": event,
        "kit": sample_kit.NAME,
        "six": six.__version__,
        "env": {k: v for k, v in os.environ.items() if k in ("WS_URL", "SECRET", "VENV")},
    }
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "x-request-id": "from-function"},
        "cookies": ["a=1; Path=/", "b=2; Path=/"],
        "body": json.dumps(body),
    }
