"""Datasets: from an upload or from costs, and what is unusual in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from tidegate_kit.errors import Detail, Unprocessable

from tidegate.lab.anomalies import MIN_POINTS, Anomaly, find_anomalies
from tidegate.lab.domain import CostFilter, Dataset, Point, Source
from tidegate.lab.errors import SeriesTooShort
from tidegate.lab.repository.ports import Datasets
from tidegate.lab.series import MAX_DAYS, content_hash

# Daily costs of a filter, oldest first; unknown days are absent.
Costs = Callable[[CostFilter], list[Point]]
COST_UNIT = "USD"


class DatasetService:
    """Datasets of one tenant."""

    def __init__(self, datasets: Datasets, costs: Costs) -> None:
        self._datasets = datasets
        self._costs = costs

    def all(self) -> list[Dataset]:
        """Newest first."""
        return self._datasets.all()

    def get(self, dataset_id: str) -> Dataset:
        """Raises NotFound."""
        return self._datasets.get(dataset_id)

    def points(self, dataset_id: str) -> list[Point]:
        """In order of dates. Raises NotFound."""
        return self._datasets.points(dataset_id)

    def upload(
        self, dataset_id: str, name: str, unit: str | None, points: Sequence[Point], now: datetime
    ) -> Dataset:
        """Keep points that rise in date."""
        made = dataset_from(dataset_id, name, "upload", unit, points, now, None)
        return self._datasets.add(made, points)

    def of_costs(self, dataset_id: str, name: str, cost: CostFilter, now: datetime) -> Dataset:
        """Keep the costs of a filter as they are now. Raises SeriesTooShort where none is known."""
        points = self._costs(cost)
        if not points:
            text = "no cost of these days is known; run the pipeline cost-ingest first"
            raise SeriesTooShort(details=[Detail("cost", text)])
        made = dataset_from(dataset_id, name, "cost", COST_UNIT, points, now, cost)
        return self._datasets.add(made, points)

    def delete(self, dataset_id: str) -> None:
        """Raises NotFound, DatasetInUse."""
        self._datasets.delete(dataset_id)


def checked_points(points: Sequence[Point]) -> list[Point]:
    """The points. Raises Unprocessable naming every row that does not rise in date."""
    problems = []
    for row in range(1, len(points)):
        before, here = points[row - 1].date, points[row].date
        if here <= before:
            text = "repeats the date of the row before" if here == before else "is not in order"
            problems.append(Detail(f"points.{row}.date", text))
    if not problems and (points[-1].date - points[0].date).days >= MAX_DAYS:
        problems.append(Detail("points", f"span more than {MAX_DAYS} days"))
    if problems:
        raise Unprocessable(details=problems[:50])
    return list(points)


def dataset_from(
    dataset_id: str,
    name: str,
    source: Source,
    unit: str | None,
    points: Sequence[Point],
    now: datetime,
    cost: CostFilter | None,
) -> Dataset:
    """The dataset of points."""
    return Dataset(
        id=dataset_id, name=name, source=source, unit=unit, point_count=len(points),
        first=points[0].date, last=points[-1].date, content_hash=content_hash(points),
        experiments=0, created_at=now, cost=cost,
    )  # fmt: skip


def anomalies_of(points: Sequence[Point], threshold: float, season: int) -> list[Anomaly]:
    """See anomalies.find_anomalies. Raises SeriesTooShort for fewer than three points."""
    if len(points) < MIN_POINTS:
        text = f"holds {len(points)} values; at least {MIN_POINTS} are needed"
        raise SeriesTooShort(details=[Detail("points", text)])
    return find_anomalies(points, threshold, season)
