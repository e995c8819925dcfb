"""Requests and answers of contract 2.3."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
)
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Text, Timestamp
from tidegate_kit.http.schema import Line, NotNull

from tidegate.calendar import domain
from tidegate.calendar.domain import Priority, Source, Status, TaskStatus, moment_text
from tidegate.calendar.drafts import EMAIL, read_instant, read_moment
from tidegate.calendar.rules import read_rule
from tidegate.calendar.zones import TimeZone


def _is_rule(value: str) -> str:
    read_rule(value)
    return value


_MOMENT_SCHEMA = {"type": "string", "examples": ["2026-01-02T09:00:00Z"]}
_INSTANT_SCHEMA = {"type": "string", "format": "date-time", "examples": ["2026-01-02T09:00:00Z"]}
MomentIn = Annotated[datetime | date, BeforeValidator(read_moment), WithJsonSchema(_MOMENT_SCHEMA)]
InstantIn = Annotated[datetime, BeforeValidator(read_instant), WithJsonSchema(_INSTANT_SCHEMA)]
MomentOut = Annotated[
    datetime | date, PlainSerializer(moment_text, return_type=str), WithJsonSchema(_MOMENT_SCHEMA)
]
Title = Annotated[Line, Field(min_length=1, max_length=200)]
LongText = Annotated[Text, Field(max_length=2000)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=EMAIL)]
Recurrence = Annotated[
    str, Field(min_length=1, max_length=1000, examples=["FREQ=WEEKLY;COUNT=5"]),
    AfterValidator(_is_rule),
]  # fmt: skip


class AttendeeIn(RequestModel):
    """A guest."""

    email: Email
    name: Annotated[Title | None, NotNull] = None


class EventCreate(RequestModel):
    """POST /events."""

    title: Title
    description: LongText = ""
    location: LongText = ""
    start: MomentIn
    end: MomentIn
    all_day: bool = False
    time_zone: TimeZone = "UTC"
    attendees: Annotated[list[AttendeeIn], Field(max_length=100)] = Field(default_factory=list)
    recurrence: Recurrence | None = None
    status: Status = "confirmed"


class EventChange(RequestModel):
    """PUT /events/{id}: the keys sent."""

    title: Annotated[Title | None, NotNull] = None
    description: Annotated[LongText | None, NotNull] = None
    location: Annotated[LongText | None, NotNull] = None
    start: Annotated[MomentIn | None, NotNull] = None
    end: Annotated[MomentIn | None, NotNull] = None
    all_day: Annotated[bool | None, NotNull] = None
    time_zone: Annotated[TimeZone | None, NotNull] = None
    attendees: Annotated[list[AttendeeIn] | None, NotNull, Field(max_length=100)] = None
    recurrence: Recurrence | None = None
    status: Annotated[Status | None, NotNull] = None


class Attendee(ApiModel):
    """A guest."""

    email: str
    name: str | None = Field(default=None, description="Absent if not known.")

    @model_serializer(mode="wrap")
    def _drop_absent_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        return {name: value for name, value in data.items() if value is not None}


class Event(ApiModel):
    """An event."""

    id: str
    title: str
    description: str
    location: str
    start: MomentOut
    end: MomentOut
    all_day: bool
    time_zone: str
    attendees: list[Attendee]
    recurrence: str | None
    status: Status
    source: Source
    external_id: str | None
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, event: domain.Event) -> Event:
        """The answer's form of a stored event."""
        content = event.content
        return cls(
            id=event.id, title=content.title, description=content.description,
            location=content.location, start=content.start, end=content.end,
            all_day=content.all_day, time_zone=content.time_zone,
            attendees=[Attendee(**guest.as_dict()) for guest in content.attendees],
            recurrence=content.recurrence, status=content.status, source=event.source,
            external_id=event.external_id, created_at=event.created_at,
            updated_at=event.updated_at,
        )  # fmt: skip


class Events(PageFields):
    """A page of events, newest first."""

    events: list[Event]


class TaskCreate(RequestModel):
    """POST /tasks."""

    title: Title
    description: LongText = ""
    due: InstantIn | None = None
    time_zone: TimeZone = "UTC"
    priority: Priority = "medium"
    status: TaskStatus = "open"


class TaskChange(RequestModel):
    """PUT /tasks/{id}: the keys sent."""

    title: Annotated[Title | None, NotNull] = None
    description: Annotated[LongText | None, NotNull] = None
    due: InstantIn | None = None
    time_zone: Annotated[TimeZone | None, NotNull] = None
    priority: Annotated[Priority | None, NotNull] = None
    status: Annotated[TaskStatus | None, NotNull] = None


class Task(ApiModel):
    """A task."""

    id: str
    title: str
    description: str
    due: Timestamp | None
    time_zone: str
    priority: Priority
    status: TaskStatus
    completed_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, task: domain.Task) -> Task:
        """The answer's form of a stored task."""
        return cls(
            id=task.id, title=task.title, description=task.description, due=task.due,
            time_zone=task.time_zone, priority=task.priority, status=task.status,
            completed_at=task.completed_at, created_at=task.created_at,
            updated_at=task.updated_at,
        )  # fmt: skip


class Tasks(PageFields):
    """A page of tasks, newest first."""

    tasks: list[Task]


class Deleted(ApiModel):
    """What DELETE answers."""

    id: str
    deleted: bool = True


class OAuthStart(RequestModel):
    """POST /oauth/start."""

    redirect_uri: Annotated[str, Field(min_length=1, max_length=2000)]


class OAuthStarted(ApiModel):
    """Where to send the user."""

    authorization_url: str
    state: str


class OAuthComplete(RequestModel):
    """POST /oauth/complete: what the provider sent back."""

    code: Annotated[str, Field(min_length=1, max_length=2000)]
    state: Annotated[str, Field(min_length=1, max_length=2000)]


class OAuthStatus(ApiModel):
    """The connection."""

    connected: bool
    scopes: list[str]
    expires_at: Timestamp | None
    last_error: str | None


class Imported(ApiModel):
    """What an import did. `skipped`: as stored already, or not an event."""

    created: int
    updated: int
    skipped: int


class Changes(ApiModel):
    """Counts of one direction."""

    created: int
    updated: int
    deleted: int


class Conflicts(ApiModel):
    """How events changed on both sides were settled: the newer one won."""

    local_won: int
    remote_won: int


class Synced(ApiModel):
    """What one call of sync/auto did; `more`: call again to go on."""

    status: str = "completed"
    provider: str = "google"
    full_sync: bool
    pulled: Changes
    pushed: Changes
    conflicts: Conflicts
    skipped: int
    more: bool
    started_at: Timestamp
    completed_at: Timestamp
    duration: float
