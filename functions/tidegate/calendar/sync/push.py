"""From here to Google: the noted changes, one by one."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from tidegate_kit.dynamo import ConditionFailed
from tidegate_kit.observability import logger

from tidegate.calendar.domain import Copy, Event, Push, event_id_of, google_id_of
from tidegate.calendar.repository.events import Events, Write
from tidegate.calendar.service.events import retried
from tidegate.calendar.sync.caller import Caller
from tidegate.calendar.sync.google import Refused
from tidegate.calendar.sync.merge import CREATED, DELETED, SKIPPED, UPDATED
from tidegate.calendar.sync.remote import new_remote, original_start, write_remote
from tidegate.calendar.sync.report import Report

_GONE = frozenset({404, 410})


class Pushes:
    """Delivers changes. Each call may be repeated: ids are ours and versions are compared."""

    def __init__(self, events: Events, caller: Caller, report: Report, account: str) -> None:
        self._events = events
        self._caller = caller
        self._report = report
        self._account = account

    def run(self) -> None:
        """Deliver what is noted. Raises as Caller.call, but for refusals of single changes."""
        for push in self._events.pushes():
            if not push.parked:
                self._deliver(push.event_id)

    def _deliver(self, event_id: str) -> None:
        event, push = self._events.find([event_id])[event_id]
        if push is None or push.parked:
            return
        try:
            if push.kind == "delete" and event is None:
                self._delete(push)
            elif event is None:
                self._clear(push)
            else:
                self._upsert(event, push)
        except Refused as refused:
            if refused.status == 412:
                # Changed there since it was read: the next round reads it and decides.
                self._report.more = True
            else:
                self._park(push, refused)

    def _upsert(self, event: Event, push: Push) -> None:
        copy = event.copy_of(self._account)
        nothing_there = copy is None or copy.gone
        uncancellable = nothing_there and (copy is not None or not event.recurrence_id)
        if event.content.status == "cancelled" and uncancellable:
            self._clear(push)
            return
        if copy is None or copy.gone:
            done, resource = self._create(event, copy)
        else:
            try:
                done, resource = UPDATED, self._patch(event, copy)
            except Refused as refused:
                if refused.status not in _GONE:
                    raise
                done, resource = self._create(event, copy)
        self._record(event, push, _copy(resource, self._account, event))
        self._report.pushed(done)

    def _patch(self, event: Event, copy: Copy) -> dict[str, Any]:
        resource = write_remote(event.content, copy)
        if event.recurrence_id:
            del resource["recurrence"]  # belongs to the series
        return self._caller.call(
            lambda token, seconds: self._caller.google.patch(
                token, seconds, copy.id, resource, copy.etag
            )
        )

    def _create(self, event: Event, copy: Copy | None) -> tuple[str, dict[str, Any]]:
        if event.recurrence_id and copy is None:
            occurrence = self._occurrence(event)
            if occurrence is not None:
                return UPDATED, self._patch(event, occurrence)
        first = google_id_of(event.id, event.version if copy is not None else 0)
        # A deleted id cannot be used again; the version makes another, the same at each attempt.
        for google_id in dict.fromkeys((first, google_id_of(event.id, event.version))):
            try:
                return CREATED, self._insert(event, google_id)
            except Refused as refused:
                if refused.status != 409:
                    raise
            there = self._get(google_id)
            if there.get("status") != "cancelled":
                # Ours already: the answer of an earlier attempt was lost.
                return CREATED, self._patch(event, _copy(there, self._account, event))
        raise Refused(409, "duplicate")

    def _insert(self, event: Event, google_id: str) -> dict[str, Any]:
        resource = new_remote(event.content, google_id)
        return self._caller.call(
            lambda token, seconds: self._caller.google.insert(token, seconds, resource)
        )

    def _get(self, google_id: str) -> dict[str, Any]:
        return self._caller.call(
            lambda token, seconds: self._caller.google.get(token, seconds, google_id)
        )

    def _occurrence(self, event: Event) -> Copy | None:
        """The occurrence at Google that a changed one here stands for."""
        series = self._events.get(event_id_of(event.ical_uid))
        copy = series.copy_of(self._account) if series is not None else None
        if copy is None:
            return None
        start = original_start(event.recurrence_id)
        try:
            found = self._caller.call(
                lambda token, seconds: self._caller.google.instance(token, seconds, copy.id, start)
            )
        except Refused as refused:
            if refused.status not in _GONE:
                raise
            return None
        return _copy(found, self._account, event) if found is not None else None

    def _delete(self, push: Push) -> None:
        copy = push.copy
        never_there = copy is None and push.child
        if never_there or (copy is not None and (copy.account != self._account or copy.gone)):
            self._clear(push)
            return
        google_id = copy.id if copy is not None else google_id_of(push.event_id)
        etag = copy.etag if copy is not None else ""
        try:
            self._caller.call(
                lambda token, seconds: self._caller.google.delete(token, seconds, google_id, etag)
            )
        except Refused as refused:
            if refused.status not in _GONE:
                raise
            self._clear(push)
            return
        self._clear(push)
        self._report.pushed(DELETED)

    def _record(self, event: Event, push: Push, copy: Copy) -> None:
        """Remember the copy; the change is told, unless another one was made meanwhile."""
        known: tuple[Event | None, Push | None] | None = (event, push)

        def attempt() -> None:
            nonlocal known
            now, current = known or self._events.find([push.event_id])[push.event_id]
            known = None  # read again if this was out of date
            if now is not None:
                told = current if current is not None and current.change == push.change else None
                new = replace(now, copy=copy, version=now.version + 1)
                self._events.commit([Write(put=new, clear=told)])
            elif current is None:
                left = replace(push, kind="delete", copy=copy)
                self._events.commit([Write(push=left)])
            else:
                self._events.commit([Write(push=replace(current, copy=copy), clear=current)])

        retried(attempt)

    def _settle(self, write: Write) -> None:
        """Write about a note; one that was replaced meanwhile is another change, and stays."""
        with contextlib.suppress(ConditionFailed):
            self._events.commit([write])

    def _clear(self, push: Push) -> None:
        self._settle(Write(clear=push))

    def _park(self, push: Push, refused: Refused) -> None:
        """One change that Google does not take must not hold up the others."""
        logger.warning("change refused by google", event_id=push.event_id, cause=str(refused))
        self._settle(Write(push=replace(push, parked=str(refused)[:200]), clear=push))
        self._report.pushed(SKIPPED)


def _copy(resource: dict[str, Any], account: str, event: Event) -> Copy:
    known = event.copy_of(account)
    return Copy(
        account,
        str(resource["id"]),
        str(resource.get("etag", "")),
        tuple(resource.get("attendees", ())),
        seen=known.seen if known is not None else "",
    )
