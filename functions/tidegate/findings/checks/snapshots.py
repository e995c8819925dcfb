"""EBS snapshots and machine images."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tidegate.findings.checks import ebs
from tidegate.findings.checks.base import Check, Hit, Thresholds, days
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import gib, quantity, saving
from tidegate.findings.checks.subject import Subject, Unread
from tidegate.findings.domain import Confidence, Quantity
from tidegate.findings.prices.book import PriceBook

SNAPSHOTS = "ec2:DescribeSnapshots"
IMAGES = "ec2:DescribeImages"
INSTANCES = "ec2:DescribeInstances"
_STORED = dict.fromkeys(("full_size_bytes", "volume_size_gib", "storage_tier"), SNAPSHOTS)


def stored(attributes: Mapping[str, Any], name: str = "size") -> tuple[Quantity, Confidence]:
    """What a snapshot stores, in GiB.

    AWS tells the full size of newer snapshots, which is what deleting frees at most since blocks
    are shared with other snapshots; without it the volume's size is the bound. Raises Unread.
    """
    full = attributes.get("full_size_bytes")
    if full is not None:
        return quantity(name, gib(full), "GiB"), "upper_bound"
    size = attributes.get("volume_size_gib")
    if size is None:
        raise Unread("volume_size_gib")
    return quantity(name, size, "GiB"), "upper_bound"


def _tier(attributes: Mapping[str, Any]) -> str:
    return str(attributes.get("storage_tier") or "standard")


class SnapshotOrphaned(Check):
    """A snapshot whose volume is gone and that no image needs."""

    check_id = "snapshot-orphaned"
    group = "storage"
    title = "Snapshot without volume or image"
    type = "ec2:snapshot"
    services = ("ec2-snapshots", "ec2-volumes", "ec2-images")
    lists = (SNAPSHOTS, ebs.LIST, IMAGES)
    reads = {"volume_id": SNAPSHOTS, "started_at": SNAPSHOTS, **_STORED}
    limits = {"days": days(30)}
    action = "ec2.delete_snapshot"
    formula = "size * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when older than `days`, with no volume and no image of the region left."""
        if is_kept(subject, facts):
            return None
        age = subject.days_since(subject.attr("started_at"))
        if age < limits["days"]:
            return None
        attributes = {name: subject.optional(name) for name in _STORED}
        size, confidence = stored(attributes)
        key = f"ebs/snapshot/{_tier(attributes)}"
        price = prices.price(key, subject.region, "GiB-month")
        return Hit(
            saving(self.formula, [size], [price], confidence),
            {"volume_id": subject.optional("volume_id"), "age_days": str(age), **attributes},
        )


def is_kept(subject: Subject, facts: Facts) -> bool:
    """True when the snapshot's volume is there or an image is made of it."""
    return (
        subject.attr("volume_id") in facts.volume_ids or subject.short_id in facts.image_snapshots
    )


class SnapshotOld(Check):
    """An old snapshot of a living volume costs a quarter in the archive tier.

    Images cannot use archived snapshots, and orphaned ones are snapshot-orphaned's.
    """

    check_id = "snapshot-old"
    group = "storage"
    title = "Old snapshot that could be archived"
    severity = "low"
    type = "ec2:snapshot"
    services = ("ec2-snapshots", "ec2-volumes", "ec2-images")
    lists = (SNAPSHOTS, ebs.LIST, IMAGES)
    reads = {"volume_id": SNAPSHOTS, "started_at": SNAPSHOTS, **_STORED}
    limits = {"days": days(90)}
    formula = "size * (standard_price - archive_price)"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found in the standard tier, older than `days`, of a volume that is still there."""
        attributes = {name: subject.optional(name) for name in _STORED}
        age = subject.days_since(subject.attr("started_at"))
        if age < limits["days"] or _tier(attributes) != "standard":
            return None
        if subject.attr("volume_id") not in facts.volume_ids:
            return None
        if subject.short_id in facts.image_snapshots:
            return None
        # The archive stores the full snapshot, so its size is charged there in any case.
        size, confidence = stored(attributes)
        used = [
            prices.price("ebs/snapshot/standard", subject.region, "GiB-month", "standard_price"),
            prices.price("ebs/snapshot/archive", subject.region, "GiB-month", "archive_price"),
        ]
        return Hit(
            saving(self.formula, [size], used, confidence),
            {"age_days": str(age), **attributes},
        )


class AmiUnused(Check):
    """An image that nothing was launched from still pays for its snapshots."""

    check_id = "ami-unused"
    group = "storage"
    title = "Unused machine image"
    type = "ec2:image"
    services = ("ec2-images", "ec2-instances", "ec2-snapshots")
    lists = (IMAGES, INSTANCES, SNAPSHOTS)
    reads = {
        "created_at": IMAGES,
        "last_launched_at": IMAGES,
        "snapshot_ids": IMAGES,
        "public": IMAGES,
    }
    limits = {"days": days(90)}
    action = "ec2.deregister_image"
    formula = "size * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when no instance runs it and it was made and last launched before `days`."""
        if subject.short_id in facts.used_images or subject.optional("public"):
            return None
        last = subject.optional("last_launched_at") or subject.attr("created_at")
        idle = min(subject.days_since(last), subject.days_since(subject.attr("created_at")))
        if idle < limits["days"]:
            return None
        ids = list(subject.attr("snapshot_ids"))
        total = Decimal(0)
        for id_ in ids:
            if id_ not in facts.snapshots:
                raise Unread("snapshot_ids", "one of its snapshots is not in the inventory")
            total += stored(facts.snapshots[id_])[0].value
        price = prices.price("ebs/snapshot/standard", subject.region, "GiB-month")
        return Hit(
            saving(self.formula, [quantity("size", total, "GiB")], [price], "upper_bound"),
            {"unused_days": str(idle), "snapshot_ids": ids},
        )
