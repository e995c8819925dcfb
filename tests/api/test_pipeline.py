"""The guard pipeline on a small router: order of checks, envelope, headers (GEN-8 to GEN-17)."""

from __future__ import annotations

import pytest
from tidegate_kit.auth.permissions import ANY_USER
from tidegate_kit.http import ApiModel, CurrentCall, RequestModel, Router, Text
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import sign_in


class Thing(RequestModel):
    name: Text


class Made(ApiModel):
    id: str
    name: str


def small_router() -> Router:
    router = Router("example")
    made: list[str] = []

    @router.post("/things", permission="workflow:create", status=201, idempotent=True)
    def make(body: Thing, call: CurrentCall) -> Made:
        made.append(body.name)
        return Made(id=str(len(made)), name=body.name)

    @router.get("/me", permission=ANY_USER)
    def me(call: CurrentCall) -> Made:
        return Made(id=call.principal.user_id, name=call.principal.email)

    @router.get("/admin-only", permission="admin:read")
    def admin_only(call: CurrentCall) -> Made:
        return Made(id="x", name="x")

    return router


@pytest.fixture
def client(platform: Settings) -> ApiClient:
    return ApiClient([small_router()], platform)


def test_a_signed_in_member_is_answered_with_limits_and_identity(client: ApiClient) -> None:
    member = sign_in()
    answer = client.get("/api/me/", headers=member.headers)
    assert answer.status_code == 200
    assert answer.json() == {"id": member.user_id, "name": member.email}
    assert answer.headers["x-ratelimit-limit"] == "100"
    assert answer.headers["x-ratelimit-remaining"] == "99"
    assert answer.headers["x-tidegate-stage"] == "test"
    assert answer.headers["cache-control"] == "private"


def test_the_same_key_gives_the_first_answer_and_one_effect(client: ApiClient) -> None:
    headers = {**sign_in().headers, "Idempotency-Key": "k-1"}
    first = client.post("/things", json={"name": "a"}, headers=headers)
    again = client.post("/things", json={"name": "a"}, headers=headers)
    other = client.post("/things", json={"name": "b"}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert other.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_permission_is_checked_before_the_body(client: ApiClient) -> None:
    member = sign_in()
    assert client.get("/admin-only", headers=member.headers).status_code == 403
    refused = client.post("/things", content=b"{", headers={"content-type": "application/json"})
    assert refused.status_code == 401


def test_the_hundred_and_first_call_of_a_minute_is_refused(client: ApiClient) -> None:
    member = sign_in()
    answers = [client.get("/me", headers=member.headers).status_code for _ in range(101)]
    assert answers.count(200) in (100, 101)  # 101 only if the minute turned over meanwhile
    assert set(answers) <= {200, 429}
