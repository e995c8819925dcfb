"""Workflows that start by the clock: EventBridge Scheduler fires, this decides (H16, H17)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo, available_timezones

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clock import Clock
from tidegate_kit.errors import ApiError, Detail, NotFound, ServiceUnavailable
from tidegate_kit.observability import logger

from tidegate.workflows.domain import Execution
from tidegate.workflows.errors import ConcurrencyLimit, ScheduleInvalid, WorkflowInactive
from tidegate.workflows.identifiers import id_from
from tidegate.workflows.repository.executions import OnLimit
from tidegate.workflows.repository.triggers import Schedule, Triggers
from tidegate.workflows.service import cron
from tidegate.workflows.service.executions import ExecutionService, Start

_SHOWN_RUNS: Final = 3
_MAX_SKIPPED: Final = 100_000


class Scheduler(Protocol):
    """EventBridge Scheduler, as far as workflows need it."""

    def put(self, tenant_id: str, schedule: Schedule) -> None:
        """Make or change the schedule of a workflow."""

    def delete(self, workflow_id: str) -> None:
        """Delete it; one that is not there is fine."""


@dataclass(frozen=True)
class ScheduleTarget:
    """Where schedules are kept and what they call."""

    group: str
    function_arn: str
    role_arn: str


class EventBridgeScheduler:
    """Scheduler on AWS. `client` is a boto3 scheduler client."""

    def __init__(self, client: Any, target: ScheduleTarget) -> None:
        self._client = client
        self._target = target

    def put(self, tenant_id: str, schedule: Schedule) -> None:
        request = self._request(tenant_id, schedule)
        try:
            self._client.update_schedule(**request)
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException":
                raise ServiceUnavailable(log=f"scheduler: {error}") from error
            self._create(request)
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"scheduler: {error}") from error

    def _create(self, request: dict[str, Any]) -> None:
        try:
            self._client.create_schedule(**request)
        except ClientError as error:
            if _code(error) != "ConflictException":
                raise ServiceUnavailable(log=f"scheduler: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"scheduler: {error}") from error

    def _request(self, tenant_id: str, schedule: Schedule) -> dict[str, Any]:
        given = {
            "tenant_id": tenant_id,
            "workflow_id": schedule.workflow_id,
            "scheduled_time": "<aws.scheduler.scheduled-time>",
        }
        request: dict[str, Any] = {
            "Name": _name(schedule.workflow_id),
            "GroupName": self._target.group,
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": schedule.time_zone,
            "State": "ENABLED" if schedule.enabled else "DISABLED",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": self._target.function_arn,
                "RoleArn": self._target.role_arn,
                "Input": json.dumps(given),
                # A run that is missed for five minutes is not made up for (WF-17).
                "RetryPolicy": {"MaximumEventAgeInSeconds": 300, "MaximumRetryAttempts": 3},
            },
        }
        if schedule.start_at is not None:
            request["StartDate"] = schedule.start_at
        if schedule.end_at is not None:
            request["EndDate"] = schedule.end_at
        return request

    def delete(self, workflow_id: str) -> None:
        try:
            self._client.delete_schedule(Name=_name(workflow_id), GroupName=self._target.group)
        except ClientError as error:
            if _code(error) != "ResourceNotFoundException":
                raise ServiceUnavailable(log=f"scheduler: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"scheduler: {error}") from error


def _name(workflow_id: str) -> str:
    return f"wf-{workflow_id}"


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class ScheduleService:
    """The schedules of one tenant's workflows."""

    def __init__(
        self,
        tenant_id: str,
        triggers: Triggers,
        scheduler: Scheduler,
        executions: Callable[[], ExecutionService],
        clock: Clock,
    ) -> None:
        self._tenant_id = tenant_id
        self._triggers = triggers
        self._scheduler = scheduler
        self._executions = executions
        self._clock = clock

    def put(self, schedule: Schedule) -> Schedule:
        """Store a schedule; the scheduler follows at once, or by the table's stream.

        Raises ScheduleInvalid, NotFound.
        """
        self._check(schedule)
        stored = self._triggers.put_schedule(schedule)
        self.follow(stored.workflow_id, quietly=True)
        return stored

    def delete(self, workflow_id: str) -> None:
        """Raises NotFound."""
        self._triggers.delete_schedule(workflow_id)
        self.follow(workflow_id, quietly=True)

    def follow(self, workflow_id: str, *, quietly: bool = False) -> None:
        """Make the scheduler agree with the table."""
        try:
            try:
                self._scheduler.put(self._tenant_id, self._triggers.schedule(workflow_id))
            except NotFound:
                self._scheduler.delete(workflow_id)
        except ServiceUnavailable as error:
            if not quietly:
                raise
            logger.warning("the scheduler follows later", cause=error.log)

    def forget(self, workflow_id: str) -> None:
        """Take a workflow out of the scheduler, whatever the table says. Raises 503."""
        self._scheduler.delete(workflow_id)

    @staticmethod
    def _check(schedule: Schedule) -> None:
        problems: list[Detail] = []
        try:
            cron.parse(schedule.expression)
        except cron.BadExpression as error:
            problems.append(Detail("expression", str(error)))
        if schedule.time_zone not in available_timezones():
            problems.append(Detail("time_zone", "is not an IANA time zone"))
        start, end = schedule.start_at, schedule.end_at
        if any(moment is not None and moment.tzinfo is None for moment in (start, end)):
            problems.append(Detail("start_at", "and end_at need a UTC offset or Z"))
        elif start is not None and end is not None and end <= start:
            problems.append(Detail("end_at", "must be after start_at"))
        if problems:
            raise ScheduleInvalid(details=problems)

    def next_runs(self, schedule: Schedule) -> list[datetime]:
        """The next three runs, fewer where the schedule ends or is off."""
        if not schedule.enabled:
            return []
        now = self._clock()
        parsed = cron.parse(schedule.expression)
        begin = schedule.start_at or schedule.updated_at
        if isinstance(parsed, cron.Rate) and begin < now:
            missed = int((now - begin).total_seconds() // parsed.seconds)
            begin += missed * (parsed.runs(begin, ZoneInfo("UTC")).__next__() - begin)
        elif isinstance(parsed, cron.Cron):
            begin = max(begin, now)
        runs = parsed.runs(begin, ZoneInfo(schedule.time_zone))
        found = list(islice((run for run in islice(runs, _MAX_SKIPPED) if run > now), _SHOWN_RUNS))
        return [run for run in found if schedule.end_at is None or run <= schedule.end_at]

    def tick(
        self, workflow_id: str, scheduled_time: str, may_act: Callable[[str], bool]
    ) -> Execution | None:
        """One run of the clock; a doubled one is the same execution (H16).

        `may_act` says whether the owner is still there to answer for it. None: nothing was to run.
        """
        try:
            schedule = self._triggers.schedule(workflow_id)
        except NotFound:
            return None
        if not schedule.enabled or not may_act(schedule.owner):
            return None
        limits: Mapping[str, OnLimit | None] = {"skip": None, "queue": "queue", "allow": None}
        wish = Start(
            id=id_from(f"schedule/{workflow_id}/{scheduled_time}"),
            workflow_id=workflow_id,
            input_data=schedule.input_data,
            principal=schedule.owner,
            trigger="schedule",
            trigger_data={"type": "schedule", "scheduled_time": scheduled_time},
            on_limit=limits[schedule.on_overlap],
            only_when_idle=schedule.on_overlap == "skip",
        )
        try:
            return self._executions().start(wish)
        except (WorkflowInactive, ConcurrencyLimit, NotFound) as refused:
            logger.info("scheduled run not started", workflow_id=workflow_id, code=refused.code)
        except ApiError as refused:
            if refused.status >= 500:
                raise
            logger.warning("scheduled run refused", workflow_id=workflow_id, code=refused.code)
        return None
