"""The permission doctor's first form: from a discovery to features and the missing policy."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tidegate.accounts.permissions import FeatureState, delta_template, features
from tidegate.discovery.public import DiscoveryView, RegionView, ServiceView
from tidegate_kit.clock import FixedClock

ROLE = "arn:aws:iam::111122223333:role/path/TidegateAccess-1"
DENIED = {"status": "denied", "missing_actions": ("ec2:DescribeVolumes",)}


def unit(service: str = "ec2-volumes", **more: Any) -> ServiceView:
    values: dict[str, Any] = {
        "status": "ok", "resource_count": 1, "reason": None, "missing_actions": (), **more,
    }  # fmt: skip
    return ServiceView(service=service, **values)


def view(*units: ServiceView) -> DiscoveryView:
    """One region for each unit."""
    return DiscoveryView(
        run_id="r", account_id="111122223333", status="completed", progress=100,
        started_at=FixedClock()(), completed_at=None, resources_found=0,
        regions=tuple(RegionView(f"region-{n}", (u,)) for n, u in enumerate(units)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("units", "granted", "denied_by"),
    [
        ([unit()], True, None),
        ([unit(status="partial")], True, None),  # throttled, not denied
        ([unit(), unit(status="skipped")], True, None),
        ([unit(), unit(status="pending")], True, None),
        ([unit(status="skipped")], False, "unknown"),
        ([unit(status="pending")], False, "unknown"),
        ([unit(**DENIED)], False, "policy"),
        ([unit(), unit(**DENIED)], False, "policy"),
        ([unit(status="partial", missing_actions=("ec2:DescribeTags",))], False, "policy"),
        ([unit(**DENIED, reason="denied by an organisation policy (SCP)")], False, "scp"),
        ([unit(status="denied")], False, "unknown"),
    ],
)
def test_a_feature_is_granted_only_where_it_was_seen_to_work(
    units: list[ServiceView], granted: bool, denied_by: str | None
) -> None:
    (state,) = features(view(*units), ["ec2-volumes"])
    assert (state.granted, state.denied_by) == (granted, denied_by)


def test_every_registered_service_is_listed_also_an_untried_one() -> None:
    states = features(view(unit("logs")), ["s3-buckets", "ec2-volumes"])
    assert [(s.feature, s.granted) for s in states] == [
        ("discovery:ec2-volumes", False), ("discovery:logs", True), ("discovery:s3-buckets", False),
    ]  # fmt: skip
    assert all(s.denied_by == "unknown" for s in features(None, ["a", "b"]))


def test_missing_actions_of_all_regions_are_one_sorted_list() -> None:
    (state,) = features(
        view(unit(status="denied", missing_actions=("b:B", "a:A")), unit(**DENIED)),
        ["ec2-volumes"],
    )
    assert state.missing_actions == ("a:A", "b:B", "ec2:DescribeVolumes")


def test_the_template_adds_exactly_what_a_policy_can_add() -> None:
    states = [
        FeatureState(
            "x", False, ("ec2:DescribeVolumes", "a:A"), "policy", ("ec2:DescribeVolumes", "a:A")
        ),
        FeatureState("y", False, ("s3:ListAllMyBuckets",), "scp"),
        FeatureState("z", True, (), None),
    ]
    document = yaml.safe_load(delta_template(states, ROLE) or "")
    (resource,) = document["Resources"].values()
    assert resource["Properties"]["Roles"] == ["TidegateAccess-1"]
    (statement,) = resource["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["a:A", "ec2:DescribeVolumes"]
    assert statement["Effect"] == "Allow"


def test_keys_have_no_role_to_attach_to() -> None:
    states = [FeatureState("x", False, ("a:A",), "policy", ("a:A",))]
    document = yaml.safe_load(delta_template(states, None) or "")
    assert document["Resources"]["TidegateMissingActions"]["Type"] == "AWS::IAM::ManagedPolicy"
    assert "Roles" not in document["Resources"]["TidegateMissingActions"]["Properties"]


def test_nothing_missing_needs_no_template() -> None:
    assert delta_template([FeatureState("x", True, (), None)], ROLE) is None
    assert delta_template([FeatureState("x", False, ("a:A",), "scp")], ROLE) is None


def test_no_value_breaks_out_of_its_place() -> None:
    evil = ('a:A"\nResources: evil',)
    states = [FeatureState("x", False, evil, "policy", evil)]
    document = yaml.safe_load(delta_template(states, 'arn:x:role/a"\n  evil: true') or "")
    assert set(document) == {"AWSTemplateFormatVersion", "Description", "Resources"}
    assert list(document["Resources"]) == ["TidegateMissingActions"]
