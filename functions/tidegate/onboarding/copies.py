"""The S3 copy of a request's template that the console's quick-create page reads (ONB-3)."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.errors import ServiceUnavailable

from tidegate.onboarding.links import TEMPLATE_URL_LIFE


class TemplateCopies(Protocol):
    """Keeps copies of templates."""

    def put(self, key: str, text: str) -> None:
        """Store a copy. Raises ServiceUnavailable."""

    def url(self, key: str, minute: datetime) -> str:
        """A link that reads the copy for 24 hours; within a minute it stays the same."""

    def delete(self, key: str) -> None:
        """Remove a copy. Raises ServiceUnavailable."""


class S3TemplateCopies:
    """TemplateCopies in the data bucket. `s3` is a boto3 client."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, key: str, text: str) -> None:
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=text.encode(), ContentType="text/yaml"
            )
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"s3: {error}") from error

    def url(self, key: str, minute: datetime) -> str:
        return _signed(self._s3, self._bucket, key, minute)

    def delete(self, key: str) -> None:
        try:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"s3: {error}") from error


@lru_cache(maxsize=500)
def _signed(s3: Any, bucket: str, key: str, minute: datetime) -> str:
    # Signed in this process, without a call. Kept for a minute, so that reading a request twice
    # gives the same entity tag.
    del minute
    link: str = s3.generate_presigned_url(
        "get_object",
        Params={"Bucket": bucket, "Key": key},
        ExpiresIn=int(TEMPLATE_URL_LIFE.total_seconds()),
    )
    return link
