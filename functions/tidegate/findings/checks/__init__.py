"""The registered checks, in the order they are shown."""

from __future__ import annotations

from tidegate.findings.checks import (
    compute,
    databases,
    ebs,
    network,
    objects,
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
    compute.Ec2OffHours(),
    compute.SpotCandidate(),
    databases.RdsIdle(),
    databases.ElastiCacheIdle(),
    compute.CapacityReservationUnused(),
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
