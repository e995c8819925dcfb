"""Maps an API call to what IAM decides on: action, resource ARN and context keys.

Sources: the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/).  Where no ARN can be
derived the resource is ``*``: only a statement with ``Resource: "*"`` allows such a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends

from tests.fakes.strict_aws import dynamodb_schema as schema
from tests.fakes.strict_aws.call import Call

PREFIXES = {
    "apigatewaymanagementapi": "execute-api",
    "apigatewayv2": "apigateway",
    "docdb": "rds",
    "dynamodbstreams": "dynamodb",
    "efs": "elasticfilesystem",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "emr": "elasticmapreduce",
    "es": "es",
    "neptune": "rds",
    "opensearch": "es",
    "resourcegroupstaggingapi": "tag",
    "s3control": "s3",
    "sesv2": "ses",
    "stepfunctions": "states",
}

ACTIONS = {
    ("apigatewaymanagementapi", "PostToConnection"): "execute-api:ManageConnections",
    ("apigatewaymanagementapi", "GetConnection"): "execute-api:ManageConnections",
    ("apigatewaymanagementapi", "DeleteConnection"): "execute-api:ManageConnections",
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("lambda", "InvokeAsync"): "lambda:InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "lambda:InvokeFunction",
    ("s3control", "GetPublicAccessBlock"): "s3:GetAccountPublicAccessBlock",
    ("s3", "AbortMultipartUpload"): "s3:AbortMultipartUpload",
    ("s3", "CompleteMultipartUpload"): "s3:PutObject",
    ("s3", "CopyObject"): "s3:PutObject",
    ("s3", "CreateMultipartUpload"): "s3:PutObject",
    ("s3", "DeleteBucketCors"): "s3:PutBucketCORS",
    ("s3", "DeleteBucketEncryption"): "s3:PutEncryptionConfiguration",
    ("s3", "DeleteBucketLifecycle"): "s3:PutLifecycleConfiguration",
    ("s3", "DeleteBucketReplication"): "s3:PutReplicationConfiguration",
    ("s3", "DeleteBucketTagging"): "s3:PutBucketTagging",
    ("s3", "DeleteObjects"): "s3:DeleteObject",
    ("s3", "DeletePublicAccessBlock"): "s3:PutBucketPublicAccessBlock",
    ("s3", "GetBucketAccelerateConfiguration"): "s3:GetAccelerateConfiguration",
    ("s3", "GetBucketAnalyticsConfiguration"): "s3:GetAnalyticsConfiguration",
    ("s3", "GetBucketCors"): "s3:GetBucketCORS",
    ("s3", "GetBucketEncryption"): "s3:GetEncryptionConfiguration",
    ("s3", "GetBucketIntelligentTieringConfiguration"): "s3:GetIntelligentTieringConfiguration",
    ("s3", "GetBucketInventoryConfiguration"): "s3:GetInventoryConfiguration",
    ("s3", "GetBucketLifecycle"): "s3:GetLifecycleConfiguration",
    ("s3", "GetBucketLifecycleConfiguration"): "s3:GetLifecycleConfiguration",
    ("s3", "GetBucketMetricsConfiguration"): "s3:GetMetricsConfiguration",
    ("s3", "GetBucketNotificationConfiguration"): "s3:GetBucketNotification",
    ("s3", "GetBucketReplication"): "s3:GetReplicationConfiguration",
    ("s3", "GetObjectLockConfiguration"): "s3:GetBucketObjectLockConfiguration",
    ("s3", "GetPublicAccessBlock"): "s3:GetBucketPublicAccessBlock",
    ("s3", "HeadBucket"): "s3:ListBucket",
    ("s3", "HeadObject"): "s3:GetObject",
    ("s3", "ListBucketAnalyticsConfigurations"): "s3:GetAnalyticsConfiguration",
    (
        "s3",
        "ListBucketIntelligentTieringConfigurations",
    ): "s3:GetIntelligentTieringConfiguration",
    ("s3", "ListBucketInventoryConfigurations"): "s3:GetInventoryConfiguration",
    ("s3", "ListBucketMetricsConfigurations"): "s3:GetMetricsConfiguration",
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListMultipartUploads"): "s3:ListBucketMultipartUploads",
    ("s3", "ListObjectVersions"): "s3:ListBucketVersions",
    ("s3", "ListObjects"): "s3:ListBucket",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "ListParts"): "s3:ListMultipartUploadParts",
    ("s3", "PutBucketCors"): "s3:PutBucketCORS",
    ("s3", "PutBucketEncryption"): "s3:PutEncryptionConfiguration",
    ("s3", "PutBucketIntelligentTieringConfiguration"): "s3:PutIntelligentTieringConfiguration",
    ("s3", "PutBucketLifecycleConfiguration"): "s3:PutLifecycleConfiguration",
    ("s3", "PutBucketNotificationConfiguration"): "s3:PutBucketNotification",
    ("s3", "PutPublicAccessBlock"): "s3:PutBucketPublicAccessBlock",
    ("s3", "UploadPart"): "s3:PutObject",
    ("s3", "UploadPartCopy"): "s3:PutObject",
}


@dataclass(frozen=True)
class Authorization:
    """One thing that must be allowed for a call to go through."""

    action: str
    resource: str = "*"
    context: Mapping[str, str | list[str]] = field(default_factory=dict)


def iam_action(service: str, operation: str) -> str:
    """The IAM action of an operation of a boto3 client, e.g. ``s3:ListBucket``."""
    special = ACTIONS.get((service, operation))
    return special or f"{PREFIXES.get(service, service)}:{operation}"


def authorizations(call: Call) -> list[Authorization]:
    """Everything that must be allowed for the call; all of it, or the call is denied."""
    extractor = _EXTRACTORS.get(call.service, _generic)
    return extractor(call)


# ---------------------------------------------------------------- services


def _dynamodb(call: Call) -> list[Authorization]:
    operation, params = call.operation, call.params
    found: list[Authorization] = []
    if operation in ("TransactWriteItems", "TransactGetItems"):
        names = {
            "Put": "PutItem",
            "Update": "UpdateItem",
            "Delete": "DeleteItem",
            "ConditionCheck": "ConditionCheckItem",
            "Get": "GetItem",
        }
        for item in params.get("TransactItems") or []:
            for kind, body in item.items():
                key = body.get("Key") or body.get("Item") or {}
                found.append(_dynamodb_one(call, names[kind], body["TableName"], [key]))
        return found
    if operation in ("BatchWriteItem", "BatchGetItem"):
        for table, entries in (params.get("RequestItems") or {}).items():
            if operation == "BatchGetItem":
                keys = list(entries.get("Keys") or [])
            else:
                bodies = [body for entry in entries for body in entry.values()]
                keys = [body.get("Key") or body.get("Item") or {} for body in bodies]
            found.append(_dynamodb_one(call, operation, table, keys))
        return found
    if "TableName" not in params:
        return _generic(call)
    keys = [params[name] for name in ("Key", "Item") if name in params]
    return [_dynamodb_one(call, operation, params["TableName"], keys, params.get("IndexName"))]


def _dynamodb_one(
    call: Call, operation: str, table: str, keys: list[Any], index: str | None = None
) -> Authorization:
    name = schema.table_name(table)
    arn = f"arn:aws:dynamodb:{call.region}:{call.account}:table/{name}"
    context: dict[str, str | list[str]] = {}
    known = schema.find_table(call.account, call.region, table)
    if known is not None:
        partition = schema.key_schema(known, index).get("HASH", "")
        values = [key.get(partition) for key in keys]
        if operation == "Query":
            values = [schema.query_partition(call.params, partition)]
        leading = [text for text in map(schema.scalar, values) if text is not None]
        if leading:
            context["dynamodb:LeadingKeys"] = sorted(set(leading))
    if index is not None:
        arn += f"/index/{index}"
    return Authorization(f"dynamodb:{operation}", arn, context)


def _s3(call: Call) -> list[Authorization]:
    action, params = iam_action(call.service, call.operation), call.params
    bucket, key = params.get("Bucket"), params.get("Key")
    if not bucket or call.service == "s3control":
        return [Authorization(action)]
    base = str(bucket) if str(bucket).startswith("arn:") else f"arn:aws:s3:::{bucket}"
    context: dict[str, str | list[str]] = {}
    if "Prefix" in params:
        context["s3:prefix"] = str(params["Prefix"])
    if params.get("VersionId") and action in ("s3:GetObject", "s3:DeleteObject"):
        action += "Version"
    if call.operation == "DeleteObjects":
        objects = (params.get("Delete") or {}).get("Objects") or []
        return [Authorization(action, f"{base}/{item['Key']}") for item in objects]
    found = [Authorization(action, f"{base}/{key}" if key else base, context)]
    source = params.get("CopySource")
    if call.operation in ("CopyObject", "UploadPartCopy") and source:
        path = (
            f"{source['Bucket']}/{source['Key']}"
            if isinstance(source, Mapping)
            else str(source).lstrip("/").split("?", 1)[0]
        )
        found.append(Authorization("s3:GetObject", f"arn:aws:s3:::{path}"))
    return found


_EC2_IDS = {
    "InstanceId": "instance",
    "InstanceIds": "instance",
    "VolumeId": "volume",
    "SnapshotId": "snapshot",
    "ImageId": "image",
    "AllocationId": "elastic-ip",
    "NatGatewayId": "natgateway",
    "NetworkInterfaceId": "network-interface",
    "GroupId": "security-group",
    "VpcId": "vpc",
    "SubnetId": "subnet",
    "InternetGatewayId": "internet-gateway",
    "VpcEndpointIds": "vpc-endpoint",
    "LaunchTemplateId": "launch-template",
}
_EC2_TAGGABLE = {
    "i": "instance",
    "vol": "volume",
    "snap": "snapshot",
    "ami": "image",
    "eipalloc": "elastic-ip",
    "nat": "natgateway",
    "eni": "network-interface",
    "sg": "security-group",
    "vpc": "vpc",
    "subnet": "subnet",
    "igw": "internet-gateway",
    "vpce": "vpc-endpoint",
    "lt": "launch-template",
    "rtb": "route-table",
}
# Images and snapshots are named without an account: arn:aws:ec2:region::snapshot/snap-1
_EC2_NO_ACCOUNT = {"image", "snapshot"}


def _ec2_arn(call: Call, kind: str, identifier: str) -> str:
    account = "" if kind in _EC2_NO_ACCOUNT else call.account
    return f"arn:aws:ec2:{call.region}:{account}:{kind}/{identifier}"


def _ec2(call: Call) -> list[Authorization]:
    action, params = f"ec2:{call.operation}", call.params
    if call.operation.startswith(("Describe", "Get", "Search")):
        return [Authorization(action)]
    targets: list[str] = []
    if call.operation in ("CreateTags", "DeleteTags"):
        for identifier in params.get("Resources") or []:
            kind = _EC2_TAGGABLE.get(str(identifier).rsplit("-", 1)[0], "*")
            targets.append(_ec2_arn(call, kind, identifier))
    else:
        for name, kind in _EC2_IDS.items():
            value = params.get(name)
            values = value if isinstance(value, list) else [value]
            targets += [_ec2_arn(call, kind, item) for item in values if item]
        if call.operation in ("CreateSnapshot", "CopySnapshot"):
            targets.append(_ec2_arn(call, "snapshot", "*"))
        if call.operation == "CreateImage":
            targets.append(_ec2_arn(call, "image", "*"))
        if call.operation == "CreateVolume":
            targets.append(_ec2_arn(call, "volume", "*"))
    context: dict[str, str | list[str]] = {}
    tags = params.get("Tags") or [
        tag for item in params.get("TagSpecifications") or [] for tag in item.get("Tags") or []
    ]
    context.update({f"aws:RequestTag/{tag['Key']}": str(tag.get("Value", "")) for tag in tags})
    if tags:
        context["aws:TagKeys"] = [str(tag["Key"]) for tag in tags]
    found = [
        Authorization(action, target, {**context, **_ec2_resource_tags(call, target)})
        for target in targets or ["*"]
    ]
    # Tags given at creation need ec2:CreateTags as well.
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    creation = {**context, "ec2:CreateAction": call.operation}
    for specification in params.get("TagSpecifications") or []:
        arn = _ec2_arn(call, str(specification.get("ResourceType")), "*")
        found.append(Authorization("ec2:CreateTags", arn, creation))
    return found


def _ec2_resource_tags(call: Call, arn: str) -> dict[str, str | list[str]]:
    tags = ec2_backends[call.account][call.region].tags.get(arn.rsplit("/", 1)[-1]) or {}
    return {
        f"{prefix}:ResourceTag/{key}": str(value)
        for key, value in tags.items()
        for prefix in ("aws", "ec2")
    }


def _kms(call: Call) -> list[Authorization]:
    action = iam_action(call.service, call.operation)
    context: dict[str, str | list[str]] = {
        f"kms:EncryptionContext:{key}": str(value)
        for key, value in (call.params.get("EncryptionContext") or {}).items()
    }
    identifier = call.params.get("KeyId")
    backend = kms_backends[call.account][call.region]
    if identifier is None and isinstance(call.params.get("CiphertextBlob"), bytes):
        identifier = call.params["CiphertextBlob"][:36].decode("latin-1")
    if not isinstance(identifier, str):
        return [Authorization(action, "*", context)]
    if identifier.startswith("arn:") and ":key/" in identifier:
        return [Authorization(action, identifier, context)]
    key_id = backend.any_id_to_key_id(identifier) or identifier
    arn = f"arn:aws:kms:{call.region}:{call.account}:key/{key_id}"
    return [Authorization(action, arn, context)]


def _sts(call: Call) -> list[Authorization]:
    if call.operation.startswith("AssumeRole"):
        return [Authorization(f"sts:{call.operation}", str(call.params.get("RoleArn", "*")))]
    return [Authorization(f"sts:{call.operation}")]


# service -> (parameter, ARN template); the first parameter present wins.
_NAMED: dict[str, list[tuple[str, str]]] = {
    "lambda": [("FunctionName", "arn:aws:lambda:{r}:{a}:function:{v}")],
    "rds": [
        ("DBInstanceIdentifier", "arn:aws:rds:{r}:{a}:db:{v}"),
        ("DBSnapshotIdentifier", "arn:aws:rds:{r}:{a}:snapshot:{v}"),
        ("DBClusterIdentifier", "arn:aws:rds:{r}:{a}:cluster:{v}"),
        ("ResourceName", "{v}"),
    ],
    "logs": [
        # IAM sees a log group as its (empty) stream: only "...:*" in a policy matches it.
        ("logGroupName", "arn:aws:logs:{r}:{a}:log-group:{v}:log-stream:"),
        ("logGroupIdentifier", "arn:aws:logs:{r}:{a}:log-group:{v}:log-stream:"),
    ],
    "sqs": [("QueueUrl", "arn:aws:sqs:{r}:{a}:{last}"), ("QueueName", "arn:aws:sqs:{r}:{a}:{v}")],
    "sns": [("TopicArn", "{v}"), ("TargetArn", "{v}"), ("Name", "arn:aws:sns:{r}:{a}:{v}")],
    "stepfunctions": [
        ("stateMachineArn", "{v}"),
        ("executionArn", "{v}"),
        ("name", "arn:aws:states:{r}:{a}:stateMachine:{v}"),
    ],
    "secretsmanager": [
        ("SecretId", "arn:aws:secretsmanager:{r}:{a}:secret:{v}-AbCdEf"),
        ("Name", "arn:aws:secretsmanager:{r}:{a}:secret:{v}-AbCdEf"),
    ],
    "iam": [
        ("RoleName", "arn:aws:iam::{a}:role/{v}"),
        ("UserName", "arn:aws:iam::{a}:user/{v}"),
        ("PolicyArn", "{v}"),
    ],
    "ecr": [("repositoryName", "arn:aws:ecr:{r}:{a}:repository/{v}")],
    "elasticache": [
        ("CacheClusterId", "arn:aws:elasticache:{r}:{a}:cluster:{v}"),
        ("ReplicationGroupId", "arn:aws:elasticache:{r}:{a}:replicationgroup:{v}"),
        ("SnapshotName", "arn:aws:elasticache:{r}:{a}:snapshot:{v}"),
    ],
    "redshift": [("ClusterIdentifier", "arn:aws:redshift:{r}:{a}:cluster:{v}")],
    "kinesis": [
        ("StreamARN", "{v}"),
        ("StreamName", "arn:aws:kinesis:{r}:{a}:stream/{v}"),
    ],
    "elb": [("LoadBalancerName", "arn:aws:elasticloadbalancing:{r}:{a}:loadbalancer/{v}")],
    "elbv2": [("LoadBalancerArn", "{v}"), ("TargetGroupArn", "{v}"), ("ListenerArn", "{v}")],
    "autoscaling": [
        (
            "AutoScalingGroupName",
            "arn:aws:autoscaling:{r}:{a}:autoScalingGroup:*:autoScalingGroupName/{v}",
        )
    ],
    "efs": [("FileSystemId", "arn:aws:elasticfilesystem:{r}:{a}:file-system/{v}")],
    "cloudformation": [("StackName", "arn:aws:cloudformation:{r}:{a}:stack/{v}/*")],
    "ssm": [("Name", "arn:aws:ssm:{r}:{a}:parameter/{v}")],
    "scheduler": [("Name", "arn:aws:scheduler:{r}:{a}:schedule/{group}/{v}")],
    "events": [
        ("EventBusName", "arn:aws:events:{r}:{a}:event-bus/{v}"),
        ("Name", "arn:aws:events:{r}:{a}:rule/{v}"),
    ],
    "apigatewaymanagementapi": [("ConnectionId", "arn:aws:execute-api:{r}:{a}:*/@connections/{v}")],
}
_ARN_PARAMETERS = ("ResourceArn", "resourceArn", "ResourceARN", "StreamArn", "Arn", "arn")
# Lists take no resource-level permission even when they filter by a name.
_ALWAYS_STAR = ("Describe", "List")
_STAR_SERVICES = {"autoscaling", "elasticache", "elb", "elbv2", "cloudwatch", "ce", "pricing"}


def _generic(call: Call) -> list[Authorization]:
    action = iam_action(call.service, call.operation)
    if call.service in _STAR_SERVICES and call.operation.startswith(_ALWAYS_STAR):
        return [Authorization(action)]
    if call.is_("events", "PutEvents"):
        buses = {str(e.get("EventBusName", "default")) for e in call.params.get("Entries") or []}
        return [
            Authorization(
                action,
                bus
                if bus.startswith("arn:")
                else f"arn:aws:events:{call.region}:{call.account}:event-bus/{bus}",
            )
            for bus in sorted(buses)
        ]
    for name, template in _NAMED.get(call.service, []):
        value = call.params.get(name)
        if not isinstance(value, str) or not value:
            continue
        if value.startswith("arn:"):
            return [Authorization(action, value)]
        known = _known_arn(call, name, value)
        if known is not None:
            return [Authorization(action, known)]
        arn = template.format(
            r=call.region,
            a=call.account,
            v=value.lstrip("/") if call.service == "ssm" else value,
            last=value.rsplit("/", 1)[-1],
            group=call.params.get("GroupName", "default"),
        )
        return [Authorization(action, arn)]
    for name in _ARN_PARAMETERS:
        value = call.params.get(name)
        if isinstance(value, str) and value.startswith("arn:"):
            return [Authorization(action, value)]
    return [Authorization(action)]


def _known_arn(call: Call, parameter: str, value: str) -> str | None:
    """The ARN that moto gave a resource whose name alone does not tell it."""
    if call.service == "iam" and parameter == "RoleName":
        roles = iam_backends[call.account]["aws"].get_roles()
        return next((str(role.arn) for role in roles if role.name == value), None)
    if call.service == "secretsmanager":
        secrets = secretsmanager_backends[call.account][call.region].secrets.values()
        return next((str(item.arn) for item in secrets if item.name == value), None)
    return None


Extractor = Callable[[Call], list[Authorization]]
_EXTRACTORS: dict[str, Extractor] = {
    "dynamodb": _dynamodb,
    "s3": _s3,
    "s3control": _s3,
    "ec2": _ec2,
    "kms": _kms,
    "sts": _sts,
}
