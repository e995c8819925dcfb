"""What must be true after a deploy: the emulator fails silently, so it is asked."""

from __future__ import annotations

import ast
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.local.aws import client
from infra.local.config import LocalCloud, LocalCloudError
from infra.local.deploy import Deployment, ttl_attribute, ttl_is_on
from infra.local.documents import properties
from infra.local.progress import step

PING = {"tidegate_ping": True}
BROKEN = ("Runtime.", "Sandbox.")
"""Error types of functions that could not start; an unknown event is none of them."""
PARALLEL_STARTS = 4


def verify(cloud: LocalCloud, deployment: Deployment, *, preflight: bool = True) -> None:
    """Run every check; raise LocalCloudError listing all that failed."""
    checks: list[tuple[str, Callable[[], list[str]]]] = [
        ("routes", lambda: wrong_routes(cloud, deployment)),
        ("table expiry", lambda: wrong_ttl(cloud, deployment)),
        ("functions start", lambda: broken_functions(cloud, deployment)),
    ]
    if preflight:
        checks.append(("CORS preflight", lambda: wrong_preflight(cloud, deployment)))
    failures: list[str] = []
    for name, check in checks:
        with step(f"checking: {name}") as shown:
            found = check()
            shown.detail = f"{len(found)} wrong" if found else "ok"
            failures += found
    if failures:
        raise LocalCloudError(
            "the deployed stack is not what the template declares:\n  "
            + "\n  ".join(failures)
            + f"\n  Function logs are in {cloud.log_dir}."
        )


def wrong_routes(cloud: LocalCloud, deployment: Deployment) -> list[str]:
    """APIs whose deployed routes differ from the declared ones."""
    gateway = client(cloud, "apigatewayv2")
    failures = []
    for name, declared in deployment.routes.items():
        pages = gateway.get_paginator("get_routes").paginate(ApiId=deployment.resources[name])
        deployed = {item["RouteKey"] for page in pages for item in page["Items"]}
        if deployed != set(declared):
            failures.append(
                f"API {name}: missing {sorted(set(declared) - deployed)}, "
                f"unexpected {sorted(deployed - set(declared))}"
            )
    return failures


def wrong_ttl(cloud: LocalCloud, deployment: Deployment) -> list[str]:
    """Tables that declare an expiry attribute and do not have it."""
    dynamodb = client(cloud, "dynamodb")
    failures = []
    for name, physical in deployment.physical("AWS::DynamoDB::Table").items():
        attribute = ttl_attribute(properties(deployment.document["Resources"][name]))
        if attribute and not ttl_is_on(dynamodb, physical, attribute):
            failures.append(f"table {name}: expiry by '{attribute}' is off")
    return failures


def broken_functions(cloud: LocalCloud, deployment: Deployment) -> list[str]:
    """Functions whose code does not start, with the error of the runtime client."""
    functions = deployment.physical("AWS::Lambda::Function")
    invoke = client(cloud, "lambda").invoke

    def ping(item: tuple[str, str]) -> str | None:
        name, physical = item
        answer = invoke(FunctionName=physical, Payload=json.dumps(PING).encode())
        if "FunctionError" not in answer:
            return None
        said: Any = json.loads(answer["Payload"].read() or b"{}")
        kind = str(said.get("errorType", ""))
        if not kind.startswith(BROKEN):
            return None  # it started and refused an event that it does not know
        return f"function {name}: {_reason(kind, str(said.get('errorMessage', '')))}"

    with ThreadPoolExecutor(PARALLEL_STARTS) as pool:
        return [text for text in pool.map(ping, functions.items()) if text]


def _reason(kind: str, message: str) -> str:
    """The runtime client's own words, which the emulator wraps when a function does not start."""
    wrapped = message.partition("init error: ")[2]
    try:
        said = ast.literal_eval(wrapped)
        return f"{said['errorType']}: {said['errorMessage']}"
    except (ValueError, SyntaxError, KeyError, TypeError):
        return f"{kind}: {message[:400]}"


def wrong_preflight(cloud: LocalCloud, deployment: Deployment) -> list[str]:
    """Allowed origins that the front door does not let in, with credentials."""
    if not any(deployment.routes.values()):
        return []
    failures = []
    for origin in [part for part in cloud.cors_origins.split(",") if part][:1]:
        request = urllib.request.Request(  # noqa: S310 (loopback only)
            f"{cloud.api_url}/health",
            method="OPTIONS",
            headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
        )
        started = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=35) as answer:  # noqa: S310
                allowed = answer.headers.get("Access-Control-Allow-Origin")
                shown = f"allows {allowed!r}"
        except urllib.error.HTTPError as error:
            allowed, shown = None, f"answers {error.code}"
        except OSError as error:
            allowed, shown = None, f"{error} after {time.monotonic() - started:.1f} s"
        if allowed != origin:
            failures.append(f"preflight of /health from {origin}: {shown}")
    return failures
