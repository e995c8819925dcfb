"""Datasets and their points."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.lab.domain import CostFilter, Dataset, Point
from tidegate.lab.errors import DatasetInUse
from tidegate.lab.models import DatasetItem, SeriesItem
from tidegate.lab.series import pack, unpack


class DynamoDatasets:
    """Datasets on DynamoDB."""

    def __init__(self, scope: TenantScope) -> None:
        self._pk = scope.pk

    def all(self) -> list[Dataset]:
        """See ports.Datasets."""
        with store_errors():
            found = [
                dataset_of(item)
                for item in DatasetItem.query(
                    self._pk, DatasetItem.sk.startswith("DATASET#"), consistent_read=True
                )
            ]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)

    def get(self, dataset_id: str) -> Dataset:
        """See ports.Datasets."""
        (item,) = batch_get([(DatasetItem, self._pk, key("DATASET", dataset_id))])
        if item is None:
            raise NotFound
        return dataset_of(item)

    def points(self, dataset_id: str) -> list[Point]:
        """See ports.Datasets."""
        (item,) = batch_get([(SeriesItem, self._pk, key("SERIES", dataset_id))])
        if item is None:
            raise NotFound
        return unpack(item.data)

    def add(self, dataset: Dataset, points: Sequence[Point]) -> Dataset:
        """See ports.Datasets."""
        writes = Transaction()
        add_dataset(writes, self._pk, dataset, points)
        try:
            writes.commit()
        except ConditionFailed:
            return self.get(dataset.id)
        return dataset

    def delete(self, dataset_id: str) -> None:
        """See ports.Datasets."""
        writes = Transaction()
        writes.delete(
            DatasetItem(self._pk, key("DATASET", dataset_id)), DatasetItem.experiments == 0
        )
        writes.delete(SeriesItem(self._pk, key("SERIES", dataset_id)))
        try:
            writes.commit()
        except ConditionFailed as lost:
            self.get(dataset_id)  # absent: 404
            raise DatasetInUse from lost


def add_dataset(writes: Transaction, pk: str, dataset: Dataset, points: Sequence[Point]) -> None:
    """Add a new dataset to a transaction; its condition is named "dataset"."""
    stamp: dict[str, Any] = {"created_at": dataset.created_at, "updated_at": dataset.created_at}
    item = DatasetItem(
        pk,
        key("DATASET", dataset.id),
        id=dataset.id,
        name=dataset.name,
        source=dataset.source,
        unit=dataset.unit,
        point_count=dataset.point_count,
        first=dataset.first.isoformat(),
        last=dataset.last.isoformat(),
        content_hash=dataset.content_hash,
        cost=_cost_row(dataset.cost),
        experiments=dataset.experiments,
        **stamp,
    )
    writes.save(item, DatasetItem.pk.does_not_exist(), name="dataset")
    writes.save(SeriesItem(pk, key("SERIES", dataset.id), data=pack(points), **stamp))


def dataset_of(item: DatasetItem) -> Dataset:
    """The dataset of an item."""
    return Dataset(
        id=item.id,
        name=item.name,
        source=item.source,  # type: ignore[arg-type]
        unit=item.unit,
        point_count=int(item.point_count),
        first=date.fromisoformat(item.first),
        last=date.fromisoformat(item.last),
        content_hash=item.content_hash,
        experiments=int(item.experiments),
        created_at=item.created_at,
        cost=_cost_of(item.cost),
    )


def _cost_row(cost: CostFilter | None) -> dict[str, Any] | None:
    if cost is None:
        return None
    return {**vars(cost), "first": cost.first.isoformat(), "last": cost.last.isoformat()}


def _cost_of(row: dict[str, Any] | None) -> CostFilter | None:
    if row is None:
        return None
    days = {name: date.fromisoformat(row[name]) for name in ("first", "last")}
    return CostFilter(**{**row, **days})
