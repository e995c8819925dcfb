"""Routes of contract 2.13 through the whole pipeline."""

from __future__ import annotations

import pytest
from tidegate.ai import wiring
from tidegate.ai.domain import Reply, Usage
from tidegate.ai.providers import ProviderFailed
from tidegate.ai.routes import router
from tidegate.profile.routes import router as profile_router
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.fakes.ai import ScriptedProvider


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> ScriptedProvider:
    return ScriptedProvider()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> ScriptedProvider:
    return ScriptedProvider(available=False)


@pytest.fixture
def client(
    platform: Settings,
    bedrock: ScriptedProvider,
    server: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> ApiClient:
    both = {"bedrock": bedrock, "openai_compatible": server}
    monkeypatch.setattr(wiring, "providers", lambda settings: both)
    return ApiClient([router, profile_router], platform)


@pytest.fixture
def owner(client: ApiClient) -> SignedIn:
    return sign_in(is_owner=True)


def error_of(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]  # type: ignore[attr-defined]


def test_a_prompt_is_answered_counted_and_paid(client: ApiClient, owner: SignedIn) -> None:
    answer = client.post("/ai/infer", json={"prompt": "Hello?"}, headers=owner.headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"id", "model", "provider", "text", "json", "usage", "cost"}
    assert (body["model"], body["provider"], body["text"]) == ("nova-lite", "bedrock", "hello")
    assert body["json"] is None
    assert body["usage"] == {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    assert body["cost"] == pytest.approx(10 * 0.06e-6 + 5 * 0.24e-6)
    used = client.get("/ai/usage?group_by=model", headers=owner.headers).json()
    assert (used["total_requests"], used["tokens_used"]) == (1, 15)
    assert used["total_cost"] == used["average_cost_per_request"] == pytest.approx(body["cost"])
    assert [group["key"] for group in used["groups"]] == ["nova-lite"]
    budget = client.get("/ai/budgets", headers=owner.headers).json()
    assert budget["used"] == "0.0000018"
    assert (budget["reserved"], budget["remaining"], budget["monthly_cost"]) == ("0.00", None, None)


def test_the_model_is_the_bodys_else_the_callers_setting_else_the_platforms(
    client: ApiClient, owner: SignedIn, bedrock: ScriptedProvider
) -> None:
    """AI-1."""
    changed = {"coding_model": "best"}
    client.put("/v1/settings", json=changed, headers=owner.headers)
    for sent, model_id in (
        (
            {"model": "claude-haiku", "task": "coding"},
            "us.anthropic.claude-3-5-haiku-20241022-v1:0",
        ),
        ({"task": "coding"}, "amazon.nova-pro-v1:0"),
        ({"task": "chat"}, "us.meta.llama3-2-3b-instruct-v1:0"),
        ({}, "amazon.nova-lite-v1:0"),
    ):
        body = {"prompt": "Hi", **sent}
        answer = client.post("/ai/infer", json=body, headers=owner.headers)
        assert answer.status_code == 200, answer.text
        assert bedrock.asked[-1][0] == model_id
    unknown = client.post("/ai/infer", json={"prompt": "x", "model": "y"}, headers=owner.headers)
    assert error_of(unknown) == (422, "UNKNOWN_MODEL")


def test_the_next_provider_is_asked_when_one_fails(
    client: ApiClient, owner: SignedIn, bedrock: ScriptedProvider, server: ScriptedProvider
) -> None:
    server.available = True
    server.script = [ProviderFailed("unavailable", "503")]
    body = {"prompt": "x", "model": "llama3.2:3b"}
    answer = client.post("/ai/infer", json=body, headers=owner.headers)
    assert (answer.json()["provider"], len(server.asked)) == ("bedrock", 1)
    listed = client.get("/ai/models", headers=owner.headers).json()["models"]
    assert [one for one in listed if one["name"] == "llama3.2:3b"] == [
        {"name": "llama3.2:3b", "provider": "openai_compatible", "available": True},
        {"name": "llama3.2:3b", "provider": "bedrock", "available": True},
    ]
    bedrock.script = [ProviderFailed("rate_limited", "ThrottlingException")]
    limited = client.post("/ai/infer", json={"prompt": "x"}, headers=owner.headers)
    assert error_of(limited) == (503, "PROVIDER_RATE_LIMITED")
    bedrock.script = [ProviderFailed("timeout", "ReadTimeoutError")]
    gone = client.post("/ai/infer", json={"prompt": "x"}, headers=owner.headers)
    assert error_of(gone) == (503, "PROVIDER_UNAVAILABLE")


def test_a_schema_is_validated_tried_again_once_then_refused(
    client: ApiClient, owner: SignedIn, bedrock: ScriptedProvider
) -> None:
    """AI-3."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    body = {"prompt": "Count.", "output_schema": schema}
    bedrock.script = [
        Reply("I count: 3", Usage(10, 5)),
        Reply('```json\n{"n": 3}\n```', Usage(1, 1)),
    ]
    good = client.post("/ai/infer", json=body, headers=owner.headers).json()
    assert (good["json"], good["usage"]["total_tokens"]) == ({"n": 3}, 17)
    bedrock.script = [Reply('{"n": "three"}', Usage(1, 1))]
    bad = client.post("/ai/infer", json=body, headers=owner.headers)
    assert error_of(bad) == (422, "OUTPUT_INVALID")
    assert [one["field"] for one in bad.json()["error"]["details"]] == ["output.n"]
    assert "three" not in bad.text
    assert len(bedrock.asked) == 4


def test_a_spent_budget_refuses_before_asking(
    client: ApiClient, owner: SignedIn, bedrock: ScriptedProvider
) -> None:
    limits = {"monthly_cost": "0.000001", "per_user_monthly_cost": None}
    changed = client.put("/ai/budgets", json=limits, headers=owner.headers)
    assert changed.status_code == 200, changed.text
    assert changed.json()["remaining"] == "0.000001"
    refused = client.post("/ai/infer", json={"prompt": "x"}, headers=owner.headers)
    assert error_of(refused) == (429, "BUDGET_EXCEEDED")
    assert bedrock.asked == []
    member = sign_in(tenant_id=owner.tenant_id)
    forbidden = client.put("/ai/budgets", json=limits, headers=member.headers)
    assert error_of(forbidden) == (403, "FORBIDDEN")


def test_one_key_is_one_question(
    client: ApiClient, owner: SignedIn, bedrock: ScriptedProvider
) -> None:
    headers = {**owner.headers, "Idempotency-Key": "k"}
    first = client.post("/ai/infer", json={"prompt": "x"}, headers=headers)
    again = client.post("/ai/infer", json={"prompt": "x"}, headers=headers)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(bedrock.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": ""},
        {"prompt": "x", "messages": [{"role": "user", "content": "x"}]},
        {"messages": []},
        {"messages": [{"role": "user", "content": "x"}] * 51},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": [{"role": "system", "content": "x"}]},
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
        {"prompt": "x" * 100_001},
        {"prompt": "x", "max_tokens": 0},
        {"prompt": "x", "max_tokens": 8193},
        {"prompt": "x", "max_tokens": "7"},
        {"prompt": "x", "temperature": 2.1},
        {"prompt": "x", "temperature": True},
        {"prompt": "x", "output_schema": {"pattern": ".*"}},
        {"prompt": "x", "output_schema": None},
        {"prompt": "x", "task": "no such task"},
        {"prompt": "x", "unknown": 1},
    ],
)
def test_malformed_questions_are_refused(
    client: ApiClient, owner: SignedIn, bedrock: ScriptedProvider, body: dict[str, object]
) -> None:
    answer = client.post("/ai/infer", json=body, headers=owner.headers)
    assert error_of(answer) == (422, "VALIDATION_ERROR"), answer.text
    assert bedrock.asked == []


@pytest.mark.parametrize(
    "value", ["-1", "1e3", "NaN", "Infinity", 5, "1.0000000001", "01", "9999999999", "", " 1"]
)
def test_malformed_limits_are_refused(client: ApiClient, owner: SignedIn, value: object) -> None:
    body = {"monthly_cost": value, "per_user_monthly_cost": None}
    answer = client.put("/ai/budgets", json=body, headers=owner.headers)
    assert error_of(answer) == (422, "VALIDATION_ERROR")


def test_usage_by_day_user_and_of_a_span(client: ApiClient, owner: SignedIn) -> None:
    member = sign_in(tenant_id=owner.tenant_id)
    stranger = sign_in(is_owner=True)
    for who in (owner, member, member, stranger):
        client.post("/ai/infer", json={"prompt": "x"}, headers=who.headers)
    by_user = client.get("/ai/usage?group_by=user", headers=owner.headers).json()
    assert {one["key"]: one["total_requests"] for one in by_user["groups"]} == {
        owner.user_id: 1,
        member.user_id: 2,
    }
    assert len(client.get("/ai/usage", headers=owner.headers).json()["groups"]) == 1
    old = client.get("/ai/usage?from=2020-01-01&to=2020-02-01", headers=owner.headers).json()
    assert (old["total_requests"], old["average_cost_per_request"], old["groups"]) == (0, None, [])
    for query in ("from=2020-02-01&to=2020-01-01", "from=2000-01-01", "group_by=x", "from=x"):
        refused = client.get(f"/ai/usage?{query}", headers=owner.headers)
        assert error_of(refused) == (422, "VALIDATION_ERROR")
