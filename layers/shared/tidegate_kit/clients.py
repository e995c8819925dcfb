"""boto3 clients for the platform's own account, one per service and process.

Customer accounts are reached only through `tidegate_kit.aws_session`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from tidegate_kit.crypto import KmsSealer
from tidegate_kit.settings import Settings

_CONFIG = Config(
    connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4}
)
# S3 refuses links to KMS-encrypted objects that are signed the old way, boto3's default for links.
_S3_CONFIG = _CONFIG.merge(Config(signature_version="s3v4"))


@cache
def platform_client(service: str, region: str) -> Any:
    """A client of the platform's account. Created at first use, kept for the process."""
    config = _S3_CONFIG if service == "s3" else _CONFIG
    return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]


@cache
def single_attempt_client(service: str, region: str) -> Any:
    """As `platform_client`, for calls that a repetition would double: none is repeated."""
    config = _CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]


@cache
def model_client(region: str, seconds: int) -> Any:
    """A Bedrock client that waits `seconds` for a model; it never asks twice, for that costs."""
    config = Config(connect_timeout=2, read_timeout=seconds, retries={"total_max_attempts": 1})
    return boto3.client("bedrock-runtime", region_name=region, config=config)


@cache
def socket_client(callback_url: str, region: str) -> Any:
    """The management API of a WebSocket API, at its call-back address."""
    return boto3.client(
        "apigatewaymanagementapi", region_name=region, endpoint_url=callback_url, config=_CONFIG
    )


@cache
def _sealer(region: str, key_arn: str) -> KmsSealer:
    return KmsSealer(platform_client("kms", region), key_arn)


def kms_sealer(settings: Settings) -> KmsSealer:
    """The sealer on the platform's key."""
    return _sealer(settings.aws_region, settings.kms_key_arn)
