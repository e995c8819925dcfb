"""The resources that a call is authorized on, where MiniStack names them otherwise than AWS.

MiniStack reads one identifier of a call, and none of some: a policy that names exactly what AWS
asks for then denies everything, and of a list only the first is looked at. What each action is
authorized on: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
and the pages of the other services beside it.

The thing that a call is about to make (`snapshot/*` of CreateSnapshot) is not looked at: the
emulator knows nothing of the tags that a policy would ask of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

# The parameter that names what an action is authorized on; several are "<name>.1", "<name>.2".
_EC2 = {
    "CreateTags": "ResourceId",
    "CreateVolume": "SnapshotId",
    "DeleteNatGateway": "NatGatewayId",
    "DeleteSnapshot": "SnapshotId",
    "DeleteTags": "ResourceId",
    "DeleteVpcEndpoints": "VpcEndpointId",
    "DeregisterImage": "ImageId",
    "StartInstances": "InstanceId",
    "StopInstances": "InstanceId",
}
_KINDS = {
    "ami": "image",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "i": "instance",
    "nat": "natgateway",
    "snap": "snapshot",
    "vol": "volume",
    "vpce": "vpc-endpoint",
}
_WITHOUT_ACCOUNT = ("image", "snapshot")
_BY_OWN_ARN = ("TagResource", "UntagResource", "ListTagsForResource")


def install() -> None:
    """Name resources as AWS does. MiniStack looks both functions up at every request."""
    from ministack.core import iam_actions

    one: Callable[..., str] = iam_actions.extract_resource_arn
    others: Callable[..., list[str]] = iam_actions.verified_access_resource_arns

    def extract(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        params: Mapping[str, Any],
        region: str,
        account: str,
    ) -> str:
        named: list[str] = []
        if service == "ec2":
            named = ec2_resources(params, region, account)
        elif service == "elasticloadbalancing":
            named = classic_balancers(params, region, account)
        elif service == "logs":
            named = log_groups(headers, body, region, account)
        if named:
            return named[0]
        return one(service, method, path, headers, body, params, region, account)

    # Where MiniStack looks at what else an EC2 call names.
    def further(params: Mapping[str, Any], region: str, account: str) -> list[str]:
        return ec2_resources(params, region, account) or others(params, region, account)

    iam_actions.extract_resource_arn = extract
    iam_actions.verified_access_resource_arns = further


def ec2_resources(params: Mapping[str, Any], region: str, account: str) -> list[str]:
    """The ARNs that an EC2 call is authorized on; [] where MiniStack itself knows."""
    field = _EC2.get(_value(params, "Action"))
    if field is None:
        return []
    ids = [_value(params, name) for name in params if name.rpartition(".")[0] == field]
    found = [_ec2_arn(one, region, account) for one in ids or [_value(params, field)]]
    return found if all(found) else []


def _ec2_arn(identifier: str, region: str, account: str) -> str:
    kind = _KINDS.get(identifier.partition("-")[0])
    if kind is None:
        return ""
    owner = "" if kind in _WITHOUT_ACCOUNT else account
    return f"arn:aws:ec2:{region}:{owner}:{kind}/{identifier}"


def classic_balancers(params: Mapping[str, Any], region: str, account: str) -> list[str]:
    """The ARN of a load balancer of the first generation, which calls name by its name."""
    name = _value(params, "LoadBalancerName")
    return [f"arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{name}"] if name else []


def log_groups(headers: Mapping[str, str], body: bytes, region: str, account: str) -> list[str]:
    """A log group as CloudWatch Logs has it authorized: by its streams (`<group>:log-stream:`)."""
    if headers.get("x-amz-target", "").rpartition(".")[2] in _BY_OWN_ARN:
        return []
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return []
    group = asked.get("logGroupName") if isinstance(asked, dict) else None
    if not isinstance(group, str) or not group:
        return []
    stream = asked.get("logStreamName")
    named = stream if isinstance(stream, str) else ""
    return [f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{named}"]


def _value(params: Mapping[str, Any], name: str) -> str:
    given = params.get(name, "")
    return str(given[0] if isinstance(given, list) and given else given or "")
