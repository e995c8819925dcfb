"""Domains whose functions reach the store with the tenant's own keys alone (GEN-16)."""

from __future__ import annotations

from typing import Any

import pytest
from tidegate.governance.routes import router as governance
from tidegate.lab.routes import router as lab
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import settings as make_settings
from tests.builders.workflows import ENVIRONMENT, make_bucket
from tests.conftest import ROOT
from tests.fakes.cloudformation import Resolver, load_template
from tests.fakes.strict_aws.layer import StrictAws

SCOPED = ["LabFunction"]
POINTS = [{"date": f"2026-01-{day:02d}", "value": day % 7} for day in range(1, 29)]
POLICY = 'permit (principal, action == Action::"workflow.execute", resource);'


@pytest.fixture
def client(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    template = load_template(ROOT / "template.yaml")
    role: dict[str, Any] = template["Resources"]["TenantDataRole"]["Properties"]
    attributes = {"DataKey.Arn": platform.kms_key_arn}
    resolver = Resolver(template, {"Stage": "test"}, attributes=attributes)
    policies = {
        policy["PolicyName"]: resolver.resolve(policy["PolicyDocument"])
        for policy in role["Policies"]
    }
    trust = resolver.resolve(role["AssumeRolePolicyDocument"])
    arn = strict_aws.platform.create_role("tenant-data", trust, policies)
    settings = make_settings(Settings, kms_key_arn=platform.kms_key_arn, tenant_data_role_arn=arn)
    return ApiClient([lab, governance], settings)


@pytest.fixture
def owner(platform: Settings) -> SignedIn:
    return sign_in(roles=("client",), is_owner=True)


CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/lab/datasets", {"name": "d", "source": "upload", "points": POINTS}),
    ("GET", "/lab/datasets", None),
    ("GET", "/lab/experiments", None),
    ("GET", "/lab/models", None),
    ("GET", "/governance/policies", None),
    ("POST", "/governance/policies", {"name": "p", "text": POLICY}),
    ("POST", "/governance/policies/simulate", {"policies": [{"text": POLICY}]}),
    ("GET", "/governance/decisions", None),
    ("GET", "/approvals", None),
]


def test_their_routes_need_no_other_keys(client: ApiClient, owner: SignedIn) -> None:
    for method, path, body in CALLS:
        answer = client.request(method, path, json=body, headers=owner.headers)
        assert answer.status_code in (200, 201), (path, answer.text)
    stores = client.app._app.state.platform.tenant_stores  # type: ignore[attr-defined]
    assert list(stores._kept) == [owner.tenant_id]


@pytest.mark.parametrize("function", SCOPED)
def test_their_functions_are_told_the_role(function: str) -> None:
    properties = load_template(ROOT / "template.yaml")["Resources"][function]["Properties"]
    assert "TENANT_DATA_ROLE_ARN" in properties["Environment"]["Variables"]
    assert not [one for one in properties["Policies"] if str(one).startswith("{'DynamoDB")]
