"""Reading one resource again, with the code that read it for the inventory (FND-7).

The collector itself makes the result, so the fingerprint of an unchanged resource is the one that
the inventory has. Only two things differ: the listing asks for the one resource, and measurements
are not read, as they are no part of the fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidegate.discovery.collectors import (
    COLLECTORS,
    dynamodb_tables,
    ec2_addresses,
    ec2_images,
    ec2_instances,
    ec2_nat_gateways,
    ec2_network_interfaces,
    ec2_snapshots,
    ec2_volumes,
    ec2_vpc_endpoints,
    ecr,
    elb,
    elbv2,
    lambda_functions,
    logs,
    rds_instances,
    s3,
)
from tidegate.discovery.collectors.base import (
    UNKNOWN,
    Answer,
    ClientSource,
    Collector,
    Read,
    Reader,
    ReadFailed,
    Target,
)
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA
from tidegate.discovery.domain import Found

# Reads that only measure: what they give is never part of a fingerprint.
_MEASURING = frozenset({GET_METRIC_DATA, s3.UPLOADS, s3.PARTS, s3.VERSIONS, s3.METRICS, ecr.IMAGES})
_MAX_PAGES = 200


@dataclass(frozen=True)
class ResourceRef:
    """Which resource: as the inventory names it."""

    account_id: str
    region: str
    type: str
    arn: str

    @property
    def short_id(self) -> str:
        """What follows the last slash or colon of the ARN: an id or a name."""
        return self.arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1]

    @property
    def rest(self) -> str:
        """The name in an ARN whose names hold slashes or colons: all after `kind:` or `kind/`."""
        resource = self.arn.split(":", 5)[5]
        cut = min(place for place in (resource.find(":"), resource.find("/")) if place >= 0)
        return resource[cut + 1 :]


class ReadAgainFailed(Exception):
    """The resource could not be read now: nothing is known of it.

    `denied` names the missing IAM action, where that is the cause; `retryable` where a later try
    may succeed.
    """

    def __init__(self, reason: str, *, denied: str | None = None, retryable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.denied = denied
        self.retryable = retryable


Narrow = Callable[[ResourceRef], Mapping[str, Any]]


def _ids(name: str) -> Narrow:
    return lambda ref: {name: [ref.short_id]}


# How each listing asks for one resource. Lists that cannot are read to the end.
_NARROW: Mapping[Read, Narrow] = {
    ec2_volumes.DESCRIBE: _ids("VolumeIds"),
    ec2_instances.DESCRIBE: _ids("InstanceIds"),
    ec2_snapshots.DESCRIBE: _ids("SnapshotIds"),
    ec2_images.DESCRIBE: _ids("ImageIds"),
    ec2_addresses.DESCRIBE: _ids("AllocationIds"),
    ec2_nat_gateways.DESCRIBE: _ids("NatGatewayIds"),
    ec2_vpc_endpoints.DESCRIBE: _ids("VpcEndpointIds"),
    ec2_network_interfaces.DESCRIBE: _ids("NetworkInterfaceIds"),
    elb.DESCRIBE: _ids("LoadBalancerNames"),
    elbv2.DESCRIBE: lambda ref: {"LoadBalancerArns": [ref.arn]},
    rds_instances.DESCRIBE: lambda ref: {"DBInstanceIdentifier": ref.short_id},
    logs.DESCRIBE: lambda ref: {"logGroupNamePrefix": ref.rest, "limit": 50},
    ecr.DESCRIBE: lambda ref: {"repositoryNames": [ref.rest]},
    s3.LIST: lambda ref: {"Prefix": ref.arn.split(":::", 1)[1]},
}
# Which listing pages stay: a prefix may match more than one name.
_PAGED = frozenset({lambda_functions.LIST, logs.DESCRIBE, s3.LIST})
_TYPES: Mapping[str, Collector] = {
    kind: collector for collector in COLLECTORS.values() for kind in collector.types
}


class _OneReader(Reader):
    """A reader whose listing asks for one resource and whose measurements are left unread."""

    def __init__(
        self, session: ClientSource, target: Target, collector: Collector, ref: ResourceRef
    ) -> None:
        super().__init__(session, target, collector.reads)
        self._ref = ref

    def call(self, read: Read, **parameters: Any) -> dict[str, Any]:
        if read == dynamodb_tables.LIST:
            return {"TableNames": [self._ref.short_id]}  # described below, which tells if it is
        narrow = _NARROW.get(read)
        if narrow is None:
            return super().call(read, **parameters)
        kept = {
            name: value
            for name, value in parameters.items()
            if name not in _SIZES and (read in _PAGED or name not in _TOKENS)
        }
        return super().call(read, **{**kept, **narrow(self._ref)})

    def nested(self, read: Read, **parameters: Any) -> Answer:
        if read in _MEASURING:
            return UNKNOWN
        return super().nested(read, **parameters)


_SIZES = frozenset({"MaxResults", "MaxRecords", "PageSize", "maxResults", "limit", "MaxBuckets"})
_TOKENS = frozenset({"NextToken", "Marker", "nextToken"})


def reread_actions(resource_type: str) -> tuple[str, ...]:
    """The IAM actions that reading a resource of this type again needs, sorted."""
    reads = set(_TYPES[resource_type].reads) - _MEASURING - {dynamodb_tables.LIST}
    return tuple(sorted({read.action for read in reads}))


def read_again(session: ClientSource, ref: ResourceRef, now: datetime) -> Found | None:
    """The resource as it is now, without measurements; None where it is gone.

    Raises ReadAgainFailed where AWS did not tell.
    """
    collector = _TYPES[ref.type]
    target = Target(ref.account_id, ref.region, now)
    token: str | None = None
    for _ in range(_MAX_PAGES):
        try:
            reader = _OneReader(session, target, collector, ref)
            page = collector.read_page(reader, token)
        except ReadFailed as failed:
            if failed.failure.kind == "gone":
                return None
            raise ReadAgainFailed(
                failed.failure.reason,
                denied=failed.failure.action,
                retryable=failed.failure.retryable,
            ) from failed
        for found in page.resources:
            if found.arn == ref.arn:
                return found
        token = page.next_token
        if token is None:
            return None
    raise ReadAgainFailed("the listing does not end")
