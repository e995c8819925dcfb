"""RDS snapshots, manual and automated."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick
from tidegate.discovery.collectors.rds_instances import TAGS, add_tags
from tidegate.discovery.domain import Found

DESCRIBE = Read("rds", "describe_db_snapshots", "rds:DescribeDBSnapshots")
_PAGE_SIZE = 100


class RdsSnapshots(Collector):
    """rds:db-snapshot."""

    service = "rds-snapshots"
    types = ("rds:db-snapshot",)
    reads = (DESCRIBE, TAGS)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of snapshots."""
        answer = reader.call(DESCRIBE, MaxRecords=_PAGE_SIZE, Marker=token)
        found = [_found(reader, snapshot) for snapshot in answer.get("DBSnapshots", [])]
        return reader.page(found, answer.get("Marker"))


def _found(reader: Reader, snapshot: dict[str, Any]) -> Found:
    name = snapshot["DBSnapshotIdentifier"]
    draft = Draft(
        arn=snapshot.get("DBSnapshotArn") or reader.target.arn("rds", f"snapshot:{name}"),
        type="rds:db-snapshot",
        region=reader.target.region,
        name=name,
        state=snapshot.get("Status"),
        attributes=pick(
            snapshot,
            snapshot_type="SnapshotType",
            instance_id="DBInstanceIdentifier",
            engine="Engine",
            storage_type="StorageType",
            storage_gib="AllocatedStorage",
            created_at="SnapshotCreateTime",
            encrypted="Encrypted",
            source_region="SourceRegion",
        ),
    )
    add_tags(reader, draft, snapshot)
    return draft.found()
