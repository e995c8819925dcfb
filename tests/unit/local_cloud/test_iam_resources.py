"""What the local cloud's IAM is asked about: the ARNs of AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.local.emulator.iam_resources import classic_balancers, ec2_resources, log_groups

PLACE = ("eu-west-1", "222222222222")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"Action": "DeleteSnapshot", "SnapshotId": ["snap-1"]}, ["eu-west-1::snapshot/snap-1"]),
        ({"Action": "DeregisterImage", "ImageId": ["ami-1"]}, ["eu-west-1::image/ami-1"]),
        (
            {"Action": "DeleteNatGateway", "NatGatewayId": ["nat-1"]},
            ["eu-west-1:222222222222:natgateway/nat-1"],
        ),
        (
            {"Action": "CreateTags", "ResourceId.1": ["vol-1"], "ResourceId.2": ["snap-2"],
             "Tag.1.Key": ["a"]},
            ["eu-west-1:222222222222:volume/vol-1", "eu-west-1::snapshot/snap-2"],
        ),
        (
            {"Action": "StopInstances", "InstanceId.1": ["i-1"], "InstanceId.2": ["i-2"]},
            ["eu-west-1:222222222222:instance/i-1", "eu-west-1:222222222222:instance/i-2"],
        ),
        ({"Action": "DescribeVolumes", "VolumeId.1": ["vol-1"]}, []),
        ({"Action": "CreateTags", "ResourceId.1": ["unheard-1"]}, []),
    ],
)  # fmt: skip
def test_ec2(params: dict[str, Any], expected: list[str]) -> None:
    assert ec2_resources(params, *PLACE) == [f"arn:aws:ec2:{end}" for end in expected]


def test_a_classic_balancer_has_an_arn_by_its_name() -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:222222222222:loadbalancer/web"
    assert classic_balancers({"LoadBalancerName": ["web"]}, *PLACE) == [arn]
    assert classic_balancers({"LoadBalancerArn": ["arn:..."]}, *PLACE) == []


def test_a_log_group_is_its_streams() -> None:
    group = "arn:aws:logs:eu-west-1:222222222222:log-group:/app"
    named = {"x-amz-target": "Logs_20140328.PutRetentionPolicy"}
    body = json.dumps({"logGroupName": "/app"}).encode()
    assert log_groups(named, body, *PLACE) == [f"{group}:log-stream:"]
    body = json.dumps({"logGroupName": "/app", "logStreamName": "s"}).encode()
    assert log_groups(named, body, *PLACE) == [f"{group}:log-stream:s"]
    assert log_groups({"x-amz-target": "Logs_20140328.TagResource"}, body, *PLACE) == []
    assert log_groups(named, b"not json", *PLACE) == []
