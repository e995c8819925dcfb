"""The registered checks, in the order they are shown."""

from __future__ import annotations

from tidegate.findings.checks import (
    capacity,
    compute,
    databases,
    ebs,
    network,
    objects,
    off_hours,
    records,
    serverless,
    snapshots,
)
from tidegate.findings.checks.base import Check

# Every evaluator; two of them are one check to the user (classic and newer load balancers).
EVALUATORS: tuple[Check, ...] = (
    ebs.EbsUnattached(),
    network.EipIdle(),
    network.NatIdle(),
    network.VpcEndpointIdle(),
    network.LbIdle(),
    network.ClassicLbIdle(),
    compute.Ec2Idle(),
    compute.Ec2Stopped(),
    compute.Ec2OldGeneration(),
    off_hours.Ec2OffHours(),
    capacity.SpotCandidate(),
    databases.RdsIdle(),
    databases.ElastiCacheIdle(),
    capacity.CapacityReservationUnused(),
    serverless.LambdaOvermemory(),
    databases.DynamoDbOverprovisioned(),
    serverless.KinesisOversharded(),
    network.EniUnused(),
    serverless.LambdaUnused(),
    records.IamKeyUnused(),
    ebs.EbsGp2ToGp3(),
    databases.RdsGp2(),
    snapshots.SnapshotOrphaned(),
    databases.RdsSnapshotOld(),
    snapshots.SnapshotOld(),
    snapshots.AmiUnused(),
    objects.S3NoLifecycle(),
    objects.S3MpuIncomplete(),
    objects.S3NoncurrentVersions(),
    objects.S3Abandoned(),
    records.EcrNoLifecycle(),
    records.LogGroupUnused(),
    records.LogGroupNoRetention(),
)
CHECKS: dict[str, Check] = {
    check.check_id: check for check in EVALUATORS if not isinstance(check, network.ClassicLbIdle)
}

__all__ = ["CHECKS", "EVALUATORS", "Check"]
