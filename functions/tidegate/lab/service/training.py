"""What the training task does: backtest, fit on everything, keep run and model together."""

from __future__ import annotations

from dataclasses import replace

from tidegate_kit.clock import Clock
from tidegate_kit.ids import id_from
from tidegate_kit.observability import logger

from tidegate.lab.domain import LogLine, Model, Run
from tidegate.lab.forecast.backtest import Backtest, backtest
from tidegate.lab.forecast.base import forecaster
from tidegate.lab.repository.ports import Datasets, Experiments, Runs
from tidegate.lab.series import content_hash, series_of


class Training:
    """Trains runs of one tenant. Every step may be repeated (H1)."""

    def __init__(
        self, datasets: Datasets, experiments: Experiments, runs: Runs, clock: Clock
    ) -> None:
        self._datasets = datasets
        self._experiments = experiments
        self._runs = runs
        self._clock = clock

    def train(self, run_id: str) -> bool:
        """Bring a run to its end; False if it was over, is gone or was cancelled meanwhile."""
        now = self._clock()
        run = self._runs.begin(run_id, LogLine(now, run_id, "info", "training started"), now)
        if run is None:
            return self._note_best(run_id)
        points = self._datasets.points(run.dataset_id)
        series = series_of(points)
        try:
            result = backtest(series.values, run.model_type, run.params, run.horizon, run.folds)
        except ValueError as error:
            return self.fail(run_id, f"The backtest is not possible: {error}.")
        state = forecaster(run.model_type).fit(series.values, run.params)
        ended = self._ended(run, result)
        model = Model(
            id=str(ended.model_id), name=run.model_type, run_id=run.id, version=0,
            experiment_id=run.experiment_id, dataset_id=run.dataset_id, stage="candidate",
            model_type=run.model_type, metrics=result.metrics, gate=result.gate,
            trained_until=series.last, content_hash=content_hash(points),
            created_at=ended.completed_at or now,
        )  # fmt: skip
        lines = [LogLine(model.created_at, run.id, "info", text) for text in story(result)]
        kept = self._runs.complete(ended, model, state, lines)
        return kept and self._note_best(run_id)

    def _ended(self, run: Run, result: Backtest) -> Run:
        return replace(
            run, status="completed", completed_at=self._clock(), metrics=result.metrics,
            baseline_metrics=result.baseline, beats_baseline=result.gate.passed,
            model_id=id_from(f"model of {run.id}"),
        )  # fmt: skip

    def _note_best(self, run_id: str) -> bool:
        """After the commit, and again by whoever finds the run over."""
        (run,) = self._runs.get_many([run_id])
        if run.status != "completed" or run.metrics is None:
            return False
        self._experiments.note_best(run.experiment_id, run.id, run.metrics.mase)
        return True

    def fail(self, run_id: str, reason: str) -> bool:
        """Close a run as failed; `reason` is shown to the user. False if it was over."""
        now = self._clock()
        (run,) = self._runs.get_many([run_id])
        if run.over:
            return False
        logger.warning("training failed", run_id=run_id, reason=reason)
        ended = replace(run, status="failed", completed_at=now, error=reason)
        return self._runs.close(ended, LogLine(now, run_id, "error", reason))


def story(result: Backtest) -> list[str]:
    """The backtest in words, for the log."""
    model, base = result.metrics, result.baseline
    if result.gate.passed:
        verdict = "gate passed: the model may be promoted"
    elif model.mase >= base.mase:
        verdict = "gate not passed: not better than seasonal-naive"
    else:
        verdict = "gate not passed: not reliably better than the mean and the last value"
    return [
        f"backtest on {result.folds} folds: MASE {model.mase:.3f}, sMAPE {model.smape:.2f} %, "
        f"coverage {model.coverage_80:.0%} of 80 %, {model.coverage_95:.0%} of 95 %",
        f"seasonal-naive on the same folds: MASE {base.mase:.3f}; mean or last value: "
        f"MASE {result.trivial_mase:.3f}",
        verdict,
    ]
