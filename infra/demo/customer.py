"""The customer's side: an account full of real-looking waste, and his CloudFormation stack."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from infra.local.aws import client
from infra.local.config import LocalCloud

Say = Callable[[str], None]
REGIONS = ("us-east-1", "eu-west-1")


class StackFailed(RuntimeError):
    """The customer's stack did not come up; the message holds CloudFormation's reason."""


@dataclass(frozen=True)
class Customer:
    """The customer account of a local cloud, with its own root."""

    cloud: LocalCloud

    def aws(self, service: str, region: str = "us-east-1") -> Any:
        """A client acting as the customer's root."""
        import dataclasses

        cloud = dataclasses.replace(self.cloud, region=region)
        return client(cloud, service, self.cloud.customer_account)

    def fill(self, say: Say) -> None:
        """Create the waste, once. A second run finds it and creates nothing."""
        if self._filled():
            say("the account holds its resources from an earlier run")
            return
        made: dict[str, int] = {}
        for region in REGIONS:
            for kind, count in self._fill_region(region).items():
                made[kind] = made.get(kind, 0) + count
        for kind, count in self._fill_global().items():
            made[kind] = made.get(kind, 0) + count
        say("created: " + ", ".join(f"{count} {kind}" for kind, count in sorted(made.items())))

    def _filled(self) -> bool:
        volumes = self.aws("ec2").describe_volumes()["Volumes"]
        return any(tag["Key"] == "demo" for volume in volumes for tag in volume.get("Tags", []))

    def _fill_region(self, region: str) -> dict[str, int]:
        ec2, logs = self.aws("ec2", region), self.aws("logs", region)
        zone = f"{region}a"
        tag = [{"Key": "demo", "Value": "yes"}, {"Key": "team", "Value": "checkout"}]
        for size, kind in ((500, "gp2"), (200, "gp3"), (1000, "gp2")):
            volume = ec2.create_volume(
                AvailabilityZone=zone, Size=size, VolumeType=kind,
                TagSpecifications=[{"ResourceType": "volume", "Tags": tag}],
            )["VolumeId"]  # fmt: skip
            ec2.create_snapshot(VolumeId=volume, Description="before the migration")
        for _ in range(2):
            ec2.allocate_address(Domain="vpc")
        ec2.run_instances(ImageId="ami-12345678", InstanceType="m4.xlarge", MinCount=2, MaxCount=2)
        for name in ("checkout", "old-import"):
            logs.create_log_group(logGroupName=f"/app/{name}")
        return {"volumes": 3, "snapshots": 3, "addresses": 2, "instances": 2, "log groups": 2}

    def _fill_global(self) -> dict[str, int]:
        s3, iam, dynamodb = self.aws("s3"), self.aws("iam"), self.aws("dynamodb")
        account = self.cloud.customer_account
        for name in (f"backups-{account}", f"uploads-{account}"):
            s3.create_bucket(Bucket=name)
        s3.create_multipart_upload(Bucket=f"uploads-{account}", Key="video.mp4")
        iam.create_user(UserName="old-deployer")
        iam.create_access_key(UserName="old-deployer")
        dynamodb.create_table(
            TableName="sessions",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            ProvisionedThroughput={"ReadCapacityUnits": 400, "WriteCapacityUnits": 200},
        )
        return {"buckets": 2, "access keys": 1, "tables": 1}

    def state_of(self, instance_arn: str) -> str:
        """What EC2 says of an instance: running, stopping, stopped."""
        region, instance = instance_arn.split(":")[3], instance_arn.rpartition("/")[2]
        answer = self.aws("ec2", region).describe_instances(InstanceIds=[instance])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def volume_type_of(self, volume_arn: str) -> str:
        """What EC2 says of a volume: gp2, gp3."""
        region, volume = volume_arn.split(":")[3], volume_arn.rpartition("/")[2]
        answer = self.aws("ec2", region).describe_volumes(VolumeIds=[volume])
        return str(answer["Volumes"][0]["VolumeType"])

    def create_stack(self, name: str, template: str, say: Say) -> None:
        """Deploy the onboarding template and wait. Raises StackFailed with the reason."""
        cfn = self.aws("cloudformation")
        cfn.create_stack(
            StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        deadline = time.monotonic() + 300
        seen: set[str] = set()
        while time.monotonic() < deadline:
            stack = cfn.describe_stacks(StackName=name)["Stacks"][0]
            for event in reversed(cfn.describe_stack_events(StackName=name)["StackEvents"]):
                if event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    say(f"CloudFormation: {event['LogicalResourceId']} {event['ResourceStatus']}")
            status = stack["StackStatus"]
            if status == "CREATE_COMPLETE":
                return
            if status.endswith(("FAILED", "ROLLBACK_COMPLETE")):
                raise StackFailed(stack.get("StackStatusReason", status))
            time.sleep(0.3)
        raise StackFailed("no end after 5 minutes")

    @contextmanager
    def denying(self, role: str, actions: Sequence[str]) -> Iterator[None]:
        """Inside the block the customer's administrator denies the role these actions."""
        iam = self.aws("iam")
        policy = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
        iam.put_role_policy(RoleName=role, PolicyName="freeze", PolicyDocument=document)
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="freeze")

    def delete_stack(self, name: str) -> None:
        """Delete a stack if it exists."""
        try:
            self.aws("cloudformation").delete_stack(StackName=name)
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
