"""EBS volumes: unattached ones, and gp2 that gp3 would serve for less."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from tidegate.findings.checks.base import METRICS, Check, Hit, Thresholds, days
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import quantity, saving
from tidegate.findings.checks.subject import Subject, Unread
from tidegate.findings.domain import PriceUsed, Quantity
from tidegate.findings.prices.book import PriceBook

LIST = "ec2:DescribeVolumes"
_SAMPLED_DAYS = Decimal(7)  # what the inventory's `attached_samples` looks back
_GP3_IOPS, _GP3_MIBPS = 3000, 125  # part of every gp3 volume
_IO2_TIER2, _IO2_TIER3 = 32_000, 64_000  # IOPS above which io2 is cheaper


def volume_parts(
    attributes: Any, region: str, prices: PriceBook, suffix: str = ""
) -> tuple[str, list[Quantity], list[PriceUsed]]:
    """(formula, quantities, prices) of what a volume costs a month; names end in `suffix`.

    Raises Unread for a volume whose size or type is not known.
    """
    kind, size = attributes.get("volume_type"), attributes.get("size_gib")
    if kind is None or size is None:
        raise Unread("size_gib")
    formula = f"size{suffix} * storage_price{suffix}"
    quantities = [quantity(f"size{suffix}", size, "GiB")]
    used = [prices.price(f"ebs/{kind}/storage", region, "GiB-month", f"storage_price{suffix}")]
    for tier, extra in _extra_iops(kind, attributes.get("iops") or 0):
        name = tier.replace("/", "_")
        formula += f" + extra_iops{name}{suffix} * iops_price{name}{suffix}"
        quantities.append(quantity(f"extra_iops{name}{suffix}", extra, "IOPS"))
        used.append(
            prices.price(
                f"ebs/{kind}/iops{tier}", region, "IOPS-month", f"iops_price{name}{suffix}"
            )
        )
    faster = max(0, (attributes.get("throughput_mbps") or 0) - _GP3_MIBPS)
    if kind == "gp3" and faster:
        formula += f" + extra_throughput{suffix} * throughput_price{suffix}"
        quantities.append(quantity(f"extra_throughput{suffix}", faster, "MiBps"))
        used.append(
            prices.price("ebs/gp3/throughput", region, "MiBps-month", f"throughput_price{suffix}")
        )
    return formula, quantities, used


def _extra_iops(kind: str, iops: int) -> list[tuple[str, int]]:
    """(tier of the price's key, IOPS) of what is charged beside storage.

    io2 is cheaper above 32,000 and above 64,000 (https://aws.amazon.com/ebs/pricing/).
    """
    if kind == "gp3":
        parts = [("", iops - _GP3_IOPS)]
    elif kind == "io2":
        middle = min(iops, _IO2_TIER3) - _IO2_TIER2
        parts = [("", min(iops, _IO2_TIER2)), ("/tier2", middle), ("/tier3", iops - _IO2_TIER3)]
    else:
        parts = [("", iops if kind == "io1" else 0)]
    return [(tier, extra) for tier, extra in parts if extra > 0]


class EbsUnattached(Check):
    """A volume that no instance has used for days costs its full price."""

    check_id = "ebs-unattached"
    group = "waste"
    title = "Unattached EBS volume"
    severity = "high"
    type = "ec2:volume"
    services = ("ec2-volumes",)
    lists = (LIST,)
    reads = {
        "volume_type": LIST,
        "size_gib": LIST,
        "iops": LIST,
        "throughput_mbps": LIST,
        "created_at": LIST,
        "metrics.attached_samples": METRICS,
    }
    limits = {"days": days(7)}
    action = "ec2.delete_volume"
    formula = "size * storage_price + extra_iops * iops_price + extra_throughput * throughput_price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when state is available and nothing was attached for `days`."""
        if subject.state != "available":
            return None
        age = subject.days_since(subject.attr("created_at"))
        samples = subject.counted("attached_samples")
        if age < limits["days"]:
            return None
        idle = subject.unchanged_days
        if samples == 0:
            idle = max(idle, min(age, _SAMPLED_DAYS))
        elif limits["days"] >= _SAMPLED_DAYS:
            return None
        if idle < limits["days"]:
            raise Unread("metrics.attached_samples", f"watched for {idle} days only")
        attributes = {
            name: subject.optional(name)
            for name in ("volume_type", "size_gib", "iops", "throughput_mbps")
        }
        formula, quantities, used = volume_parts(attributes, subject.region, prices)
        return Hit(
            saving(formula, quantities, used),
            {"state": "available", "unattached_days": str(idle), **attributes},
        )


class EbsGp2ToGp3(Check):
    """gp3 costs less than gp2 and can be given the same IOPS and throughput.

    What gp2 can do: https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html.
    """

    check_id = "ebs-gp2-to-gp3"
    group = "storage"
    title = "gp2 volume that gp3 would serve for less"
    type = "ec2:volume"
    services = ("ec2-volumes",)
    lists = (LIST,)
    reads = {"volume_type": LIST, "size_gib": LIST}
    action = "ec2.modify_volume"
    formula = (
        "size * (gp2_price - gp3_price) - extra_iops * iops_price"
        " - extra_throughput * throughput_price"
    )

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found for gp2, unless the IOPS and throughput to match cost more than is saved."""
        if subject.attr("volume_type") != "gp2" or subject.state not in ("available", "in-use"):
            return None
        size = int(subject.attr("size_gib"))
        iops, mibps = gp2_performance(size)
        place = subject.region
        quantities = [
            quantity("size", size, "GiB"),
            quantity("extra_iops", max(0, iops - _GP3_IOPS), "IOPS"),
            quantity("extra_throughput", max(0, mibps - _GP3_MIBPS), "MiBps"),
        ]
        used = [
            prices.price("ebs/gp2/storage", place, "GiB-month", "gp2_price"),
            prices.price("ebs/gp3/storage", place, "GiB-month", "gp3_price"),
            prices.price("ebs/gp3/iops", place, "IOPS-month", "iops_price"),
            prices.price("ebs/gp3/throughput", place, "MiBps-month", "throughput_price"),
        ]
        priced = saving(self.formula, quantities, used)
        if priced.monthly is not None and priced.monthly <= 0:
            return None
        target = {"iops": max(iops, _GP3_IOPS), "throughput_mbps": max(mibps, _GP3_MIBPS)}
        return Hit(
            priced,
            {"volume_type": "gp2", "size_gib": size, "gp2_iops": iops, "gp2_mibps": mibps},
            {"volume_type": "gp3", **target},
        )


def gp2_performance(size_gib: int) -> tuple[int, int]:
    """(IOPS, MiB/s) that a gp2 volume of this size sustains and gp3 must be given.

    3 IOPS a GiB, of 256 KiB each at most, up to 16,000 and 250 MiB/s. The 3 MiB/s that small
    volumes have above gp3's 125 are let go.
    """
    iops = min(16000, max(100, 3 * size_gib))
    mibps = _GP3_MIBPS if size_gib <= 170 else min(250, math.ceil(iops / 4))
    return iops, mibps
