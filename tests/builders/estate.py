"""A customer account in the AWS double with one of everything that discovery reads."""

from __future__ import annotations

import io
import json
import zipfile

from tests.fakes.strict_aws.customer import Account, trust

REGION = "us-east-1"
ZONE = f"{REGION}a"


def build_estate(account: Account) -> None:
    """At least one resource for every collector but capacity reservations (not in moto)."""
    _network_and_servers(account)
    _databases(account)
    _storage_and_streams(account)
    _functions_and_keys(account)


def _network_and_servers(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{z}")[
            "Subnet"
        ]["SubnetId"]
        for n, z in enumerate("ab")
    ]
    instance = ec2.run_instances(
        ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=subnets[0]
    )["Instances"][0]["InstanceId"]
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=10, VolumeType="gp2")["VolumeId"]
    ec2.create_snapshot(VolumeId=volume)
    ec2.create_image(InstanceId=instance, Name="golden")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)
    ec2.create_network_interface(SubnetId=subnets[0])
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.sqs",
        VpcEndpointType="Interface",
        SubnetIds=subnets[:1],
    )
    listener = {"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 80}
    account.client("elb").create_load_balancer(
        LoadBalancerName="old", Listeners=[listener], AvailabilityZones=[ZONE]
    )
    elbv2 = account.client("elbv2")
    balancer = elbv2.create_load_balancer(Name="new", Subnets=subnets)["LoadBalancers"][0]
    group = elbv2.create_target_group(Name="group", Protocol="HTTP", Port=80, VpcId=vpc)[
        "TargetGroups"
    ][0]["TargetGroupArn"]
    elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])


def _databases(account: Account) -> None:
    rds = account.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="db",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        StorageType="gp2",
        MasterUsername="owner",
        MasterUserPassword="not-a-secret",
    )
    rds.create_db_snapshot(DBInstanceIdentifier="db", DBSnapshotIdentifier="manual")
    account.client("elasticache").create_cache_cluster(
        CacheClusterId="cache", Engine="redis", CacheNodeType="cache.t3.micro", NumCacheNodes=1
    )
    account.client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    )


def _storage_and_streams(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="estate-bucket")
    s3.put_bucket_versioning(Bucket="estate-bucket", VersioningConfiguration={"Status": "Enabled"})
    for text in (b"one", b"four"):
        s3.put_object(Bucket="estate-bucket", Key="a", Body=text)
    upload = s3.create_multipart_upload(Bucket="estate-bucket", Key="big")["UploadId"]
    s3.upload_part(
        Bucket="estate-bucket", Key="big", PartNumber=1, UploadId=upload, Body=b"x" * 1000
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket="estate-bucket",
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "Expiration": {"Days": 400},
                }
            ]
        },
    )
    account.client("logs").create_log_group(logGroupName="/estate", tags={"team": "a"})
    account.client("ecr").create_repository(repositoryName="images")
    account.client("kinesis").create_stream(StreamName="clicks", ShardCount=1)


def _functions_and_keys(account: Account) -> None:
    role = account.create_role("estate-function", trust({"Service": "lambda.amazonaws.com"}))
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("main.py", "def handler(event, context): return event")
    account.client("lambda").create_function(
        FunctionName="resize",
        Runtime="python3.13",
        Role=role,
        Handler="main.handler",
        Code={"ZipFile": code.getvalue()},
        MemorySize=512,
    )
    account.create_user("deployer", {"none": json.loads(_NOTHING)})


_NOTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
