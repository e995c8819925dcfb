"""Removes what a deleted tenant leaves."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.dynamo import batch_delete, store_errors
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope

from tidegate.governance.models import GovernanceItem
from tidegate.governance.repository.audit import checkpoint_place


class Erasure:
    """All rows and objects of one tenant. `client` is a boto3 S3 client."""

    def __init__(self, scope: TenantScope, client: Any, bucket: str) -> None:
        self._scope = scope
        self._client = client
        self._bucket = bucket

    def some(self, limit: int) -> bool:
        """Delete up to `limit` rows; True when nothing is left. Raises ServiceUnavailable."""
        with store_errors():
            rows = GovernanceItem.query(
                self._scope.pk,
                consistent_read=True,
                limit=limit + 1,
                attributes_to_get=["pk", "sk"],
            )
            keys = [(row.pk, row.sk) for row in rows]
        batch_delete(GovernanceItem, keys[:limit])
        if len(keys) > limit:
            return False
        try:
            self._client.delete_object(**checkpoint_place(self._scope, self._bucket))
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"audit checkpoint: {error}") from error
        return True
