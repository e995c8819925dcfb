"""VPC endpoints, with the traffic of those that are paid by the hour (vpc-endpoint-idle)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick, tag_map
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, Wanted, measure

DESCRIBE = Read("ec2", "describe_vpc_endpoints", "ec2:DescribeVpcEndpoints")
_BYTES = Series("bytes_processed", "AWS/PrivateLinkEndpoints", "BytesProcessed", "Sum", 7)
_PAID = {"Interface", "GatewayLoadBalancer"}
_PAGE_SIZE = 100


class Ec2VpcEndpoints(Collector):
    """ec2:vpc-endpoint."""

    service = "ec2-vpc-endpoints"
    types = ("ec2:vpc-endpoint",)
    reads = (DESCRIBE, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of endpoints."""
        answer = reader.call(DESCRIBE, MaxResults=_PAGE_SIZE, NextToken=token)
        drafts = [
            _draft(reader, endpoint)
            for endpoint in answer.get("VpcEndpoints", [])
            if endpoint.get("State", "").lower() != "deleted"
        ]
        measure(reader, [_wanted(d) for d in drafts if d.attributes.get("endpoint_type") in _PAID])
        return reader.page([draft.found() for draft in drafts], answer.get("NextToken"))


def _wanted(draft: Draft) -> Wanted:
    # https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-cloudwatch-metrics.html
    return Wanted(
        draft,
        _BYTES,
        {
            "VPC Id": str(draft.attributes["vpc_id"]),
            "VPC Endpoint Id": draft.short_id,
            "Endpoint Type": str(draft.attributes["endpoint_type"]),
            "Service Name": str(draft.attributes["service_name"]),
        },
    )


def _draft(reader: Reader, endpoint: dict[str, Any]) -> Draft:
    attributes = pick(
        endpoint,
        endpoint_type="VpcEndpointType",
        service_name="ServiceName",
        vpc_id="VpcId",
        subnet_ids="SubnetIds",
        created_at="CreationTimestamp",
        managed="RequesterManaged",
    )
    return Draft(
        arn=reader.target.arn("ec2", f"vpc-endpoint/{endpoint['VpcEndpointId']}"),
        type="ec2:vpc-endpoint",
        region=reader.target.region,
        state=endpoint.get("State"),
        tags=tag_map(endpoint.get("Tags")),
        attributes=attributes,
    )
