"""In-memory twins of the workflows repositories; one `Tables` is what they share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeVar

from tidegate.workflows.domain import (
    OPEN,
    Approval,
    Blob,
    Execution,
    ExecutionStatus,
    LogEntry,
    StepProblem,
    Version,
    Workflow,
    digest,
    json_text,
)
from tidegate.workflows.errors import (
    ConcurrencyLimit,
    NotResumable,
    VersionConflict,
    WorkflowInactive,
)
from tidegate.workflows.repository.approvals import ApprovalChanged, ApprovalFilters
from tidegate.workflows.repository.blobs import (
    INLINE_OCTETS,
    BlobBroken,
    check_place,
    read_checked,
)
from tidegate.workflows.repository.executions import ExecutionFilters, OnLimit
from tidegate.workflows.repository.keys import place_of, time_key
from tidegate.workflows.repository.logs import LogFilters
from tidegate.workflows.repository.triggers import Hook, Schedule
from tidegate.workflows.repository.workflows import WorkflowFilters
from tidegate_kit.errors import NotFound

R = TypeVar("R")
Page = tuple[list[R], int, dict[str, Any] | None]


@dataclass
class Tables:
    """What one tenant has stored."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    versions: dict[tuple[str, int], Version] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    resumed_by: dict[str, str] = field(default_factory=dict)
    logs: dict[str, LogEntry] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)

    def count(self, workflow_id: str, **deltas: int) -> None:
        """Add to counters of a workflow that is still there."""
        known = self.workflows.get(workflow_id)
        if known is not None:
            changed = {name: getattr(known.stats, name) + by for name, by in deltas.items()}
            stats = replace(known.stats, **changed)
            self.workflows[workflow_id] = replace(known, stats=stats)


def page_of(
    rows: Iterable[R],
    place: Callable[[R], str],
    skip: int,
    limit: int,
    start: Mapping[str, Any] | None,
) -> Page[R]:
    """A page of rows, newest first, from a place on."""
    found = sorted(rows, key=place, reverse=True)
    total = len(found)
    if start is not None:
        found = [row for row in found if place(row) < start["at"]]
    page = found[skip : skip + limit]
    more = len(found) > skip + limit
    return page, total, {"at": place(page[-1])} if more else None


class MemoryWorkflows:
    """Workflows and versions."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def create(self, workflow: Workflow, version: Version) -> None:
        key = (version.workflow_id, version.version)
        if workflow.id in self._tables.workflows or key in self._tables.versions:
            self.get(workflow.id)
            return
        self._tables.workflows[workflow.id] = workflow
        self._tables.versions[key] = version

    def get(self, workflow_id: str) -> Workflow:
        found = self._tables.workflows.get(workflow_id)
        if found is None:
            raise NotFound
        return found

    def change(self, old: Workflow, new: Workflow, version: Version | None) -> None:
        stored = self.get(old.id)
        key = None if version is None else (version.workflow_id, version.version)
        if stored.revision != old.revision or key in self._tables.versions:
            raise VersionConflict
        self._tables.workflows[old.id] = replace(
            stored, name=new.name, description=new.description, is_active=new.is_active,
            settings=new.settings, version=new.version, updated_at=new.updated_at,
            revision=old.revision + 1,
        )  # fmt: skip
        if version is not None:
            self._tables.versions[version.workflow_id, version.version] = version

    def delete(self, workflow: Workflow) -> None:
        if self.get(workflow.id).revision != workflow.revision:
            raise VersionConflict
        del self._tables.workflows[workflow.id]
        self._tables.schedules.pop(workflow.id, None)
        for hook in list(self._tables.hooks.values()):
            if hook.workflow_id == workflow.id:
                del self._tables.hooks[hook.id]

    def version(self, workflow_id: str, number: int) -> Version:
        found = self._tables.versions.get((workflow_id, number))
        if found is None:
            raise NotFound
        return found

    def versions(self, workflow_id: str) -> list[Version]:
        found = [one for one in self._tables.versions.values() if one.workflow_id == workflow_id]
        return sorted(found, key=lambda one: one.version, reverse=True)

    def publish(self, version: Version, arn: str, plan: Mapping[str, Any]) -> Version:
        stored = self.version(version.workflow_id, version.version)
        if stored.machine_version_arn == version.machine_version_arn:
            stored = replace(stored, machine_version_arn=arn, plan=dict(plan))
            self._tables.versions[version.workflow_id, version.version] = stored
        return stored

    def callees(self, workflow_id: str) -> Iterable[str] | None:
        found = self._tables.workflows.get(workflow_id)
        return None if found is None else self.version(found.id, found.version).callees

    def page(
        self, filters: WorkflowFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> Page[Workflow]:
        sought = (filters.search or "").casefold()
        rows = [
            one
            for one in self._tables.workflows.values()
            if filters.is_active in (None, one.is_active)
            and sought in f"{one.name}\n{one.description}".casefold()
        ]
        return page_of(rows, lambda one: place_of(one.created_at, one.id), skip, limit, start)


class MemoryExecutions:
    """Executions, with the counters of their workflows."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def create(
        self, execution: Execution, limit: int, on_limit: OnLimit, *, only_when_idle: bool = False
    ) -> Execution | None:
        known = self.find(execution.id)
        if known is not None:
            return known
        if execution.resumed_from is not None:
            if execution.resumed_from in self._tables.resumed_by:
                raise NotResumable
            if self.find(execution.resumed_from) is None:
                raise NotResumable
        workflow = self._tables.workflows.get(execution.workflow_id)
        if workflow is None:
            raise NotFound
        if not workflow.is_active:
            raise WorkflowInactive
        idle = workflow.stats.running == 0
        free = idle if only_when_idle else on_limit == "ignore" or workflow.stats.active < limit
        if not free and only_when_idle:
            return None
        if not free and on_limit == "reject":
            raise ConcurrencyLimit
        made = replace(execution, status="running" if free else "queued")
        self._tables.executions[made.id] = made
        self._tables.count(made.workflow_id, **{"active" if free else "queued": 1})
        counted = self._tables.workflows[made.workflow_id]
        self._tables.workflows[made.workflow_id] = replace(
            counted, stats=replace(counted.stats, last_execution=made.started_at)
        )
        if made.resumed_from is not None:
            self._tables.resumed_by[made.resumed_from] = made.id
        return made

    def find(self, execution_id: str) -> Execution | None:
        return self._tables.executions.get(execution_id)

    def get(self, execution_id: str) -> Execution:
        found = self.find(execution_id)
        if found is None:
            raise NotFound
        return found

    def launched(self, execution: Execution, arn: str, now: datetime) -> None:
        stored = self.find(execution.id)
        if stored is not None and stored.machine_execution_arn is None:
            self._tables.executions[stored.id] = replace(
                stored, machine_execution_arn=arn, launched_at=now
            )

    def promote(self, execution: Execution, limit: int, now: datetime) -> bool:
        stored = self.find(execution.id)
        workflow = self._tables.workflows.get(execution.workflow_id)
        if stored is None or stored.status != "queued":
            return False
        if workflow is None or workflow.stats.active >= limit:
            return False
        self._tables.executions[stored.id] = replace(stored, status="running")
        self._tables.count(stored.workflow_id, queued=-1, active=1)
        return True

    def end(
        self,
        execution: Execution,
        status: ExecutionStatus,
        now: datetime,
        *,
        output: Blob | None = None,
        error: StepProblem | None = None,
        log: LogEntry | None = None,
    ) -> bool:
        stored = self.get(execution.id)
        if stored.ended:
            return False
        slot = "queued" if stored.status == "queued" else "active"
        result = "successful" if status == "completed" else "failed"
        micros = max(0, round((now - stored.started_at).total_seconds() * 1e6))
        self._tables.count(
            stored.workflow_id, ended_micros=micros, **{slot: -1, result: 1}
        )  # fmt: skip
        self._tables.executions[stored.id] = replace(
            stored, status=status, completed_at=now,
            output=stored.output if output is None else output,
            error=stored.error if error is None else error,
        )  # fmt: skip
        if log is not None:
            self._tables.logs[log.id] = log
        return True

    def park(self, execution_id: str, delta: int) -> bool:
        """Count a waiting step; False where the execution has ended."""
        stored = self.find(execution_id)
        if stored is None or stored.ended:
            return False
        parked = stored.parked + delta
        status: Literal["waiting", "running"] = "waiting" if parked > 0 else "running"
        self._tables.executions[stored.id] = replace(stored, parked=parked, status=status)
        return True

    def queued(self, workflow_id: str, limit: int) -> list[str]:
        rows = [
            one
            for one in self._tables.executions.values()
            if one.workflow_id == workflow_id and one.status == "queued"
        ]
        rows.sort(key=lambda one: (one.started_at, one.id))
        return [one.id for one in rows[:limit]]

    def open_ids(self) -> Iterator[str]:
        rows = [one for one in self._tables.executions.values() if one.status in OPEN]
        yield from (one.id for one in sorted(rows, key=_open_place))

    def page(
        self, filters: ExecutionFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> Page[Execution]:
        rows = [
            one
            for one in self._tables.executions.values()
            if filters.workflow_id in (None, one.workflow_id)
            and filters.status in (None, one.status)
            and (filters.from_ is None or one.started_at >= filters.from_)
            and (filters.to is None or one.started_at <= filters.to)
        ]
        return page_of(rows, lambda one: place_of(one.started_at, one.id), skip, limit, start)


def _open_place(execution: Execution) -> str:
    if execution.status == "queued":
        return f"{execution.workflow_id}#Q#{time_key(execution.started_at)}#{execution.id}"
    return f"{execution.workflow_id}#R#{execution.id}"


class MemoryLogs:
    """Log lines."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def write(self, *entries: LogEntry) -> None:
        self._tables.logs.update({one.id: one for one in entries})

    def get(self, log_id: str) -> LogEntry:
        found = self._tables.logs.get(log_id)
        if found is None:
            raise NotFound
        return found

    def page(
        self, filters: LogFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> Page[LogEntry]:
        rows = [
            one
            for one in self._tables.logs.values()
            if filters.workflow_id in (None, one.workflow_id)
            and filters.execution_id in (None, one.execution_id)
            and filters.step_id in (None, one.step_id)
            and filters.level in (None, one.level)
            and (filters.from_ is None or one.timestamp >= filters.from_)
            and (filters.to is None or one.timestamp <= filters.to)
            and (filters.q or "").casefold() in one.message.casefold()
        ]
        return page_of(rows, lambda one: place_of(one.timestamp, one.id), skip, limit, start)


class MemoryApprovals:
    """Approvals of steps."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def open(self, approval: Approval) -> Approval:
        known = self._tables.approvals.get(approval.id)
        if known is None:
            self._tables.approvals[approval.id] = approval
            return approval
        if known.status == "pending" and known.task_token != approval.task_token:
            return self.change(known, replace(known, task_token=approval.task_token))
        return known

    def get(self, approval_id: str) -> Approval:
        found = self._tables.approvals.get(approval_id)
        if found is None:
            raise NotFound
        return found

    def change(self, old: Approval, new: Approval) -> Approval:
        stored = self._tables.approvals.get(old.id)
        if stored is None or stored.revision != old.revision:
            raise ApprovalChanged
        made = replace(new, revision=old.revision + 1)
        self._tables.approvals[old.id] = made
        return made

    def page(
        self, filters: ApprovalFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> Page[Approval]:
        rows = [
            one
            for one in self._tables.approvals.values()
            if filters.status in (None, one.shown_status(filters.now))
        ]
        return page_of(rows, lambda one: place_of(one.requested_at, one.id), skip, limit, start)


class MemoryTriggers:
    """Schedules and hooks."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def schedule(self, workflow_id: str) -> Schedule:
        return _present(self._tables.schedules.get(workflow_id))

    def put_schedule(self, schedule: Schedule) -> Schedule:
        _present(self._tables.workflows.get(schedule.workflow_id))
        known = self._tables.schedules.get(schedule.workflow_id)
        made = schedule
        if known is not None:
            made = replace(schedule, revision=known.revision + 1, created_at=known.created_at)
        self._tables.schedules[made.workflow_id] = made
        return made

    def delete_schedule(self, workflow_id: str) -> None:
        self.schedule(workflow_id)
        del self._tables.schedules[workflow_id]

    def hooks(self, workflow_id: str) -> list[Hook]:
        found = [one for one in self._tables.hooks.values() if one.workflow_id == workflow_id]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)

    def hook(self, workflow_id: str, hook_id: str) -> Hook:
        found = _present(self._tables.hooks.get(hook_id))
        if found.workflow_id != workflow_id:
            raise NotFound
        return found

    def add_hook(self, hook: Hook) -> None:
        _present(self._tables.workflows.get(hook.workflow_id))
        self._tables.hooks[hook.id] = hook

    def change_hook(self, hook: Hook) -> None:
        self.hook(hook.workflow_id, hook.id)
        self._tables.hooks[hook.id] = hook

    def delete_hook(self, workflow_id: str, hook_id: str) -> None:
        self.hook(workflow_id, hook_id)
        del self._tables.hooks[hook_id]


def _present(found: R | None) -> R:
    if found is None:
        raise NotFound
    return found


class MemoryBlobs:
    """Large JSON data."""

    def __init__(self, tables: Tables) -> None:
        self._objects = tables.objects

    def put(self, place: str, value: Any, *, inline: int = INLINE_OCTETS) -> Blob:
        text = json_text(value)
        octets, sha256 = text.encode(), digest(text)
        if len(octets) <= inline:
            return Blob(len(octets), sha256, text=text)
        key = f"{place}/{sha256}.json"
        self._objects[key] = octets
        return Blob(len(octets), sha256, key=key)

    def get(self, place: str, blob: Blob) -> Any:
        if blob.text is not None:
            return json.loads(blob.text)
        check_place(blob, f"{place}/{blob.sha256}.json")
        if blob.key not in self._objects:
            raise BlobBroken("The stored data is missing.")
        return read_checked(blob, self._objects[blob.key])


__all__ = [
    "MemoryApprovals",
    "MemoryBlobs",
    "MemoryExecutions",
    "MemoryLogs",
    "MemoryTriggers",
    "MemoryWorkflows",
    "Tables",
]
