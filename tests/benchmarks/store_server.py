"""A DynamoDB that answers every call from memory, so that a benchmark measures the client alone."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tidegate_kit.auth.models import (
    SessionItem,
    SigningKeyItem,
    TenantItem,
    UserItem,
    session_key,
    user_key,
)
from tidegate_kit.auth.tokens import b64url_encode

from tests.builders.members import KID, PRIVATE_KEY, claims_for, sign

TENANT = "11111111-1111-4111-8111-111111111111"
USER = "22222222-2222-4222-8222-222222222222"
SESSION = "33333333-3333-4333-8333-333333333333"
EMAIL = "ada@example.com"


def token() -> str:
    """An access token of the one member, fresh."""
    return sign(claims_for(TENANT, USER, SESSION, EMAIL, datetime.now(UTC)))


def member_items() -> list[dict[str, Any]]:
    """Tenant, user and session as stored."""
    now = datetime.now(UTC)
    pk, stamp = f"T#{TENANT}", {"created_at": now, "updated_at": now}
    items = [
        TenantItem(pk, "TENANT", id=TENANT, name="Example", is_active=True, user_count=1,
                   owner_count=1, list_key=os.urandom(32), **stamp),
        UserItem(pk, user_key(USER), id=USER, tenant_id=TENANT, email=EMAIL, password_hash="!",
                 first_name="Ada", last_name="Example", company="Example", is_active=True,
                 is_owner=True, roles={"user"}, tokens_valid_from=now - timedelta(days=1), **stamp),
        SessionItem(pk, session_key(USER, SESSION), id=SESSION, tenant_id=TENANT, user_id=USER,
                    refresh_hash="-", csrf_key=os.urandom(32), ip="203.0.113.9", user_agent="b",
                    last_used_at=now, absolute_expires_at=now + timedelta(days=30),
                    expires=int(now.timestamp()) + 86400, **stamp),
    ]  # fmt: skip
    return [item.serialize(null_check=False) for item in items]


def key_item() -> dict[str, Any]:
    """The published signing key."""
    numbers = PRIVATE_KEY.public_key().public_numbers()
    now = datetime.now(UTC)
    return SigningKeyItem(
        "SIGNING_KEYS", f"KEY#{KID}", kid=KID, status="active", active_from=now,
        x=b64url_encode(numbers.x.to_bytes(32, "big")),
        y=b64url_encode(numbers.y.to_bytes(32, "big")), created_at=now, updated_at=now,
    ).serialize(null_check=False)  # fmt: skip


def rows(count: int) -> list[dict[str, Any]]:
    """Rows such as a list of findings has."""
    return [
        {"pk": {"S": f"T#{TENANT}"}, "sk": {"S": f"ROW#{n:05d}"}, "id": {"S": f"row-{n}"},
         "name": {"S": f"volume {n} in use by nobody"}, "size": {"N": str(n)},
         "schema_version": {"N": "1"}, "created_at": {"S": "2026-01-02T03:04:05.000000+0000"},
         "updated_at": {"S": "2026-01-02T03:04:05.000000+0000"}}
        for n in range(count)
    ]  # fmt: skip


def _wire(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _wire(item) for name, item in value.items()}
    return [_wire(item) for item in value] if isinstance(value, list) else value


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: dict[str, bytes] = {}
    hits = 0

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        operation = self.headers["x-amz-target"].rpartition(".")[2]
        if operation == "BatchGetItem":
            (table,) = request["RequestItems"]
            body = self.answers[operation].replace(b"TABLE", table.encode())
        elif operation == "Query":
            keys = "SIGNING_KEYS" in json.dumps(request)
            body = self.answers["keys" if keys else "rows"]
        else:
            body = self.answers[operation]
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Silence."""


def serve() -> None:
    """Print the port, then answer until killed."""
    row_list = rows(100)
    _Handler.answers = {
        name: json.dumps(_wire(answer)).encode()
        for name, answer in {
            "BatchGetItem": {"Responses": {"TABLE": member_items()}, "UnprocessedKeys": {}},
            "UpdateItem": {"Attributes": {"hits": {"N": "1"}}},
            "GetItem": {"Item": row_list[0]},
            "keys": {"Items": [key_item()], "Count": 1, "ScannedCount": 1},
            "rows": {"Items": row_list, "Count": 100, "ScannedCount": 100},
        }.items()
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve()
