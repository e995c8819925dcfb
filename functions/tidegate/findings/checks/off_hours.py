"""EC2 instances that are idle at the same hours of every week."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tidegate.findings.checks.base import METRICS, Check, Hit, Thresholds, number, percent
from tidegate.findings.checks.compute import BASICS, LIST, on_demand, paid_by_the_hour
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import quantity, saving
from tidegate.findings.checks.subject import Subject, Unread
from tidegate.findings.prices.book import PriceBook

_WEEK = 168


class Ec2OffHours(Check):
    """An instance that is idle at the same hours of every week could be off then."""

    check_id = "ec2-off-hours"
    group = "waste"
    title = "Instance idle at regular hours"
    severity = "low"
    type = "ec2:instance"
    services = ("ec2-instances",)
    lists = (LIST,)
    reads = {**BASICS, "launched_at": LIST, "metrics.cpu_hours": METRICS}
    limits = {
        "cpu_percent": percent(5),
        "idle_hours": number(40, "hours/week"),
        "measured_percent": percent(90),
    }
    action = "ec2.create_tags"
    formula = "price * idle_hours * 52 / 12"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when enough hours of the week were idle in each of the 2 weeks, but not all.

        An instance that is idle all week is ec2-idle's.
        """
        if not paid_by_the_hour(subject):
            return None
        series = subject.metric("cpu_hours")
        values = series["values"]
        if subject.days_since(subject.attr("launched_at")) < series["days"]:
            return None
        measured = sum(value is not None for value in values)
        if measured * 100 < len(values) * limits["measured_percent"]:
            raise Unread("metrics.cpu_hours", f"{measured} of {len(values)} hours measured")
        idle = idle_hours(values, limits["cpu_percent"])
        if len(idle) < limits["idle_hours"] or len(idle) == _WEEK:
            return None
        return Hit(
            saving(
                self.formula,
                [quantity("idle_hours", len(idle), "hours/week")],
                [on_demand(prices, subject)],
                "estimate",
            ),
            {
                "instance_type": subject.attr("instance_type"),
                "idle_hours_per_week": len(idle),
                "map_start": series["start"],
                "idle_hour_map": _ranges(idle),
            },
            {"tags": {"tidegate:off-hours": _ranges(idle)[:256]}},
        )


def idle_hours(values: list[Any], limit: Decimal) -> list[int]:
    """Hours of the week, counted from the series' start, that are idle in every week of it."""
    return [
        hour
        for hour in range(_WEEK)
        if all(value is not None and Decimal(str(value)) <= limit for value in values[hour::_WEEK])
    ]


def _ranges(hours: list[int]) -> str:
    """[0, 1, 2, 7] as "0-2 7"."""
    parts: list[list[int]] = []
    for hour in hours:
        if parts and parts[-1][-1] == hour - 1:
            parts[-1].append(hour)
        else:
            parts.append([hour])
    return " ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
