"""Warm paths: process CPU of many calls, variants interleaved, best of several rounds."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import jwt
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from tidegate_kit.auth.authenticate import Authenticator, Member
from tidegate_kit.auth.models import SessionItem, TenantItem, UserItem
from tidegate_kit.auth.tokens import Claims, KeyRing, TokenVerifier, public_key
from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.http import app as http_app
from tidegate_kit.http.guard import Platform
from tidegate_kit.ratelimit import RateLimiter
from tidegate_kit.settings import Settings

from tests.benchmarks import store_server
from tests.benchmarks.subject import BIG, Definition, RowItem, answer_rows, definition, router
from tests.builders.members import KID, PRIVATE_KEY
from tests.builders.settings import ENVIRONMENT, settings


class _Counters:
    """Counts in memory, so that a call costs what the pipeline costs."""

    def hit(self, subject: str, kind: str, minute: int, limit: int, now: datetime) -> int | None:
        return 1


class _Members:
    """Finds the one member in memory."""

    def __init__(self) -> None:
        tenant, user, session = store_server.member_items()
        self.member = Member(
            TenantItem.from_raw_data(tenant),
            UserItem.from_raw_data(user),
            SessionItem.from_raw_data(session),
        )

    def find(self, claims: Claims) -> Member | None:
        return self.member

    def touch(self, session: SessionItem, now: datetime) -> None:
        """Nothing to do."""


def _ours() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    item = store_server.key_item()
    key = public_key(KID, item["x"]["S"], item["y"]["S"], "active")
    verifier = TokenVerifier(
        KeyRing(lambda: {KID: key}, system_clock), ENVIRONMENT["JWT_ISSUER"], system_clock
    )

    def platform(built: Settings, clock: Any = system_clock) -> Platform:
        return Platform(
            built, clock, Authenticator(verifier, _Members(), clock),
            RateLimiter(_Counters(), clock), None,  # type: ignore[arg-type]
        )  # fmt: skip

    real = http_app.build_platform
    http_app.build_platform = platform
    os.environ.update({**ENVIRONMENT, "AWS_LAMBDA_FUNCTION_NAME": "benchmark"})
    try:
        return http_app.lambda_app(router)
    finally:
        http_app.build_platform = real


def _powertools() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    resolver = APIGatewayHttpResolver()
    public = PRIVATE_KEY.public_key()

    @resolver.get("/rows/<row_id>")
    def one(row_id: str) -> dict[str, Any]:
        header = resolver.current_event.headers["authorization"]
        jwt.decode(
            header.removeprefix("Bearer "), public, algorithms=["ES256"], audience="tidegate-api"
        )
        return {"id": row_id, "name": "volume", "size": 1}

    return resolver.resolve


def event(method: str, path: str, body: str | None = None) -> dict[str, Any]:
    """An HTTP API event with a valid token."""
    headers = {"host": "api.example.com", "authorization": f"Bearer {store_server.token()}"}
    if body is not None:
        headers["content-type"] = "application/json"
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": headers, "isBase64Encoded": False, "body": body,
        "requestContext": {
            "stage": "$default",
            "http": {"method": method, "path": path, "sourceIp": "203.0.113.9"},
        },
    }  # fmt: skip


def cpu(variants: dict[str, Callable[[], Any]], calls: int, rounds: int = 7) -> dict[str, float]:
    """CPU microseconds a call of each variant: the best of `rounds` interleaved rounds."""
    best = dict.fromkeys(variants, float("inf"))
    for _ in range(rounds):
        for name, call in variants.items():
            started = time.process_time()
            for _ in range(calls):
                call()
            best[name] = min(best[name], (time.process_time() - started) / calls * 1e6)
    return best


def _quiet() -> contextlib.redirect_stdout[Any]:
    from tidegate_kit.observability import logger

    logger.registered_handler.setStream(io.StringIO())  # type: ignore[attr-defined]
    return contextlib.redirect_stdout(io.StringIO())


def measure(port: int) -> dict[str, dict[str, float]]:
    """CPU microseconds by case and variant."""
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ACCESS_KEY_ID="x",
        AWS_SECRET_ACCESS_KEY="x",
    )
    ours, theirs = _ours(), _powertools()
    with _quiet():
        return {
            "get": _get(ours, theirs),
            "list": _list(ours),
            "workflow": _workflow(ours),
            "query": _query(),
        }


def _get(ours: Any, theirs: Any) -> dict[str, float]:
    call = event("GET", "/rows/00000000-0000-4000-8000-000000000000")
    for handler in (ours, theirs):
        assert handler(call, None)["statusCode"] == 200
    return cpu(
        {"tidegate": lambda: ours(call, None), "powertools": lambda: theirs(call, None)}, 150
    )


def _list(ours: Any) -> dict[str, float]:
    big, small = event("GET", "/big"), event("GET", "/rows/00000000-0000-4000-8000-000000000000")
    size = len(ours(big, None)["body"])
    assert 95_000 < size < 110_000, size
    data = [row.model_dump() for row in answer_rows(BIG)]
    found = cpu(
        {
            "big": lambda: ours(big, None),
            "small": lambda: ours(small, None),
            "build": lambda: answer_rows(BIG),
            "json.dumps": lambda: json.dumps(data),
        },
        20,
    )
    # What 100 KB add to a call, without making the rows themselves.
    found["tidegate"] = found["big"] - found["small"] - found["build"]
    return found


def _workflow(ours: Any) -> dict[str, float]:
    text = json.dumps(definition(50))
    call = event("POST", "/workflows", text)
    assert ours(call, None)["statusCode"] == 201
    raw = text.encode()
    return cpu(
        {
            "tidegate": lambda: ours(call, None),
            "pydantic": lambda: Definition.model_validate_json(raw),
        },
        50,
    )


def _query() -> dict[str, float]:
    configure_store(Store(ENVIRONMENT["TABLE_PREFIX"], ENVIRONMENT["AWS_REGION"]))
    client = boto3.client("dynamodb", region_name=ENVIRONMENT["AWS_REGION"])
    settings(Settings)

    def kit() -> None:
        assert len(list(RowItem.query("T#1", consistent_read=True))) == 100

    def plain() -> None:
        answer = client.query(
            TableName="x", KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": "T#1"}}, ConsistentRead=True,
        )  # fmt: skip
        assert answer["Count"] == 100

    kit()
    plain()
    return cpu({"tidegate": kit, "boto3": plain}, 10)


__all__ = ["UTC", "cpu", "measure", "timedelta"]
