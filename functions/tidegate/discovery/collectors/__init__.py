"""The registered collectors: one class for each service, in the order units are planned."""

from __future__ import annotations

from tidegate.discovery.collectors.base import Collector
from tidegate.discovery.collectors.dynamodb_tables import DynamoDbTables
from tidegate.discovery.collectors.ec2_addresses import Ec2Addresses
from tidegate.discovery.collectors.ec2_capacity_reservations import Ec2CapacityReservations
from tidegate.discovery.collectors.ec2_images import Ec2Images
from tidegate.discovery.collectors.ec2_instances import Ec2Instances
from tidegate.discovery.collectors.ec2_nat_gateways import Ec2NatGateways
from tidegate.discovery.collectors.ec2_network_interfaces import Ec2NetworkInterfaces
from tidegate.discovery.collectors.ec2_snapshots import Ec2Snapshots
from tidegate.discovery.collectors.ec2_volumes import Ec2Volumes
from tidegate.discovery.collectors.ec2_vpc_endpoints import Ec2VpcEndpoints
from tidegate.discovery.collectors.ecr import EcrRepositories
from tidegate.discovery.collectors.elasticache import ElastiCacheClusters
from tidegate.discovery.collectors.elb import ClassicLoadBalancers
from tidegate.discovery.collectors.elbv2 import LoadBalancers
from tidegate.discovery.collectors.iam_keys import IamAccessKeys
from tidegate.discovery.collectors.kinesis import KinesisStreams
from tidegate.discovery.collectors.lambda_functions import LambdaFunctions
from tidegate.discovery.collectors.logs import LogGroups
from tidegate.discovery.collectors.rds_instances import RdsInstances
from tidegate.discovery.collectors.rds_snapshots import RdsSnapshots
from tidegate.discovery.collectors.s3 import S3Buckets

COLLECTORS: dict[str, Collector] = {
    collector.service: collector
    for collector in (
        Ec2Instances(),
        Ec2Volumes(),
        Ec2Snapshots(),
        Ec2Images(),
        Ec2Addresses(),
        Ec2NatGateways(),
        Ec2VpcEndpoints(),
        Ec2NetworkInterfaces(),
        Ec2CapacityReservations(),
        ClassicLoadBalancers(),
        LoadBalancers(),
        RdsInstances(),
        RdsSnapshots(),
        ElastiCacheClusters(),
        S3Buckets(),
        LogGroups(),
        LambdaFunctions(),
        DynamoDbTables(),
        EcrRepositories(),
        KinesisStreams(),
        IamAccessKeys(),
    )
}

__all__ = ["COLLECTORS", "Collector"]
