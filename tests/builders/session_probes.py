"""One call for each IAM action of remediation, made with any session on any resource."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from tidegate_kit.aws_session import CustomerSession

from tests.builders.settings import CUSTOMER_ACCOUNT, REGION

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


@dataclass(frozen=True)
class Probe:
    """How one IAM action is called. `kinds`: how the ARNs of its resources begin."""

    service: str
    kinds: tuple[str, ...]
    call: Callable[[Any, str], Any]

    def fits(self, arn: str) -> bool:
        """True where the action can be asked for on this resource."""
        return any(arn.startswith(f"arn:aws:{kind}") for kind in self.kinds)


def denied(session: CustomerSession, probe: Probe, arn: str) -> bool:
    """True when IAM refuses the call; any other answer of the service is not a refusal."""
    client = session.client(probe.service, REGION)
    try:
        probe.call(client, arn)
    except ClientError as error:
        return str(error.response["Error"]["Code"]) in DENIED
    return False


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _last(arn: str) -> str:
    return arn.rpartition(":")[2]


def _ec2(kind: str, account: str = CUSTOMER_ACCOUNT) -> str:
    return f"ec2:{REGION}:{account}:{kind}/"


_VOLUME, _SNAPSHOT, _INSTANCE = _ec2("volume"), _ec2("snapshot", ""), _ec2("instance")
_ANY_EC2 = (f"ec2:{REGION}:",)
_TAG = [{"Key": "probe", "Value": "1"}]
_DB, _BUCKET = f"rds:{REGION}:{CUSTOMER_ACCOUNT}:db:", "s3:::"
_RULE = {"ID": "p", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}


def _balancer(client: Any, arn: str) -> Any:
    if client.meta.service_model.service_name == "elb":
        return client.delete_load_balancer(LoadBalancerName=_id(arn))
    return client.delete_load_balancer(LoadBalancerArn=arn)


_ECR = json.dumps({"rules": [], "padding": "." * 100})  # boto3 wants 100 characters
_KEY = f"arn:aws:kms:{REGION}:{CUSTOMER_ACCOUNT}:key/0badc0de-0000-4000-8000-000000000000"
_ELB = f"elasticloadbalancing:{REGION}:{CUSTOMER_ACCOUNT}:loadbalancer/"

# By IAM action; the second generation of load balancers has the same one under another service.
PROBES: Mapping[str, tuple[Probe, ...]] = {
    "dynamodb:UpdateTable": (
        Probe("dynamodb", (f"dynamodb:{REGION}:",), lambda c, arn: c.update_table(
            TableName=_id(arn), BillingMode="PAY_PER_REQUEST")),),
    "ec2:CreateSnapshot": (
        Probe("ec2", (_VOLUME,), lambda c, arn: c.create_snapshot(VolumeId=_id(arn))),),
    "ec2:CreateTags": (
        Probe("ec2", _ANY_EC2, lambda c, arn: c.create_tags(Resources=[_id(arn)], Tags=_TAG)),),
    "ec2:CreateVolume": (
        Probe("ec2", (_SNAPSHOT,), lambda c, arn: c.create_volume(
            SnapshotId=_id(arn), AvailabilityZone=f"{REGION}a")),),
    "ec2:DeleteNatGateway": (
        Probe("ec2", (_ec2("natgateway"),), lambda c, arn: c.delete_nat_gateway(
            NatGatewayId=_id(arn))),),
    "ec2:DeleteSnapshot": (
        Probe("ec2", (_SNAPSHOT,), lambda c, arn: c.delete_snapshot(SnapshotId=_id(arn))),),
    "ec2:DeleteTags": (
        Probe("ec2", _ANY_EC2, lambda c, arn: c.delete_tags(Resources=[_id(arn)], Tags=_TAG)),),
    "ec2:DeleteVolume": (
        Probe("ec2", (_VOLUME,), lambda c, arn: c.delete_volume(VolumeId=_id(arn))),),
    "ec2:DeleteVpcEndpoints": (
        Probe("ec2", (_ec2("vpc-endpoint"),), lambda c, arn: c.delete_vpc_endpoints(
            VpcEndpointIds=[_id(arn)])),),
    "ec2:DeregisterImage": (
        Probe("ec2", (_ec2("image", ""),), lambda c, arn: c.deregister_image(ImageId=_id(arn))),),
    "ec2:ModifyVolume": (
        Probe("ec2", (_VOLUME,), lambda c, arn: c.modify_volume(
            VolumeId=_id(arn), VolumeType="gp3")),),
    "ec2:ReleaseAddress": (
        Probe("ec2", (_ec2("elastic-ip"),), lambda c, arn: c.release_address(
            AllocationId=_id(arn))),),
    "ec2:StartInstances": (
        Probe("ec2", (_INSTANCE,), lambda c, arn: c.start_instances(InstanceIds=[_id(arn)])),),
    "ec2:StopInstances": (
        Probe("ec2", (_INSTANCE,), lambda c, arn: c.stop_instances(InstanceIds=[_id(arn)])),),
    "ecr:PutLifecyclePolicy": (
        Probe("ecr", (f"ecr:{REGION}:",), lambda c, arn: c.put_lifecycle_policy(
            repositoryName=arn.partition("repository/")[2], lifecyclePolicyText=_ECR)),),
    "elasticloadbalancing:DeleteLoadBalancer": (
        Probe("elbv2", (f"{_ELB}net/", f"{_ELB}app/"), _balancer),
        Probe("elb", (_ELB,), _balancer)),
    "lambda:UpdateFunctionConfiguration": (
        Probe("lambda", (f"lambda:{REGION}:",), lambda c, arn: c.update_function_configuration(
            FunctionName=arn, MemorySize=256)),),
    "logs:PutRetentionPolicy": (
        Probe("logs", (f"logs:{REGION}:",), lambda c, arn: c.put_retention_policy(
            logGroupName=_last(arn), retentionInDays=1)),),
    "rds:ModifyDBInstance": (
        Probe("rds", (_DB,), lambda c, arn: c.modify_db_instance(
            DBInstanceIdentifier=_last(arn), StorageType="gp3")),),
    "rds:StartDBInstance": (
        Probe("rds", (_DB,), lambda c, arn: c.start_db_instance(DBInstanceIdentifier=_last(arn))),),
    "rds:StopDBInstance": (
        Probe("rds", (_DB,), lambda c, arn: c.stop_db_instance(DBInstanceIdentifier=_last(arn))),),
    "s3:AbortMultipartUpload": (
        Probe("s3", (_BUCKET,), lambda c, arn: c.abort_multipart_upload(
            Bucket=arn.split(":::")[1].partition("/")[0],
            Key=arn.partition("/")[2] or "other", UploadId="none")),),
    "s3:PutLifecycleConfiguration": (
        Probe("s3", (_BUCKET,), lambda c, arn: c.put_bucket_lifecycle_configuration(
            Bucket=arn.split(":::")[1].partition("/")[0],
            LifecycleConfiguration={"Rules": [_RULE]})),),
}  # fmt: skip

# One resource of every kind, in nobody's plan.
SAMPLES = (
    f"arn:aws:dynamodb:{REGION}:{CUSTOMER_ACCOUNT}:table/strangers",
    f"arn:aws:{_VOLUME}vol-0a0a0a0a0a0a0a0a0",
    f"arn:aws:{_SNAPSHOT}snap-0a0a0a0a0a0a0a0a0",
    f"arn:aws:{_INSTANCE}i-0a0a0a0a0a0a0a0a0",
    f"arn:aws:{_ec2('natgateway')}nat-0a0a0a0a0a0a0a0a0",
    f"arn:aws:{_ec2('vpc-endpoint')}vpce-0a0a0a0a0a0a0a0a0",
    f"arn:aws:{_ec2('image', '')}ami-0a0a0a0a0a0a0a0a0",
    f"arn:aws:{_ec2('elastic-ip')}eipalloc-0a0a0a0a0a0a0a0a0",
    f"arn:aws:ecr:{REGION}:{CUSTOMER_ACCOUNT}:repository/team/strangers",
    f"arn:aws:{_ELB}strangers",
    f"arn:aws:{_ELB}net/strangers/0a0a0a0a0a0a0a0a",
    f"arn:aws:lambda:{REGION}:{CUSTOMER_ACCOUNT}:function:strangers",
    f"arn:aws:logs:{REGION}:{CUSTOMER_ACCOUNT}:log-group:/app/strangers",
    f"arn:aws:{_DB}strangers",
    "arn:aws:s3:::strangers",
    "arn:aws:s3:::strangers/key",
)

# What no plan asks for. The role's own policies allow the first, the session must not.
FOREIGN: Mapping[str, Probe] = {
    "iam:GetRole": Probe("iam", ("iam::",), lambda c, arn: c.get_role(RoleName=_id(arn))),
    "iam:CreateUser": Probe("iam", ("iam::",), lambda c, arn: c.create_user(UserName="intruder")),
    "iam:PutRolePolicy": Probe("iam", ("iam::",), lambda c, arn: c.put_role_policy(
        RoleName=_id(arn), PolicyName="more", PolicyDocument="{}")),
    "sts:AssumeRole": Probe("sts", ("iam::",), lambda c, arn: c.assume_role(
        RoleArn=arn, RoleSessionName="again")),
    "kms:CreateGrant": Probe("kms", ("kms:",), lambda c, arn: c.create_grant(
        KeyId=_KEY, GranteePrincipal=arn, Operations=["Decrypt"])),
    "ec2:TerminateInstances": Probe("ec2", (_INSTANCE,), lambda c, arn: c.terminate_instances(
        InstanceIds=["i-0123456789abcdef0"])),
    "s3:DeleteBucket": Probe("s3", (_BUCKET,), lambda c, arn: c.delete_bucket(Bucket="nobodys")),
}  # fmt: skip


def neighbour(arn: str) -> str:
    """Another resource of the same kind, account and region: the same ARN with another name."""
    if arn.startswith("arn:aws:s3:::") and "/" not in arn:
        return f"{arn}-other"
    cut = "/" if "/" in arn else ":"
    head, _, name = arn.rpartition(cut)
    return f"{head}{cut}{name.rpartition('-')[0] or name}-0badc0de"
