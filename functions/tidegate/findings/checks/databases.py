"""RDS, ElastiCache and DynamoDB."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from tidegate.findings.checks.base import METRICS, Check, Hit, Thresholds, days, number, percent
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import HOURS_A_MONTH, quantity, saving
from tidegate.findings.checks.network import old_enough
from tidegate.findings.checks.subject import Subject
from tidegate.findings.domain import PriceUsed
from tidegate.findings.prices.book import PriceBook

INSTANCES = "rds:DescribeDBInstances"
SNAPSHOTS = "rds:DescribeDBSnapshots"
CACHES = "elasticache:DescribeCacheClusters"
TABLES = "dynamodb:ListTables"
TABLE = "dynamodb:DescribeTable"


class RdsIdle(Check):
    """A database that nobody connects to."""

    check_id = "rds-idle"
    group = "waste"
    title = "Idle RDS instance"
    severity = "high"
    type = "rds:db-instance"
    services = ("rds-instances",)
    lists = (INSTANCES,)
    reads = {
        "instance_class": INSTANCES,
        "engine": INSTANCES,
        "license_model": INSTANCES,
        "multi_az": INSTANCES,
        "created_at": INSTANCES,
        "cluster_id": INSTANCES,
        "replica_of": INSTANCES,
        "metrics.connections_max": METRICS,
    }
    limits = {"days": days(14, high=14)}
    action = "rds.stop_instance"
    formula = "hours * zones * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when available, old enough, with 0 connections at any time of 14 days."""
        if subject.state != "available" or subject.optional("cluster_id"):
            return None
        connections = subject.gauge("connections_max")
        if connections > 0 or not old_enough(subject, limits):
            return None
        zones = 2 if subject.optional("multi_az") else 1
        quantities = [
            quantity("hours", HOURS_A_MONTH, "hour"),
            quantity("zones", zones, "instance"),
        ]
        kind, engine = subject.attr("instance_class"), str(subject.attr("engine"))
        price = prices.price(f"rds/{kind}/{engine}", subject.region, "hour")
        return Hit(
            saving(self.formula, quantities, [price]),
            {"instance_class": kind, "engine": engine, "connections_max": str(connections)},
        )


class RdsGp2(Check):
    """RDS storage on gp2 that gp3 serves at the same price or less, with more IOPS.

    Included with gp3: 3,000 IOPS and 125 MiB/s, from 400 GiB (Oracle 200) 12,000 and 500
    (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html).
    """

    check_id = "rds-gp2"
    group = "storage"
    title = "RDS storage on gp2"
    severity = "low"
    type = "rds:db-instance"
    services = ("rds-instances",)
    lists = (INSTANCES,)
    reads = {
        "storage_type": INSTANCES,
        "storage_gib": INSTANCES,
        "engine": INSTANCES,
        "multi_az": INSTANCES,
    }
    action = "rds.modify_storage"
    formula = "size * zones * (gp2_price - gp3_price) - extra_iops * zones * iops_price"
    _PLAIN = "size * zones * (gp2_price - gp3_price)"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found for gp2 unless gp3 with the IOPS to match costs more."""
        if subject.attr("storage_type") != "gp2":
            return None
        size, zones = int(subject.attr("storage_gib")), 2 if subject.optional("multi_az") else 1
        large = size >= (200 if str(subject.optional("engine")).startswith("oracle") else 400)
        extra = max(0, min(64000, 3 * size) - (12000 if large else 3000))
        quantities = [quantity("size", size, "GiB"), quantity("zones", zones, "instance")]
        used = [
            prices.price("rds/gp2/storage", subject.region, "GiB-month", "gp2_price"),
            prices.price("rds/gp3/storage", subject.region, "GiB-month", "gp3_price"),
        ]
        if extra:
            quantities.append(quantity("extra_iops", extra, "IOPS"))
            used.append(prices.price("rds/gp3/iops", subject.region, "IOPS-month", "iops_price"))
        priced = saving(self.formula if extra else self._PLAIN, quantities, used)
        if priced.monthly is not None and priced.monthly < 0:
            return None
        return Hit(
            priced,
            {"storage_type": "gp2", "storage_gib": size, "gp2_iops": max(100, 3 * size)},
            {"storage_type": "gp3"},
        )


class RdsSnapshotOld(Check):
    """A manual snapshot that nobody deleted."""

    check_id = "rds-snapshot-old"
    group = "storage"
    title = "Old manual RDS snapshot"
    severity = "low"
    type = "rds:db-snapshot"
    services = ("rds-snapshots",)
    lists = (SNAPSHOTS,)
    reads = {"snapshot_type": SNAPSHOTS, "storage_gib": SNAPSHOTS, "created_at": SNAPSHOTS}
    limits = {"days": days(90)}
    formula = "size * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found for manual ones older than `days`. AWS tells the volume's size only."""
        if subject.attr("snapshot_type") != "manual":
            return None
        age = subject.days_since(subject.attr("created_at"))
        if age < limits["days"]:
            return None
        size = quantity("size", subject.attr("storage_gib"), "GiB")
        price = prices.price("rds/snapshot", subject.region, "GiB-month")
        return Hit(
            saving(self.formula, [size], [price], "upper_bound"),
            {"age_days": str(age), "storage_gib": subject.attr("storage_gib")},
        )


class ElastiCacheIdle(Check):
    """A cache that nobody connects to."""

    check_id = "elasticache-idle"
    group = "waste"
    title = "Idle ElastiCache cluster"
    severity = "high"
    type = "elasticache:cluster"
    services = ("elasticache",)
    lists = (CACHES,)
    reads = {
        "node_type": CACHES,
        "nodes": CACHES,
        "engine": CACHES,
        "created_at": CACHES,
        "metrics.connections_max": METRICS,
        "metrics.new_connections": METRICS,
    }
    limits = {"days": days(14, high=14)}
    formula = "hours * nodes * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when available, old enough, with 0 connections in 14 days."""
        if subject.state != "available":
            return None
        connections = subject.gauge("connections_max")
        if connections > 0 or not old_enough(subject, limits):
            return None
        quantities = [
            quantity("hours", HOURS_A_MONTH, "hour"),
            quantity("nodes", int(subject.attr("nodes")), "node"),
        ]
        key = f"elasticache/{subject.attr('node_type')}/{subject.attr('engine')}"
        return Hit(
            saving(self.formula, quantities, [prices.price(key, subject.region, "hour")]),
            {"node_type": subject.attr("node_type"), "connections_max": str(connections)},
        )


class DynamoDbOverprovisioned(Check):
    """A provisioned table that uses little of its capacity at its busiest hour."""

    check_id = "dynamodb-overprovisioned"
    group = "waste"
    title = "Overprovisioned DynamoDB table"
    type = "dynamodb:table"
    services = ("dynamodb",)
    lists = (TABLES,)
    reads = {
        "billing_mode": TABLE,
        "table_class": TABLE,
        "provisioned": TABLE,
        "created_at": TABLE,
        "metrics.consumed_read_hours": METRICS,
        "metrics.consumed_write_hours": METRICS,
    }
    limits = {
        "days": days(14, high=14),
        "used_percent": percent(20),
        "headroom_percent": percent(50),
        "smallest_units": number(5, "units"),
    }
    action = "dynamodb.set_capacity"
    formula = "hours * (surplus_read * read_price + surplus_write * write_price)"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when reads or writes use under `used_percent` at the busiest hour of 14 days.

        What is kept: the busiest hour plus `headroom_percent`, at least `smallest_units`.
        """
        if subject.attr("billing_mode") != "PROVISIONED" or not old_enough(subject, limits):
            return None
        given = subject.attr("provisioned")
        kept: dict[str, int] = {}
        quantities = [quantity("hours", HOURS_A_MONTH, "hour")]
        for kind in ("read", "write"):
            have = int(given[f"{kind}_units"])
            busiest = per_second(subject.metric(f"consumed_{kind}_hours"))
            idle = busiest * 100 < have * limits["used_percent"]
            need = math.ceil(busiest * (100 + limits["headroom_percent"]) / 100)
            target = max(need, int(limits["smallest_units"]))
            kept[kind] = min(have, target) if idle else have
            quantities.append(quantity(f"surplus_{kind}", have - kept[kind], "unit"))
        if all(part.value == 0 for part in quantities[1:]):
            return None
        standard = (subject.optional("table_class") or "STANDARD") == "STANDARD"
        used = [_unit_price(prices, subject.region, kind, standard) for kind in ("read", "write")]
        return Hit(
            saving(self.formula, quantities, used, "estimate"),
            {"provisioned": given, "kept": kept},
            {
                "billing_mode": "PROVISIONED",
                "read_units": kept["read"],
                "write_units": kept["write"],
            },
        )


def _unit_price(prices: PriceBook, region: str, kind: str, standard: bool) -> PriceUsed:
    key = f"dynamodb/{kind}-unit" if standard else f"dynamodb/infrequent/{kind}-unit"
    return prices.price(key, region, "hour", f"{kind}_price")


def per_second(series: dict[str, Any]) -> Decimal:
    """The busiest hour's average units a second; hours without data consumed nothing."""
    values = [Decimal(str(value)) for value in series["values"] if value is not None]
    return max(values, default=Decimal(0)) / int(series["period"])
