"""API calls map to the actions and resources of the Service Authorization Reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.fakes.strict_aws import StrictAws, strict_aws
from tests.fakes.strict_aws.actions import Authorization, authorizations, iam_action
from tests.fakes.strict_aws.call import Call

HERE = "us-east-1:123456789012"


@pytest.fixture(autouse=True)
def aws() -> Iterator[StrictAws]:
    with strict_aws() as strict:
        yield strict


def wanted(service: str, operation: str, **params: Any) -> list[tuple[str, str]]:
    call = Call(service, operation, params, "us-east-1")
    return [(item.action, item.resource) for item in authorizations(call)]


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("s3", "ListObjectsV2", "s3:ListBucket"),
        ("s3", "ListBuckets", "s3:ListAllMyBuckets"),
        ("s3", "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
        ("s3", "GetBucketLocation", "s3:GetBucketLocation"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("cloudwatch", "GetMetricData", "cloudwatch:GetMetricData"),
        ("elb", "DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers"),
        ("elbv2", "DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroups"),
        ("stepfunctions", "StartExecution", "states:StartExecution"),
        ("efs", "DescribeFileSystems", "elasticfilesystem:DescribeFileSystems"),
        ("resourcegroupstaggingapi", "GetResources", "tag:GetResources"),
        ("dynamodbstreams", "GetRecords", "dynamodb:GetRecords"),
        ("apigatewaymanagementapi", "PostToConnection", "execute-api:ManageConnections"),
        ("sesv2", "SendEmail", "ses:SendEmail"),
    ],
)
def test_actions(service: str, operation: str, action: str) -> None:
    assert iam_action(service, operation) == action


CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("ec2", "DescribeVolumes", {}, [("ec2:DescribeVolumes", "*")]),
    (
        "ec2",
        "StopInstances",
        {"InstanceIds": ["i-1", "i-2"]},
        [
            ("ec2:StopInstances", f"arn:aws:ec2:{HERE}:instance/i-1"),
            ("ec2:StopInstances", f"arn:aws:ec2:{HERE}:instance/i-2"),
        ],
    ),
    (
        "ec2",
        "DeleteSnapshot",
        {"SnapshotId": "snap-1"},
        [("ec2:DeleteSnapshot", "arn:aws:ec2:us-east-1::snapshot/snap-1")],
    ),
    (
        "ec2",
        "ReleaseAddress",
        {"AllocationId": "eipalloc-1"},
        [("ec2:ReleaseAddress", f"arn:aws:ec2:{HERE}:elastic-ip/eipalloc-1")],
    ),
    (
        "ec2",
        "CreateSnapshot",
        {
            "VolumeId": "vol-1",
            "TagSpecifications": [
                {"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}
            ],
        },
        [
            ("ec2:CreateSnapshot", f"arn:aws:ec2:{HERE}:volume/vol-1"),
            ("ec2:CreateSnapshot", "arn:aws:ec2:us-east-1::snapshot/*"),
            ("ec2:CreateTags", "arn:aws:ec2:us-east-1::snapshot/*"),
        ],
    ),
    (
        "ec2",
        "CreateTags",
        {"Resources": ["vol-1", "i-2"], "Tags": []},
        [
            ("ec2:CreateTags", f"arn:aws:ec2:{HERE}:volume/vol-1"),
            ("ec2:CreateTags", f"arn:aws:ec2:{HERE}:instance/i-2"),
        ],
    ),
    ("s3", "ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", "GetObject", {"Bucket": "b", "Key": "a/k"}, [("s3:GetObject", "arn:aws:s3:::b/a/k")]),
    (
        "s3",
        "GetObject",
        {"Bucket": "b", "Key": "k", "VersionId": "v"},
        [("s3:GetObjectVersion", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "c", "Key": "l"}},
        [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::c/l")],
    ),
    (
        "rds",
        "StopDBInstance",
        {"DBInstanceIdentifier": "d"},
        [("rds:StopDBInstance", f"arn:aws:rds:{HERE}:db:d")],
    ),
    (
        "logs",
        "PutRetentionPolicy",
        {"logGroupName": "/aws/x"},
        [("logs:PutRetentionPolicy", f"arn:aws:logs:{HERE}:log-group:/aws/x:log-stream:")],
    ),
    (
        "sqs",
        "SendMessage",
        {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/q"},
        [("sqs:SendMessage", f"arn:aws:sqs:{HERE}:q")],
    ),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "f"},
        [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f")],
    ),
    ("sns", "Publish", {"TopicArn": "arn:aws:sns:x"}, [("sns:Publish", "arn:aws:sns:x")]),
    (
        "events",
        "PutEvents",
        {"Entries": [{"EventBusName": "bus"}, {"EventBusName": "bus"}]},
        [("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/bus")],
    ),
    (
        "scheduler",
        "CreateSchedule",
        {"Name": "s", "GroupName": "g"},
        [("scheduler:CreateSchedule", f"arn:aws:scheduler:{HERE}:schedule/g/s")],
    ),
    (
        "dynamodb",
        "Query",
        {"TableName": "t", "IndexName": "i"},
        [("dynamodb:Query", f"arn:aws:dynamodb:{HERE}:table/t/index/i")],
    ),
    ("dynamodb", "ListTables", {}, [("dynamodb:ListTables", "*")]),
    ("unknown", "DoIt", {"Thing": "x"}, [("unknown:DoIt", "*")]),
]


@pytest.mark.parametrize(("service", "operation", "params", "expected"), CASES)
def test_resources(
    service: str, operation: str, params: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert wanted(service, operation, **params) == expected


def test_names_that_do_not_tell_the_arn_are_looked_up() -> None:
    secret = boto3.client("secretsmanager").create_secret(Name="n", SecretString="x")["ARN"]
    assert wanted("secretsmanager", "GetSecretValue", SecretId="n")[0][1] == secret
    iam = boto3.client("iam")
    role = iam.create_role(RoleName="r", Path="/deep/", AssumeRolePolicyDocument="{}")
    assert wanted("iam", "GetRole", RoleName="r")[0][1] == role["Role"]["Arn"]
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/a", TargetKeyId=key["KeyId"])
    blob = kms.encrypt(KeyId="alias/a", Plaintext=b"x")["CiphertextBlob"]
    assert wanted("kms", "Encrypt", KeyId="alias/a") == [("kms:Encrypt", key["Arn"])]
    assert wanted("kms", "Decrypt", CiphertextBlob=blob) == [("kms:Decrypt", key["Arn"])]


def test_tags_of_a_resource_are_context() -> None:
    ec2 = boto3.client("ec2")
    volume = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=1,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "env", "Value": "dev"}]}],
    )["VolumeId"]
    (one,) = authorizations(Call("ec2", "DeleteVolume", {"VolumeId": volume}, "us-east-1"))
    assert isinstance(one, Authorization)
    assert one.context["aws:ResourceTag/env"] == "dev"
