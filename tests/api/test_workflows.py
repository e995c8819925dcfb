"""Workflows over the whole pipeline (contract 2.5)."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from tidegate.governance.routes import router as approvals
from tidegate.workflows import tasks
from tidegate.workflows.routes import router
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.webhooks import signed_headers

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.workflows import (
    ENVIRONMENT,
    chain,
    edge,
    follow_stream,
    graph,
    install_engine,
    make_bucket,
    node,
)
from tests.fakes.workflows import EngineMachines


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    return ApiClient([router, approvals], platform)


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


# ---- executions ------------------------------------------------------------------------------


@pytest.fixture
def engine(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> EngineMachines:
    return install_engine(monkeypatch)


def execute(client: ApiClient, member: SignedIn, workflow_id: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/workflows/{workflow_id}/execute", json=body, headers=member.headers)
    assert answer.status_code in (200, 202), answer.text
    made: dict[str, Any] = answer.json()
    return made


def execution(client: ApiClient, member: SignedIn, execution_id: str) -> dict[str, Any]:
    answer = client.get(f"/workflows/executions/{execution_id}", headers=member.headers)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def statuses(run: dict[str, Any]) -> dict[str, str]:
    return {step["step_id"]: step["status"] for step in run["steps"]}


def test_an_execution_runs_its_steps_and_is_counted(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    made = create(client, member, definition=chain(node("a", output={"n": "{{n}}"})))
    started = execute(client, member, made["id"], input_data={"n": 7})
    assert started["status"] == "running"
    assert started["input_data"] == {"n": 7}
    run = execution(client, member, started["execution_id"])
    assert (run["status"], run["output_data"]) == ("completed", {"n": 7})
    assert statuses(run) == {"start": "completed", "a": "completed", "end": "completed"}
    assert run["duration"] >= 0
    assert engine.crashes == []
    url = f"/workflows/{made['id']}"
    stats = client.get(url, headers=member.headers).json()["execution_stats"]
    assert (stats["total_executions"], stats["successful_executions"]) == (1, 1)
    assert stats["running_executions"] == 0
    listed = client.get(f"{url}/executions", headers=member.headers).json()
    assert [row["id"] for row in listed["executions"]] == [run["id"]]
    everything = client.get("/workflows/executions?status=completed", headers=member.headers).json()
    assert everything["total"] == 1
    logs = client.get(f"/logs/executions/{run['id']}", headers=member.headers).json()
    assert logs["logs"][0]["message"] == "The execution completed."
    one = client.get(f"/logs/{logs['logs'][0]['id']}", headers=member.headers)
    assert one.json() == logs["logs"][0]
    found = client.get("/logs?q=STEP+A&level=info", headers=member.headers).json()
    assert [line["step_id"] for line in found["logs"]] == ["a"]


def test_wf_5_missing_input_starts_nothing(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    made = create(client, member, definition=chain(node("a", output={"n": "{{x.y}}{{z}}"})))
    refused = client.post(f"/workflows/{made['id']}/execute", json={}, headers=member.headers)
    assert refused.status_code == 422
    error = refused.json()["error"]
    assert error["code"] == "MISSING_INPUT"
    assert {detail["field"] for detail in error["details"]} == {
        "input_data.x.y", "input_data.z",
    }  # fmt: skip
    assert engine.runs == {}
    off = create(client, member, is_active=False)
    inactive = client.post(f"/workflows/{off['id']}/execute", json={}, headers=member.headers)
    assert (inactive.status_code, inactive.json()["error"]["code"]) == (409, "WORKFLOW_INACTIVE")


def test_wf_10_sync_answers_with_the_end(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    good = create(client, member)
    run = execute(client, member, good["id"], execution_mode="sync")
    assert (run["status"], run["steps"][0]["step_id"]) == ("completed", "start")
    stop = node("stop", "fail", error="NO", message="not today")
    bad = create(client, member, definition=graph(node("s", "start"), stop, edge("s", "stop")))
    refused = client.post(
        f"/workflows/{bad['id']}/execute",
        json={"execution_mode": "sync"},
        headers=member.headers,
    )
    assert refused.status_code == 422
    error = refused.json()["error"]
    assert error["code"] == "WORKFLOW_EXECUTION_FAILED"
    details = {detail["field"]: detail["message"] for detail in error["details"]}
    assert details["stop"] == "NO: not today"
    failed = execution(client, member, details["execution_id"])
    assert failed["error"] == {"code": "NO", "message": "not today", "step_id": "stop"}


def test_concurrency_limit_rejects_or_queues(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    definition = chain(node("wait", "delay", seconds=60))
    settings = {"max_concurrency": 1, "on_limit": "reject"}
    made = create(client, member, definition=definition, settings=settings)
    execute(client, member, made["id"])
    full = client.post(f"/workflows/{made['id']}/execute", json={}, headers=member.headers)
    assert (full.status_code, full.json()["error"]["code"]) == (409, "CONCURRENCY_LIMIT")
    queueing = {"settings": {**settings, "on_limit": "queue"}}
    client.put(f"/workflows/{made['id']}", json=queueing, headers=member.headers)
    second = execute(client, member, made["id"])
    assert second["status"] == "queued"
    url = f"/workflows/{made['id']}"
    stats = client.get(url, headers=member.headers).json()["execution_stats"]
    assert stats["running_executions"] == 2
    waiting = client.get("/workflows/executions?status=waiting", headers=member.headers).json()
    assert waiting["total"] == 1
    engine.settle(10**9)
    follow_stream()
    assert execution(client, member, second["execution_id"])["status"] == "waiting"
    engine.settle(10**9)
    assert execution(client, member, second["execution_id"])["status"] == "completed"


def test_cancel_ends_once_and_stops_the_machine(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    made = create(client, member, definition=chain(node("wait", "delay", seconds=60)))
    started = execute(client, member, made["id"])
    url = f"/workflows/executions/{started['execution_id']}"
    assert client.get(url, headers=member.headers).json()["status"] == "waiting"
    cancelled = client.post(f"{url}/cancel", headers=member.headers).json()
    assert (cancelled["status"], statuses(cancelled)["wait"]) == ("cancelled", "cancelled")
    again = client.post(f"{url}/cancel", headers=member.headers)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "EXECUTION_FINISHED")
    assert engine.runs[started["execution_id"]].status == "ABORTED"


def test_an_approval_parks_the_execution_until_decided(
    client: ApiClient, member: SignedIn, engine: EngineMachines, platform: Settings
) -> None:
    definition = graph(
        node("start", "start"),
        node("ask", "approval", title="Stop it?"),
        node("yes"),
        node("no"),
        edge("start", "ask"),
        edge("ask", "yes", "true"),
        edge("ask", "no", "false"),
    )
    made = create(client, member, definition=definition)
    approver = sign_in(tenant_id=member.tenant_id, roles=("client",))
    for decision, taken in (("approve", "yes"), ("reject", "no")):
        started = execute(client, member, made["id"])
        assert execution(client, member, started["execution_id"])["status"] == "waiting"
        listed = client.get("/approvals?status=pending", headers=approver.headers).json()
        (approval,) = listed["approvals"]
        assert approval["subject"]["id"] == f"{started['execution_id']}/ask"
        vote = {"subject_hash": approval["subject"]["hash"], "comment": "because"}
        url = f"/approvals/{approval['id']}/{decision}"
        own = client.post(url, json=vote, headers=member.headers)
        assert own.status_code == 403
        other = client.post(url, json={**vote, "subject_hash": "0"}, headers=approver.headers)
        assert other.json()["error"]["code"] == "SUBJECT_CHANGED"
        decided = client.post(url, json=vote, headers=approver.headers)
        assert decided.json()["status"] == {"approve": "approved", "reject": "rejected"}[decision]
        engine.settle()
        run = execution(client, member, started["execution_id"])
        assert run["status"] == "completed"
        assert statuses(run)[taken] == "completed"
        late = client.post(url, json=vote, headers=approver.headers)
        assert late.status_code == 409


def test_gov_4_nobody_votes_on_an_execution_that_has_ended(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    """GOV-4: from the cancel on, also before the table's stream has closed the approval."""
    ask = node("ask", "approval", title="Stop it?")
    asking = graph(
        node("s", "start"), ask, node("act"), edge("s", "ask"), edge("ask", "act", "true")
    )
    made = create(client, member, definition=asking)
    approver = sign_in(tenant_id=member.tenant_id, roles=("client",))
    started = execute(client, member, made["id"])
    listed = client.get("/approvals?status=pending", headers=approver.headers).json()
    (approval,) = listed["approvals"]
    run = f"/workflows/executions/{started['execution_id']}"
    assert client.post(f"{run}/cancel", headers=member.headers).status_code == 200
    late = client.post(
        f"/approvals/{approval['id']}/approve",
        json={"subject_hash": approval["subject"]["hash"]},
        headers=approver.headers,
    )
    assert (late.status_code, late.json()["error"]["code"]) == (409, "APPROVAL_CLOSED")


def test_dry_run_calls_nothing_and_counts_nothing(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    call = node("call", "http", method="POST", url="https://example.com/x")
    made = create(client, member, definition=chain(call))
    answer = client.post(f"/workflows/{made['id']}/dry-run", json={}, headers=member.headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "completed"
    assert [row["node_id"] for row in body["would_call"]] == ["call"]
    stats = client.get(f"/workflows/{made['id']}", headers=member.headers).json()
    assert stats["execution_stats"]["total_executions"] == 0
    assert engine.calls == []


def test_pictures_and_the_compiled_machine(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    made = create(client, member)
    url = f"/workflows/{made['id']}"
    run = execute(client, member, made["id"])
    text = client.get(f"{url}/diagram", headers=member.headers)
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text.startswith("flowchart TD")
    coloured = client.get(
        f"{url}/diagram?format=svg&execution_id={run['execution_id']}", headers=member.headers
    )
    assert coloured.headers["content-type"].startswith("image/svg+xml")
    assert "completed" in coloured.text
    machine = client.get(f"{url}/asl", headers=member.headers).json()
    assert machine["QueryLanguage"] == "JSONata"


def test_export_and_import_lose_nothing(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member, definition={**chain(node("a")), "viewport": {"zoom": 2}})
    exported = client.get(f"/workflows/{made['id']}/export", headers=member.headers).json()
    back = client.post("/workflows/import", json={"content": exported}, headers=member.headers)
    assert back.status_code == 201, back.text
    body = back.json()
    assert body["report"] == {"mapped": 3, "unmapped": []}
    for name in ("name", "description", "definition", "settings", "is_active"):
        assert body[name] == made[name]
    bad = client.post(
        "/workflows/import",
        json={"content": {"format": "tidegate", "version": 1, "workflow": {"name": 7}}},
        headers=member.headers,
    )
    assert (bad.status_code, bad.json()["error"]["code"]) == (422, "IMPORT_INVALID")


# ---- resume, hooks, schedules ----------------------------------------------------------------


def failing(message: str) -> dict[str, Any]:
    """start -> a -> send (an effect) -> check -> fail or end, by the input."""
    return graph(
        node("start", "start"),
        node("a", output={"n": "{{n}}"}),
        node("tell", "notify", channel="realtime", title="T", message="m"),
        node("check", "condition", condition={"left": "{{n}}", "op": "gt", "right": 5}),
        node("stop", "fail", error="TOO_SMALL", message=message),
        node("end", "end", output={"n": "{{nodes.a.output.n}}"}),
        edge("start", "a"), edge("a", "tell"), edge("tell", "check"),
        edge("check", "end", "true"), edge("check", "stop", "false"),
    )  # fmt: skip


def resume(client: ApiClient, member: SignedIn, execution_id: str, **body: Any) -> Any:
    url = f"/workflows/executions/{execution_id}/resume"
    return client.post(url, json=body, headers=member.headers)


def test_wf_12_resume_reuses_what_is_unchanged(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    made = create(client, member, definition=failing("n is small"))
    first = execute(client, member, made["id"], input_data={"n": 3})["execution_id"]
    assert execution(client, member, first)["status"] == "failed"
    planned = resume(client, member, first, plan_only=True)
    assert planned.status_code == 200, planned.text
    assert planned.json()["plan"]["reuse"] == ["start", "a", "tell", "check"]
    assert planned.json()["plan"]["side_effects"] == []
    repaired = failing("n is small")
    repaired["nodes"][3]["data"]["condition"]["right"] = 2
    client.put(f"/workflows/{made['id']}", json={"definition": repaired}, headers=member.headers)
    engine.calls.clear()
    resumed = resume(client, member, first)
    assert resumed.status_code == 202, resumed.text
    body = resumed.json()
    assert body["plan"]["reuse"] == ["start", "a", "tell"]
    assert set(body["plan"]["rerun"]) == {"check", "stop", "end"}
    run = execution(client, member, body["execution_id"])
    assert (run["status"], run["output_data"]) == ("completed", {"n": 3})
    assert (run["trigger"], run["resumed_from"]) == ("resume", first)
    reused = {step["step_id"] for step in run["steps"] if step.get("reused")}
    assert reused == {"start", "a", "tell"}
    again = resume(client, member, first)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "NOT_RESUMABLE")
    done = resume(client, member, body["execution_id"])
    assert done.json()["error"]["code"] == "NOT_RESUMABLE"


def test_wf_12_effects_that_would_happen_again_ask_first(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    made = create(client, member, definition=failing("x"))
    first = execute(client, member, made["id"], input_data={"n": 3})["execution_id"]
    repaired = failing("x")
    repaired["nodes"][1]["data"]["output"] = {"n": 9}
    client.put(f"/workflows/{made['id']}", json={"definition": repaired}, headers=member.headers)
    refused = resume(client, member, first)
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert error["code"] == "CONFIRMATION_REQUIRED"
    assert [detail["field"] for detail in error["details"]] == ["tell"]
    assert resume(client, member, first, confirm_rerun=["tell"]).status_code == 202


def signed(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    headers = signed_headers([secret], message_id, system_clock(), body)
    return {**headers, "content-type": "application/json"}


def test_wf_14_a_signed_call_starts_one_execution(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    end = node("end", "end", output={"n": "{{n}}", "kind": "{{trigger.type}}"})
    made = create(client, member, definition=graph(node("s", "start"), end, edge("s", "end")))
    url = f"/workflows/{made['id']}/hooks"
    hook = client.post(url, json={"name": "CI"}, headers=member.headers)
    assert hook.status_code == 201, hook.text
    assert hook.headers["cache-control"] == "no-store"
    secret, path = hook.json()["secret"], f"/hooks/{hook.json()['hook_id']}"
    assert hook.json()["url"].endswith(f"/api{path}")
    body = b'{"n": 4}'
    first = client.post(path, content=body, headers=signed(secret, "msg_1", body))
    assert first.status_code == 202, first.text
    again = client.post(path, content=body, headers=signed(secret, "msg_1", body))
    assert (again.status_code, again.json()) == (200, first.json())
    other = client.post(path, content=b"{}", headers=signed(secret, "msg_1", b"{}"))
    assert other.status_code == 422
    run = execution(client, member, first.json()["execution_id"])
    assert run["output_data"] == {"n": 4, "kind": "webhook"}
    assert run["trigger"] == "webhook"
    listed = client.get("/workflows/executions", headers=member.headers).json()
    assert listed["total"] == 1
    rotated = client.post(
        f"{url}/{hook.json()['hook_id']}/rotate-secret", json={}, headers=member.headers
    ).json()
    for number, one in enumerate((secret, rotated["secret"])):
        answer = client.post(path, content=body, headers=signed(one, f"m{number}", body))
        assert answer.status_code == 202
    shown = client.get(url, headers=member.headers).json()["hooks"]
    assert "secret" not in shown[0]
    client.delete(f"{url}/{hook.json()['hook_id']}", headers=member.headers)
    gone = client.post(path, content=body, headers=signed(secret, "m9", body))
    unknown = client.post(f"/hooks/{new_id()}", content=body, headers=signed(secret, "m9", body))
    assert gone.status_code == unknown.status_code == 401
    assert gone.json()["error"]["code"] == unknown.json()["error"]["code"] == "INVALID_SIGNATURE"


def test_schedules_are_kept_checked_and_followed(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    made = create(client, member)
    url = f"/workflows/{made['id']}/schedule"
    assert client.get(url, headers=member.headers).status_code == 404
    bad = client.put(
        url,
        json={"expression": "cron(61 * * * ? *)", "time_zone": "Mars/Phobos"},
        headers=member.headers,
    )
    assert bad.status_code == 422
    assert {detail["field"] for detail in bad.json()["error"]["details"]} == {
        "expression", "time_zone",
    }  # fmt: skip
    body = {"expression": "cron(0 9 ? * MON-FRI *)", "time_zone": "Europe/Berlin"}
    stored = client.put(url, json=body, headers=member.headers)
    assert stored.status_code == 200, stored.text
    assert stored.json()["on_overlap"] == "skip"
    assert len(stored.json()["next_runs"]) == 3
    scheduler = boto3.client("scheduler", region_name="us-east-1")
    name = f"wf-{made['id']}"
    kept = scheduler.get_schedule(Name=name, GroupName="tidegate-test-workflows")
    assert kept["ScheduleExpression"] == body["expression"]
    event = json.loads(kept["Target"]["Input"])
    event["scheduled_time"] = "2026-11-23T08:00:00Z"
    ticks = [tasks.scheduled(event, None)["execution_id"] for _ in range(2)]
    assert ticks[0] == ticks[1]
    run = execution(client, member, str(ticks[0]))
    assert (run["trigger"], run["status"]) == ("schedule", "completed")
    assert client.delete(url, headers=member.headers).status_code == 200
    assert client.get(url, headers=member.headers).status_code == 404
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.get_schedule(Name=name, GroupName="tidegate-test-workflows")
    assert tasks.scheduled(event, None) == {"execution_id": None}


def test_another_tenant_sees_no_execution_hook_schedule_or_log(
    client: ApiClient, member: SignedIn, engine: EngineMachines
) -> None:
    made = create(client, member, definition=chain(node("wait", "delay", seconds=60)))
    run = execute(client, member, made["id"])["execution_id"]
    log = client.get("/logs", headers=member.headers).json()
    other = sign_in(roles=("client",))
    url, executions = f"/workflows/{made['id']}", f"/workflows/executions/{run}"
    for method, path, body in (
        ("POST", f"{url}/execute", {}),
        ("POST", f"{url}/dry-run", {}),
        ("GET", f"{url}/executions", None),
        ("GET", f"{url}/diagram", None),
        ("GET", f"{url}/asl", None),
        ("GET", f"{url}/export", None),
        ("GET", f"{url}/schedule", None),
        ("PUT", f"{url}/schedule", {"expression": "rate(1 hour)"}),
        ("DELETE", f"{url}/schedule", None),
        ("GET", f"{url}/hooks", None),
        ("POST", f"{url}/hooks", {}),
        ("GET", executions, None),
        ("POST", f"{executions}/cancel", None),
        ("POST", f"{executions}/resume", {}),
        ("GET", f"/logs/executions/{run}", None),
    ):
        answer = client.request(method, path, json=body, headers=other.headers)
        assert answer.status_code == 404, (method, path, answer.text)
    assert log["total"] >= 1
    assert client.get("/logs", headers=other.headers).json()["total"] == 0
    assert client.get("/workflows/executions", headers=other.headers).json()["total"] == 0
