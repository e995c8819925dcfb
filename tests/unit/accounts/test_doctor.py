"""The permission doctor: what policies grant, and what is missing of what features need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tidegate.accounts.doctor import Seen, examine, seen
from tidegate.accounts.grants import RoleGrants
from tidegate.accounts.permissions import delta_template

from tests.unit.accounts.test_permissions import DENIED, ROLE, unit, view

ACTION = "ec2:DescribeVolumes"
NARROW = "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1"
CONDITION = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}


def statement(effect: str = "Allow", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Resource": resource, **(more or {"Action": ACTION})}


def grants(*statements: dict[str, Any]) -> RoleGrants:
    """Every statement in a document of its own."""
    return RoleGrants([{"Version": "2012-10-17", "Statement": [each]} for each in statements])


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        ([], "absent"),
        ([statement()], "allowed"),
        ([statement(Action=["s3:*", ACTION])], "allowed"),
        ([statement(Action="*")], "allowed"),
        ([statement(Action="EC2:describevolumes")], "allowed"),
        ([statement(Action="ec2:Describe*")], "allowed"),
        ([statement(Action="ec2:DescribeVolume?")], "allowed"),
        ([statement(Action="ec2:DescribeVolume")], "absent"),
        ([statement(Action="ec2:DescribeVolumes?")], "absent"),
        ([statement(Action="ec2.DescribeVolumes")], "absent"),
        ([statement(NotAction="iam:*")], "allowed"),
        ([statement(NotAction=["iam:*", "ec2:*"])], "absent"),
        ([statement(resource=[NARROW, "*"])], "allowed"),
        ([statement(resource=NARROW)], "narrow"),
        ([{"Effect": "Allow", "NotResource": NARROW, "Action": ACTION}], "narrow"),
        ([statement(Action=ACTION, Condition=CONDITION)], "narrow"),
        ([statement(), statement("Deny")], "denied"),
        ([statement("Deny")], "denied"),
        ([statement(), statement("Deny", NotAction="s3:*")], "denied"),
        ([statement(), statement("Deny", NotAction="ec2:*")], "allowed"),
        ([statement(), statement("Deny", NARROW)], "allowed"),
        ([statement(), statement("Deny", Action="*", Condition=CONDITION)], "allowed"),
    ],
)
def test_the_verdict_on_an_action(statements: list[dict[str, Any]], verdict: str) -> None:
    assert grants(*statements).verdict(ACTION) == verdict


def test_a_document_may_hold_one_statement_without_a_list() -> None:
    assert RoleGrants([{"Statement": statement()}]).verdict(ACTION) == "allowed"


DENIED_SEEN = Seen(denied=frozenset({ACTION}))
SCP_SEEN = Seen(denied=frozenset({ACTION}), by_scp=frozenset({ACTION}))
WORKED = Seen(worked=frozenset({ACTION}))


@pytest.mark.parametrize(
    ("statements", "known", "denied_by", "addable"),
    [
        ([statement()], Seen(), None, False),
        ([], Seen(), "policy", True),
        ([], WORKED, "policy", True),  # taken away since
        ([], SCP_SEEN, "policy", True),
        ([statement("Deny")], Seen(), "policy", False),
        ([statement()], DENIED_SEEN, "unknown", False),
        ([statement()], SCP_SEEN, "scp", False),
        ([statement(resource=NARROW)], Seen(), "policy", True),
        ([statement(resource=NARROW)], WORKED, None, False),
        ([statement(resource=NARROW)], DENIED_SEEN, "unknown", True),
        ([statement(resource=NARROW)], SCP_SEEN, "scp", False),
    ],
)
def test_the_state_of_a_feature(
    statements: list[dict[str, Any]], known: Seen, denied_by: str | None, addable: bool
) -> None:
    (state,) = examine({"x": [ACTION]}, grants(*statements), known)
    assert (state.granted, state.denied_by) == (denied_by is None, denied_by)
    assert state.missing_actions == (() if state.granted else (ACTION,))
    assert state.addable == ((ACTION,) if addable else ())


def test_what_the_discovery_found_out() -> None:
    needs = {"discovery:ec2-volumes": [ACTION, "ec2:DescribeRegions"], "discovery:logs": ["l:L"]}
    assert seen(None, needs) == Seen()
    assert seen(view(unit(), unit("logs", status="skipped")), needs).worked == {
        ACTION, "ec2:DescribeRegions",
    }  # fmt: skip
    found = seen(view(unit(), unit(**DENIED, reason="by an organisation policy (SCP)")), needs)
    assert found.denied == found.by_scp == {ACTION}
    assert found.worked == {"ec2:DescribeRegions"}


def test_the_delta_is_cloudformation_and_adds_just_what_helps(tmp_path: Path) -> None:
    needs = {"a": ["s3:ListAllMyBuckets", ACTION], "b": ["ec2:StopInstances"], "c": ["rds:X"]}
    role = grants(statement("Deny", Action="ec2:StopInstances"), statement(Action="rds:*"))
    text = delta_template(examine(needs, role, Seen()), ROLE) or ""
    file = tmp_path / "delta.yaml"
    file.write_text(text)
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), file],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    (resource,) = yaml.safe_load(text)["Resources"].values()
    assert resource["Properties"]["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": [ACTION, "s3:ListAllMyBuckets"], "Resource": "*"}
    ]
    added = grants(*resource["Properties"]["PolicyDocument"]["Statement"])
    after = RoleGrants([*role.documents, *added.documents])
    states = examine(needs, after, Seen())
    assert [state.feature for state in states if not state.granted] == ["b"]
    assert delta_template(states, ROLE) is None


def test_keys_are_given_to_ec2_alone() -> None:
    needs = {"action:ec2.delete_volume": ["ec2:DeleteVolume", "kms:CreateGrant", "kms:Decrypt"]}
    document = yaml.safe_load(delta_template(examine(needs, grants(), Seen()), ROLE) or "")
    (resource,) = document["Resources"].values()
    added = resource["Properties"]["PolicyDocument"]["Statement"]
    via = {"StringLike": {"kms:ViaService": "ec2.*.amazonaws.com"}}
    mine = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    assert [(one["Action"], one.get("Condition")) for one in added] == [
        (["ec2:DeleteVolume"], None),
        (["kms:CreateGrant"], {**via, **mine}),
        (["kms:Decrypt"], via),
    ]
    assert all(state.granted for state in examine(needs, grants(*added), Seen()))


def test_another_delta_has_another_name() -> None:
    texts = [
        delta_template(examine({"x": [name]}, grants(), Seen()), ROLE) or ""
        for name in ("a:A", "b:B")
    ]
    names = {
        yaml.safe_load(text)["Resources"]["TidegateMissingActions"]["Properties"]["PolicyName"]
        for text in texts
    }
    assert len(names) == 2
