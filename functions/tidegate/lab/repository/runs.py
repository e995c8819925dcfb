"""Runs, their places in lists, and the experiments' logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.tenancy import TenantScope, key

from tidegate.lab.domain import LogLine, Metrics, Model, Run
from tidegate.lab.models import ExperimentItem, LogItem, RunItem, RunRow
from tidegate.lab.repository.experiments import experiment_of
from tidegate.lab.repository.models import model_item, state_item

_BATCH = 100  # reads of one BatchGetItem
_ATTEMPTS = 5  # of a finish that meets other finishes of its experiment


def living_before(moment: datetime) -> Condition:
    """The condition that a run is not over at a moment: what every end and begin demands."""
    condition: Condition = RunItem.status.is_in("queued", "running") & (
        RunItem.deadline_at > moment
    )
    return condition


class DynamoRuns:
    """Runs on DynamoDB."""

    def __init__(self, scope: TenantScope) -> None:
        self._tenant_id = scope.tenant_id
        self._pk = scope.pk

    def add(self, run: Run, line: LogLine) -> Run:
        """See ports.Runs."""
        writes, stamp = Transaction(), _stamp(run.started_at)
        writes.save(self._item(run), RunItem.pk.does_not_exist(), name="run")
        place = _place(run)
        for sk in (key("RUNOF", run.experiment_id, *place), key("RUNAT", *place)):
            writes.save(RunRow(self._pk, sk, run_id=run.id, **stamp))
        self._log(writes, run, [line], 0)
        writes.update(
            ExperimentItem(self._pk, key("EXPERIMENT", run.experiment_id)),
            [ExperimentItem.run_count.add(1), ExperimentItem.updated_at.set(run.started_at)],
            ExperimentItem.deleting == False,  # noqa: E712 - a condition expression
            name="experiment",
        )
        try:
            writes.commit()
        except ConditionFailed as lost:
            if "run" in lost.names:
                return self.get(run.id)
            raise NotFound from lost
        return run

    def get(self, run_id: str) -> Run:
        """See ports.Runs."""
        (item,) = batch_get([(RunItem, self._pk, key("RUN", run_id))])
        if item is None:
            raise NotFound
        return run_of(item)

    def get_many(self, run_ids: Sequence[str]) -> list[Run]:
        """See ports.Runs."""
        found: list[Run] = []
        for start in range(0, len(run_ids), _BATCH):
            chunk = run_ids[start : start + _BATCH]
            for item in batch_get([(RunItem, self._pk, key("RUN", one)) for one in chunk]):
                if item is None:
                    raise NotFound
                found.append(run_of(item))
        return found

    def ids_of(self, experiment_id: str) -> list[str]:
        """See ports.Runs."""
        with store_errors():
            rows = RunRow.query(
                self._pk,
                RunRow.sk.startswith(key("RUNOF", experiment_id) + "#"),
                scan_index_forward=False,
                consistent_read=True,
            )
            return [row.run_id for row in rows]

    def since(self, moment: datetime) -> list[Run]:
        """See ports.Runs."""
        with store_errors():
            rows = RunRow.query(
                self._pk,
                RunRow.sk.between(key("RUNAT", _time(moment)), "RUNAT#~"),
                consistent_read=True,
            )
            ids = [row.run_id for row in rows]
        return self.get_many(ids)

    def begin(self, run_id: str, line: LogLine, now: datetime) -> Run | None:
        """See ports.Runs."""
        (item,) = batch_get([(RunItem, self._pk, key("RUN", run_id))])
        if item is None or item.status not in ("queued", "running"):
            return None
        run = run_of(item)
        writes = Transaction()
        writes.update(
            item,
            [RunItem.status.set("running"), RunItem.updated_at.set(now)],
            living_before(now),
        )
        self._log(writes, run, [line], 1)
        try:
            writes.commit()
        except ConditionFailed:
            return None
        return replace(run, status="running")

    def complete(
        self, run: Run, model: Model, state: Mapping[str, Any], lines: Sequence[LogLine]
    ) -> bool:
        """See ports.Runs."""
        for _ in range(_ATTEMPTS):
            (found,) = batch_get([(ExperimentItem, self._pk, key("EXPERIMENT", run.experiment_id))])
            if found is None or found.deleting:
                return False
            version = experiment_of(found).models + 1
            numbered = replace(model, version=version, name=f"{model.name} v{version}")
            try:
                self._completion(run, numbered, state, lines).commit()
            except ConditionFailed as lost:
                if "run" in lost.names:
                    return False
                continue  # another run of the experiment finished just before
            return True
        raise ServiceUnavailable(log=f"run {run.id}: the experiment changed {_ATTEMPTS} times")

    def _completion(
        self, run: Run, model: Model, state: Mapping[str, Any], lines: Sequence[LogLine]
    ) -> Transaction:
        writes = Transaction()
        self._end(writes, run)
        writes.save(model_item(self._pk, model))
        writes.save(state_item(self._pk, model, state))
        self._log(writes, run, lines, 2)
        writes.update(
            ExperimentItem(self._pk, key("EXPERIMENT", run.experiment_id)),
            [
                ExperimentItem.models.set(model.version),
                ExperimentItem.updated_at.set(model.created_at),
            ],
            (ExperimentItem.models == model.version - 1) & (ExperimentItem.deleting == False),  # noqa: E712
            name="experiment",
        )
        return writes

    def close(self, run: Run, line: LogLine) -> bool:
        """See ports.Runs."""
        writes = Transaction()
        self._end(writes, run)
        self._log(writes, run, [line], 9)
        try:
            writes.commit()
        except ConditionFailed:
            return False
        return True

    def log(self, experiment_id: str) -> list[LogLine]:
        """See ports.Runs."""
        with store_errors():
            items = LogItem.query(
                self._pk,
                LogItem.sk.startswith(key("LOG", experiment_id) + "#"),
                scan_index_forward=False,
                consistent_read=True,
            )
            return [
                LogLine(item.timestamp, item.run_id, item.level, item.message)  # type: ignore[arg-type]
                for item in items
            ]

    def _end(self, writes: Transaction, run: Run) -> None:
        """The final state; only from a living one and before the deadline."""
        at = run.completed_at or run.started_at
        actions = [
            RunItem.status.set(run.status),
            RunItem.completed_at.set(at),
            RunItem.updated_at.set(at),
        ]
        if run.error is not None:
            actions.append(RunItem.error.set(run.error))
        if run.metrics and run.baseline_metrics and run.model_id:
            actions += [
                RunItem.metrics.set(asdict(run.metrics)),
                RunItem.baseline_metrics.set(asdict(run.baseline_metrics)),
                RunItem.beats_baseline.set(bool(run.beats_baseline)),
                RunItem.model_id.set(run.model_id),
            ]
        writes.update(
            RunItem(self._pk, key("RUN", run.id)),
            actions,
            living_before(at),
            name="run",
        )

    def _log(self, writes: Transaction, run: Run, lines: Sequence[LogLine], phase: int) -> None:
        """Lines of one phase of a run; the phase repeated writes the same rows again."""
        for number, line in enumerate(lines):
            sk = key("LOG", run.experiment_id, *_place(run), f"{phase}{number:03d}")
            writes.save(LogItem(self._pk, sk, **vars(line), **_stamp(line.timestamp)))

    def _item(self, run: Run) -> RunItem:
        return RunItem(
            self._pk,
            key("RUN", run.id),
            id=run.id,
            tenant_id=self._tenant_id,
            experiment_id=run.experiment_id,
            dataset_id=run.dataset_id,
            model_type=run.model_type,
            params=dict(run.params),
            horizon=run.horizon,
            folds=run.folds,
            status=run.status,
            created_by=run.created_by,
            started_at=run.started_at,
            deadline_at=run.deadline_at,
            **_stamp(run.started_at),
        )


def _time(moment: datetime) -> str:
    """Sortable text of an instant, to the microsecond."""
    return moment.strftime("%Y%m%dT%H%M%S%f")


def _place(run: Run) -> tuple[str, str]:
    return _time(run.started_at), run.id


def _stamp(moment: datetime) -> dict[str, Any]:
    return {"created_at": moment, "updated_at": moment}


def run_of(item: RunItem) -> Run:
    """The run of an item."""
    return Run(
        id=item.id,
        experiment_id=item.experiment_id,
        dataset_id=item.dataset_id,
        model_type=item.model_type,  # type: ignore[arg-type]
        params=item.params,
        horizon=int(item.horizon),
        folds=int(item.folds),
        status=item.status,  # type: ignore[arg-type]
        created_by=item.created_by,
        started_at=item.started_at,
        deadline_at=item.deadline_at,
        completed_at=item.completed_at,
        metrics=None if item.metrics is None else Metrics(**item.metrics),
        baseline_metrics=(
            None if item.baseline_metrics is None else Metrics(**item.baseline_metrics)
        ),
        beats_baseline=item.beats_baseline,
        model_id=item.model_id,
        error=item.error,
    )
