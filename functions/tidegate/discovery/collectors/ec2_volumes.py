"""EBS volumes, with the activity of unattached ones (ebs-unattached)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick, tag_map
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, Wanted, measure

DESCRIBE = Read("ec2", "describe_volumes", "ec2:DescribeVolumes")
# CloudWatch has data points of a volume only while it is attached: none means unattached.
_ATTACHED = Series("attached_samples", "AWS/EBS", "VolumeReadOps", "SampleCount", 7)
_PAGE_SIZE = 100


class Ec2Volumes(Collector):
    """ec2:volume."""

    service = "ec2-volumes"
    types = ("ec2:volume",)
    reads = (DESCRIBE, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of volumes."""
        answer = reader.call(DESCRIBE, MaxResults=_PAGE_SIZE, NextToken=token)
        drafts = [_draft(reader, volume) for volume in answer.get("Volumes", [])]
        idle = [draft for draft in drafts if draft.state == "available"]
        measure(
            reader,
            [Wanted(d, _ATTACHED, {"VolumeId": d.short_id}) for d in idle],
        )
        return reader.page([draft.found() for draft in drafts], answer.get("NextToken"))


def _draft(reader: Reader, volume: dict[str, Any]) -> Draft:
    attributes = pick(
        volume,
        volume_type="VolumeType",
        size_gib="Size",
        iops="Iops",
        throughput_mbps="Throughput",
        created_at="CreateTime",
        encrypted="Encrypted",
        kms_key_id="KmsKeyId",
        snapshot_id="SnapshotId",
        availability_zone="AvailabilityZone",
        multi_attach="MultiAttachEnabled",
    )
    attributes["attachments"] = [
        pick(attachment, instance_id="InstanceId", device="Device", attached_at="AttachTime")
        for attachment in volume.get("Attachments", [])
    ]
    return Draft(
        arn=reader.target.arn("ec2", f"volume/{volume['VolumeId']}"),
        type="ec2:volume",
        region=reader.target.region,
        state=volume.get("State"),
        tags=tag_map(volume.get("Tags")),
        attributes=attributes,
    )
