"""NAT gateways, with their traffic of 7 days (nat-idle)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick, tag_map
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, measure_each

DESCRIBE = Read("ec2", "describe_nat_gateways", "ec2:DescribeNatGateways")
_SERIES = (
    Series("bytes_to_destination", "AWS/NATGateway", "BytesOutToDestination", "Sum", 7),
    Series("bytes_to_source", "AWS/NATGateway", "BytesOutToSource", "Sum", 7),
    Series("connections_max", "AWS/NATGateway", "ActiveConnectionCount", "Maximum", 7),
)
_PAGE_SIZE = 100


class Ec2NatGateways(Collector):
    """ec2:nat-gateway; deleted ones, which AWS lists for an hour, are left out."""

    service = "ec2-nat-gateways"
    types = ("ec2:nat-gateway",)
    reads = (DESCRIBE, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of gateways."""
        answer = reader.call(DESCRIBE, MaxResults=_PAGE_SIZE, NextToken=token)
        drafts = [
            _draft(reader, gateway)
            for gateway in answer.get("NatGateways", [])
            if gateway.get("State") != "deleted"
        ]
        measure_each(reader, drafts, _SERIES, lambda draft: {"NatGatewayId": draft.short_id})
        return reader.page([draft.found() for draft in drafts], answer.get("NextToken"))


def _draft(reader: Reader, gateway: dict[str, Any]) -> Draft:
    attributes = pick(
        gateway,
        created_at="CreateTime",
        vpc_id="VpcId",
        subnet_id="SubnetId",
        connectivity="ConnectivityType",
        failure="FailureCode",
    )
    attributes["addresses"] = [
        pick(address, public_ip="PublicIp", allocation_id="AllocationId")
        for address in gateway.get("NatGatewayAddresses", [])
    ]
    return Draft(
        arn=reader.target.arn("ec2", f"natgateway/{gateway['NatGatewayId']}"),
        type="ec2:nat-gateway",
        region=reader.target.region,
        state=gateway.get("State"),
        tags=tag_map(gateway.get("Tags")),
        attributes=attributes,
    )
