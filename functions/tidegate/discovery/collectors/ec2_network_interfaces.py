"""Elastic network interfaces."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick, tag_map
from tidegate.discovery.domain import Found

DESCRIBE = Read("ec2", "describe_network_interfaces", "ec2:DescribeNetworkInterfaces")
_PAGE_SIZE = 100


class Ec2NetworkInterfaces(Collector):
    """ec2:network-interface."""

    service = "ec2-network-interfaces"
    types = ("ec2:network-interface",)
    reads = (DESCRIBE,)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of interfaces."""
        answer = reader.call(DESCRIBE, MaxResults=_PAGE_SIZE, NextToken=token)
        found = [_found(reader, one) for one in answer.get("NetworkInterfaces", [])]
        return reader.page(found, answer.get("NextToken"))


def _found(reader: Reader, interface: dict[str, Any]) -> Found:
    attributes = pick(
        interface,
        interface_type="InterfaceType",
        description="Description",
        vpc_id="VpcId",
        subnet_id="SubnetId",
        availability_zone="AvailabilityZone",
        managed="RequesterManaged",
        requester_id="RequesterId",
        private_ip="PrivateIpAddress",
    )
    attributes["attachment"] = pick(
        interface.get("Attachment", {}),
        attachment_id="AttachmentId",
        instance_id="InstanceId",
        status="Status",
        delete_on_termination="DeleteOnTermination",
    )
    return Draft(
        arn=reader.target.arn("ec2", f"network-interface/{interface['NetworkInterfaceId']}"),
        type="ec2:network-interface",
        region=reader.target.region,
        state=interface.get("Status"),
        tags=tag_map(interface.get("TagSet")),
        attributes=attributes,
    ).found()
