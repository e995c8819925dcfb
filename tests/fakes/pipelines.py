"""In-memory twins of the repositories of pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tidegate.pipelines.domain import DayCosts, Source
from tidegate.pipelines.errors import AccountGone, PipelineRunning, Superseded
from tidegate.pipelines.executions import Due, Execution, Pipeline, PipelineName, Schedule
from tidegate.pipelines.schedules import default_expression


class MemoryCostSeries:
    """CostSeries of one tenant."""

    def __init__(self) -> None:
        self.generations: dict[str, int] = {}
        self.rows: dict[tuple[str, int, date, Source], DayCosts] = {}

    def generation(self, account_id: str) -> int:
        return self.generations.get(account_id, 0)

    def accounts(self) -> list[str]:
        return sorted(self.generations)

    def write(
        self, account_id: str, generation: int, days: Sequence[DayCosts], now: datetime
    ) -> None:
        if days and generation != self.generation(account_id):
            raise AccountGone
        for day in days:
            self.generations.setdefault(account_id, 0)
            self.rows[account_id, generation, day.date, day.source] = day

    def days(self, account_id: str, start: date, end: date) -> list[DayCosts]:
        present = self.generation(account_id)
        found = [
            day
            for (account, generation, when, _), day in self.rows.items()
            if account == account_id and generation == present and start <= when <= end
        ]
        return sorted(found, key=lambda day: (day.date, day.source))

    def totals(self, account_id: str, start: date, end: date) -> list[tuple[date, Source, Decimal]]:
        return [(day.date, day.source, day.total) for day in self.days(account_id, start, end)]

    def hide(self, account_id: str, now: datetime) -> None:
        self.generations[account_id] = self.generation(account_id) + 1

    def delete_some(self, account_id: str, limit: int) -> int:
        present = self.generation(account_id)
        old = [row for row in self.rows if row[0] == account_id and row[1] < present][:limit]
        for row in old:
            del self.rows[row]
        return len(old)


class MemoryExecutions:
    """Executions of one tenant."""

    def __init__(self, tenant_id: str = "tenant") -> None:
        self.tenant_id = tenant_id
        self.stored: dict[str, Execution] = {}
        self.pipelines: dict[PipelineName, Pipeline] = {}
        self.files: dict[str, str] = {}

    def pipeline(self, name: PipelineName) -> Pipeline:
        default = Schedule(default_expression(self.tenant_id, name), enabled=True)
        return self.pipelines.get(name, Pipeline(name, default, stored=False))

    def begin(self, wanted: Execution, now: datetime) -> Execution:
        if wanted.id in self.stored:
            return self.stored[wanted.id]
        pipeline = self.pipeline(wanted.pipeline)
        until = pipeline.running_until
        if pipeline.running_id is not None and until is not None and until > now:
            raise PipelineRunning
        self.pipelines[wanted.pipeline] = replace(
            pipeline, running_id=wanted.id, running_until=wanted.deadline_at, last_id=wanted.id
        )
        self.stored[wanted.id] = wanted
        return wanted

    def get(self, execution_id: str) -> Execution | None:
        return self.stored.get(execution_id)

    def save(self, execution: Execution, now: datetime) -> Execution:
        old = self.stored[execution.id]
        if old.over or old.revision != execution.revision:
            raise Superseded
        new = replace(execution, revision=execution.revision + 1)
        self.stored[execution.id] = new
        return new

    def finish(self, execution: Execution, now: datetime) -> Execution:
        ended = self.save(execution, now)
        pipeline = self.pipeline(execution.pipeline)
        if pipeline.running_id == execution.id:
            free = replace(pipeline, running_id=None, running_until=None)
            self.pipelines[execution.pipeline] = free
        return ended

    def mark_launched(self, execution_id: str) -> None:
        old = self.stored[execution_id]
        if not old.over:
            self.stored[execution_id] = replace(old, launched=True)

    def page(
        self, name: PipelineName, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Execution], int, dict[str, Any] | None]:
        rows = sorted(
            (one for one in self.stored.values() if one.pipeline == name),
            key=lambda one: (one.started_at, one.id),
            reverse=True,
        )
        if start is not None:
            places = [one.id for one in rows]
            skip = places.index(start["at"]) + 1
        shown = rows[skip : skip + limit]
        more = skip + limit < len(rows)
        return shown, len(rows), {"at": shown[-1].id} if more else None

    def set_schedule(
        self, name: PipelineName, schedule: Schedule, now: datetime, *, only_new: bool = False
    ) -> None:
        old = self.pipeline(name)
        if only_new and old.stored:
            return
        self.pipelines[name] = replace(old, schedule=schedule, stored=True)

    def passed(self, due: Due, next_at: datetime | None, now: datetime) -> bool:
        old = self.pipeline(due.name)
        if old.schedule.next_at != due.at:
            return False
        schedule = replace(old.schedule, next_at=next_at)
        self.pipelines[due.name] = replace(old, schedule=schedule)
        return True

    def file_tag(self, name: str) -> str | None:
        return self.files.get(name)

    def mark_file(self, name: str, tag: str, now: datetime) -> None:
        self.files[name] = tag
