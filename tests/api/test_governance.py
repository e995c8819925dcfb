"""Policies, decisions, approvals and the audit log over the whole pipeline (contract 2.11)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from tidegate.governance import public
from tidegate.governance.cedar.defaults import AWS_NAME, AWS_TEXT, OTHER_NAME
from tidegate.governance.public import PolicyContext, PolicyPrincipal, PolicyResource
from tidegate.governance.routes import router
from tidegate.workflows.routes import router as workflows
from tidegate_kit.clock import FixedClock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.api import ApiClient
from tests.builders.governance import FORBID, HASH, act, add_approval
from tests.builders.members import SignedIn, sign_in
from tests.builders.workflows import ENVIRONMENT, chain, install_engine, make_bucket, node

POLICIES = "/governance/policies"
PERMIT = 'permit (principal, action == Action::"ec2.create_tags", resource);'


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    return ApiClient([router, workflows], platform)


@pytest.fixture
def owner(platform: Settings) -> SignedIn:
    return sign_in(roles=("user",), is_owner=True)


def colleague(of: SignedIn, *roles: str) -> SignedIn:
    return sign_in(tenant_id=of.tenant_id, roles=roles or ("client",))


def create(client: ApiClient, who: SignedIn, **body: Any) -> dict[str, Any]:
    body = {"name": "No deletions", "text": FORBID, **body}
    answer = client.post(POLICIES, json=body, headers=who.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", {}).get("code", "")


def ask(who: SignedIn, action: str = "ec2.delete_volume", **context: Any) -> Any:
    principal = PolicyPrincipal(who.user_id, ("client", "user"))
    resource = PolicyResource("arn:aws:ec2:::volume/v-1", "ec2:volume", tags={"env": "test"})
    scope = TenantScope(who.tenant_id)
    return public.decide(scope, principal, action, resource, PolicyContext(**context))


def test_a_new_tenant_has_the_default_policies(client: ApiClient, owner: SignedIn) -> None:
    """GOV-2."""
    listed = client.get(POLICIES, headers=owner.headers).json()
    assert sorted(one["name"] for one in listed["policies"]) == [AWS_NAME, OTHER_NAME]
    assert {one["version"] for one in listed["policies"]} == {1}
    assert set(listed["policies"][0]) == {
        "id", "name", "text", "enabled", "version", "created_by", "created_at", "updated_at",
    }  # fmt: skip
    again = client.get(f"/api{POLICIES}", headers=owner.headers).json()
    assert again == listed
    assert ask(owner).effect == "require_approval"
    assert (ask(owner).quorum, ask(owner).approver_role, ask(owner).expiry_hours) == (
        1, "client", 72,
    )  # fmt: skip
    assert ask(owner, "workflow.execute").effect == "allow"


def test_a_policy_has_a_life(client: ApiClient, owner: SignedIn) -> None:
    made = create(client, owner)
    assert (made["version"], made["enabled"], made["created_by"]) == (1, True, owner.user_id)
    path = f"{POLICIES}/{made['id']}"
    assert client.get(path, headers=owner.headers).json() == made
    assert ask(owner).effect == "deny"
    changed = client.put(path, json={"enabled": False}, headers=owner.headers).json()
    assert (changed["version"], changed["enabled"], changed["text"]) == (2, False, FORBID)
    assert ask(owner).effect == "require_approval"
    renamed = client.put(path, json={"name": "x", "text": PERMIT}, headers=owner.headers).json()
    assert (renamed["version"], renamed["name"]) == (3, "x")
    versions = client.get(f"{path}/versions", headers=owner.headers).json()
    assert [(one["version"], one["text"]) for one in versions["versions"]] == [
        (3, PERMIT), (2, FORBID), (1, FORBID),
    ]  # fmt: skip
    assert versions["total"] == 3
    gone = client.delete(path, headers=owner.headers)
    assert gone.json() == {"id": made["id"], "deleted": True}
    for answer in (
        client.get(path, headers=owner.headers),
        client.get(f"{path}/versions", headers=owner.headers),
        client.delete(path, headers=owner.headers),
        client.put(path, json={"name": "x"}, headers=owner.headers),
    ):
        assert code(answer) == (404, "NOT_FOUND")


def test_a_version_that_is_not_the_expected_one_conflicts(
    client: ApiClient, owner: SignedIn
) -> None:
    path = f"{POLICIES}/{create(client, owner)['id']}"
    body = {"name": "x", "expected_version": 1}
    assert client.put(path, json=body, headers=owner.headers).status_code == 200
    assert code(client.put(path, json=body, headers=owner.headers)) == (409, "VERSION_CONFLICT")
    read = client.get(path, headers=owner.headers).json()
    assert (read["version"], read["name"]) == (2, "x")


def test_the_last_default_may_be_deleted_for_good(client: ApiClient, owner: SignedIn) -> None:
    for one in client.get(POLICIES, headers=owner.headers).json()["policies"]:
        assert client.delete(f"{POLICIES}/{one['id']}", headers=owner.headers).status_code == 200
    assert client.get(POLICIES, headers=owner.headers).json()["policies"] == []
    assert ask(owner, "workflow.execute").effect == "deny"


@pytest.mark.hazard("B19")
@pytest.mark.bite("tidegate.governance.service.policies.problems_of", returns=[])
def test_a_text_that_is_no_policy_is_not_stored(client: ApiClient, owner: SignedIn) -> None:
    """B19: unconditional, foreign, unknown, unparsable: 422 with line and column, nothing kept."""
    made = create(client, owner)
    foreign = sign_in()
    before = client.get(POLICIES, headers=owner.headers).json()
    for text in (
        "permit (principal, action, resource);",
        f'permit (principal == User::"{foreign.user_id}", action, resource);',
        'permit (principal, action == Action::"ec2.nuke", resource);',
        "permit (principal is Robot, action, resource);",
        "permit (principal, action, resource",
        "// nothing",
    ):
        for answer in (
            client.post(POLICIES, json={"name": "x", "text": text}, headers=owner.headers),
            client.put(f"{POLICIES}/{made['id']}", json={"text": text}, headers=owner.headers),
        ):
            assert code(answer) == (422, "POLICY_INVALID")
            (detail, *_) = answer.json()["error"]["details"]
            assert detail["field"] == "text"
            assert detail["message"].startswith("line 1, column ")
    for text in ("x" * 20_001, "x" * 1_000_000, "", "a\x00b"):
        answer = client.post(POLICIES, json={"name": "x", "text": text}, headers=owner.headers)
        assert code(answer) == (422, "VALIDATION_ERROR")
    assert client.get(POLICIES, headers=owner.headers).json() == before


def test_validation_names_the_place(client: ApiClient, owner: SignedIn) -> None:
    path = f"{POLICIES}/validate"
    body = {"text": "\n\npermit (principal, action, resource)\n  when { context.foo == 1 };"}
    answer = client.post(path, json=body, headers=owner.headers)
    assert answer.status_code == 200
    (error,) = answer.json()["errors"]
    assert (answer.json()["valid"], error["line"], error["column"]) == (False, 4, 18)
    good = client.post(path, json={"text": AWS_TEXT}, headers=owner.headers).json()
    assert good == {"valid": True, "errors": []}


def test_an_idempotency_key_makes_one_policy(client: ApiClient, owner: SignedIn) -> None:
    headers = {**owner.headers, "Idempotency-Key": "once"}
    body = {"name": "x", "text": FORBID}
    first, second = (client.post(POLICIES, json=body, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert client.get(POLICIES, headers=owner.headers).json()["total"] == 3


def test_decisions_are_recorded_and_replayed(client: ApiClient, owner: SignedIn) -> None:
    """GOV-3: inputs and versions are kept; simulate says what would have been."""
    decided = ask(owner, monthly_saving_cents=1250)
    other = ask(owner, "communication.send")
    listed = client.get("/governance/decisions", headers=owner.headers).json()
    assert listed["total"] == 2
    found = next(one for one in listed["decisions"] if one["id"] == decided.id)
    assert (found["principal"], found["action"]) == (owner.user_id, "ec2.delete_volume")
    assert found["effect"] == "require_approval"
    assert found["resource"]["tags"] == {"env": "test"}
    assert found["context"]["monthly_saving_cents"] == 1250
    assert found["policy_versions"] == {
        **{one["id"]: 1 for one in client.get(POLICIES, headers=owner.headers).json()["policies"]},
        "platform": 1,
    }
    path = f"{POLICIES}/simulate"
    assert client.post(path, json={"policies": []}, headers=owner.headers).json() == {
        "evaluated": 2, "unchanged": 2, "changed": [], "monthly_affected": "0.00",
    }  # fmt: skip
    answer = client.post(path, json={"policies": [{"text": FORBID}]}, headers=owner.headers)
    result = answer.json()
    assert (result["evaluated"], result["unchanged"], result["monthly_affected"]) == (2, 1, "12.50")
    (changed,) = result["changed"]
    assert changed["decision_id"] == decided.id
    assert (changed["before"], changed["after"]) == ("require_approval", "deny")
    assert changed["monthly"] == "12.50"
    (aws,) = (
        one for one in client.get(POLICIES, headers=owner.headers).json()["policies"]
        if one["name"] == AWS_NAME
    )  # fmt: skip
    body = {"policies": [{"id": aws["id"], "text": PERMIT}]}
    replaced = client.post(path, json=body, headers=owner.headers).json()
    assert [one["after"] for one in replaced["changed"]] == ["deny"]
    old = {"policies": [{"text": FORBID}], "to": "2020-01-01T00:00:00Z"}
    assert client.post(path, json=old, headers=owner.headers).json()["evaluated"] == 0
    assert client.get("/governance/decisions", headers=owner.headers).json() == listed
    bad = client.post(path, json={"policies": [{"text": "permit"}]}, headers=owner.headers)
    assert code(bad) == (422, "POLICY_INVALID")
    assert bad.json()["error"]["details"][0]["field"] == "policies.0.text"
    absent = {"policies": [{"id": new_id(), "text": FORBID}]}
    assert code(client.post(path, json=absent, headers=owner.headers)) == (404, "NOT_FOUND")
    assert other.effect == "allow"


def test_pages_of_decisions_follow_each_other(client: ApiClient, owner: SignedIn) -> None:
    made = {ask(owner).id for _ in range(5)}
    seen: list[str] = []
    url = "/governance/decisions?page_size=2"
    while url:
        answer = client.get(url, headers=owner.headers).json()
        assert answer["total"] == 5
        seen += [one["id"] for one in answer["decisions"]]
        cursor = answer.get("next_cursor")
        url = f"/governance/decisions?page_size=2&cursor={cursor}" if cursor else ""
    assert (len(seen), set(seen)) == (5, made)
    paged = client.get("/governance/decisions?page_size=2&page=3", headers=owner.headers).json()
    assert [one["id"] for one in paged["decisions"]] == seen[4:]


# ---------------------------------------------------------------------- approvals


def vote(client: ApiClient, who: SignedIn, id_: str, verdict: str, **changes: Any) -> Any:
    body = {"subject_hash": HASH, **changes}
    return client.post(f"/approvals/{id_}/{verdict}", json=body, headers=who.headers)


def test_a_quorum_of_others_approves(client: ApiClient, owner: SignedIn) -> None:
    one, two = colleague(owner), colleague(owner)
    id_ = add_approval(TenantScope(owner.tenant_id), owner.user_id, quorum=2)
    first = vote(client, one, id_, "approve", comment="fine").json()
    assert (first["status"], len(first["approvals"])) == ("pending", 1)
    second = vote(client, two, id_, "approve").json()
    assert second["status"] == "approved"
    assert second["subject"] == {"type": "plan", "id": second["subject"]["id"], "hash": HASH}
    assert [each["user_id"] for each in second["approvals"]] == [one.user_id, two.user_id]
    assert second["approvals"][0]["comment"] == "fine"
    assert client.get(f"/approvals/{id_}", headers=owner.headers).json() == second
    scope = TenantScope(owner.tenant_id)
    assert public.approval(scope, id_).status == "approved"
    assert public.approvals_of(scope, [id_, new_id()]).keys() == {id_}


def test_one_rejection_closes_and_needs_a_comment(client: ApiClient, owner: SignedIn) -> None:
    one = colleague(owner)
    id_ = add_approval(TenantScope(owner.tenant_id), owner.user_id, quorum=2)
    assert vote(client, one, id_, "reject").status_code == 422
    closed = vote(client, one, id_, "reject", comment="no").json()
    assert closed["status"] == "rejected"
    late = vote(client, colleague(owner), id_, "approve")
    assert code(late) == (409, "APPROVAL_CLOSED")


@pytest.mark.hazard("B9")
@pytest.mark.bite(
    "tidegate.governance.service.approvals.ApprovalService._checked",
    lambda service, approval, user_id, ballot, now: service._member(user_id),
)
def test_who_may_not_decide_is_told_why(client: ApiClient, owner: SignedIn) -> None:
    """B9: one's own request 403; twice, after its end, over another subject: 409."""
    one, scope = colleague(owner), TenantScope(owner.tenant_id)
    id_ = add_approval(scope, owner.user_id, quorum=3)
    assert code(vote(client, owner, id_, "approve")) == (403, "SELF_APPROVAL")
    assert code(vote(client, colleague(owner, "user"), id_, "approve")) == (403, "FORBIDDEN")
    assert code(vote(client, one, id_, "approve", subject_hash="x")) == (409, "SUBJECT_CHANGED")
    assert vote(client, one, id_, "approve").status_code == 200
    assert code(vote(client, one, id_, "approve")) == (409, "ALREADY_DECIDED")
    assert code(vote(client, one, id_, "reject", comment="x")) == (409, "ALREADY_DECIDED")
    cancelled = client.post(f"/approvals/{id_}/cancel", headers=owner.headers).json()
    assert cancelled["status"] == "cancelled"
    assert code(vote(client, colleague(owner), id_, "approve")) == (409, "APPROVAL_CLOSED")
    again = client.post(f"/approvals/{id_}/cancel", headers=owner.headers)
    assert code(again) == (409, "APPROVAL_CLOSED")
    past = FixedClock(system_clock() - timedelta(days=2))
    over = add_approval(scope, owner.user_id, clock=past, expires_at=past() + timedelta(days=1))
    assert code(vote(client, one, over, "approve")) == (409, "APPROVAL_CLOSED")
    assert client.get(f"/approvals/{over}", headers=one.headers).json()["status"] == "expired"


def test_cancelling_is_for_the_requester_and_owners(client: ApiClient, owner: SignedIn) -> None:
    one, scope = colleague(owner), TenantScope(owner.tenant_id)
    mine, other = (add_approval(scope, who.user_id) for who in (one, owner))
    refused = client.post(f"/approvals/{other}/cancel", headers=one.headers)
    assert code(refused) == (403, "FORBIDDEN")
    assert client.post(f"/approvals/{mine}/cancel", headers=one.headers).status_code == 200
    assert client.post(f"/approvals/{other}/cancel", headers=owner.headers).status_code == 200


def test_one_list_holds_the_approvals_of_both_keepers(
    client: ApiClient, owner: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_engine(monkeypatch)
    scope = TenantScope(owner.tenant_id)
    for number in range(3):
        add_approval(scope, owner.user_id, title=f"plan {number}")
        body = {"name": "w", "definition": chain(node("ask", "approval", title=f"step {number}"))}
        made = client.post("/workflows", json=body, headers=owner.headers).json()
        client.post(f"/workflows/{made['id']}/execute", json={}, headers=owner.headers)
    expected = [f"{kind} {number}" for number in (2, 1, 0) for kind in ("step", "plan")]
    seen: list[str] = []
    url = "/approvals?page_size=4"
    while url:
        answer = client.get(url, headers=owner.headers).json()
        assert answer["total"] == 6
        seen += [one["title"] for one in answer["approvals"]]
        cursor = answer.get("next_cursor")
        url = f"/approvals?page_size=4&cursor={cursor}" if cursor else ""
    assert seen == expected
    paged = client.get("/approvals?page_size=2&page=2", headers=owner.headers).json()
    assert [one["title"] for one in paged["approvals"]] == expected[2:4]
    steps = client.get("/approvals?subject_type=workflow_step", headers=owner.headers).json()
    assert steps["total"] == 3
    step = steps["approvals"][0]
    body = {"subject_hash": step["subject"]["hash"]}
    decided = client.post(
        f"/approvals/{step['id']}/approve", json=body, headers=colleague(owner).headers
    )
    assert decided.json()["status"] == "approved"


def test_lists_of_approvals_are_filtered(client: ApiClient, owner: SignedIn) -> None:
    one, scope = colleague(owner), TenantScope(owner.tenant_id)
    plan, model, over = (
        add_approval(scope, owner.user_id, **changes)
        for changes in (
            {},
            {"subject_type": "model_promotion"},
            {"expires_at": system_clock() - timedelta(seconds=1)},
        )
    )
    vote(client, one, model, "approve")
    for query, expected in (
        ("", {plan, model, over}),
        ("?status=pending", {plan}),
        ("?status=approved", {model}),
        ("?status=expired", {over}),
        ("?subject_type=model_promotion", {model}),
        ("?subject_type=plan&status=pending", {plan}),
        ("?subject_type=workflow_step", set()),
    ):
        listed = client.get(f"/approvals{query}", headers=one.headers).json()
        assert {each["id"] for each in listed["approvals"]} == expected
        assert listed["total"] == len(expected)


# ---------------------------------------------------------------------- audit


def test_the_audit_log_is_listed_filtered_and_verified(client: ApiClient, owner: SignedIn) -> None:
    scope = TenantScope(owner.tenant_id)
    assert client.get("/governance/audit?verify=true", headers=owner.headers).json() == {
        "entries": [], "total": 0, "page": 1, "page_size": 10, "total_pages": 0,
        "verification": {"valid": True, "first_bad_sequence": None, "head_hash": "0" * 64},
    }  # fmt: skip
    acts = [act(number, action=f"x.{number % 2}") for number in range(5)]
    public.record_audit(scope, acts)
    public.record_audit(scope, acts[:3])
    answer = client.get("/governance/audit?verify=true", headers=owner.headers).json()
    assert [one["sequence"] for one in answer["entries"]] == [5, 4, 3, 2, 1]
    assert answer["verification"] == {
        "valid": True, "first_bad_sequence": None, "head_hash": answer["entries"][0]["hash"],
    }  # fmt: skip
    assert answer["entries"][4]["actor"] == vars(acts[0].actor)
    assert answer["entries"][4]["details"] == {"number": 0}
    for query, expected in (
        ("action=x.1", [4, 2]),
        (f"actor={acts[2].actor.id}", [3]),
        (f"actor={acts[2].actor.email}", [3]),
        ("from=2026-03-02T14:30:03Z", [5, 4]),
        ("to=2026-03-02T14:30:01Z", [2, 1]),
        ("from=2026-03-02T14:30:01Z&to=2026-03-02T14:30:02Z&action=x.0", [3]),
        ("page_size=2&page=2", [3, 2]),
    ):
        listed = client.get(f"/governance/audit?{query}", headers=owner.headers).json()
        assert [one["sequence"] for one in listed["entries"]] == expected
        assert "verification" not in listed
    total = client.get("/governance/audit?action=x.1&page_size=1", headers=owner.headers).json()
    assert (total["total"], len(total["entries"])) == (2, 1)


def test_the_log_can_be_checked_from_outside(client: ApiClient, owner: SignedIn) -> None:
    """GOV-5: hash = SHA-256(prev_hash + canonical entry), computed from the answer alone."""
    scope = TenantScope(owner.tenant_id)
    public.record_audit(scope, [act(number, details={"é": [1, None]}) for number in range(3)])
    entries = client.get("/governance/audit", headers=owner.headers).json()["entries"][::-1]
    prev = "0" * 64
    for entry in entries:
        assert entry.pop("prev_hash") == prev
        hash_ = entry.pop("hash")
        assert hashlib.sha256(prev.encode() + rfc8785.dumps(entry)).hexdigest() == hash_
        prev = hash_
    assert len(entries) == 3


@pytest.mark.parametrize(
    "path", [POLICIES, "/governance/decisions", "/governance/audit", "/approvals"]
)
def test_plain_users_see_none_of_it(client: ApiClient, owner: SignedIn, path: str) -> None:
    user = colleague(owner, "user")
    assert code(client.get(path, headers=user.headers)) == (403, "FORBIDDEN")
    assert client.get(path, headers=colleague(owner).headers).status_code == 200
