"""Routes of contract 2.3 under /v1/calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import Depends, Query, Response
from pydantic import BeforeValidator, WithJsonSchema
from tidegate_kit.errors import Detail, NotFound, Unprocessable
from tidegate_kit.http import CurrentCall, PageParams, Paging, PathId, Router, Text

from tidegate.calendar import errors, schemas, wiring
from tidegate.calendar.domain import Connection, Moment, TaskStatus
from tidegate.calendar.drafts import FIRST_YEAR, LAST_YEAR, read_moment
from tidegate.calendar.ical.media import CALENDAR_BODY, CALENDAR_FILE
from tidegate.calendar.service.events import Window
from tidegate.calendar.service.tasks import TaskFilter
from tidegate.calendar.zones import instant

router = Router("calendar")
_READ, _WRITE = "calendar:read", "calendar:write"
_CHANGED = [errors.ChangedMeanwhile]
_PROVIDER = [errors.ProviderRateLimited, errors.ProviderUnavailable]

Bound = Annotated[
    datetime | date | None,
    BeforeValidator(read_moment),
    WithJsonSchema({"type": "string", "examples": ["2026-01-02T00:00:00Z", "2026-01-02"]}),
]
From = Annotated[Bound, Query(alias="from", description="A time with offset or Z, or a date.")]
To = Annotated[
    Bound, Query(alias="to", description="Exclusive; a date counts as its midnight UTC.")
]


@router.get("/v1/calendar/events", permission=_READ)
def list_events(
    call: CurrentCall,
    page: Annotated[PageParams, Depends()],
    begin: From = None,
    end: To = None,
    q: Annotated[Text | None, Query(min_length=1, max_length=2000)] = None,
) -> schemas.Events:
    """Events that touch the time from `from` to before `to`, with `q` in them, newest first."""
    window = Window(*_bounds(begin, end), q)
    paging = Paging(call, page, {"from": window.begin, "to": window.end, "q": q})
    rows, fields = paging.slice(wiring.events_for(call.principal.user).select(window))
    return schemas.Events(events=[schemas.Event.of(row) for row in rows], **fields)


@router.post("/v1/calendar/events", permission=_WRITE, status=201, idempotent=True)
def create_event(body: schemas.EventCreate, call: CurrentCall) -> schemas.Event:
    """Create an event."""
    service = wiring.events_for(call.principal.user)
    return schemas.Event.of(service.create(body.model_dump(), call.effect_key))


@router.get("/v1/calendar/events/{event_id}", permission=_READ)
def get_event(event_id: PathId, call: CurrentCall) -> schemas.Event:
    """One event."""
    return schemas.Event.of(wiring.events_for(call.principal.user).get(event_id))


@router.put("/v1/calendar/events/{event_id}", permission=_WRITE, errors=_CHANGED)
def change_event(event_id: PathId, body: schemas.EventChange, call: CurrentCall) -> schemas.Event:
    """Change the keys sent."""
    service = wiring.events_for(call.principal.user)
    return schemas.Event.of(service.change(event_id, body.model_dump(exclude_unset=True)))


@router.delete("/v1/calendar/events/{event_id}", permission=_WRITE, errors=_CHANGED)
def delete_event(event_id: PathId, call: CurrentCall) -> schemas.Deleted:
    """Delete an event; a series with its changed occurrences."""
    wiring.events_for(call.principal.user).delete(event_id)
    return schemas.Deleted(id=event_id)


@router.get("/v1/calendar/tasks", permission=_READ)
def list_tasks(
    call: CurrentCall,
    page: Annotated[PageParams, Depends()],
    status: TaskStatus | None = None,
    begin: From = None,
    end: To = None,
) -> schemas.Tasks:
    """Tasks with this status, due from `from` to before `to`, newest first."""
    wanted = TaskFilter(status, *_bounds(begin, end))
    paging = Paging(call, page, {"status": status, "from": wanted.begin, "to": wanted.end})
    rows, fields = paging.slice(wiring.tasks_for(call).select(wanted))
    return schemas.Tasks(tasks=[schemas.Task.of(row) for row in rows], **fields)


@router.post("/v1/calendar/tasks", permission=_WRITE, status=201, idempotent=True)
def create_task(body: schemas.TaskCreate, call: CurrentCall) -> schemas.Task:
    """Create a task."""
    return schemas.Task.of(wiring.tasks_for(call).create(body.model_dump(), call.effect_key))


@router.get("/v1/calendar/tasks/{task_id}", permission=_READ)
def get_task(task_id: PathId, call: CurrentCall) -> schemas.Task:
    """One task."""
    return schemas.Task.of(wiring.tasks_for(call).get(task_id))


@router.put("/v1/calendar/tasks/{task_id}", permission=_WRITE, errors=_CHANGED)
def change_task(task_id: PathId, body: schemas.TaskChange, call: CurrentCall) -> schemas.Task:
    """Change the keys sent."""
    values = body.model_dump(exclude_unset=True)
    return schemas.Task.of(wiring.tasks_for(call).change(task_id, values))


@router.delete("/v1/calendar/tasks/{task_id}", permission=_WRITE, errors=_CHANGED)
def delete_task(task_id: PathId, call: CurrentCall) -> schemas.Deleted:
    """Delete a task."""
    wiring.tasks_for(call).delete(task_id)
    return schemas.Deleted(id=task_id)


@router.post(
    "/v1/calendar/sync/auto", permission=_WRITE, body="none", idempotent=True,
    csrf_with_cookie=True,
    errors=[errors.NoOAuthToken, errors.ReconnectRequired, errors.SyncRunning, *_PROVIDER],
)  # fmt: skip
def sync_auto(call: CurrentCall) -> schemas.Synced:
    """Sync with Google Calendar, both ways; `more` says to call again."""
    report = wiring.sync_for(call).run()
    completed = report.completed_at or report.started_at
    return schemas.Synced(
        full_sync=report.full_sync,
        pulled=schemas.Changes(**report.pulled_counts),
        pushed=schemas.Changes(**report.pushed_counts),
        conflicts=schemas.Conflicts(**report.conflicts),
        skipped=report.skipped,
        more=report.more,
        started_at=report.started_at,
        completed_at=completed,
        duration=(completed - report.started_at).total_seconds(),
    )


@router.get("/v1/calendar/oauth", permission=_READ)
def oauth_status(call: CurrentCall) -> schemas.OAuthStatus:
    """Whether a Google calendar is connected."""
    return _status(wiring.oauth_for(call).status())


@router.delete("/v1/calendar/oauth", permission=_WRITE, errors=[*_CHANGED, NotFound])
def disconnect(call: CurrentCall) -> schemas.Deleted:
    """Forget the connection. Events stay."""
    wiring.oauth_for(call).disconnect()
    return schemas.Deleted(id="google")


@router.post(
    "/v1/calendar/oauth/start", permission=_WRITE, idempotent=True, secret=True,
    errors=[errors.RedirectNotAllowed, errors.NotConfigured],
)  # fmt: skip
def start_oauth(body: schemas.OAuthStart, call: CurrentCall) -> schemas.OAuthStarted:
    """Where to send the user; Google sends him back to `redirect_uri` with code and state."""
    session_id = call.principal.session_id
    url, state = wiring.oauth_for(call).start(session_id, body.redirect_uri)
    return schemas.OAuthStarted(authorization_url=url, state=state)


@router.post(
    "/v1/calendar/oauth/complete", permission=_WRITE, idempotent=True,
    errors=[errors.OAuthStateInvalid, errors.AccessNotGranted, *_PROVIDER, *_CHANGED],
)  # fmt: skip
def complete_oauth(body: schemas.OAuthComplete, call: CurrentCall) -> schemas.OAuthStatus:
    """Exchange what Google sent back for a connection; once, and by the session that started."""
    session_id = call.principal.session_id
    return _status(wiring.oauth_for(call).complete(session_id, body.code, body.state))


@router.get(
    "/v1/calendar/export.ics", permission=_READ, response_class=Response, responses=CALENDAR_FILE
)
def export(call: CurrentCall) -> Response:
    """Every event as an iCalendar file."""
    return Response(
        wiring.files_for(call).export(),
        media_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="tidegate.ics"'},
    )


@router.post(
    "/v1/calendar/import", permission=_WRITE, body="calendar", idempotent=True,
    openapi_extra=CALENDAR_BODY, errors=[errors.BadCalendarFile, *_CHANGED],
)  # fmt: skip
def import_file(call: CurrentCall) -> schemas.Imported:
    """Store the events of an iCalendar file by UID; a bad file writes nothing."""
    counts = wiring.files_for(call).load(call.body)
    return schemas.Imported(created=counts.created, updated=counts.updated, skipped=counts.skipped)


def _status(connection: Connection | None) -> schemas.OAuthStatus:
    if connection is None:
        return schemas.OAuthStatus(connected=False, scopes=[], expires_at=None, last_error=None)
    return schemas.OAuthStatus(
        connected=not connection.needs_reconnect,
        scopes=list(connection.scopes),
        expires_at=connection.expires_at,
        last_error=connection.last_error,
    )


def _bounds(begin: Moment | None, end: Moment | None) -> tuple[datetime | None, datetime | None]:
    bounds = [instant(one, "UTC").astimezone(UTC) if one is not None else None
              for one in (begin, end)]  # fmt: skip
    for name, bound in zip(("from", "to"), bounds, strict=True):
        if bound is not None and not FIRST_YEAR <= bound.year <= LAST_YEAR:
            raise Unprocessable(details=[Detail(name, f"not in {FIRST_YEAR} to {LAST_YEAR}")])
    first, last = bounds
    if first is not None and last is not None and last < first:
        raise Unprocessable(details=[Detail("to", "must not be before from")])
    return first, last
