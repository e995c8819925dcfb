"""boto3 clients for the emulator: never a profile, never a real account."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from infra.local.config import LocalCloud


def client(cloud: LocalCloud, service: str, account: str | None = None) -> Any:
    """A client that acts as the root of *account* (the platform's by default)."""
    session = boto3.session.Session(
        aws_access_key_id=account or cloud.platform_account,
        aws_secret_access_key="local",  # noqa: S106 (the emulator does not check a root key)
        region_name=cloud.region,
    )
    return session.client(  # type: ignore[call-overload]
        service,
        endpoint_url=cloud.aws_endpoint,
        config=Config(
            retries={"max_attempts": 2},
            read_timeout=70,
            max_pool_connections=20,
            inject_host_prefix=False,
            s3={"addressing_style": "path"},
        ),
    )
