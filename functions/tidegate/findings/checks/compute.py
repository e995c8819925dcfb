"""EC2 instances that are idle, stopped or of an older generation."""

from __future__ import annotations

from decimal import Decimal

from tidegate.findings.checks import ebs, network
from tidegate.findings.checks.base import METRICS, Check, Hit, Thresholds, days, number, percent
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import HOURS_A_MONTH, quantity, saving
from tidegate.findings.checks.subject import Subject, Unread
from tidegate.findings.domain import PriceUsed
from tidegate.findings.prices.book import PriceBook

LIST = "ec2:DescribeInstances"
_WINDOW_SECONDS = Decimal(7 * 86400)
# What the price of an instance depends on.
BASICS = dict.fromkeys(("instance_type", "platform", "tenancy", "lifecycle"), LIST)
# The newest generation of the same vendor and shape that the baseline prices.
_SUCCESSORS = {
    "m1": "m6i", "m2": "r6i", "m3": "m6i", "m4": "m6i", "c1": "c6i", "c3": "c6i", "c4": "c6i",
    "r3": "r6i", "r4": "r6i", "t1": "t3", "t2": "t3",
}  # fmt: skip
# Sizes that the successor does not have, and the next one up.
_SIZES = {
    "m1.small": "t3.small", "m1.medium": "t3.medium", "m2.xlarge": "r6i.large",
    "m2.2xlarge": "r6i.xlarge", "m2.4xlarge": "r6i.2xlarge", "m3.medium": "t3.medium",
    "m4.10xlarge": "m6i.12xlarge", "c1.medium": "c6i.large",
    "t1.micro": "t3.micro",
}  # fmt: skip


def on_demand(
    prices: PriceBook, subject: Subject, name: str = "price", kind: str = ""
) -> PriceUsed:
    """The hourly Linux price of an instance type; unknown for other platforms and tenancies."""
    platform = subject.optional("platform") or "Linux/UNIX"
    tenancy = subject.optional("tenancy") or "default"
    kind = kind or str(subject.attr("instance_type"))
    key = f"ec2/{kind}/linux"
    if platform != "Linux/UNIX" or tenancy != "default":
        key = f"ec2/{kind}/{platform}/{tenancy}"
    return prices.price(key, subject.region, "hour", name)


def paid_by_the_hour(subject: Subject) -> bool:
    """True for a running on-demand instance."""
    return subject.state == "running" and subject.optional("lifecycle") is None


class Ec2Idle(Check):
    """An instance that computes and talks next to nothing."""

    check_id = "ec2-idle"
    group = "waste"
    title = "Idle EC2 instance"
    severity = "high"
    type = "ec2:instance"
    services = ("ec2-instances",)
    lists = (LIST,)
    reads = {
        **BASICS,
        "launched_at": LIST,
        "metrics.cpu_max": METRICS,
        "metrics.network_in": METRICS,
        "metrics.network_out": METRICS,
    }
    limits = {
        "days": days(7, high=7),
        "cpu_percent": percent(5),
        "network_bytes_per_second": number(1000, "bytes/s"),
    }
    action = "ec2.stop_instance"
    formula = network.HOURLY

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when running on demand, CPU and network at most the thresholds for 7 days."""
        if not paid_by_the_hour(subject):
            return None
        cpu = subject.gauge("cpu_max")
        octets = subject.counted("network_in") + subject.counted("network_out")
        rate = (octets / _WINDOW_SECONDS).quantize(Decimal("0.01"))
        if subject.days_since(subject.attr("launched_at")) < limits["days"]:
            return None
        if cpu > limits["cpu_percent"] or rate > limits["network_bytes_per_second"]:
            return None
        return Hit(
            network.hourly(on_demand(prices, subject)),
            {
                "instance_type": subject.attr("instance_type"),
                "cpu_max_percent": str(cpu),
                "network_bytes_per_second": str(rate),
            },
        )


class Ec2Stopped(Check):
    """A stopped instance costs nothing itself; its volumes and addresses do."""

    check_id = "ec2-stopped"
    group = "waste"
    title = "Instance stopped for long: its volumes and addresses still cost"
    type = "ec2:instance"
    services = ("ec2-instances", "ec2-volumes", "ec2-addresses")
    lists = (LIST, ebs.LIST, network.ADDRESSES)
    reads = {"volume_ids": LIST, "state_reason": LIST, "instance_type": LIST}
    limits = {"days": days(30)}
    formula = "size_1 * storage_price_1 + ... + addresses * hours * address_price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when stopped for `days`, by AWS's transition time or as long as watched."""
        if subject.state != "stopped":
            return None
        since = stopped_days(subject)
        if since is None:
            since = subject.unchanged_days
            if since < limits["days"]:
                raise Unread("state_reason", f"watched for {since} days only")
        if since < limits["days"]:
            return None
        ids = sorted(subject.attr("volume_ids"))
        addresses = facts.addresses_of.get(subject.short_id, 0)
        if not ids and not addresses:
            return None
        terms: list[str] = []
        quantities, used = [], []
        for position, id_ in enumerate(ids, 1):
            if id_ not in facts.volumes:
                raise Unread("volume_ids", "one of its volumes is not in the inventory")
            term, parts, costs = ebs.volume_parts(
                facts.volumes[id_], subject.region, prices, f"_{position}"
            )
            terms.append(term)
            quantities += parts
            used += costs
        if addresses:
            terms.append("addresses * hours * address_price")
            quantities.append(quantity("addresses", addresses, "address"))
            quantities.append(quantity("hours", HOURS_A_MONTH, "hour"))
            used.append(prices.price("vpc/public-ipv4", subject.region, "hour", "address_price"))
        return Hit(
            saving(" + ".join(terms), quantities, used),
            {"stopped_days": str(since), "volume_ids": ids, "addresses": addresses},
        )


def stopped_days(subject: Subject) -> Decimal | None:
    """Days since AWS's "User initiated (2024-05-01 10:00:00 GMT)"; None where it says no time."""
    text = str(subject.optional("state_reason") or "")
    _, found, rest = text.rpartition("(")
    moment = rest.removesuffix(")").removesuffix(" GMT")
    if not found or len(moment) != 19:
        return None
    try:
        return subject.days_since(f"{moment.replace(' ', 'T')}+00:00")
    except ValueError:
        return None


class Ec2OldGeneration(Check):
    """An instance type with a newer and cheaper one of the same shape."""

    check_id = "ec2-old-generation"
    group = "waste"
    title = "Previous-generation EC2 instance"
    severity = "low"
    type = "ec2:instance"
    services = ("ec2-instances",)
    lists = (LIST,)
    reads = dict(BASICS)
    formula = "hours * (price_now - price_new)"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when running on demand on an older type that is not the cheaper one."""
        if not paid_by_the_hour(subject):
            return None
        kind = str(subject.attr("instance_type"))
        new = successor(kind)
        if new is None:
            return None
        used = [
            on_demand(prices, subject, "price_now"),
            on_demand(prices, subject, "price_new", new),
        ]
        priced = saving(self.formula, [quantity("hours", HOURS_A_MONTH, "hour")], used)
        if priced.monthly is not None and priced.monthly <= 0:
            return None
        return Hit(priced, {"instance_type": kind, "successor": new})


def successor(kind: str) -> str | None:
    """The newer type of the same shape, None for current ones."""
    family, _, size = kind.partition(".")
    if kind in _SIZES:
        return _SIZES[kind]
    new = _SUCCESSORS.get(family)
    return None if new is None else f"{new}.{size}"
