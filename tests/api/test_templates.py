"""Templates over the whole pipeline (contract 2.6)."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from tidegate.templates.models import TemplateItem
from tidegate.templates.routes import router
from tidegate.workflows.routes import router as workflows
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import REGION
from tests.fakes.races import race

DEFINITION: dict[str, Any] = {
    "nodes": [
        {"id": "s", "type": "start", "data": {"label": "Start: {{customer_name}}"}},
        {"id": "t", "type": "transform", "data": {"output": {"n": "{{count}}"}}},
    ],
    "edges": [{"id": "e", "source": "s", "target": "t"}],
}
PARAMETERS = [
    {"name": "customer_name", "parameter_type": "string", "is_required": True},
    {"name": "count", "parameter_type": "number"},
]


@pytest.fixture
def client(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    bucket = "tidegate-test-data"
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=bucket)
    monkeypatch.setenv("DATA_BUCKET", bucket)
    # What the workflows' own routes need to start; nothing is executed here.
    account = "123456789012"
    monkeypatch.setenv("WORKFLOW_MACHINE_ROLE_ARN", f"arn:aws:iam::{account}:role/machine")
    monkeypatch.setenv(
        "WORKFLOW_STEP_FUNCTION_ARN", f"arn:aws:lambda:{REGION}:{account}:function:step"
    )
    return ApiClient([router, workflows], platform)


@pytest.fixture
def member(platform: Settings) -> SignedIn:
    return sign_in()


def create(client: ApiClient, member: SignedIn, **changes: Any) -> Any:
    body = {
        "name": "Welcome", "category": "sales", "definition": DEFINITION,
        "parameters": PARAMETERS, **changes,
    }  # fmt: skip
    answer = client.post("/api/templates", json=body, headers=member.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_create_read_change_delete(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member)
    assert made["is_active"] is True
    assert made["definition"] == DEFINITION
    path = f"/api/templates/{made['id']}"
    read = client.get(path, headers=member.headers).json()
    assert read == {**made, "usage_count": 0, "parameter_count": 2, "scope": "tenant"}
    changed = client.put(path, json={"category": "ops"}, headers=member.headers).json()
    assert (changed["category"], changed["name"]) == ("ops", "Welcome")
    gone = client.delete(path, headers=member.headers)
    assert gone.json() == {"id": made["id"], "deleted": True}
    assert client.get(path, headers=member.headers).status_code == 404


def test_the_list_is_newest_first_and_filtered(client: ApiClient, member: SignedIn) -> None:
    ids = [create(client, member, category=c)["id"] for c in ("a", "b", "a")]
    listed = client.get("/templates?page_size=2", headers=member.headers).json()
    assert [row["id"] for row in listed["templates"]] == [ids[2], ids[1]]
    assert (listed["total"], listed["total_pages"]) == (3, 2)
    only = client.get("/templates?category=a", headers=member.headers).json()
    assert [row["id"] for row in only["templates"]] == [ids[2], ids[0]]


def test_tpl_3_a_workflow_is_made_and_counted(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member)
    answer = client.post(
        f"/templates/{made['id']}/instantiate",
        json={"name": "For John", "parameter_values": {"customer_name": "John Doe", "x": 1}},
        headers=member.headers,
    )
    assert answer.status_code == 200, answer.text
    workflow = answer.json()
    assert workflow["template_id"] == made["id"]
    assert workflow["definition"]["nodes"][0]["data"]["label"] == "Start: John Doe"
    assert workflow["definition"]["nodes"][1]["data"]["output"] == {"n": None}
    assert [warning["code"] for warning in workflow["warnings"]] == ["UNDECLARED_PARAMETER"]
    stored = client.get(f"/workflows/{workflow['id']}", headers=member.headers).json()
    assert stored["definition"] == workflow["definition"]
    read = client.get(f"/templates/{made['id']}", headers=member.headers).json()
    assert read["usage_count"] == 1


def test_tpl_2_nothing_is_made_from_wrong_values(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member)
    refused = client.post(
        f"/templates/{made['id']}/instantiate",
        json={"name": "x", "parameter_values": {"count": "many"}},
        headers=member.headers,
    )
    assert refused.status_code == 422
    error = refused.json()["error"]
    assert error["code"] == "MISSING_PARAMETER"
    assert {detail["field"] for detail in error["details"]} == {
        "parameter_values.customer_name",
        "parameter_values.count",
    }
    assert client.get("/workflows", headers=member.headers).json()["total"] == 0


def test_uses_at_once_are_all_counted(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member, parameters=[], definition=DEFINITION)

    def use(worker: int, round_: int) -> int:
        return client.post(
            f"/templates/{made['id']}/instantiate",
            json={"name": f"w{worker}-{round_}"},
            headers=member.headers,
        ).status_code

    outcome = race(4, use, rounds=3)
    answers = [attempt.result for round_ in outcome.rounds for attempt in round_.winners]
    assert answers == [200] * 12
    item = TemplateItem.get(f"T#{member.tenant_id}", f"TEMPLATE#{made['id']}")
    assert item.usage_count == 12


@pytest.mark.hazard("B1")
def test_another_tenants_template_is_as_absent(client: ApiClient, member: SignedIn) -> None:
    """B1: read, change, delete and use of a foreign template equal those of an absent one."""
    made, stranger = create(client, member), sign_in()
    for method, suffix, body in (
        ("GET", "", None), ("PUT", "", {"name": "x"}), ("DELETE", "", None),
        ("POST", "/instantiate", {"name": "x"}),
    ):  # fmt: skip
        answers = [
            client.request(method, f"/templates/{id_}{suffix}", json=body, headers=stranger.headers)
            for id_ in (made["id"], new_id())
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    assert client.get(f"/templates/{made['id']}", headers=member.headers).status_code == 200


def test_platform_templates_are_read_by_all_and_changed_by_admins(
    client: ApiClient, member: SignedIn
) -> None:
    made = create(client, member)
    for kind in ("TEMPLATE", "DEFINITION"):
        _move_to_platform(member, kind, made["id"])
    other, admin = sign_in(), sign_in(roles=["user", "admin"])
    path = f"/templates/{made['id']}"
    assert client.get(path, headers=other.headers).json()["scope"] == "platform"
    assert client.put(path, json={"name": "x"}, headers=other.headers).status_code == 403
    assert client.put(path, json={"name": "x"}, headers=admin.headers).json()["name"] == "x"


def _move_to_platform(member: SignedIn, kind: str, template_id: str) -> None:
    from tidegate_kit.dynamo import current_store

    connection = current_store().connection
    name = current_store().table_name("templates")
    key = {"pk": {"S": f"T#{member.tenant_id}"}, "sk": {"S": f"{kind}#{template_id}"}}
    item = connection.client.get_item(TableName=name, Key=key)["Item"]
    item["pk"] = {"S": "PLATFORM#TEMPLATES"}
    connection.client.put_item(TableName=name, Item=item)
    connection.client.delete_item(TableName=name, Key=key)


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": [{"name": "a b", "parameter_type": "string"}]},
        {"parameters": [{"name": "a", "parameter_type": "regex"}]},
        {"parameters": [{"name": "a", "parameter_type": "string"}] * 2},
        {"parameters": [{"name": "a", "parameter_type": "json", "default_value": "x" * 100_001}]},
        {"category": "x" * 51},
        {"definition": []},
        {"usage_count": 7},
    ],
)
def test_what_the_contract_does_not_allow_is_refused(
    client: ApiClient, member: SignedIn, change: dict[str, Any]
) -> None:
    body = {"name": "x", "category": "c", "definition": {}, **change}
    answer = client.post("/templates", json=body, headers=member.headers)
    assert answer.status_code == 422, answer.text
    assert client.get("/templates", headers=member.headers).json()["total"] == 0
