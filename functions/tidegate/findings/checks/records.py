"""Container images, log groups and access keys."""

from __future__ import annotations

from decimal import Decimal

from tidegate.findings.checks.base import METRICS, Check, Hit, Thresholds, days, number
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import HYGIENE, gib, quantity, saving
from tidegate.findings.checks.subject import Subject
from tidegate.findings.prices.book import PriceBook

REPOSITORIES = "ecr:DescribeRepositories"
POLICY = "ecr:GetLifecyclePolicy"
IMAGES = "ecr:DescribeImages"
GROUPS = "logs:DescribeLogGroups"
USERS, KEYS = "iam:ListUsers", "iam:ListAccessKeys"
LAST_USED = "iam:GetAccessKeyLastUsed"
_KEEP_UNTAGGED_DAYS = 30


class EcrNoLifecycle(Check):
    """Untagged images that no rule expires."""

    check_id = "ecr-no-lifecycle"
    group = "storage"
    title = "Container repository without lifecycle policy"
    severity = "low"
    type = "ecr:repository"
    services = ("ecr",)
    lists = (REPOSITORIES,)
    reads = {"lifecycle_policy": POLICY, "metrics.untagged_images": IMAGES}
    action = "ecr.put_lifecycle"
    formula = "size * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found without a policy, with untagged images. Layers may be shared: upper bound."""
        if subject.attr("lifecycle_policy") is not None:
            return None
        untagged = subject.metric("untagged_images")
        if untagged["count"] == 0:
            return None
        price = prices.price("ecr/storage", subject.region, "GiB-month")
        size = quantity("size", gib(untagged["bytes"]), "GiB")
        return Hit(
            saving(self.formula, [size], [price], "upper_bound"),
            dict(untagged),
            {"untagged_days": _KEEP_UNTAGGED_DAYS},
        )


class LogGroupUnused(Check):
    """A log group that nothing writes to any more still stores what it has."""

    check_id = "loggroup-unused"
    group = "storage"
    title = "Unused log group"
    severity = "low"
    type = "logs:log-group"
    services = ("logs",)
    lists = (GROUPS,)
    reads = {
        "created_at": GROUPS,
        "retention_days": GROUPS,
        "metrics.stored_bytes": GROUPS,
        "metrics.incoming_bytes": METRICS,
    }
    limits = {"days": days(90, high=90), "retention_days": number(30, "days")}
    action = "logs.put_retention"
    formula = "size * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when nothing came in for 90 days and something is stored."""
        if subject.counted("incoming_bytes") > 0:
            return None
        stored = int(subject.metric("stored_bytes"))
        if stored == 0 or subject.days_since(subject.attr("created_at")) < limits["days"]:
            return None
        price = prices.price("logs/storage", subject.region, "GiB-month")
        return Hit(
            saving(self.formula, [quantity("size", gib(stored), "GiB")], [price]),
            {"stored_bytes": stored, "retention_days": subject.optional("retention_days")},
            {"retention_days": retention(limits["retention_days"])},
        )


class LogGroupNoRetention(Check):
    """A log group in use that keeps everything for ever.

    The share that is older than `days` is taken from the group's age, as if it had been written
    to evenly: an estimate.
    """

    check_id = "loggroup-no-retention"
    group = "storage"
    title = "Log group without retention"
    severity = "low"
    type = "logs:log-group"
    services = ("logs",)
    lists = (GROUPS,)
    reads = {
        "created_at": GROUPS,
        "retention_days": GROUPS,
        "metrics.stored_bytes": GROUPS,
        "metrics.incoming_bytes": METRICS,
    }
    limits = {"days": days(90)}
    action = "logs.put_retention"
    formula = "size * old_share * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found without retention when written to and older than `days`."""
        if subject.optional("retention_days") is not None:
            return None
        stored = int(subject.metric("stored_bytes"))
        age = subject.days_since(subject.attr("created_at"))
        if stored == 0 or age <= limits["days"] or subject.counted("incoming_bytes") == 0:
            return None
        share = ((age - limits["days"]) / age).quantize(Decimal("0.000001"))
        price = prices.price("logs/storage", subject.region, "GiB-month")
        quantities = [
            quantity("size", gib(stored), "GiB"),
            quantity("old_share", share, "share"),
        ]
        return Hit(
            saving(self.formula, quantities, [price], "estimate"),
            {"stored_bytes": stored, "age_days": str(age)},
            {"retention_days": retention(limits["days"])},
        )


_ALLOWED = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557)
_LONGEST = 3653


def retention(wanted: Decimal) -> int:
    """The shortest retention that CloudWatch Logs takes and that keeps `wanted` days.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    """
    return next((allowed for allowed in _ALLOWED if allowed >= wanted), _LONGEST)


class IamKeyUnused(Check):
    """An active access key that nobody used: no cost, but a way in."""

    check_id = "iam-key-unused"
    group = "waste"
    title = "Unused access key"
    severity = "high"
    type = "iam:access-key"
    services = ("iam",)
    is_global = True
    lists = (USERS, KEYS)
    reads = {"created_at": KEYS, "last_used_at": LAST_USED, "user_name": KEYS}
    limits = {"days": days(90)}
    formula = "0"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when active and not used for `days`, or never since it was made."""
        if subject.state != "Active":
            return None
        last = subject.attr("last_used_at") or subject.attr("created_at")
        idle = subject.days_since(last)
        if idle < limits["days"]:
            return None
        return Hit(HYGIENE, {"user_name": subject.optional("user_name"), "unused_days": str(idle)})
