"""The template that customers deploy, and the links to it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tidegate.discovery.public import declared_actions
from tidegate.findings.recommendations import registry as recommendations
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.links import signature_holds, template_url
from tidegate.onboarding.template import render, template_source, template_values

from tests.fakes.cloudformation import parse_template
from tests.unit.onboarding.conftest import Bench

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "infra" / "onboarding" / "customer-role.yaml"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = bytes(range(32))
ID = "3f0c1a52-1f57-4c3c-9f0e-7d5f6f1d2b11"


def policies() -> dict[str, list[dict[str, Any]]]:
    """Statements of the role's policies; the remediation policy stands behind its condition."""
    role = parse_template(FILE.read_text())["Resources"]["AccessRole"]["Properties"]
    found = {}
    for policy in role["Policies"]:
        policy = policy["Fn::If"][1] if "Fn::If" in policy else policy
        found[policy["PolicyName"]] = policy["PolicyDocument"]["Statement"]
    return found


def actions(name: str) -> set[str]:
    listed = [s["Action"] for s in policies()[name]]
    return {a for item in listed for a in (item if isinstance(item, list) else [item])}


def test_the_shipped_file_is_the_served_one() -> None:
    assert FILE.read_text() == template_source()


def test_it_passes_the_linter(tmp_path: Path, bench: Bench) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(bench.requests().template(bench.request().id))
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), FILE, rendered],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_read_policy_is_what_discovery_and_findings_declare_and_no_more() -> None:
    # The role itself is read by the verification and the permission doctor, the costs by the cost
    # pipeline.
    itself = {"GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies"}
    others = {
        *(f"iam:{name}" for name in itself),
        "ce:GetCostAndUsage",
        *recommendations.declared_actions(),
    }
    assert actions("tidegate-read") == set(declared_actions()) | others


def test_reading_writes_nothing_and_nothing_is_wild() -> None:
    for name in policies():
        assert not [a for a in actions(name) if "*" in a]
    verbs = ("Get", "List", "Describe")
    assert [a for a in actions("tidegate-read") if not a.split(":")[1].startswith(verbs)] == []


def test_every_action_exists() -> None:
    data = json.loads((files("parliament") / "iam_definition.json").read_text())
    known = {
        f"{service['prefix']}:{privilege['privilege']}".lower()
        for service in data
        for privilege in service["privileges"]
    }
    used = {a.lower() for name in policies() for a in actions(name)}
    assert used - known == set()


def test_remediation_comes_with_its_tier_only() -> None:
    role = parse_template(FILE.read_text())["Resources"]["AccessRole"]["Properties"]
    (conditional,) = [p for p in role["Policies"] if "Fn::If" in p]
    condition, _, otherwise = conditional["Fn::If"]
    assert (condition, otherwise) == ("MayRemediate", {"Ref": "AWS::NoValue"})
    assert actions("tidegate-remediate") & actions("tidegate-read") == set()


def test_the_trust_is_ours_with_the_external_id() -> None:
    document = parse_template(FILE.read_text())
    trust = document["Resources"]["AccessRole"]["Properties"]["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "PlatformRoleArn"}}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_the_custom_resource_tells_what_evt_1_names() -> None:
    resource = parse_template(FILE.read_text())["Resources"]["Connection"]
    assert resource["Type"] == "Custom::TidegateConnection"
    assert set(resource["Properties"]) == {
        "ServiceToken", "ServiceTimeout", "OnboardingId", "ExternalId", "AccountId", "RoleArn",
        "Tier", "TemplateVersion",
    }  # fmt: skip
    assert resource["Properties"]["RoleArn"] == {"Fn::GetAtt": ["AccessRole", "Arn"]}


def test_rendering_sets_every_parameter(bench: Bench) -> None:
    made = bench.request()
    values = template_values(made, bench.settings)
    document = parse_template(render(values))
    assert {n: p["Default"] for n, p in document["Parameters"].items()} == values
    raw = parse_template(template_source())
    assert not [p for p in raw["Parameters"].values() if "Default" in p]
    with pytest.raises(ValueError, match="no parameter"):
        render({"Unknown": "x"})


def test_a_new_text_gets_a_new_copy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench.request()
    (first,) = bench.copies.kept
    assert bench.requests().links(bench.row(made)) is not None
    assert list(bench.copies.kept) == [first]
    monkeypatch.setattr("tidegate.onboarding.template.TEMPLATE_VERSION", "next")
    links = bench.requests().links(bench.row(made))
    assert links is not None
    assert len(bench.copies.kept) == 2
    assert bench.row(made).template_copy != first


def signed() -> tuple[str, str]:
    url, _ = template_url("https://api.example.com", KEY, ID, NOW)
    query = parse_qs(urlsplit(url).query)
    return query["exp"][0], query["sig"][0]


def test_a_link_holds_for_a_day() -> None:
    exp, sig = signed()
    _, expires_at = template_url("https://api.example.com", KEY, ID, NOW)
    assert expires_at == NOW + timedelta(hours=24)
    assert signature_holds(KEY, ID, exp, sig, NOW)
    assert signature_holds(KEY, ID, exp, sig, NOW + timedelta(hours=24, seconds=-1))
    assert not signature_holds(KEY, ID, exp, sig, NOW + timedelta(hours=24))


@pytest.mark.parametrize(
    "change",
    ["exp+1", "exp-text", "exp-none", "exp-sign", "exp-zero", "sig-cut", "sig-empty", "sig-odd",
     "other-id", "other-key", "no-key"],
)  # fmt: skip
def test_a_changed_link_does_not(change: str) -> None:
    exp, sig = signed()
    given: dict[str, Any] = {"key": KEY, "onboarding_id": ID, "exp": exp, "sig": sig, "now": NOW}
    given |= {
        "exp+1": {"exp": str(int(exp) + 1)}, "exp-text": {"exp": "soon"}, "exp-none": {"exp": None},
        "exp-sign": {"exp": f"+{exp}"}, "exp-zero": {"exp": f"0{exp}"},
        "sig-cut": {"sig": sig[:-1]}, "sig-empty": {"sig": ""}, "sig-odd": {"sig": "\ud800é"},
        "other-id": {"onboarding_id": ID.replace("3f", "4f")}, "other-key": {"key": KEY[::-1]},
        "no-key": {"key": None},
    }[change]  # fmt: skip
    assert not signature_holds(**given)


def test_an_unknown_key_does_not_mean_a_zero_key() -> None:
    url, _ = template_url("https://api.example.com", bytes(32), ID, NOW)
    query = parse_qs(urlsplit(url).query)
    assert not signature_holds(None, ID, query["exp"][0], query["sig"][0], NOW)


def test_secrets_are_not_printed(bench: Bench) -> None:
    made: Registration = bench.request()
    assert made.template_key is not None
    assert made.template_key.hex() not in repr(made)
    assert "template_key" not in repr(made)
