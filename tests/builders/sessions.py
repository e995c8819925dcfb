"""What the tests of sessions and tokens share."""

from __future__ import annotations

from typing import Any

import jwt
from tidegate_kit.auth.permissions import ANY_USER
from tidegate_kit.http import ApiModel, CurrentCall, Router


class Thing(ApiModel):
    id: str


def admin_router() -> Router:
    router = Router("example")

    @router.get("/admin-only", permission="admin:read")
    def admin_only(call: CurrentCall) -> Thing:
        return Thing(id="x")

    @router.post("/anything", permission=ANY_USER)
    def anything(call: CurrentCall) -> Thing:
        return Thing(id="x")

    return router


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
