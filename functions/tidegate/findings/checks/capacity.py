"""How EC2 capacity is bought: spot and capacity reservations."""

from __future__ import annotations

from dataclasses import replace

from tidegate.findings.checks.base import METRICS, Check, Hit, Thresholds, days, number
from tidegate.findings.checks.compute import BASICS, LIST, on_demand, paid_by_the_hour
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import HOURS_A_MONTH, quantity, saving
from tidegate.findings.checks.subject import Subject, Unread
from tidegate.findings.prices.book import PriceBook
from tidegate.findings.prices.spot import spot

RESERVATIONS = "ec2:DescribeCapacityReservations"


class SpotCandidate(Check):
    """An on-demand instance of an Auto Scaling group, where spot is rarely interrupted."""

    check_id = "spot-candidate"
    group = "waste"
    title = "Auto Scaling instance that spot could serve"
    severity = "low"
    type = "ec2:instance"
    services = ("ec2-instances",)
    lists = (LIST,)
    reads = {**BASICS, "launched_at": LIST}
    limits = {"days": days(7), "highest_band": number(1, "interruption band")}
    formula = "hours * price * spot_percent / 100"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when running on demand in a group, with a band of at most `highest_band`."""
        if not paid_by_the_hour(subject):
            return None
        # A group replaces what is interrupted; of other instances that is not known.
        if "aws:autoscaling:groupName" not in subject.line["tags"]:
            return None
        if subject.days_since(subject.attr("launched_at")) < limits["days"]:
            return None
        advice = spot(str(subject.attr("instance_type")), subject.region)
        if advice is None:
            raise Unread("instance_type", "no spot data for this type and region")
        if advice.band > limits["highest_band"]:
            return None
        quantities = [
            quantity("hours", HOURS_A_MONTH, "hour"),
            quantity("spot_percent", advice.percent, "percent"),
        ]
        return Hit(
            # The advisor's percent is of the list price: it says nothing of a discounted one.
            saving(
                self.formula,
                quantities,
                [replace(on_demand(prices, subject), effective_unit_price=None)],
                "estimate",
            ),
            {
                "instance_type": subject.attr("instance_type"),
                "interruption_band": advice.band_label,
                "spot_source": advice.source,
                "spot_date": advice.date,
            },
        )


class CapacityReservationUnused(Check):
    """Reserved capacity is paid for whether instances run in it or not."""

    check_id = "capacity-reservation-unused"
    group = "waste"
    title = "Unused capacity reservation"
    severity = "high"
    type = "ec2:capacity-reservation"
    services = ("ec2-capacity-reservations",)
    lists = (RESERVATIONS,)
    reads = {
        "instance_type": RESERVATIONS,
        "platform": RESERVATIONS,
        "tenancy": RESERVATIONS,
        "total": RESERVATIONS,
        "created_at": RESERVATIONS,
        "metrics.used_max": METRICS,
        "metrics.available_now": RESERVATIONS,
    }
    limits = {"days": days(7, high=7)}
    formula = "hours * unused * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when some of it was never used in 7 days; that part is the saving."""
        if subject.state != "active":
            return None
        if subject.days_since(subject.attr("created_at")) < limits["days"]:
            return None
        total = int(subject.attr("total"))
        used_max = int(subject.gauge("used_max"))
        unused = min(total - used_max, int(subject.metric("available_now")))
        if unused <= 0:
            return None
        quantities = [
            quantity("hours", HOURS_A_MONTH, "hour"),
            quantity("unused", unused, "instance"),
        ]
        return Hit(
            saving(self.formula, quantities, [on_demand(prices, subject)]),
            {
                "instance_type": subject.attr("instance_type"),
                "total": total,
                "used_max": used_max,
            },
        )
