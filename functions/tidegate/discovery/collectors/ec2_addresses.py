"""Elastic IP addresses."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick, tag_map
from tidegate.discovery.domain import Found

DESCRIBE = Read("ec2", "describe_addresses", "ec2:DescribeAddresses")


class Ec2Addresses(Collector):
    """ec2:elastic-ip. The API has no pages: an account has few addresses."""

    service = "ec2-addresses"
    types = ("ec2:elastic-ip",)
    reads = (DESCRIBE,)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """All addresses of the region."""
        answer = reader.call(DESCRIBE)
        found = [_found(reader, address) for address in answer.get("Addresses", [])]
        return reader.page(found, None)


def _found(reader: Reader, address: dict[str, Any]) -> Found:
    used = any(address.get(name) for name in ("AssociationId", "InstanceId", "NetworkInterfaceId"))
    # Addresses of the oldest accounts have no allocation id: the address is their id.
    id_ = address.get("AllocationId") or address["PublicIp"]
    return Draft(
        arn=reader.target.arn("ec2", f"elastic-ip/{id_}"),
        type="ec2:elastic-ip",
        region=reader.target.region,
        state="associated" if used else "unassociated",
        tags=tag_map(address.get("Tags")),
        attributes=pick(
            address,
            public_ip="PublicIp",
            allocation_id="AllocationId",
            association_id="AssociationId",
            instance_id="InstanceId",
            network_interface_id="NetworkInterfaceId",
            domain="Domain",
            pool="PublicIpv4Pool",
        ),
    ).found()
