"""Where the AWS Price List API has the figures of the book.

A product is told by its usage type, which begins with a short name of the region; the other
attributes only narrow what is asked for. What each key needs was read off recorded answers
(docs/prices.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

# How usage types begin, by region; us-east-1 mostly has no prefix.
PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {"us-east-1": "(?:USE1-)?", "eu-west-1": "(?:EU|EUW1)-"}
)


@dataclass(frozen=True)
class Wanted:
    """One figure: what to ask for, and which products and price dimensions are it.

    `usage` is a pattern of the usage type behind the region's prefix. `units` maps the API's units
    to how many of the book's unit they hold.
    """

    key: str
    unit: str
    service: str
    filters: Mapping[str, str]
    usage: str
    units: Mapping[str, int]

    def names(self, usage_type: str, region: str) -> bool:
        """True for the usage type of this figure in a region."""
        prefix = PREFIXES.get(region)
        return prefix is not None and re.fullmatch(prefix + self.usage, usage_type) is not None


_HOURS: Final = {"Hrs": 1, "hours": 1, "Hours": 1}
_GIB_MONTHS: Final = {"GB-Mo": 1, "GB-month": 1}  # io2 is spelt the second way
_IOPS_MONTHS: Final = {"IOPS-Mo": 1}
_EC2: Final = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
    "licenseModel": "No License required",
}
_EBS_USAGE: Final = {"io1": "VolumeUsage.piops", "standard": "VolumeUsage"}
_EBS_IOPS: Final = {"io1": "piops"}
_SNAPSHOTS: Final = {"standard": "SnapshotUsage", "archive": "SnapshotArchiveStorage"}
_ENDPOINTS: Final = {"interface": "", "gateway-load-balancer": "GWLBE-"}
_BALANCERS: Final = {
    "application": "-Application",
    "network": "-Network",
    "gateway": "-Gateway",
    "classic": "",
}
_DB_ENGINES: Final = {"mysql": "MySQL", "mariadb": "MariaDB", "postgres": "PostgreSQL"}
_CACHE_ENGINES: Final = {"redis": "Redis", "memcached": "Memcached"}
_LAMBDA: Final = {"x86_64": "", "arm64": "-ARM"}
_S3_USAGE: Final = {
    "StandardStorage": "ByteHrs",
    "StandardIAStorage": "SIA-ByteHrs",
    "OneZoneIAStorage": "ZIA-ByteHrs",
    "GlacierInstantRetrievalStorage": "GIR-ByteHrs",
    "GlacierStorage": "GlacierByteHrs",
    "IntelligentTieringFAStorage": "INT-FA-ByteHrs",
    "IntelligentTieringIAStorage": "INT-IA-ByteHrs",
}


def wanted(key: str, unit: str) -> Wanted | None:
    """Where a figure is; None where that is not known, so that the book keeps what it has."""
    service, _, rest = key.partition("/")
    found = _FAMILIES[service](rest) if service in _FAMILIES else None
    return None if found is None else Wanted(key, unit, *found)


_Place = tuple[str, Mapping[str, str], str, Mapping[str, int]]


def _ec2(rest: str) -> _Place | None:
    kind, _, system = rest.partition("/")
    if system != "linux":
        return None
    # The oldest types have a usage type without their name.
    return "AmazonEC2", {"instanceType": kind, **_EC2}, r"BoxUsage(?::[a-z0-9.-]+)?", _HOURS


def _ebs(rest: str) -> _Place | None:
    match rest.split("/"):
        case ["snapshot", tier] if tier in _SNAPSHOTS:
            family, usage, units = "Storage Snapshot", _SNAPSHOTS[tier], _GIB_MONTHS
        case [kind, "storage"]:
            family, units = "Storage", _GIB_MONTHS
            usage = _EBS_USAGE.get(kind, f"VolumeUsage.{kind}")
        case [kind, "iops", *tier]:
            family, units = "System Operation", _IOPS_MONTHS
            usage = ".".join(["VolumeP-IOPS", _EBS_IOPS.get(kind, kind), *tier])
        case [kind, "throughput"]:
            family, usage = "Provisioned Throughput", f"VolumeP-Throughput.{kind}"
            units = {"GiBps-mo": 1024, "MiBps-Mo": 1}
        case _:
            return None
    return "AmazonEC2", {"productFamily": family}, re.escape(f"EBS:{usage}"), units


def _vpc(rest: str) -> _Place | None:
    match rest.split("/"):
        case ["public-ipv4"]:
            group = {"group": "VPCPublicIPv4Address"}
            return "AmazonVPC", group, "PublicIPv4:IdleAddress", _HOURS
        case ["nat-gateway"]:
            return "AmazonEC2", {"productFamily": "NAT Gateway"}, "NatGateway-Hours", _HOURS
        case ["endpoint", kind] if kind in _ENDPOINTS:
            usage = f"VpcEndpoint-{_ENDPOINTS[kind]}Hours"
            return "AmazonVPC", {"productFamily": "VpcEndpoint"}, usage, _HOURS
    return None


def _elb(rest: str) -> _Place | None:
    if rest not in _BALANCERS:
        return None
    family = {"productFamily": f"Load Balancer{_BALANCERS[rest]}"}
    return "AWSELB", family, "LoadBalancerUsage", _HOURS


def _rds(rest: str) -> _Place | None:
    single = {"deploymentOption": "Single-AZ"}
    match rest.split("/"):
        case [kind, engine] if engine in _DB_ENGINES:
            filters = {
                **single,
                "productFamily": "Database Instance",
                "instanceType": kind,
                "databaseEngine": _DB_ENGINES[engine],
            }
            return "AmazonRDS", filters, r"InstanceUsage:db\.[a-z0-9.]+", _HOURS
        case [kind, "storage"]:
            usage = f"RDS:{kind.upper()}-Storage"
            return "AmazonRDS", {**single, "productFamily": "Database Storage"}, usage, _GIB_MONTHS
        case ["gp3", "iops"]:
            filters = {**single, "productFamily": "Provisioned IOPS"}
            return "AmazonRDS", filters, "RDS:GP3-PIOPS", _IOPS_MONTHS
        case ["snapshot"]:
            family = {"productFamily": "Storage Snapshot"}
            return "AmazonRDS", family, "RDS:ChargedBackupUsage", _GIB_MONTHS
    return None


def _elasticache(rest: str) -> _Place | None:
    kind, _, engine = rest.partition("/")
    if engine not in _CACHE_ENGINES:
        return None
    filters = {
        "productFamily": "Cache Instance",
        "instanceType": kind,
        "cacheEngine": _CACHE_ENGINES[engine],
    }
    return "AmazonElastiCache", filters, r"NodeUsage:cache\.[a-z0-9.]+", _HOURS


def _lambda(rest: str) -> _Place | None:
    architecture = rest.removesuffix("/duration")
    if architecture not in _LAMBDA:
        return None
    usage = f"Lambda-GB-Second{_LAMBDA[architecture]}"
    return "AWSLambda", {}, usage, {"Lambda-GB-Second": 1, "GB-Seconds": 1}


def _dynamodb(rest: str) -> _Place | None:
    kind = {"read-unit": "Read", "write-unit": "Write"}.get(rest)
    if kind is None:
        return None
    usage = f"{kind}CapacityUnit-Hrs"
    return "AmazonDynamoDB", {"group": f"DDB-{kind}Units"}, usage, {usage: 1, "Hrs": 1}


def _kinesis(rest: str) -> _Place | None:
    units = {"ShardHour": 1, "Shard Hour": 1, **_HOURS}
    return ("AmazonKinesis", {}, "Storage-ShardHour", units) if rest == "shard" else None


def _s3(rest: str) -> _Place | None:
    if rest == "DeepArchiveStorage":  # an offer of its own, without product families
        return "AmazonS3GlacierDeepArchive", {}, "TimedStorage-GDA-ByteHrs", _GIB_MONTHS
    if rest not in _S3_USAGE:
        return None
    usage = f"TimedStorage-{_S3_USAGE[rest]}"
    return "AmazonS3", {"productFamily": "Storage"}, usage, _GIB_MONTHS


def _ecr(rest: str) -> _Place | None:
    if rest != "storage":
        return None
    return "AmazonECR", {}, "TimedStorage-ByteHrs", _GIB_MONTHS


def _logs(rest: str) -> _Place | None:
    if rest != "storage":
        return None
    family = {"productFamily": "Storage Snapshot"}
    return "AmazonCloudWatch", family, "TimedStorage-ByteHrs", _GIB_MONTHS


_FAMILIES: Final[Mapping[str, Callable[[str], _Place | None]]] = {
    "ec2": _ec2,
    "ebs": _ebs,
    "vpc": _vpc,
    "elb": _elb,
    "rds": _rds,
    "elasticache": _elasticache,
    "lambda": _lambda,
    "dynamodb": _dynamodb,
    "kinesis": _kinesis,
    "s3": _s3,
    "ecr": _ecr,
    "logs": _logs,
}
