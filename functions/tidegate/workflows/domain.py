"""What the workflows domain keeps: workflows, versions, executions, steps, logs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

ExecutionStatus = Literal[
    "queued", "running", "waiting", "completed", "failed", "cancelled", "timed_out"
]
StepStatus = Literal["running", "waiting", "completed", "failed", "skipped", "cancelled"]
TriggerKind = Literal["api", "schedule", "webhook", "subworkflow", "orchestrator", "resume"]
LogLevel = Literal["debug", "info", "warning", "error"]

FINAL: Final = frozenset({"completed", "failed", "cancelled", "timed_out"})
OPEN: Final = frozenset({"queued", "running", "waiting"})
STEP_FINAL: Final = frozenset({"completed", "failed", "skipped", "cancelled"})
EXECUTION_KEPT: Final = timedelta(days=90)  # WF-17
LOG_KEPT: Final = timedelta(days=30)
MAX_DEPTH: Final = 5  # sub-workflows in sub-workflows


@dataclass(frozen=True)
class Blob:
    """JSON data: inline text, or where its text lies in S3. `size` in bytes, `sha256` of the text.

    Whoever reads one from S3 compares size and hash (E25).
    """

    size: int
    sha256: str
    text: str | None = field(default=None, repr=False)
    key: str | None = None


def json_text(value: Any) -> str:
    """JSON data as compact text, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    """SHA-256 of text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def content_hash(value: Any) -> str:
    """SHA-256 of JSON data whatever the order of its keys."""
    return digest(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True))


@dataclass(frozen=True)
class RunSettings:
    """How executions of a workflow are bounded."""

    max_concurrency: int = 10
    on_limit: Literal["queue", "reject"] = "queue"
    timeout_seconds: int = 86400


@dataclass(frozen=True)
class Stats:
    """Counters of a workflow (WF-9). `ended_micros` sums the durations of ended executions."""

    active: int = 0
    queued: int = 0
    successful: int = 0
    failed: int = 0
    ended_micros: int = 0
    last_execution: datetime | None = None

    @property
    def running(self) -> int:
        """Executions that have not ended."""
        return self.active + self.queued

    @property
    def total(self) -> int:
        """Executions that have ended."""
        return self.successful + self.failed

    @property
    def average_duration(self) -> float | None:
        """Seconds, milliseconds precise; None while nothing has ended."""
        return round(self.ended_micros / self.total / 1e6, 3) if self.total else None


@dataclass(frozen=True)
class Workflow:
    """A workflow and its current version's number. `revision` rises with every change."""

    id: str
    name: str
    description: str
    is_active: bool
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int
    settings: RunSettings
    template_id: str | None = None
    revision: int = 1
    stats: Stats = Stats()


@dataclass(frozen=True)
class Version:
    """An immutable version. `valid` False: saved inactive, with these problems.

    `machine_version_arn` and `plan` (what the step function must know of that machine) are added
    when the version is published, once.
    """

    workflow_id: str
    version: int
    created_at: datetime
    created_by: str
    content_hash: str
    definition: Blob
    valid: bool
    issues: tuple[Mapping[str, Any], ...] = ()
    required_inputs: tuple[tuple[str, ...], ...] = ()
    callees: tuple[str, ...] = ()
    machine_version_arn: str | None = None
    plan: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class StepProblem:
    """Why a step or an execution failed. `step_id` is None for the execution as a whole."""

    code: str
    message: str
    step_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The wire shape of an execution's error."""
        return {"code": self.code, "message": self.message, "step_id": self.step_id}


@dataclass(frozen=True)
class Execution:
    """One run of one version. `principal` is who answers for its effects (WF-16)."""

    id: str
    workflow_id: str
    workflow_version: int
    status: ExecutionStatus
    trigger: TriggerKind
    principal: str
    started_at: datetime
    input: Blob
    timeout_seconds: int
    trigger_data: Blob | None = None
    completed_at: datetime | None = None
    output: Blob | None = None
    error: StepProblem | None = None
    resumed_from: str | None = None
    webhook_url: str | None = None
    request_id: str | None = None
    depth: int = 0
    parent: str | None = None
    parked: int = 0
    machine_execution_arn: str | None = None
    launched_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """True at a final status."""
        return self.status in FINAL

    @property
    def duration(self) -> float | None:
        """Seconds from start to end."""
        if self.completed_at is None:
            return None
        return (self.completed_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class Step:
    """One node run in the ledger. `route` is what its record says to follow.

    `order` breaks ties of the start: the node's place in topological order, with the positions of
    the loops around it.
    """

    execution_id: str
    step_id: str
    node_id: str
    type: str
    status: StepStatus
    started_at: datetime
    attempts: int = 1
    completed_at: datetime | None = None
    route: str | None = None
    output: Blob | None = None
    error: StepProblem | None = None
    reused: bool = False
    content_hash: str | None = None
    task_token: str | None = field(default=None, repr=False)
    waits_until: datetime | None = None
    approval_id: str | None = None
    child_id: str | None = None
    items: Blob | None = None
    order: tuple[int, ...] = ()

    @property
    def ended(self) -> bool:
        """True at a final status, after which nothing changes it (E24)."""
        return self.status in STEP_FINAL


@dataclass(frozen=True)
class LogEntry:
    """One line of an execution's log."""

    id: str
    timestamp: datetime
    level: LogLevel
    workflow_id: str
    execution_id: str
    message: str
    step_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None


ApprovalStatus = Literal["pending", "approved", "rejected", "expired", "cancelled"]


@dataclass(frozen=True)
class Vote:
    """One person's decision, bound to what was shown to him."""

    user_id: str
    email: str
    decision: Literal["approve", "reject"]
    comment: str
    decided_at: datetime
    subject_hash: str


@dataclass(frozen=True)
class Approval:
    """An approval that a workflow step waits for. `approvers` empty: anyone with the role."""

    id: str
    execution_id: str
    workflow_id: str
    step_id: str
    subject_hash: str
    title: str
    description: str
    requested_by: str
    requested_at: datetime
    quorum: int
    approver_role: str
    expires_at: datetime
    task_token: str = field(repr=False)
    approvers: tuple[str, ...] = ()
    status: ApprovalStatus = "pending"
    votes: tuple[Vote, ...] = ()
    revision: int = 1
    answered: bool = False
    decided_at: datetime | None = None

    def shown_status(self, now: datetime) -> ApprovalStatus:
        """The status now: expiry holds on read (GOV-4)."""
        if self.status == "pending" and now >= self.expires_at:
            return "expired"
        return self.status
