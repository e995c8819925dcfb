"""Actions on RDS instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from tidegate_kit.session_policy import Grant

from tidegate.discovery.public import Found
from tidegate.findings.actions.base import Account, Action, Job, Parameters, Phase

_SETTLED = ("available", "storage-optimization")


def _single(found: Found) -> str | None:
    """Members of clusters and replicas follow their cluster or source."""
    for name in ("cluster_id", "replica_of"):
        if found.attributes.get(name):
            return "The instance is part of a cluster or a replica."
    return None


class StopDbInstance(Action):
    """Stop an instance; the undo starts it. AWS itself starts it again after seven days."""

    id = "rds.stop_instance"
    title = "Stop the database instance"
    service = "rds"
    types = ("rds:db-instance",)
    reversible = True
    acts = ("rds:StopDBInstance",)
    undoes = ("rds:StartDBInstance",)

    def problem(self, found: Found, parameters: Mapping[str, Any]) -> str | None:
        """Available single instances without replicas."""
        if found.state != "available":
            return "The instance is not available."
        return "The instance has replicas." if found.attributes.get("replicas") else _single(found)

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By status; everything but the two ends is AWS at work."""
        if found is None:
            return "other"
        ends: dict[str | None, Phase] = {"available": "before", "stopped": "applied"}
        return ends.get(found.state, "moving")

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Stop it."""
        client = account.client("rds", [Grant(self.acts, (job.arn,))])
        client.stop_db_instance(DBInstanceIdentifier=job.ref.short_id)
        return {"after": "stopped"}

    def undo(self, account: Account, job: Job) -> Mapping[str, Any] | None:
        """Start it."""
        client = account.client("rds", [Grant(self.undoes, (job.arn,))])
        client.start_db_instance(DBInstanceIdentifier=job.ref.short_id)
        return {"after": "available"}


class StorageParameters(Parameters):
    """The new storage type; IOPS and MB/s where the type and the size take them."""

    storage_type: Literal["gp2", "gp3", "io1", "io2", "standard"]
    iops: int | None = Field(default=None, ge=1000, le=256000)
    throughput_mbps: int | None = Field(default=None, ge=125, le=4000)


class ModifyStorage(Action):
    """Change the storage type at once. AWS takes the next change only hours later, as with EBS."""

    id = "rds.modify_storage"
    title = "Change the database's storage type"
    service = "rds"
    types = ("rds:db-instance",)
    reversible = True
    parameters = StorageParameters
    acts = ("rds:ModifyDBInstance",)
    undoes = ("rds:ModifyDBInstance",)

    def problem(self, found: Found, parameters: Mapping[str, Any]) -> str | None:
        """Available single instances."""
        return "The instance is not available." if found.state != "available" else _single(found)

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """Storage type, IOPS, throughput noted down."""
        names = ("storage_type", "iops", "throughput_mbps")
        return {name: found.attributes.get(name) for name in names}

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By storage type and the figures chosen with it."""
        if found is None:
            return "other"
        for phase, wanted in (("applied", job.parameters), ("before", job.captured)):
            if _has(found, wanted):
                return phase if found.state in _SETTLED else "moving"  # type: ignore[return-value]
        return "moving" if found.state not in _SETTLED else "other"

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Set the new storage."""
        return self._modify(account, job, job.parameters)

    def undo(self, account: Account, job: Job) -> Mapping[str, Any] | None:
        """Set the old one."""
        return self._modify(account, job, job.captured)

    def _modify(self, account: Account, job: Job, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        chosen = {name: value for name, value in wanted.items() if value is not None}
        names = {
            "storage_type": "StorageType",
            "iops": "Iops",
            "throughput_mbps": "StorageThroughput",
        }
        client = account.client("rds", [Grant(self.acts, (job.arn,))])
        client.modify_db_instance(
            DBInstanceIdentifier=job.ref.short_id,
            ApplyImmediately=True,
            **{names[name]: value for name, value in chosen.items()},
        )
        return chosen


def _has(found: Found, wanted: Mapping[str, Any]) -> bool:
    return "storage_type" in wanted and all(
        found.attributes.get(name) == value for name, value in wanted.items() if value is not None
    )
