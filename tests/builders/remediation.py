"""A customer account connected for remediation, one resource for every action, plans over them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidegate.discovery.public import Found, ResourceRef, read_again
from tidegate.findings.actions import ACTIONS, checked_parameters
from tidegate.findings.plans.account import ConnectedAccounts
from tidegate.findings.plans.domain import PlanItem
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.template import template_source
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.accounts import add_account
from tests.builders.onboarding import ROLE_ARN, good_trust, resolved
from tests.builders.settings import CUSTOMER_ACCOUNT, PLATFORM_ACCOUNT, REGION
from tests.fakes.cloudformation import parse_template
from tests.fakes.strict_aws import StrictAws, allow, trust
from tests.fakes.strict_aws.customer import Account

ZONE = f"{REGION}a"


@dataclass(frozen=True)
class Subject:
    """A resource in the customer's account and the action that a check would suggest for it."""

    action: str
    type: str
    arn: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def ec2_arn(kind: str, id_: str) -> str:
    """An ARN as the inventory has it."""
    return f"arn:aws:ec2:{REGION}:{CUSTOMER_ACCOUNT}:{kind}/{id_}"


def _instance(account: Account) -> str:
    made = account.client("ec2").run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)
    return str(made["Instances"][0]["InstanceId"])


def _volume(account: Account, **more: Any) -> str:
    tags = [{"Key": "team", "Value": "web"}, {"Key": "Name", "Value": "data"}]
    made = account.client("ec2").create_volume(
        AvailabilityZone=ZONE,
        Size=10,
        TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
        **{"VolumeType": "gp2", **more},
    )
    return str(made["VolumeId"])


def _delete_volume(account: Account) -> Subject:
    id_ = _volume(account, VolumeType="gp3", Iops=4000, Throughput=200)
    return Subject("ec2.delete_volume", "ec2:volume", ec2_arn("volume", id_))


def _modify_volume(account: Account) -> Subject:
    wanted = {"volume_type": "gp3", "iops": 3000, "throughput_mbps": 125}
    return Subject("ec2.modify_volume", "ec2:volume", ec2_arn("volume", _volume(account)), wanted)


def _stop_instance(account: Account) -> Subject:
    return Subject("ec2.stop_instance", "ec2:instance", ec2_arn("instance", _instance(account)))


def _create_tags(account: Account) -> Subject:
    tags = {"tags": {"team": "platform", "tidegate:off-hours": "0-7"}}
    return Subject("ec2.create_tags", "ec2:volume", ec2_arn("volume", _volume(account)), tags)


def _database(account: Account) -> str:
    name = f"db-{new_id()[:8]}"
    account.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=500,
        StorageType="gp2",
        MasterUsername="owner",
        MasterUserPassword="not-a-secret",
    )
    return f"arn:aws:rds:{REGION}:{CUSTOMER_ACCOUNT}:db:{name}"


def _stop_database(account: Account) -> Subject:
    return Subject("rds.stop_instance", "rds:db-instance", _database(account))


def _modify_database(account: Account) -> Subject:
    wanted = {"storage_type": "gp3"}
    return Subject("rds.modify_storage", "rds:db-instance", _database(account), wanted)


def _function(account: Account) -> Subject:
    role = account.create_role(f"fn-{new_id()}", trust({"Service": "lambda.amazonaws.com"}))
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("main.py", "def handler(event, context): return event")
    made = account.client("lambda").create_function(
        FunctionName=f"fn-{new_id()[:8]}",
        Runtime="python3.13",
        Role=role,
        Handler="main.handler",
        Code={"ZipFile": code.getvalue()},
        MemorySize=1024,
    )
    wanted = {"memory_mb": 512}
    return Subject("lambda.set_memory", "lambda:function", made["FunctionArn"], wanted)


def _table(account: Account) -> Subject:
    name = f"orders-{new_id()[:8]}"
    account.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 40},
    )
    arn = f"arn:aws:dynamodb:{REGION}:{CUSTOMER_ACCOUNT}:table/{name}"
    wanted = {"billing_mode": "PROVISIONED", "read_units": 5, "write_units": 4}
    return Subject("dynamodb.set_capacity", "dynamodb:table", arn, wanted)


def _log_group(account: Account) -> Subject:
    name = f"/app/{new_id()[:8]}"
    account.client("logs").create_log_group(logGroupName=name)
    arn = f"arn:aws:logs:{REGION}:{CUSTOMER_ACCOUNT}:log-group:{name}"
    return Subject("logs.put_retention", "logs:log-group", arn, {"retention_days": 90})


def _bucket(account: Account) -> str:
    name = f"estate-{new_id()[:8]}"
    account.client("s3").create_bucket(Bucket=name)
    return name


def _lifecycle(account: Account) -> Subject:
    rules = [{"id": "tidegate-noncurrent-versions", "expire_noncurrent_days": 30}]
    return Subject(
        "s3.put_lifecycle", "s3:bucket", f"arn:aws:s3:::{_bucket(account)}", {"rules": rules}
    )


def _uploads(account: Account) -> Subject:
    name = _bucket(account)
    for key in ("big", "a/very/long/name", "wild*card"):
        account.client("s3").create_multipart_upload(Bucket=name, Key=key)
    wanted = {"older_than_days": 7}
    return Subject("s3.abort_multipart", "s3:bucket", f"arn:aws:s3:::{name}", wanted)


def _address(account: Account) -> Subject:
    id_ = account.client("ec2").allocate_address(Domain="vpc")["AllocationId"]
    return Subject("ec2.release_address", "ec2:elastic-ip", ec2_arn("elastic-ip", id_))


def _snapshot(account: Account) -> Subject:
    id_ = account.client("ec2").create_snapshot(VolumeId=_volume(account))["SnapshotId"]
    return Subject("ec2.delete_snapshot", "ec2:snapshot", ec2_arn("snapshot", id_))


def _image(account: Account) -> Subject:
    instance = _instance(account)
    made = account.client("ec2").create_image(InstanceId=instance, Name=f"golden-{new_id()}")
    return Subject("ec2.deregister_image", "ec2:image", ec2_arn("image", made["ImageId"]))


def _subnet(account: Account) -> tuple[str, str]:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone=ZONE)
    return vpc, made["Subnet"]["SubnetId"]


def _gateway(account: Account) -> Subject:
    ec2 = account.client("ec2")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=_subnet(account)[1], AllocationId=address)
    arn = ec2_arn("natgateway", made["NatGateway"]["NatGatewayId"])
    return Subject("ec2.delete_nat_gateway", "ec2:nat-gateway", arn)


def _endpoint(account: Account) -> Subject:
    vpc, subnet = _subnet(account)
    made = account.client("ec2").create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.sqs",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
    )
    arn = ec2_arn("vpc-endpoint", made["VpcEndpoint"]["VpcEndpointId"])
    return Subject("ec2.delete_vpc_endpoint", "ec2:vpc-endpoint", arn)


def _balancer(account: Account) -> Subject:
    name = f"lb-{new_id()[:8]}"
    listener = {"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 80}
    account.client("elb").create_load_balancer(
        LoadBalancerName=name, Listeners=[listener], AvailabilityZones=[ZONE]
    )
    arn = f"arn:aws:elasticloadbalancing:{REGION}:{CUSTOMER_ACCOUNT}:loadbalancer/{name}"
    return Subject("elb.delete_load_balancer", "elb:load-balancer", arn)


def _balancer_v2(account: Account) -> Subject:
    subnet = _subnet(account)[1]
    made = account.client("elbv2").create_load_balancer(
        Name=f"lb-{new_id()[:8]}", Subnets=[subnet], Type="network"
    )
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    return Subject("elb.delete_load_balancer", "elbv2:load-balancer", arn)


def _repository(account: Account) -> Subject:
    made = account.client("ecr").create_repository(repositoryName=f"team/{new_id()[:8]}")
    arn = made["repository"]["repositoryArn"]
    return Subject("ecr.put_lifecycle", "ecr:repository", arn, {"untagged_days": 14})


SUBJECTS: Mapping[str, Callable[[Account], Subject]] = {
    "ec2.delete_volume": _delete_volume,
    "ec2.modify_volume": _modify_volume,
    "ec2.stop_instance": _stop_instance,
    "ec2.create_tags": _create_tags,
    "rds.stop_instance": _stop_database,
    "rds.modify_storage": _modify_database,
    "lambda.set_memory": _function,
    "dynamodb.set_capacity": _table,
    "logs.put_retention": _log_group,
    "s3.put_lifecycle": _lifecycle,
    "s3.abort_multipart": _uploads,
    "ec2.release_address": _address,
    "ec2.delete_snapshot": _snapshot,
    "ec2.deregister_image": _image,
    "ec2.delete_nat_gateway": _gateway,
    "ec2.delete_vpc_endpoint": _endpoint,
    "elb.delete_load_balancer": _balancer,
    "elb.delete_load_balancer (v2)": _balancer_v2,
    "ecr.put_lifecycle": _repository,
}


def plan_item(
    subject: Subject, found: Found, onboarding_id: str, monthly: str | None = "12.50"
) -> PlanItem:
    """The plan's item for a subject as it was found."""
    return PlanItem(
        id=new_id(),
        finding_id=new_id(),
        check_id="test-check",
        account_id=CUSTOMER_ACCOUNT,
        onboarding_id=onboarding_id,
        region=REGION,
        arn=subject.arn,
        type=subject.type,
        tags=dict(found.tags),
        fingerprint=found.fingerprint,
        action=subject.action,
        parameters=checked_parameters(subject.action, subject.parameters),
        price={"monthly": monthly, "currency": "USD", "formula": "p", "quantities": [],
               "prices": [{"name": "p", "unit_price": monthly, "unit": "month",
                           "source": "test", "date": "2026-01-01"}],
               "confidence": "exact"},
        reversible=ACTIONS[subject.action].reversible,
    )  # fmt: skip


@dataclass
class RemediationWorld:
    """A tenant with one account connected for remediation, through the role of the template."""

    settings: Settings
    aws: StrictAws
    scope: TenantScope
    registration: Registration
    clock: Clock = system_clock

    @property
    def customer(self) -> Account:
        """The customer's account, as its root."""
        return self.aws.account(CUSTOMER_ACCOUNT)

    @property
    def accounts(self) -> ConnectedAccounts:
        """The tenant's accounts, as a task sees them."""
        return ConnectedAccounts(self.settings, self.scope)

    def make(self, name: str) -> Subject:
        """The resource of an action (a key of SUBJECTS)."""
        return SUBJECTS[name](self.customer)

    def ref(self, subject: Subject) -> ResourceRef:
        """The resource as discovery names it."""
        return ResourceRef(CUSTOMER_ACCOUNT, REGION, subject.type, subject.arn)

    def read(self, ref: ResourceRef, now: datetime | None = None) -> Found | None:
        """The resource as it is, read by the customer himself."""
        return read_again(self.customer, ref, now or self.clock())

    def item(self, subject: Subject, monthly: str | None = "12.50") -> PlanItem:
        """The plan's item for a subject as it is now."""
        found = self.read(self.ref(subject))
        assert found is not None, subject
        return plan_item(subject, found, self.registration.id, monthly)


def role_policies(tier: str) -> dict[str, Any]:
    """The inline policies of the customer's role, as the template has them."""
    document = parse_template(template_source())
    properties = document["Resources"]["AccessRole"]["Properties"]
    values = {
        "AWS::AccountId": CUSTOMER_ACCOUNT,
        "AWS::Partition": "aws",
        "RoleName": "TidegateAccess",
        "Tier": tier,
    }
    policies = [resolved(policy, values) for policy in properties["Policies"]]
    return {one["PolicyName"]: one["PolicyDocument"] for one in policies if one}


def remediation_world(
    platform: Settings, aws: StrictAws, *, tenant_id: str | None = None, tier: str = "remediate"
) -> RemediationWorld:
    """Connect the customer's account with the role of the template."""
    tenant_id = tenant_id or new_id()
    _platform_role(aws)
    name = f"TidegateAccess-{new_id()[:8]}"
    registration = add_account(
        tenant_id,
        tier=tier,
        regions=(REGION,),
        role_arn=f"arn:aws:iam::{CUSTOMER_ACCOUNT}:role/{name}",
    )
    aws.account(CUSTOMER_ACCOUNT).create_role(
        name, good_trust(str(registration.external_id)), role_policies(tier)
    )
    return RemediationWorld(platform, aws, TenantScope(tenant_id), registration)


def _platform_role(aws: StrictAws) -> None:
    name = ROLE_ARN.rpartition("/")[2]
    if any(role["RoleName"] == name for role in aws.platform.client("iam").list_roles()["Roles"]):
        return
    actions = ["sts:AssumeRole", "sts:TagSession"]
    root = f"arn:aws:iam::{PLATFORM_ACCOUNT}:root"
    aws.platform.create_role(name, trust(root, actions=actions), {"assume": allow(actions)})
