"""Lambda functions and Kinesis streams."""

from __future__ import annotations

import math
from decimal import Decimal

from tidegate.findings.checks.base import METRICS, Check, Hit, Thresholds, days, percent
from tidegate.findings.checks.databases import per_second
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import HOURS_A_MONTH, HYGIENE, quantity, saving
from tidegate.findings.checks.network import old_enough
from tidegate.findings.checks.subject import Subject, Unread
from tidegate.findings.prices.book import PriceBook

FUNCTIONS = "lambda:ListFunctions"
STREAMS = "kinesis:ListStreams"
STREAM = "kinesis:DescribeStreamSummary"
_STEP_MB, _LEAST_MB = 64, 128


class LambdaOvermemory(Check):
    """A function that never uses half of the memory it is billed for.

    Memory in use is measured by Lambda Insights only; where that is off the outcome is unknown.
    """

    check_id = "lambda-overmemory"
    group = "waste"
    title = "Lambda function with too much memory"
    severity = "low"
    type = "lambda:function"
    services = ("lambda",)
    lists = (FUNCTIONS,)
    reads = {
        "memory_mb": FUNCTIONS,
        "architectures": FUNCTIONS,
        "metrics.memory_percent_max": METRICS,
        "metrics.invocations_14d": METRICS,
        "metrics.duration_ms_avg": METRICS,
    }
    limits = {"used_percent": percent(50), "headroom_percent": percent(25)}
    action = "lambda.set_memory"
    formula = "calls * seconds * (memory_now - memory_new) * price * 365 / 12 / 14"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when the most memory used in 14 days is under `used_percent`."""
        calls = subject.counted("invocations_14d")
        if calls == 0:
            return None  # not billed for memory
        measured = subject.metric("memory_percent_max")["value"]
        if measured is None:
            raise Unread("metrics.memory_percent_max", "Lambda Insights is not switched on")
        used = Decimal(str(measured))
        memory = int(subject.attr("memory_mb"))
        if used >= limits["used_percent"]:
            return None
        need = memory * used * (100 + limits["headroom_percent"]) / 10000
        target = max(_LEAST_MB, math.ceil(need / _STEP_MB) * _STEP_MB)
        if target >= memory:
            return None
        architecture = (subject.optional("architectures") or ["x86_64"])[0]
        quantities = [
            quantity("calls", calls, "invocations/14 days"),
            quantity("seconds", subject.gauge("duration_ms_avg") / 1000, "seconds"),
            quantity("memory_now", Decimal(memory) / 1024, "GB"),
            quantity("memory_new", Decimal(target) / 1024, "GB"),
        ]
        price = prices.price(f"lambda/{architecture}/duration", subject.region, "GB-second")
        return Hit(
            saving(self.formula, quantities, [price], "estimate"),
            {"memory_mb": memory, "memory_percent_max": str(used)},
            {"memory_mb": target},
        )


class LambdaUnused(Check):
    """A function that nothing calls: no cost, but code that is kept and can be attacked."""

    check_id = "lambda-unused"
    group = "waste"
    title = "Unused Lambda function"
    severity = "low"
    type = "lambda:function"
    services = ("lambda",)
    lists = (FUNCTIONS,)
    reads = {"modified_at": FUNCTIONS, "runtime": FUNCTIONS, "metrics.invocations": METRICS}
    limits = {"days": days(90, high=90)}
    formula = "0"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found with 0 invocations in 90 days and no change for `days`."""
        if subject.counted("invocations") > 0:
            return None
        age = subject.days_since(subject.attr("modified_at"))
        if age < limits["days"]:
            return None
        return Hit(HYGIENE, {"modified_days": str(age), "runtime": subject.optional("runtime")})


class KinesisOversharded(Check):
    """A provisioned stream that uses little of its shards at its busiest hour.

    A shard takes 1 MiB or 1,000 records a second in and gives 2 MiB a second out
    (https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html).
    """

    check_id = "kinesis-oversharded"
    group = "waste"
    title = "Kinesis stream with too many shards"
    type = "kinesis:stream"
    services = ("kinesis",)
    lists = (STREAMS,)
    reads = {
        "mode": STREAM,
        "shards": STREAM,
        "created_at": STREAM,
        "metrics.incoming_bytes_hours": METRICS,
        "metrics.incoming_records_hours": METRICS,
        "metrics.read_bytes_hours": METRICS,
    }
    limits = {
        "days": days(14, high=14),
        "used_percent": percent(20),
        "headroom_percent": percent(50),
    }
    formula = "hours * surplus * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when all three loads stay under `used_percent` and a shard can go."""
        if subject.attr("mode") != "PROVISIONED":
            return None
        shards = int(subject.attr("shards"))
        loads = [
            per_second(subject.metric("incoming_bytes_hours")) / 2**20,
            per_second(subject.metric("incoming_records_hours")) / 1000,
            per_second(subject.metric("read_bytes_hours")) / 2**21,
        ]
        busiest = max(loads)
        if not old_enough(subject, limits) or busiest * 100 >= shards * limits["used_percent"]:
            return None
        need = max(1, math.ceil(busiest * (100 + limits["headroom_percent"]) / 100))
        if need >= shards:
            return None
        quantities = [
            quantity("hours", HOURS_A_MONTH, "hour"),
            quantity("surplus", shards - need, "shard"),
        ]
        price = prices.price("kinesis/shard", subject.region, "hour")
        return Hit(
            saving(self.formula, quantities, [price], "estimate"),
            {"shards": shards, "needed": need, "busiest": str(round(busiest, 6))},
        )
