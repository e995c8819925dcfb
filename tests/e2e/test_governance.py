"""Policies, approvals and the audit log on the local cloud: streams, bus and log for real."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
from tidegate_kit.ids import new_id

from tests.builders.governance import FORBID
from tests.builders.workflows import edge, graph, node
from tests.e2e.conftest import Owner, RunningCloud
from tests.e2e.test_workflows import member_of

_PATIENCE = 90.0
AUDIT = "/api/governance/audit?page_size=100"


def audited(http: httpx.Client, *actions: str) -> list[dict[str, Any]]:
    """The log, once it holds these actions: the cloud works at its own pace."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        answer = http.get(AUDIT)
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()["entries"]
        missing = set(actions) - {entry["action"] for entry in entries}
        if not missing:
            return entries
        assert time.monotonic() < deadline, f"never entered: {missing}"
        time.sleep(0.5)


def test_policies_are_validated_versioned_and_replayed(new_owner: Callable[[], Owner]) -> None:
    http = new_owner().http
    path = "/api/governance/policies"
    assert http.get(path).json()["total"] == 2
    bad = http.post(f"{path}/validate", json={"text": "permit (principal"}).json()
    assert bad == {
        "valid": False,
        "errors": [{"line": 1, "column": 18, "message": "unexpected end of input"}],
    }
    refused = http.post(path, json={"name": "x", "text": "permit (principal, action, resource);"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "POLICY_INVALID")
    made = http.post(path, json={"name": "No deletions", "text": FORBID})
    assert made.status_code == 201, made.text
    mine = f"{path}/{made.json()['id']}"
    changed = http.put(mine, json={"enabled": False, "expected_version": 1})
    assert changed.json()["version"] == 2
    again = http.put(mine, json={"enabled": True, "expected_version": 1})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "VERSION_CONFLICT")
    assert http.get(f"{mine}/versions").json()["total"] == 2
    simulated = http.post(f"{path}/simulate", json={"policies": [{"text": FORBID}]}).json()
    assert simulated["evaluated"] == simulated["unchanged"]
    audited(http, "policy.created", "policy.updated")


def test_what_members_do_is_in_the_log_and_tampering_is_named(
    cloud: RunningCloud, new_owner: Callable[[], Owner]
) -> None:
    owner = new_owner()
    wrong = cloud.http().post(
        "/api/auth/login", json={"email": owner.email, "password": f"no-{new_id()}"}
    )
    assert wrong.status_code == 401
    owner.http.put("/api/user/secrets/db", json={"value": "canary-4711"})
    definition = graph(
        node("start", "start"), node("ask", "approval", title="Go on?"), edge("start", "ask")
    )
    body = {"name": "W", "definition": definition}
    workflow = owner.http.post("/api/workflows", json=body).json()
    owner.http.post(f"/api/workflows/{workflow['id']}/execute", json={})
    approval = pending(owner.http)
    colleague = member_of(cloud, owner)
    vote = {"subject_hash": approval["subject"]["hash"]}
    decided = colleague.post(f"/api/approvals/{approval['id']}/approve", json=vote)
    assert decided.json()["status"] == "approved", decided.text
    entries = audited(
        owner.http, "tenant.created", "member.joined", "auth.login", "secret.stored",
        "approval.requested", "approval.approve", "approval.approved",
    )  # fmt: skip
    assert "canary-4711" not in str(entries)
    logins = [one for one in entries if one["action"] == "auth.login"]
    assert {one["outcome"] for one in logins} == {"success", "failure"}
    mine = [one for one in logins if one["actor"]["id"] == owner.profile["id"]]
    assert mine
    assert mine[0]["actor"]["email"] == owner.email
    assert mine[0]["actor"]["ip"].startswith("127.")
    checked = owner.http.get(f"{AUDIT}&verify=true").json()["verification"]
    assert (checked["valid"], checked["first_bad_sequence"]) == (True, None)
    tamper(cloud, owner.profile["tenant_id"], 2)
    checked = owner.http.get(f"{AUDIT}&verify=true").json()["verification"]
    assert (checked["valid"], checked["first_bad_sequence"]) == (False, 2)


def pending(http: httpx.Client) -> dict[str, Any]:
    """The approval that is asked for, once it is."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        found: list[dict[str, Any]] = http.get("/api/approvals?status=pending").json()["approvals"]
        if found:
            return found[0]
        assert time.monotonic() < deadline, "no approval was asked for"
        time.sleep(0.2)


def tamper(cloud: RunningCloud, tenant_id: str, sequence: int) -> None:
    """Change one character of an entry, as somebody with the table's keys could."""
    client = cloud.aws("dynamodb")
    table = next(name for name in client.list_tables()["TableNames"] if "-governance" in name)
    key = {"pk": {"S": f"T#{tenant_id}"}, "sk": {"S": f"AUDIT#{sequence:012d}"}}
    item = client.get_item(TableName=table, Key=key)["Item"]
    body = item["body"]["S"]
    item["body"]["S"] = body.replace('"outcome":"s', '"outcome":"S').replace(
        '"outcome":"f', '"outcome":"F'
    )
    assert item["body"]["S"] != body
    client.put_item(TableName=table, Item=item)
