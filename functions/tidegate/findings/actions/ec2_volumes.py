"""Actions on EBS volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from botocore.exceptions import ClientError
from pydantic import Field
from tidegate_kit.session_policy import Grant, reading

from tidegate.discovery.public import Found
from tidegate.findings.actions.base import (
    MARK,
    Account,
    Action,
    ActionRefused,
    Job,
    Parameters,
    Phase,
    gone_phase,
    is_gone,
    tag_list,
)
from tidegate.findings.actions.encryption import CREATE_GRANT, KEY_USES, foreign, restoring

_OWN_IOPS = ("io1", "io2", "gp3")  # types whose IOPS are chosen, not derived


class DeleteVolume(Action):
    """Delete an unattached volume; a final snapshot is complete before.

    The undo makes a volume of that snapshot: size, type, IOPS, throughput, zone, encryption,
    multi-attach and tags are as before; id, creation time and source snapshot cannot be.
    """

    id = "ec2.delete_volume"
    title = "Delete the volume, keeping a final snapshot"
    service = "ec2"
    types = ("ec2:volume",)
    reversible = True
    prepares = (
        "ec2:CreateSnapshot",
        "ec2:CreateTags",
        "ec2:DescribeSnapshots",
        "ec2:DeleteSnapshot",
    )
    acts = ("ec2:DeleteVolume",)
    undoes = (
        "ec2:CreateTags",
        "ec2:CreateVolume",
        "ec2:DeleteSnapshot",
        "ec2:DeleteTags",
        "ec2:DescribeVolumes",
    )
    through = (CREATE_GRANT, *KEY_USES)

    def problem(self, found: Found, parameters: Mapping[str, Any]) -> str | None:
        """Attached volumes are in use; one under another account's key could not be restored."""
        if found.state != "available" or found.attributes.get("attachments"):
            return "The volume is attached or not available."
        if foreign(found.attributes.get("kms_key_id"), found.arn.split(":")[4]):
            return "The volume is encrypted with another account's key: it could not be restored."
        return None

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """Settings and tags noted down, final snapshot complete."""
        snapshot = self._final_snapshot(account, job)
        if snapshot["State"] == "error":
            raise ActionRefused("PREPARATION_FAILED", "The final snapshot failed.")
        if snapshot["State"] != "completed":
            return None
        kept = (
            "volume_type", "size_gib", "iops", "throughput_mbps", "availability_zone", "kms_key_id",
        )  # fmt: skip
        settings = {name: found.attributes.get(name) for name in kept}
        return {
            **settings,
            "multi_attach": bool(found.attributes.get("multi_attach")),
            "tags": dict(found.tags),
            "snapshot_id": snapshot["SnapshotId"],
        }

    def _final_snapshot(self, account: Account, job: Job) -> dict[str, Any]:
        # CreateSnapshot knows no client token: the mark tells our own snapshot of an earlier try.
        reader = account.client("ec2", [reading(["ec2:DescribeSnapshots"])])
        marks = [{"Name": f"tag:{MARK}", "Values": [job.key]}]
        known = reader.describe_snapshots(OwnerIds=["self"], Filters=marks)["Snapshots"]
        if known:
            return dict(known[0])
        maker = account.client("ec2", _making("CreateSnapshot", "snapshot", job, (job.arn,)))
        made = maker.create_snapshot(
            VolumeId=job.ref.short_id,
            Description=f"Final snapshot of {job.ref.short_id} before its deletion",
            TagSpecifications=[
                {"ResourceType": "snapshot", "Tags": [{"Key": MARK, "Value": job.key}]}
            ],
        )
        return dict(made)

    def discard(self, account: Account, job: Job) -> None:
        """Delete the final snapshot."""
        if "snapshot_id" in job.captured:
            _delete_snapshot(account, job)

    def phase(self, found: Found | None, job: Job) -> Phase:
        """Gone is applied."""
        if found is not None and found.attributes.get("attachments"):
            return "other"
        return gone_phase(found)

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Delete the volume."""
        client = account.client("ec2", [Grant(self.acts, (job.arn,))])
        try:
            client.delete_volume(VolumeId=job.ref.short_id)
        except ClientError as error:
            if not is_gone(error):
                raise
        return {"final_snapshot_id": job.captured["snapshot_id"]}

    def undo(self, account: Account, job: Job) -> Mapping[str, Any] | None:
        """Make the volume anew; when it is there, take away its mark and the final snapshot."""
        volume = self._restored(account, job)
        if volume["State"] == "error":
            raise ActionRefused("RESTORE_FAILED", "The volume could not be made of the snapshot.")
        if volume["State"] != "available":
            return None
        restored = job.sibling("volume", volume["VolumeId"])
        cleaner = account.client("ec2", [Grant(("ec2:DeleteTags",), (restored,))])
        cleaner.delete_tags(Resources=[volume["VolumeId"]], Tags=[{"Key": MARK}])
        _delete_snapshot(account, job)
        return {"volume_id": volume["VolumeId"]}

    def undone(self, found: Found | None, job: Job) -> bool:
        """The new volume has another id: `undo` itself tells."""
        return True

    def _restored(self, account: Account, job: Job) -> dict[str, Any]:
        captured = job.captured
        # Nobody else knows the final snapshot: a volume made of it is ours.
        source = [{"Name": "snapshot-id", "Values": [captured["snapshot_id"]]}]
        reader = account.client("ec2", [reading(["ec2:DescribeVolumes"])])
        known = reader.describe_volumes(Filters=source)["Volumes"]
        if known:
            return dict(known[0])
        snapshot = job.sibling("snapshot", captured["snapshot_id"])
        grants = _making("CreateVolume", "volume", job, (snapshot,))
        if captured.get("kms_key_id"):
            grants += restoring(job, str(captured["kms_key_id"]))
        maker = account.client("ec2", grants)
        request: dict[str, Any] = {
            "SnapshotId": captured["snapshot_id"],
            "AvailabilityZone": captured["availability_zone"],
            "VolumeType": captured["volume_type"],
            "Size": captured["size_gib"],
            "ClientToken": job.key,
            "TagSpecifications": [
                {
                    "ResourceType": "volume",
                    "Tags": [*tag_list(captured["tags"]), {"Key": MARK, "Value": job.key}],
                }
            ],
        }
        if captured["volume_type"] in _OWN_IOPS and captured["iops"] is not None:
            request["Iops"] = captured["iops"]
        if captured["volume_type"] == "gp3" and captured["throughput_mbps"] is not None:
            request["Throughput"] = captured["throughput_mbps"]
        if captured["multi_attach"]:
            request["MultiAttachEnabled"] = True
        return dict(maker.create_volume(**request))


def _making(call: str, kind: str, job: Job, sources: tuple[str, ...]) -> list[Grant]:
    """Rights to make one marked thing of `sources`, and to tag nothing but what is being made."""
    new = job.sibling(kind, "*")
    return [
        Grant((f"ec2:{call}",), sources),
        Grant((f"ec2:{call}",), patterns=(new,),
              conditions={"StringEquals": {f"aws:RequestTag/{MARK}": job.key}}),
        Grant(("ec2:CreateTags",), patterns=(new,),
              conditions={"StringEquals": {"ec2:CreateAction": call}}),
    ]  # fmt: skip


def _delete_snapshot(account: Account, job: Job) -> None:
    snapshot = str(job.captured["snapshot_id"])
    client = account.client(
        "ec2", [Grant(("ec2:DeleteSnapshot",), (job.sibling("snapshot", snapshot),))]
    )
    try:
        client.delete_snapshot(SnapshotId=snapshot)
    except ClientError as error:
        if not is_gone(error):
            raise


class VolumeParameters(Parameters):
    """The new type; IOPS and MB/s where the type takes them."""

    volume_type: Literal["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"]
    iops: int | None = Field(default=None, ge=100, le=256000)
    throughput_mbps: int | None = Field(default=None, ge=125, le=2000)


class ModifyVolume(Action):
    """Change a volume's type, IOPS or throughput while it is in use.

    AWS takes the next change of the same volume only hours later; an undo before that is refused
    and can be tried again until its deadline.
    """

    id = "ec2.modify_volume"
    title = "Change the volume's type"
    service = "ec2"
    types = ("ec2:volume",)
    reversible = True
    parameters = VolumeParameters
    acts = ("ec2:ModifyVolume",)
    undoes = ("ec2:ModifyVolume",)

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """Type, IOPS, throughput noted down."""
        names = ("volume_type", "iops", "throughput_mbps")
        return {name: found.attributes.get(name) for name in names}

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By type, IOPS and throughput; a mixture of old and new is AWS's own work."""
        if found is None:
            return "other"
        new, old = _chosen(job.parameters), _chosen(job.captured)
        if _has(found, new):
            return "applied"
        if _has(found, old):
            return "before"
        known = found.attributes
        mixed = all(
            known.get(name) in (new.get(name), old.get(name), job.captured.get(name), None)
            for name in new
        )
        return "between" if mixed else "other"

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Set the new settings."""
        return self._modify(account, job, job.parameters)

    def undo(self, account: Account, job: Job) -> Mapping[str, Any] | None:
        """Set the old ones."""
        return self._modify(account, job, job.captured)

    def _modify(self, account: Account, job: Job, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        client = account.client("ec2", [Grant(self.acts, (job.arn,))])
        chosen = _chosen(wanted)
        names = {"volume_type": "VolumeType", "iops": "Iops", "throughput_mbps": "Throughput"}
        client.modify_volume(
            VolumeId=job.ref.short_id, **{names[name]: value for name, value in chosen.items()}
        )
        return chosen


def _chosen(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a type takes; what it derives is left out."""
    kind = settings["volume_type"]
    chosen: dict[str, Any] = {"volume_type": kind}
    if kind in _OWN_IOPS and settings.get("iops") is not None:
        chosen["iops"] = settings["iops"]
    if kind == "gp3" and settings.get("throughput_mbps") is not None:
        chosen["throughput_mbps"] = settings["throughput_mbps"]
    return chosen


def _has(found: Found, wanted: Mapping[str, Any]) -> bool:
    # What a description leaves out cannot be told from what is wanted.
    return all(found.attributes.get(name, value) == value for name, value in wanted.items())
