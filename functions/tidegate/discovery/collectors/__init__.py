"""The registered collectors: one class for each service, in the order units are planned."""

from __future__ import annotations

from tidegate.discovery.collectors.base import Collector
from tidegate.discovery.collectors.ec2_instances import Ec2Instances
from tidegate.discovery.collectors.ec2_volumes import Ec2Volumes
from tidegate.discovery.collectors.logs import LogGroups
from tidegate.discovery.collectors.s3 import S3Buckets

COLLECTORS: dict[str, Collector] = {
    collector.service: collector
    for collector in (
        Ec2Instances(),
        Ec2Volumes(),
        S3Buckets(),
        LogGroups(),
    )
}

__all__ = ["COLLECTORS", "Collector"]
