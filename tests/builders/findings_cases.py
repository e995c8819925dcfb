"""For every check: a resource that it finds, one that is clean, one that it cannot judge."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.builders.findings import REGION, Line, ago, hours, line, value


@dataclass(frozen=True)
class Case:
    """`found` is what the check finds, with `others` beside it; `monthly` what that saves.

    The other two are made from it: `clean` changes make it clean, `unread` is the attribute or
    `metrics.<name>` without which nothing is known.
    """

    found: Line
    monthly: str | None
    clean: dict[str, Any]
    unread: str
    others: Sequence[Line] = ()

    @property
    def cleaned(self) -> Line:
        """The resource as it should be."""
        made = deepcopy(self.found)
        for path, new in self.clean.items():
            place = made
            *parents, last = path.split("/")
            for name in parents:
                place = place[name]
            place[last] = new
        return made

    @property
    def blind(self) -> Line:
        """The resource, with one thing not read."""
        made = deepcopy(self.found)
        made["unknown"] = [self.unread]
        group, _, name = self.unread.partition(".")
        if group != "metrics":
            made["attributes"].pop(self.unread, None)
        elif "." in name:
            whole, part = name.split(".")
            made["metrics"][whole][part] = None
        else:
            made["metrics"].pop(name, None)
        return made


def _instance(name: str, state: str = "running", **more: Any) -> Line:
    attributes = {
        "instance_type": "m5.large",
        "launched_at": ago(100),
        "platform": "Linux/UNIX",
        "tenancy": "default",
        "image_id": "ami-used",
        "volume_ids": [],
        **more.pop("attributes", {}),
    }
    metrics = {
        "cpu_max": value(50.0),
        "network_in": value(10.0**9),
        "network_out": value(10.0**9),
        "cpu_hours": hours([50.0] * 336),
        **more.pop("metrics", {}),
    }
    return line("ec2:instance", name, state=state, attributes=attributes, metrics=metrics, **more)


def _bucket(name: str, **more: Any) -> Line:
    sizes = {
        f"bytes_{kind}": value(None, 3)
        for kind in (
            "StandardStorage", "StandardIAStorage", "OneZoneIAStorage",
            "ReducedRedundancyStorage", "IntelligentTieringFAStorage",
            "IntelligentTieringIAStorage", "GlacierInstantRetrievalStorage", "GlacierStorage",
            "DeepArchiveStorage",
        )
    }  # fmt: skip
    attributes = {
        "created_at": ago(500),
        "versioning": "Enabled",
        "lifecycle": [{"ID": "keep"}],
        **more.pop("attributes", {}),
    }
    nothing = {"older_than_days": 7, "count": 0, "bytes": 0, "complete": True}
    metrics = {
        **sizes,
        "objects": value(0.0, 3),
        "bytes_downloaded": value(10.0**9, 30),
        "bytes_uploaded": value(0.0, 30),
        "incomplete_uploads": nothing,
        "noncurrent_versions": {**nothing, "older_than_days": 30},
        **more.pop("metrics", {}),
    }
    return line(
        "s3:bucket", name, attributes=attributes, metrics=metrics, arn=f"arn:aws:s3:::{name}"
    )


GIB = 1024**3
_OFFICE = [5.0 if hour % 24 < 14 else 60.0 for hour in range(336)]  # idle 14 hours a day

CASES: dict[str, Case] = {
    "ebs-unattached": Case(
        line(
            "ec2:volume", "vol-unattached", state="available",
            attributes={
                "volume_type": "gp3", "size_gib": 100, "iops": 4000, "throughput_mbps": 225,
                "created_at": ago(60),
            },
            metrics={"attached_samples": value(None)},
        ),
        "17",  # 100 * 0.08 + 1000 * 0.005 + 100 * 0.04
        {"state": "in-use"},
        "metrics.attached_samples",
    ),
    "eip-idle": Case(
        line(
            "ec2:elastic-ip", "eipalloc-idle", state="unassociated",
            attributes={"public_ip": "198.51.100.7", "allocation_id": "eipalloc-idle"},
        ),
        "3.65",
        {"state": "associated"},
        "public_ip",
    ),
    "nat-idle": Case(
        line(
            "ec2:nat-gateway", "nat-idle", state="available",
            attributes={"created_at": ago(60), "vpc_id": "vpc-1"},
            metrics={"bytes_to_destination": value(0.0), "bytes_to_source": value(0.0)},
        ),
        "32.85",
        {"metrics/bytes_to_source": value(1.0)},
        "metrics.bytes_to_destination",
    ),
    "vpc-endpoint-idle": Case(
        line(
            "ec2:vpc-endpoint", "vpce-idle", state="available",
            attributes={
                "created_at": ago(60), "endpoint_type": "Interface",
                "service_name": "com.amazonaws.us-east-1.sqs", "subnet_ids": ["a", "b"],
                "managed": False,
            },
            metrics={"bytes_processed": value(0.0)},
        ),
        "14.6",
        {"metrics/bytes_processed": value(12.0)},
        "metrics.bytes_processed",
    ),
    "lb-idle": Case(
        line(
            "elbv2:load-balancer", "app/idle/1", state="active",
            attributes={
                "created_at": ago(60), "kind": "application",
                "target_groups": [{"arn": "g", "healthy": 0, "unhealthy": 1, "total": 1}],
            },
            metrics={"requests": value(10.0**6), "bytes": value(0.0)},
        ),
        "16.425",
        {"attributes/target_groups": [{"arn": "g", "healthy": 1, "unhealthy": 0, "total": 1}]},
        "target_groups",
    ),
    "ec2-idle": Case(
        _instance(
            "i-idle",
            metrics={
                "cpu_max": value(4.2), "network_in": value(1000.0), "network_out": value(1000.0),
            },
        ),
        "70.08",
        {"metrics/cpu_max": value(5.1)},
        "metrics.cpu_max",
    ),
    "ec2-stopped": Case(
        _instance(
            "i-stopped", "stopped",
            attributes={
                "volume_ids": ["vol-of-stopped"],
                "state_reason": "User initiated (2025-11-01 10:00:00 GMT)",
            },
            metrics={},
        ),
        "8.65",  # 50 * 0.1 + 730 * 0.005
        {"attributes/state_reason": "User initiated (2026-01-01 10:00:00 GMT)"},
        "volume_ids",
        others=(
            line(
                "ec2:volume", "vol-of-stopped", state="in-use",
                attributes={"volume_type": "gp2", "size_gib": 50, "created_at": ago(300)},
            ),
            line(
                "ec2:elastic-ip", "eipalloc-of-stopped", state="associated",
                attributes={"instance_id": "i-stopped"},
            ),
        ),
    ),
    "ec2-old-generation": Case(
        _instance("i-old", attributes={"instance_type": "m4.large"}),
        "2.92",  # 730 * (0.100 - 0.096)
        {"attributes/instance_type": "m6i.large"},
        "instance_type",
    ),
    "ec2-off-hours": Case(
        _instance("i-office", metrics={"cpu_hours": hours(_OFFICE)}),
        "40.768",  # 0.096 * 98 * 52 / 12
        {"metrics/cpu_hours": hours([60.0] * 336)},
        "metrics.cpu_hours",
    ),
    "spot-candidate": Case(
        _instance(
            "i-group", attributes={"instance_type": "t3.micro"},
            tags={"aws:autoscaling:groupName": "web"},
        ),
        None,
        {"tags": {}},
        "instance_type",
    ),
    "rds-idle": Case(
        line(
            "rds:db-instance", "idle-db", state="available",
            attributes={
                "instance_class": "db.t3.medium", "engine": "postgres", "multi_az": True,
                "created_at": ago(60), "storage_type": "gp3", "storage_gib": 20,
            },
            metrics={"connections_max": value(0.0, 14)},
        ),
        "105.12",  # 730 * 2 * 0.072
        {"metrics/connections_max": value(1.0, 14)},
        "metrics.connections_max",
    ),
    "elasticache-idle": Case(
        line(
            "elasticache:cluster", "idle-cache", state="available",
            attributes={
                "node_type": "cache.t3.micro", "nodes": 2, "engine": "redis",
                "created_at": ago(60),
            },
            metrics={
                "connections_max": value(0.0, 14), "new_connections": value(0.0, 14),
            },
        ),
        "24.82",
        {"metrics/connections_max": value(3.0, 14)},
        "metrics.connections_max",
    ),
    "capacity-reservation-unused": Case(
        line(
            "ec2:capacity-reservation", "cr-unused", state="active",
            attributes={
                "instance_type": "m5.large", "platform": "Linux/UNIX", "tenancy": "default",
                "total": 4, "created_at": ago(60),
            },
            metrics={"used_max": value(1.0), "available_now": 3},
        ),
        "210.24",
        {"metrics/used_max": value(4.0)},
        "metrics.used_max",
    ),
    "lambda-overmemory": Case(
        line(
            "lambda:function", "fat",
            attributes={
                "memory_mb": 1024, "architectures": ["x86_64"], "modified_at": ago(10),
            },
            metrics={
                "invocations": value(1.0, 90), "invocations_14d": value(1_000_000.0, 14),
                "duration_ms_avg": value(500.0, 14), "memory_percent_max": value(20.0, 14),
            },
        ),
        "13.578896",  # 10^6 * 0.5 * (1 - 0.25) * 0.0000166667 * 365 / 12 / 14
        {"metrics/memory_percent_max": value(60.0, 14)},
        "metrics.memory_percent_max",
    ),
    "dynamodb-overprovisioned": Case(
        line(
            "dynamodb:table", "wide", state="ACTIVE",
            attributes={
                "billing_mode": "PROVISIONED", "table_class": "STANDARD",
                "provisioned": {"read_units": 100, "write_units": 100}, "created_at": ago(60),
            },
            metrics={
                "consumed_read_hours": hours([3600.0 * 10] * 336),
                "consumed_write_hours": hours([None] * 336),
            },
        ),
        "53.144",  # 730 * (85 * 0.00013 + 95 * 0.00065)
        {"attributes/billing_mode": "PAY_PER_REQUEST"},
        "metrics.consumed_read_hours",
    ),
    "kinesis-oversharded": Case(
        line(
            "kinesis:stream", "wide", state="ACTIVE",
            attributes={"mode": "PROVISIONED", "shards": 10, "created_at": ago(60)},
            metrics={
                "incoming_bytes_hours": hours([3600.0 * 2**20] * 336),
                "incoming_records_hours": hours([3600.0] * 336),
                "read_bytes_hours": hours([0.0] * 336),
            },
        ),
        "87.6",  # 730 * 8 * 0.015
        {"attributes/shards": 2},
        "metrics.incoming_bytes_hours",
    ),
    "eni-unused": Case(
        line(
            "ec2:network-interface", "eni-unused", state="available",
            attributes={"interface_type": "interface", "managed": False, "description": ""},
        ),
        "0",
        {"state": "in-use"},
        "managed",
    ),
    "lambda-unused": Case(
        line(
            "lambda:function", "forgotten",
            attributes={"memory_mb": 128, "modified_at": ago(200), "runtime": "python3.9"},
            metrics={
                "invocations": value(None, 90), "invocations_14d": value(None, 14),
                "duration_ms_avg": value(None, 14), "memory_percent_max": value(None, 14),
            },
        ),
        "0",
        {"metrics/invocations": value(3.0, 90)},
        "metrics.invocations",
    ),
    "iam-key-unused": Case(
        line(
            "iam:access-key", "AKIAUNUSED", state="Active", region="global",
            attributes={
                "user_name": "deployer", "created_at": ago(300), "last_used_at": None,
                "access_key_id": "AKIAUNUSED",
            },
        ),
        "0",
        {"attributes/last_used_at": ago(3)},
        "last_used_at",
    ),
    "ebs-gp2-to-gp3": Case(
        line(
            "ec2:volume", "vol-gp2", state="in-use",
            attributes={"volume_type": "gp2", "size_gib": 2000, "created_at": ago(60)},
        ),
        "20",  # 2000 * 0.02 - 3000 * 0.005 - 125 * 0.04
        {"attributes/volume_type": "gp3"},
        "volume_type",
    ),
    "rds-gp2": Case(
        line(
            "rds:db-instance", "gp2-db", state="available",
            attributes={
                "storage_type": "gp2", "storage_gib": 100, "engine": "postgres",
                "multi_az": False, "instance_class": "db.t3.micro", "created_at": ago(60),
            },
            metrics={"connections_max": value(9.0, 14)},
        ),
        "0",  # the same price in us-east-1
        {"attributes/storage_type": "gp3"},
        "storage_type",
    ),
    "snapshot-orphaned": Case(
        line(
            "ec2:snapshot", "snap-orphan", state="completed",
            attributes={
                "volume_id": "vol-gone", "volume_size_gib": 200, "started_at": ago(60),
                "storage_tier": "standard",
            },
        ),
        "10",
        {"attributes/volume_id": "vol-here"},
        "volume_id",
        others=(
            line(
                "ec2:volume", "vol-here", state="in-use",
                attributes={"volume_type": "gp3", "size_gib": 1, "created_at": ago(300)},
            ),
        ),
    ),
    "rds-snapshot-old": Case(
        line(
            "rds:db-snapshot", "old-manual", state="available",
            attributes={"snapshot_type": "manual", "storage_gib": 100, "created_at": ago(200)},
        ),
        "9.5",
        {"attributes/snapshot_type": "automated"},
        "snapshot_type",
    ),
    "snapshot-old": Case(
        line(
            "ec2:snapshot", "snap-old", state="completed",
            attributes={
                "volume_id": "vol-kept", "volume_size_gib": 100, "started_at": ago(200),
                "full_size_bytes": 80 * GIB, "storage_tier": "standard",
            },
        ),
        "3",  # 80 * (0.05 - 0.0125)
        {"attributes/started_at": ago(3)},
        "volume_id",
        others=(
            line(
                "ec2:volume", "vol-kept", state="in-use",
                attributes={"volume_type": "gp3", "size_gib": 100, "created_at": ago(300)},
            ),
        ),
    ),
    "ami-unused": Case(
        line(
            "ec2:image", "ami-forgotten", state="available",
            attributes={
                "created_at": ago(300), "snapshot_ids": ["snap-of-image"], "public": False,
            },
        ),
        "1.5",
        {"attributes/last_launched_at": ago(2)},
        "snapshot_ids",
        others=(
            line(
                "ec2:snapshot", "snap-of-image", state="completed",
                attributes={
                    "volume_id": "vol-ffffffff", "volume_size_gib": 30, "started_at": ago(300),
                },
            ),
        ),
    ),
    "s3-no-lifecycle": Case(
        _bucket(
            "plain", attributes={"lifecycle": None},
            metrics={"bytes_StandardStorage": value(1000.0 * GIB, 3), "objects": value(50000.0, 3)},
        ),
        "10",  # 1000 * (0.023 - 0.0125) - 50 * 0.01
        {"attributes/lifecycle": [{"ID": "x"}]},
        "lifecycle",
    ),
    "s3-mpu-incomplete": Case(
        _bucket(
            "uploads",
            metrics={
                "incomplete_uploads": {
                    "older_than_days": 7, "count": 3, "bytes": 100 * GIB, "complete": True,
                },
            },
        ),
        "2.3",
        {
            "metrics/incomplete_uploads": {
                "older_than_days": 7, "count": 0, "bytes": 0, "complete": True,
            }
        },
        "metrics.incomplete_uploads.bytes",
    ),
    "s3-noncurrent-versions": Case(
        _bucket(
            "versions",
            metrics={
                "noncurrent_versions": {
                    "older_than_days": 30, "count": 9, "bytes": 200 * GIB, "complete": True,
                },
            },
        ),
        "4.6",
        {"attributes/versioning": "Disabled"},
        "metrics.noncurrent_versions",
    ),
    "s3-abandoned": Case(
        _bucket(
            "abandoned",
            metrics={
                "bytes_StandardStorage": value(100.0 * GIB, 3),
                "bytes_GlacierStorage": value(1000.0 * GIB, 3),
                "bytes_downloaded": value(None, 30), "bytes_uploaded": value(1023.0, 30),
            },
        ),
        "5.9",  # 100 * 0.023 + 1000 * 0.0036
        {"metrics/bytes_uploaded": value(1024.0, 30)},
        "metrics.bytes_downloaded",
    ),
    "ecr-no-lifecycle": Case(
        line(
            "ecr:repository", "images",
            attributes={"lifecycle_policy": None},
            metrics={"untagged_images": {"count": 4, "bytes": 20 * GIB, "complete": True}},
        ),
        "2",
        {"attributes/lifecycle_policy": "{}"},
        "lifecycle_policy",
    ),
    "loggroup-unused": Case(
        line(
            "logs:log-group", "/old",
            attributes={"created_at": ago(500), "retention_days": None},
            metrics={"stored_bytes": 100 * GIB, "incoming_bytes": value(None, 90)},
        ),
        "3",
        {"metrics/incoming_bytes": value(5.0, 90), "attributes/retention_days": 30},
        "metrics.incoming_bytes",
    ),
    "loggroup-no-retention": Case(
        line(
            "logs:log-group", "/busy",
            attributes={"created_at": ago(360), "retention_days": None},
            metrics={"stored_bytes": 100 * GIB, "incoming_bytes": value(10.0**9, 90)},
        ),
        "2.25",  # 100 * 0.75 * 0.03
        {"attributes/retention_days": 90},
        "metrics.stored_bytes",
    ),
}  # fmt: skip

CLASSIC = line(
    "elb:load-balancer", "old", region=REGION,
    attributes={"created_at": ago(60), "targets": {"healthy": 0, "unhealthy": 0, "total": 0}},
    metrics={"requests": value(0.0), "bytes": value(0.0)},
)  # fmt: skip
