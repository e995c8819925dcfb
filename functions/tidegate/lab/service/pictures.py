"""What the charts show."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.lab.anomalies import MIN_POINTS, Anomaly, find_anomalies
from tidegate.lab.charts import dataset_chart, run_chart
from tidegate.lab.domain import Point, PredictedDay
from tidegate.lab.repository.ports import Datasets, Models
from tidegate.lab.service.predictions import days_of
from tidegate.lab.service.runs import RunService

_THRESHOLD, _SEASON = 3.5, 7  # as POST /lab/anomalies has them


class Pictures:
    """Charts of one tenant's datasets and runs."""

    def __init__(self, datasets: Datasets, runs: RunService, models: Models) -> None:
        self._datasets = datasets
        self._runs = runs
        self._models = models

    def dataset(self, dataset_id: str) -> str:
        """SVG of a series with its anomalies. Raises NotFound."""
        points = self._datasets.points(dataset_id)
        return dataset_chart(self._datasets.get(dataset_id), points, _anomalies(points, _SEASON))

    def run(self, run_id: str) -> str:
        """SVG of a run's forecast behind its series. Raises NotFound."""
        run = self._runs.get(run_id)
        points = self._datasets.points(run.dataset_id)
        forecast: tuple[PredictedDay, ...] = ()
        if run.model_id is not None:
            model = self._models.get(run.model_id)
            forecast = days_of(model, self._models.state(model.id), run.horizon)
        found = _anomalies(points, int(run.params["season"]))
        return run_chart(run, self._datasets.get(run.dataset_id), points, forecast, found)


def _anomalies(points: Sequence[Point], season: int) -> list[Anomaly]:
    return find_anomalies(points, _THRESHOLD, season) if len(points) >= MIN_POINTS else []
