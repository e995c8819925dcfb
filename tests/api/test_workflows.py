"""Workflows over the whole pipeline (contract 2.5)."""

from __future__ import annotations

from typing import Any

import pytest
from tidegate.workflows.routes import router
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.workflows import ENVIRONMENT, chain, edge, graph, make_bucket, node


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    return ApiClient([router], platform)


@pytest.fixture
def member(platform: Settings) -> SignedIn:
    return sign_in()


def create(client: ApiClient, member: SignedIn, **body: Any) -> dict[str, Any]:
    body = {"name": "Clean up", "definition": chain(node("a")), **body}
    answer = client.post("/workflows", json=body, headers=member.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_created_workflow_is_read_back_whole(client: ApiClient, member: SignedIn) -> None:
    definition = {**chain(node("a")), "viewport": {"zoom": 1.5}}
    made = create(client, member, definition=definition, description="d")
    assert made["version"] == 1
    assert made["created_by"] == member.user_id
    assert made["settings"] == {
        "max_concurrency": 10, "on_limit": "queue", "timeout_seconds": 86400,
    }  # fmt: skip
    assert "warnings" not in made
    assert "execution_stats" not in made
    read = client.get(f"/api/workflows/{made['id']}", headers=member.headers).json()
    stats = read.pop("execution_stats")
    assert read == made
    assert read["definition"] == definition
    assert stats == {
        "total_executions": 0, "successful_executions": 0, "failed_executions": 0,
        "average_duration": None, "running_executions": 0,
    }  # fmt: skip


def test_a_large_definition_goes_to_the_bucket_and_comes_back(
    client: ApiClient, member: SignedIn
) -> None:
    definition = chain(*(node(f"n{i}", output={"text": "x" * 1000}) for i in range(190)))
    made = create(client, member, definition=definition)
    read = client.get(f"/workflows/{made['id']}", headers=member.headers).json()
    assert read["definition"] == definition


def test_wf_1_all_problems_at_once_or_as_warnings(client: ApiClient, member: SignedIn) -> None:
    broken = graph(
        node("a"), node("b", "nonsense"), edge("a", "b"), edge("b", "a"), edge("a", "ghost")
    )
    refused = client.post(
        "/workflows", json={"name": "n", "definition": broken}, headers=member.headers
    )
    assert refused.status_code == 422
    details = refused.json()["error"]["details"]
    codes = {detail["message"].partition(":")[0] for detail in details}
    assert {"MISSING_START", "UNKNOWN_NODE_TYPE", "CYCLE", "DANGLING_EDGE"} <= codes
    made = create(client, member, definition=broken, is_active=False)
    assert {issue["code"] for issue in made["warnings"]} == codes
    activated = client.put(
        f"/workflows/{made['id']}", json={"is_active": True}, headers=member.headers
    )
    assert activated.status_code == 422
    misshapen = client.post(
        "/workflows",
        json={"name": "n", "definition": {"nodes": 7}, "is_active": False},
        headers=member.headers,
    )
    assert misshapen.status_code == 422


def test_validate_answers_and_saves_nothing(client: ApiClient, member: SignedIn) -> None:
    good = client.post(
        "/workflows/validate", json={"definition": chain(node("a"))}, headers=member.headers
    )
    assert good.json() == {"valid": True, "errors": [], "warnings": []}
    bad = client.post("/workflows/validate", json={"definition": [1]}, headers=member.headers)
    assert bad.status_code == 200
    assert bad.json()["valid"] is False
    assert client.get("/workflows", headers=member.headers).json()["total"] == 0


def test_wf_11_definitions_make_versions_and_roll_back(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member)
    url = f"/workflows/{made['id']}"
    second = client.put(
        url, json={"definition": chain(node("a"), node("b"))}, headers=member.headers
    )
    assert second.json()["version"] == 2
    renamed = client.put(url, json={"name": "Other"}, headers=member.headers).json()
    assert (renamed["name"], renamed["version"]) == ("Other", 2)
    back = client.post(f"{url}/rollback", json={"version": 1}, headers=member.headers).json()
    assert (back["version"], back["definition"]) == (3, made["definition"])
    versions = client.get(f"{url}/versions", headers=member.headers).json()
    assert [row["version"] for row in versions["versions"]] == [3, 2, 1]
    assert versions["versions"][0]["content_hash"] == versions["versions"][2]["content_hash"]
    one = client.get(f"{url}/versions/2", headers=member.headers).json()
    assert one["definition"] == second.json()["definition"]
    assert client.get(f"{url}/versions/9", headers=member.headers).status_code == 404
    difference = client.get(f"{url}/diff?from=1&to=2", headers=member.headers).json()
    assert (difference["from"], difference["to"]) == (1, 2)
    assert difference["nodes"] == {"added": ["b"], "removed": [], "changed": []}
    assert difference["edges"]["removed"] == ["a--end"]


def test_expected_version_guards_a_change(client: ApiClient, member: SignedIn) -> None:
    url = f"/workflows/{create(client, member)['id']}"
    body = {"definition": chain(node("b")), "expected_version": 1}
    assert client.put(url, json=body, headers=member.headers).status_code == 200
    late = client.put(url, json=body, headers=member.headers)
    assert late.status_code == 409
    assert late.json()["error"]["code"] == "VERSION_CONFLICT"


def test_lists_are_paged_filtered_and_searched(client: ApiClient, member: SignedIn) -> None:
    names = [f"Job {i}" for i in range(5)] + ["Straße"]
    for name in names:
        create(client, member, name=name, is_active=name != "Job 3")
    first = client.get("/workflows?page_size=4", headers=member.headers).json()
    assert [row["name"] for row in first["workflows"]] == ["Straße", "Job 4", "Job 3", "Job 2"]
    assert (first["total"], first["total_pages"]) == (6, 2)
    rest = client.get(
        f"/workflows?page_size=4&cursor={first['next_cursor']}", headers=member.headers
    ).json()
    second = client.get("/workflows?page_size=4&page=2", headers=member.headers).json()
    assert [row["name"] for row in rest["workflows"]] == ["Job 1", "Job 0"]
    assert second["workflows"] == rest["workflows"]
    assert "next_cursor" not in rest
    off = client.get("/workflows?is_active=false", headers=member.headers).json()
    assert [row["name"] for row in off["workflows"]] == ["Job 3"]
    assert off["total"] == 1
    found = client.get("/workflows?search=STRASSE", headers=member.headers).json()
    assert (found["total"], found["workflows"][0]["name"]) == (1, "Straße")


def test_delete_removes_it_from_all_reads(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member)
    url = f"/workflows/{made['id']}"
    assert client.delete(url, headers=member.headers).json() == {
        "id": made["id"], "deleted": True,
    }  # fmt: skip
    for method, path in (("GET", url), ("DELETE", url), ("GET", f"{url}/versions")):
        assert client.request(method, path, headers=member.headers).status_code == 404
    assert client.get("/workflows", headers=member.headers).json()["total"] == 0


def test_the_same_idempotency_key_makes_one_workflow(client: ApiClient, member: SignedIn) -> None:
    body = {"name": "n", "definition": chain(node("a"))}
    headers = {**member.headers, "Idempotency-Key": "k"}
    one = client.post("/workflows", json=body, headers=headers)
    two = client.post("/workflows", json=body, headers=headers)
    assert one.json() == two.json()
    assert client.get("/workflows", headers=member.headers).json()["total"] == 1


def test_another_tenant_sees_nothing(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member)
    other = sign_in()
    url = f"/workflows/{made['id']}"
    for method, path, body in (
        ("GET", url, None),
        ("PUT", url, {"name": "x"}),
        ("DELETE", url, None),
        ("GET", f"{url}/versions", None),
        ("GET", f"{url}/versions/1", None),
        ("GET", f"{url}/diff?from=1&to=1", None),
        ("POST", f"{url}/rollback", {"version": 1}),
    ):
        answer = client.request(method, path, json=body, headers=other.headers)
        assert answer.status_code == 404, (method, path)
    assert client.get("/workflows", headers=other.headers).json()["workflows"] == []
