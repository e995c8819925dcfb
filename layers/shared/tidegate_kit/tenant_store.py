"""Tenant data is reached with credentials that open only the tenant's own keys (GEN-16).

The function assumes the data role with the tenant as session tag; the role's policy allows
DynamoDB only where every leading key starts with T#<that tag>. So a query built for the wrong
tenant is refused by DynamoDB itself, whatever the code above it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import Store
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import Settings

TENANT_TAG = "tenant_id"
_SECONDS = 3600
_RENEW_BEFORE = timedelta(minutes=5)
_KEPT = 50  # tenants per environment; beyond it the oldest is assumed again


@dataclass(frozen=True)
class _Kept:
    store: Store
    expires_at: datetime


class TenantStores:
    """Stores by tenant, each on its own session of the data role, kept until near its end."""

    def __init__(self, settings: Settings, role_arn: str, clock: Clock) -> None:
        self._settings = settings
        self._role_arn = role_arn
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def store(self, tenant_id: str) -> Store:
        """The store of a tenant. Raises ServiceUnavailable when STS does not answer."""
        kept = self._kept.get(tenant_id)
        if kept is not None and self._clock() < kept.expires_at - _RENEW_BEFORE:
            return kept.store
        made = self._assume(tenant_id)
        if len(self._kept) >= _KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[tenant_id] = made
        return made.store

    def _assume(self, tenant_id: str) -> _Kept:
        sts = platform_client("sts", self._settings.aws_region)
        try:
            given = sts.assume_role(
                RoleArn=self._role_arn,
                RoleSessionName=f"tenant-{tenant_id}",
                DurationSeconds=_SECONDS,
                Tags=[{"Key": TENANT_TAG, "Value": tenant_id}],
            )["Credentials"]
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"tenant data role: {error}") from error
        store = Store(
            self._settings.table_prefix,
            self._settings.aws_region,
            credentials=(
                given["AccessKeyId"],
                given["SecretAccessKey"],
                given["SessionToken"],
            ),
        )
        return _Kept(store, given["Expiration"])
