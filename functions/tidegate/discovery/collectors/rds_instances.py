"""RDS instances, with connections and storage use (rds-idle, rds-gp2)."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import (
    Collector,
    Draft,
    Page,
    Read,
    Reader,
    pick,
    read_tags,
    tag_map,
)
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, measure_each

DESCRIBE = Read("rds", "describe_db_instances", "rds:DescribeDBInstances")
TAGS = Read("rds", "list_tags_for_resource", "rds:ListTagsForResource")
_SERIES = (
    Series("connections_max", "AWS/RDS", "DatabaseConnections", "Maximum", 14),
    Series("cpu_max", "AWS/RDS", "CPUUtilization", "Maximum", 14),
    Series("read_iops_max", "AWS/RDS", "ReadIOPS", "Maximum", 14),
    Series("write_iops_max", "AWS/RDS", "WriteIOPS", "Maximum", 14),
    Series("read_bytes_max", "AWS/RDS", "ReadThroughput", "Maximum", 14),
    Series("write_bytes_max", "AWS/RDS", "WriteThroughput", "Maximum", 14),
)
_PAGE_SIZE = 100


class RdsInstances(Collector):
    """rds:db-instance."""

    service = "rds-instances"
    types = ("rds:db-instance",)
    reads = (DESCRIBE, TAGS, GET_METRIC_DATA)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of instances."""
        answer = reader.call(DESCRIBE, MaxRecords=_PAGE_SIZE, Marker=token)
        drafts = [_draft(reader, instance) for instance in answer.get("DBInstances", [])]
        measure_each(
            reader, drafts, _SERIES, lambda draft: {"DBInstanceIdentifier": str(draft.name)}
        )
        return reader.page([draft.found() for draft in drafts], answer.get("Marker"))


def _draft(reader: Reader, instance: dict[str, Any]) -> Draft:
    name = instance["DBInstanceIdentifier"]
    draft = Draft(
        arn=instance.get("DBInstanceArn") or reader.target.arn("rds", f"db:{name}"),
        type="rds:db-instance",
        region=reader.target.region,
        name=name,
        state=instance.get("DBInstanceStatus"),
        attributes=pick(
            instance,
            instance_class="DBInstanceClass",
            engine="Engine",
            engine_version="EngineVersion",
            license_model="LicenseModel",
            storage_type="StorageType",
            storage_gib="AllocatedStorage",
            iops="Iops",
            throughput_mbps="StorageThroughput",
            multi_az="MultiAZ",
            cluster_id="DBClusterIdentifier",
            replica_of="ReadReplicaSourceDBInstanceIdentifier",
            replicas="ReadReplicaDBInstanceIdentifiers",
            created_at="InstanceCreateTime",
            deletion_protection="DeletionProtection",
            encrypted="StorageEncrypted",
            availability_zone="AvailabilityZone",
        ),
    )
    add_tags(reader, draft, instance)
    return draft


def add_tags(reader: Reader, draft: Draft, described: dict[str, Any]) -> None:
    """Tags from the description, or where it has none from their own call."""
    if "TagList" in described:
        draft.tags = tag_map(described["TagList"])
        return
    read_tags(reader, draft, TAGS, lambda data: data.get("TagList"), ResourceName=draft.arn)
