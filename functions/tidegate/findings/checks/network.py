"""Addresses, NAT gateways, endpoints, load balancers and interfaces that nothing uses."""

from __future__ import annotations

from decimal import Decimal

from tidegate.findings.checks.base import METRICS, Check, Hit, Thresholds, days, number
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import HOURS_A_MONTH, HYGIENE, quantity, saving
from tidegate.findings.checks.subject import Subject, Unread
from tidegate.findings.domain import PriceUsed, Saving
from tidegate.findings.prices.book import PriceBook

ADDRESSES = "ec2:DescribeAddresses"
GATEWAYS = "ec2:DescribeNatGateways"
ENDPOINTS = "ec2:DescribeVpcEndpoints"
INTERFACES = "ec2:DescribeNetworkInterfaces"
BALANCERS = "elasticloadbalancing:DescribeLoadBalancers"
GROUPS = "elasticloadbalancing:DescribeTargetGroups"
TARGETS = "elasticloadbalancing:DescribeTargetHealth"
INSTANCE_HEALTH = "elasticloadbalancing:DescribeInstanceHealth"
HOURLY = "hours * price"
_WINDOW = Decimal(7)  # days that the inventory's traffic counters look back


def hourly(price: PriceUsed) -> Saving:
    """The saving of something paid by the hour: 730 * p."""
    return saving(HOURLY, [quantity("hours", HOURS_A_MONTH, "hour")], [price])


def old_enough(subject: Subject, limits: Thresholds) -> bool:
    """True when it exists for `days`; traffic of that long is known for 7 days at most."""
    return subject.days_since(subject.attr("created_at")) >= limits["days"]


class EipIdle(Check):
    """An Elastic IP that is associated with nothing."""

    check_id = "eip-idle"
    group = "waste"
    title = "Unassociated Elastic IP address"
    severity = "low"
    type = "ec2:elastic-ip"
    services = ("ec2-addresses",)
    lists = (ADDRESSES,)
    reads = {"public_ip": ADDRESSES}
    limits = {"days": days(7)}
    action = "ec2.release_address"
    formula = HOURLY

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when the inventory has seen it unassociated for `days`."""
        if subject.state != "unassociated":
            return None
        idle = subject.unchanged_days
        if idle < limits["days"]:
            # AWS keeps no date of the last association, so only watching tells.
            raise Unread("association", f"watched for {idle} of {limits['days']} days")
        return Hit(
            hourly(prices.price("vpc/public-ipv4", subject.region, "hour")),
            {"public_ip": subject.optional("public_ip"), "unassociated_days": str(idle)},
        )


class NatIdle(Check):
    """A NAT gateway that no byte passes."""

    check_id = "nat-idle"
    group = "waste"
    title = "Idle NAT gateway"
    severity = "high"
    type = "ec2:nat-gateway"
    services = ("ec2-nat-gateways",)
    lists = (GATEWAYS,)
    reads = {
        "created_at": GATEWAYS,
        "vpc_id": GATEWAYS,
        "metrics.bytes_to_destination": METRICS,
        "metrics.bytes_to_source": METRICS,
    }
    limits = {"days": days(7, high=7)}
    action = "ec2.delete_nat_gateway"
    formula = HOURLY

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when available, old enough, with 0 bytes both ways in 7 days."""
        if subject.state != "available":
            return None
        passed = subject.counted("bytes_to_destination") + subject.counted("bytes_to_source")
        if passed > 0 or not old_enough(subject, limits):
            return None
        return Hit(
            hourly(prices.price("vpc/nat-gateway", subject.region, "hour")),
            {"bytes": str(passed), "days": str(_WINDOW), "vpc_id": subject.optional("vpc_id")},
        )


class VpcEndpointIdle(Check):
    """An endpoint that is paid by the hour in each subnet and passes no byte."""

    check_id = "vpc-endpoint-idle"
    group = "waste"
    title = "Idle VPC endpoint"
    type = "ec2:vpc-endpoint"
    services = ("ec2-vpc-endpoints",)
    lists = (ENDPOINTS,)
    reads = {
        "created_at": ENDPOINTS,
        "endpoint_type": ENDPOINTS,
        "service_name": ENDPOINTS,
        "subnet_ids": ENDPOINTS,
        "managed": ENDPOINTS,
        "metrics.bytes_processed": METRICS,
    }
    limits = {"days": days(7, high=7)}
    action = "ec2.delete_vpc_endpoint"
    formula = "hours * zones * price"
    _KEYS = {
        "Interface": "vpc/endpoint/interface",
        "GatewayLoadBalancer": "vpc/endpoint/gateway-load-balancer",
    }

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found for interface and gateway load balancer endpoints with 0 bytes in 7 days."""
        key = self._KEYS.get(str(subject.attr("endpoint_type")))
        if key is None or subject.optional("managed"):
            return None
        if str(subject.state).lower() != "available":
            return None
        passed = subject.counted("bytes_processed")
        if passed > 0 or not old_enough(subject, limits):
            return None
        zones = len(subject.optional("subnet_ids") or ())
        if zones == 0:
            return None  # without a subnet nothing is charged
        quantities = [
            quantity("hours", HOURS_A_MONTH, "hour"),
            quantity("zones", zones, "zone"),
        ]
        price = prices.price(key, subject.region, "hour")
        return Hit(
            saving(self.formula, quantities, [price]),
            {"service_name": subject.optional("service_name"), "bytes": str(passed)},
        )


class LbIdle(Check):
    """A load balancer without a healthy target, or with next to no requests."""

    check_id = "lb-idle"
    group = "waste"
    title = "Idle load balancer"
    severity = "high"
    type = "elbv2:load-balancer"
    services = ("elbv2",)
    lists = (BALANCERS,)
    reads = {
        "created_at": BALANCERS,
        "kind": BALANCERS,
        "target_groups": TARGETS,
        "metrics.requests": METRICS,
        "metrics.flows": METRICS,
    }
    limits = {"days": days(7, high=7), "requests_per_day": number(100, "requests")}
    action = "elb.delete_load_balancer"
    formula = HOURLY

    @property
    def required_actions(self) -> tuple[str, ...]:
        """Both kinds of balancers, and how their targets are."""
        return tuple(sorted({*super().required_actions, GROUPS, INSTANCE_HEALTH}))

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when old enough and without healthy targets or under `requests_per_day`."""
        kind = str(subject.attr("kind"))
        if subject.state not in ("active", None):
            return None
        healthy = sum(group["healthy"] for group in subject.attr("target_groups"))
        counter = "requests" if kind == "application" else "flows"
        daily = (subject.counted(counter) / _WINDOW).quantize(Decimal("0.01"))
        if not old_enough(subject, limits):
            return None
        if healthy > 0 and daily >= limits["requests_per_day"]:
            return None
        return Hit(
            hourly(prices.price(f"elb/{kind}", subject.region, "hour")),
            {"kind": kind, "healthy_targets": healthy, f"{counter}_per_day": str(daily)},
        )


class ClassicLbIdle(LbIdle):
    """The same of classic load balancers; one check to the user."""

    type = "elb:load-balancer"
    services = ("elb",)
    reads = {
        "created_at": BALANCERS,
        "targets": INSTANCE_HEALTH,
        "metrics.requests": METRICS,
    }

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """As LbIdle, on registered instances."""
        healthy = subject.attr("targets")["healthy"]
        daily = (subject.counted("requests") / _WINDOW).quantize(Decimal("0.01"))
        if not old_enough(subject, limits):
            return None
        if healthy > 0 and daily >= limits["requests_per_day"]:
            return None
        return Hit(
            hourly(prices.price("elb/classic", subject.region, "hour")),
            {"kind": "classic", "healthy_targets": healthy, "requests_per_day": str(daily)},
        )


class EniUnused(Check):
    """An interface that is attached to nothing: no cost, but clutter that blocks deletions."""

    check_id = "eni-unused"
    group = "waste"
    title = "Unused network interface"
    severity = "low"
    type = "ec2:network-interface"
    services = ("ec2-network-interfaces",)
    lists = (INTERFACES,)
    reads = {"interface_type": INTERFACES, "managed": INTERFACES, "description": INTERFACES}
    limits = {"days": days(0)}
    formula = "0"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when available and not managed by an AWS service."""
        if subject.state != "available" or subject.optional("managed"):
            return None
        if subject.unchanged_days < limits["days"]:
            raise Unread("attachment", "not watched for long enough")
        return Hit(
            HYGIENE,
            {
                "interface_type": subject.optional("interface_type"),
                "description": subject.optional("description"),
            },
        )
