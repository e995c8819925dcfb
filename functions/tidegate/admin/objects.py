"""The data bucket, for erasing."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.errors import ServiceUnavailable


class S3Objects:
    """Objects on S3. `s3` is a boto3 client.

    Keys hold the tenant as a segment of their path, behind the name of the domain. The whole
    bucket is listed, so that no domain's folder can be forgotten.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def erase(self, tenant_id: str) -> int:
        """Delete every object, in every version, whose key has this segment; how many."""
        count = 0
        try:
            for page in self._s3.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket
            ):
                kept = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                mine = [
                    {"Key": one["Key"], "VersionId": one["VersionId"]}
                    for one in kept
                    if _is_of(one["Key"], tenant_id)
                ]
                if mine:
                    count += self._delete(mine)
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"s3: {error}") from error
        return count

    def _delete(self, mine: list[dict[str, str]]) -> int:
        wanted = {"Objects": mine, "Quiet": True}
        answer = self._s3.delete_objects(Bucket=self._bucket, Delete=wanted)
        if answer.get("Errors"):
            raise ServiceUnavailable(log=f"s3: {len(answer['Errors'])} objects were not deleted")
        return len(mine)


def _is_of(key: str, tenant_id: str) -> bool:
    return tenant_id in key.replace("#", "/").split("/")
