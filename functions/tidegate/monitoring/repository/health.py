"""The health marker, and what the store says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import (
    ConditionFailed,
    batch_get,
    current_store,
    scoped_store,
    store_errors,
)
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ratelimit import RateCounterItem

from tidegate.monitoring.models import MARKER_PK, MARKER_SK, HealthMarkerItem

_MARKER_LIFE = timedelta(days=90)


class ForeignStore(Exception):
    """Another stage has marked this table as its own."""


@dataclass(frozen=True)
class Marker:
    """What a table's marker says; `writes` only ever grows."""

    stage: str
    arn: str
    writes: int


class HealthRepository(Protocol):
    """Probes of the store. Every method raises ServiceUnavailable when it does not answer."""

    def table_arn(self) -> str:
        """The ARN of the table that the settings lead to, as the service tells it."""

    def write_marker(self, stage: str, arn: str, now: datetime) -> int:
        """Mark the table and return its count of marks. Raises ForeignStore."""

    def read_marker(self) -> Marker | None:
        """The marker as stored, read consistently."""

    def read_counters(self) -> None:
        """One read from the rate counters, the platform's cache."""


@contextmanager
def _quick_store() -> Iterator[None]:
    """Short time-outs: health must answer while the store hangs (H14)."""
    with scoped_store(current_store().impatient()), store_errors():
        yield


class GlobalHealthRepository:
    """HealthRepository on the platform table."""

    def table_arn(self) -> str:
        store = current_store().impatient()
        name = store.table_name(HealthMarkerItem.Meta.table_name)
        try:
            with store_errors():
                answer = store.connection.dispatch("DescribeTable", {"TableName": name})
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=str(error)) from error
        return str(answer["Table"]["TableArn"])

    def write_marker(self, stage: str, arn: str, now: datetime) -> int:
        marker = HealthMarkerItem(MARKER_PK, MARKER_SK)
        mine = HealthMarkerItem.stage.does_not_exist() | (HealthMarkerItem.stage == stage)
        try:
            with _quick_store():
                marker.update(
                    actions=[
                        HealthMarkerItem.stage.set(stage),
                        HealthMarkerItem.arn.set(arn),
                        HealthMarkerItem.writes.add(1),
                        HealthMarkerItem.expires.set(epoch(now + _MARKER_LIFE)),
                        HealthMarkerItem.schema_version.set(1),
                        HealthMarkerItem.created_at.set(HealthMarkerItem.created_at | now),
                        HealthMarkerItem.updated_at.set(now),
                    ],
                    condition=mine,
                )
        except ConditionFailed as error:
            raise ForeignStore from error
        return int(marker.writes)

    def read_marker(self) -> Marker | None:
        with _quick_store():
            (found,) = batch_get([(HealthMarkerItem, MARKER_PK, MARKER_SK)])
        return None if found is None else Marker(found.stage, found.arn, int(found.writes))

    def read_counters(self) -> None:
        with _quick_store():
            batch_get([(RateCounterItem, "IP#health", "RATE#M#0")])
