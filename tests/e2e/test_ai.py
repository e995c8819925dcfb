"""AI on the deployed platform: the local cloud's Bedrock, and a server that speaks OpenAI."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.conftest import Owner, RunningCloud
from tests.fakes.openai_server import KEY, OpenAiServer, openai_server

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket]


@pytest.fixture(scope="module")
def server(cloud: RunningCloud) -> Iterator[OpenAiServer]:
    with openai_server(cloud.ai_port) as running:
        yield running


def test_bedrock_answers_and_is_paid(cloud: RunningCloud, new_owner: Callable[[], Owner]) -> None:
    owner = new_owner()
    body = {"prompt": "Hello?", "model": "nova-lite"}
    answer = owner.http.post("/ai/infer", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["provider"], found["model"]) == ("bedrock", "nova-lite")
    assert "mock nova" in found["text"]
    assert found["cost"] > 0
    used = owner.http.get("/ai/usage").json()
    assert used["total_cost"] == pytest.approx(found["cost"])
    owner.http.put("/ai/budgets", json={"monthly_cost": "0", "per_user_monthly_cost": None})
    refused = owner.http.post("/ai/infer", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "BUDGET_EXCEEDED")


def test_the_other_server_is_asked_first_and_bedrock_when_it_fails(
    cloud: RunningCloud, new_owner: Callable[[], Owner], server: OpenAiServer
) -> None:
    owner = new_owner()
    body = {"prompt": "Hello?", "model": "llama3.2:3b"}
    first = owner.http.post("/ai/infer", json=body).json()
    assert (first["provider"], first["text"]) == ("openai_compatible", "hello from the server")
    assert server.asked[-1][1] == f"Bearer {KEY}"
    server.status = 429
    second = owner.http.post("/ai/infer", json=body).json()
    assert second["provider"] == "bedrock"
    server.status, server.text = 200, '{"n": 3}'
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    third = owner.http.post("/ai/infer", json={**body, "output_schema": schema}).json()
    assert third["json"] == {"n": 3}
    server.text = "no JSON"
    invalid = owner.http.post("/ai/infer", json={**body, "output_schema": schema})
    assert (invalid.status_code, invalid.json()["error"]["code"]) == (422, "OUTPUT_INVALID")


def test_an_ai_node_asks_under_the_budget(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner = new_owner()
    nodes = [
        {"id": "s", "type": "start", "data": {}},
        {"id": "ask", "type": "ai", "data": {"prompt": "Hi {{input.name}}", "model": "nova-micro"}},
    ]
    edges = [{"id": "e", "source": "s", "target": "ask"}]
    made = owner.http.post(
        "/workflows", json={"name": "ask", "definition": {"nodes": nodes, "edges": edges}}
    )
    assert made.status_code == 201, made.text
    ran = owner.http.post(
        f"/workflows/{made.json()['id']}/execute",
        json={"input_data": {"name": "Ada"}, "execution_mode": "sync"},
    )
    assert ran.status_code == 200, ran.text
    assert "mock nova" in ran.json()["output_data"]["text"]
    used = owner.http.get("/ai/usage?group_by=model").json()
    assert [(one["key"], one["total_requests"]) for one in used["groups"]] == [("nova-micro", 1)]
