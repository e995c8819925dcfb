"""The AWS services whose API descriptions are shipped. Add one here before you use it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

AWS_SERVICES = (
    # the platform's own
    "apigatewaymanagementapi",
    "apigatewayv2",
    "bedrock-runtime",
    "dynamodb",
    "dynamodbstreams",
    "events",
    "kms",
    "logs",
    "s3",
    "scheduler",
    "secretsmanager",
    "ses",
    "sesv2",
    "sns",
    "sqs",
    "stepfunctions",
    "sts",
    # read or changed in customer accounts
    "account",
    "autoscaling",
    "ce",
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "compute-optimizer",
    "cost-optimization-hub",
    "ec2",
    "ecr",
    "ecs",
    "efs",
    "elasticache",
    "elb",
    "elbv2",
    "iam",
    "kinesis",
    "lambda",
    "opensearch",
    "organizations",
    "pricing",
    "rds",
    "redshift",
    "resourcegroupstaggingapi",
    "savingsplans",
    "trustedadvisor",
)

_CLIENT = re.compile(r"""(?:client|resource)\(\s*["']([a-z0-9-]+)["']""")


def undeclared(folders: Iterable[Path]) -> dict[str, list[str]]:
    """Services that source code asks a client for by name and that are not shipped.

    Service name to the files that ask for it.
    """
    found: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            for service in _CLIENT.findall(path.read_text()):
                if service not in AWS_SERVICES:
                    found.setdefault(service, []).append(str(path.relative_to(folder)))
    return found
