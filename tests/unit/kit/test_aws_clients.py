"""Clients: how S3 links are signed, and which AWS errors mean a wrong clock."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from tidegate_kit.aws_session import is_clock_skew
from tidegate_kit.clients import platform_client


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_links_to_objects_are_signed_with_version_four(platform: object, region: str) -> None:
    link = platform_client("s3", region).generate_presigned_url(
        "get_object", Params={"Bucket": "some-bucket", "Key": "k"}, ExpiresIn=60
    )
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link


@pytest.mark.parametrize(
    ("code", "message", "skewed"),
    [
        ("RequestTimeTooSkewed", "The difference is too large.", True),
        ("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier", True),
        ("SignatureDoesNotMatch", "Signature not yet current: 20260101T000000Z", True),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", False),
        ("ExpiredToken", "The security token included in the request is expired", False),
    ],
)
def test_a_wrong_clock_is_told_from_a_wrong_key(code: str, message: str, skewed: bool) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "AssumeRole")
    assert is_clock_skew(error) is skewed
