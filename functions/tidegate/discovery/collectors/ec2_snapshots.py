"""EBS snapshots that the account owns."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick, tag_map
from tidegate.discovery.domain import Found

DESCRIBE = Read("ec2", "describe_snapshots", "ec2:DescribeSnapshots")
_PAGE_SIZE = 100


class Ec2Snapshots(Collector):
    """ec2:snapshot."""

    service = "ec2-snapshots"
    types = ("ec2:snapshot",)
    reads = (DESCRIBE,)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of own snapshots."""
        answer = reader.call(DESCRIBE, OwnerIds=["self"], MaxResults=_PAGE_SIZE, NextToken=token)
        found = [_found(reader, snapshot) for snapshot in answer.get("Snapshots", [])]
        return reader.page(found, answer.get("NextToken"))


def _found(reader: Reader, snapshot: dict[str, Any]) -> Found:
    return Draft(
        arn=reader.target.arn("ec2", f"snapshot/{snapshot['SnapshotId']}"),
        type="ec2:snapshot",
        region=reader.target.region,
        state=snapshot.get("State"),
        tags=tag_map(snapshot.get("Tags")),
        attributes=pick(
            snapshot,
            volume_id="VolumeId",
            volume_size_gib="VolumeSize",
            full_size_bytes="FullSnapshotSizeInBytes",
            started_at="StartTime",
            storage_tier="StorageTier",
            encrypted="Encrypted",
            kms_key_id="KmsKeyId",
            description="Description",
        ),
    ).found()
