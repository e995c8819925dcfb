"""EC2 instances, with the measurements of ec2-idle and ec2-off-hours."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick, tag_map
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, HOUR, Series, measure_each

DESCRIBE = Read("ec2", "describe_instances", "ec2:DescribeInstances")
_SERIES = (
    Series("cpu_max", "AWS/EC2", "CPUUtilization", "Maximum", 7),
    Series("network_in", "AWS/EC2", "NetworkIn", "Sum", 7),
    Series("network_out", "AWS/EC2", "NetworkOut", "Sum", 7),
    Series("cpu_hours", "AWS/EC2", "CPUUtilization", "Average", 14, HOUR, "hours"),
)
_PAGE_SIZE = 100


class Ec2Instances(Collector):
    """ec2:instance; terminated ones are left out."""

    service = "ec2-instances"
    types = ("ec2:instance",)
    reads = (DESCRIBE, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of reservations."""
        answer = reader.call(DESCRIBE, MaxResults=_PAGE_SIZE, NextToken=token)
        drafts = [
            _draft(reader, instance)
            for reservation in answer.get("Reservations", [])
            for instance in reservation.get("Instances", [])
            if instance.get("State", {}).get("Name") != "terminated"
        ]
        running = [draft for draft in drafts if draft.state == "running"]
        measure_each(reader, running, _SERIES, lambda draft: {"InstanceId": draft.short_id})
        return reader.page([draft.found() for draft in drafts], answer.get("NextToken"))


def _draft(reader: Reader, instance: dict[str, Any]) -> Draft:
    attributes = pick(
        instance,
        instance_type="InstanceType",
        image_id="ImageId",
        launched_at="LaunchTime",
        platform="PlatformDetails",
        architecture="Architecture",
        lifecycle="InstanceLifecycle",
        capacity_reservation_id="CapacityReservationId",
        vpc_id="VpcId",
        subnet_id="SubnetId",
        public_ip="PublicIpAddress",
        ebs_optimized="EbsOptimized",
        root_device="RootDeviceName",
        state_reason="StateTransitionReason",
    )
    attributes["availability_zone"] = instance.get("Placement", {}).get("AvailabilityZone")
    attributes["tenancy"] = instance.get("Placement", {}).get("Tenancy")
    attributes["monitoring"] = instance.get("Monitoring", {}).get("State")
    attributes["volume_ids"] = sorted(
        mapping["Ebs"]["VolumeId"]
        for mapping in instance.get("BlockDeviceMappings", [])
        if "Ebs" in mapping
    )
    return Draft(
        arn=reader.target.arn("ec2", f"instance/{instance['InstanceId']}"),
        type="ec2:instance",
        region=reader.target.region,
        state=instance.get("State", {}).get("Name"),
        tags=tag_map(instance.get("Tags")),
        attributes=attributes,
    )
