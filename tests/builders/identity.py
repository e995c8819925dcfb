"""A deployment's signing ring for tests that sign in over HTTP."""

from __future__ import annotations

import json

import boto3
from tidegate.identity.keys import PrivateKey
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.settings import Settings

from tests.builders.members import KID, PRIVATE_KEY


def store_signing_ring(settings: Settings, clock: Clock = system_clock) -> None:
    """Put the private half of the published test key where the identity function reads it."""
    key = PrivateKey(KID, PRIVATE_KEY, clock(), None, settings.tidegate_stage)
    boto3.client("secretsmanager", region_name=settings.aws_region).create_secret(
        Name=settings.signing_key_ref, SecretString=json.dumps({"keys": [key.as_json()]})
    )
