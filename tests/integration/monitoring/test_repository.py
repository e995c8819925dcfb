"""One contract for the health repository and its twin."""

from __future__ import annotations

import boto3
import pytest
from tidegate.monitoring.repository import (
    ForeignStore,
    GlobalHealthRepository,
    HealthRepository,
    Marker,
)
from tidegate_kit.clock import FixedClock
from tidegate_kit.settings import Settings

from tests.builders.settings import REGION
from tests.fakes.monitoring import MemoryHealthRepository

CLOCK = FixedClock()


@pytest.fixture(params=["dynamodb", "memory"])
def repository(request: pytest.FixtureRequest, platform: Settings) -> HealthRepository:
    if request.param == "dynamodb":
        return GlobalHealthRepository()
    return MemoryHealthRepository(f"{platform.table_arn_prefix}-platform")


def test_the_arn_is_the_tables_own(repository: HealthRepository, platform: Settings) -> None:
    assert repository.table_arn() == f"{platform.table_arn_prefix}-platform"


def test_marks_are_counted_and_read_back(repository: HealthRepository) -> None:
    assert repository.read_marker() is None
    assert [repository.write_marker("test", "arn:x", CLOCK()) for _ in range(3)] == [1, 2, 3]
    assert repository.read_marker() == Marker("test", "arn:x", 3)
    repository.read_counters()


def test_a_table_belongs_to_one_stage(repository: HealthRepository) -> None:
    repository.write_marker("test", "arn:x", CLOCK())
    with pytest.raises(ForeignStore):
        repository.write_marker("other", "arn:y", CLOCK())
    assert repository.read_marker() == Marker("test", "arn:x", 1)


def test_the_marker_has_what_every_item_has(platform: Settings) -> None:
    GlobalHealthRepository().write_marker("test", "arn:x", CLOCK())
    client = boto3.client("dynamodb", region_name=REGION)
    key = {"pk": {"S": "HEALTH"}, "sk": {"S": "MARKER"}}
    item = client.get_item(TableName="tidegate-test-platform", Key=key)["Item"]
    assert set(item) == {
        "pk", "sk", "stage", "arn", "writes", "expires", "schema_version", "created_at",
        "updated_at",
    }  # fmt: skip
