"""From Google to here: pages since the sync token, or of everything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from tidegate_kit.clock import Clock
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger

from tidegate.calendar.domain import Event, Push, event_id_of
from tidegate.calendar.errors import ProviderUnavailable
from tidegate.calendar.repository.events import CHUNK, Events, Write
from tidegate.calendar.service.events import note, parts_of, retried
from tidegate.calendar.sync.caller import Caller
from tidegate.calendar.sync.google import Page, Refused
from tidegate.calendar.sync.merge import DELETED, SKIPPED, Decision, Here, Met, decide
from tidegate.calendar.sync.remote import LONG_AGO, RemoteEvent, Unreadable, read_remote
from tidegate.calendar.sync.report import Report
from tidegate.calendar.sync.session import Session

Named = tuple[RemoteEvent, str, str]  # an event of Google, our id, its UID


class Pull:
    """One round of events.list. The sync token moves only after all writes (CAL-3)."""

    def __init__(
        self,
        events: Events,
        session: Session,
        caller: Caller,
        report: Report,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._events = events
        self._session = session
        self._caller = caller
        self._report = report
        self._clock = clock
        self._ids = ids
        self._restarted = False
        self._removed: set[str] = set()

    def run(self) -> None:
        """Go on from the last page that was taken over, to the end. Raises as Caller.call."""
        while True:
            self._report.full_sync |= self._session.connection.full is not None
            page = self._page()
            if page is None:
                continue
            self._apply(page)
            if page.next_page is not None:
                self._session.save(page_token=page.next_page)
                continue
            if page.next_sync is None:
                raise ProviderUnavailable(log="the last page has no sync token")
            if self._session.connection.full is not None:
                self._settle(self._session.connection.full)
            self._session.save(sync_token=page.next_sync, page_token=None, full=None)
            return

    def _page(self) -> Page | None:
        """The next page; None after a fresh start had to be made."""
        connection = self._session.connection
        sync = connection.sync_token if connection.full is None else None
        try:
            return self._caller.call(
                lambda token, seconds: self._caller.google.page(
                    token, seconds, sync=sync, page=connection.page_token
                )
            )
        except Refused as refused:
            if self._restarted:
                raise ProviderUnavailable(log=f"events.list: {refused}") from refused
            self._restarted = True
            if refused.status == 410:
                # The sync token is too old: forget it and read everything, once (CAL-2).
                self._session.save(sync_token=None, page_token=None, full=self._ids())
            elif refused.status == 400 and connection.page_token is not None:
                self._session.save(page_token=None)
            else:
                raise ProviderUnavailable(log=f"events.list: {refused}") from refused
            return None

    def _apply(self, page: Page) -> None:
        # A series comes before its occurrences, which take their title and UID from it.
        remotes = sorted(self._readable(page), key=lambda remote: bool(remote.series))
        for chunk in _chunks(self._named(remotes)):
            for decision in retried(lambda part=chunk: self._take_over(part)):  # type: ignore[misc]
                self._report.pulled(decision)

    def _readable(self, page: Page) -> Iterator[RemoteEvent]:
        for resource in page.items:
            try:
                yield read_remote(resource, page.zone)
            except Unreadable as error:
                logger.warning("event of google skipped", cause=str(error))
                self._report.pulled(Decision((SKIPPED,)))

    def _named(self, remotes: Sequence[RemoteEvent]) -> list[Named]:
        untold = [remote.series or remote.id for remote in remotes if not remote.uid]
        links = self._events.linked(untold) if untold else {}
        named = []
        for remote in remotes:
            base = remote.series or remote.id
            uid = remote.uid or links.get(base, f"{base}@google.com")
            named.append((remote, event_id_of(uid, remote.recurrence_id), uid))
        return named

    def _take_over(self, chunk: Sequence[Named]) -> list[Decision]:
        series = {event_id: event_id_of(uid) for remote, event_id, uid in chunk if remote.series}
        found = self._events.find([*(event_id for _, event_id, _ in chunk), *series.values()])
        connection = self._session.connection
        here = Here(connection.account, connection.full or "", self._clock())
        decisions: list[Decision] = []
        removed = set(self._removed)
        for remote, event_id, uid in chunk:
            local, noted = found[event_id]
            whole = found[series[event_id]][0] if event_id in series else None
            uid = whole.ical_uid if whole is not None else uid
            if noted is not None and remote.updated == LONG_AGO:
                remote = self._with_time(remote)
            if whole is None and self._is_remnant(remote, series.get(event_id), removed):
                remote = replace(remote, content=None)
            decision = decide(Met(remote, event_id, uid, local, noted, whole), here)
            if decision.write is not None and decision.write.put is not None:
                found[event_id] = (decision.write.put, None)  # a series, for its occurrences
            elif decision.write is not None and decision.write.remove is not None:
                found[event_id] = (None, None)
                removed.add(event_id)
            decisions.append(decision)
        writes = [decision.write for decision in decisions if decision.write is not None]
        self._remove_parts([write.remove for write in writes if write.remove is not None])
        self._events.commit(writes)
        self._removed = removed
        return decisions

    def _is_remnant(
        self, remote: RemoteEvent, series_id: str | None, removed: Collection[str]
    ) -> bool:
        """A cancelled occurrence whose series was deleted; a full sync has none of those."""
        if series_id in removed:
            return True
        if remote.content is None or remote.content.status != "cancelled" or not remote.series:
            return False
        if self._session.connection.full is not None:
            return False
        try:
            series = self._caller.call(
                lambda token, seconds: self._caller.google.get(token, seconds, remote.series)
            )
        except Refused as refused:
            if refused.status not in {404, 410}:
                raise ProviderUnavailable(log=f"events.get: {refused}") from refused
            return True
        return series.get("status") == "cancelled"

    def _with_time(self, remote: RemoteEvent) -> RemoteEvent:
        """Lists do not tell when an event was deleted; asked for by id, Google does."""
        try:
            resource = self._caller.call(
                lambda token, seconds: self._caller.google.get(token, seconds, remote.id)
            )
            updated = read_remote({**resource, "status": "cancelled"}, "UTC").updated
        except (Refused, Unreadable) as error:
            logger.info("time of a deletion is not told", cause=str(error))
            return remote
        return replace(remote, updated=updated)

    def _remove_parts(self, removed: Sequence[Event]) -> None:
        """The changed occurrences of deleted series go first: a killed call can go on."""
        series = [event for event in removed if event.content.recurrence is not None]
        if not series:
            return
        events = self._events.all()
        gone = {event.id for event in removed}
        parts = [part for one in series for part in parts_of(one, events) if part.id not in gone]
        self._remove(parts)

    def _remove(self, events: Sequence[Event]) -> None:
        for start in range(0, len(events), CHUNK):
            part = events[start : start + CHUNK]
            noted = self._events.find([one.id for one in part])
            self._events.commit([Write(remove=one, clear=noted[one.id][1]) for one in part])

    def _settle(self, full: str) -> None:
        """After everything was read: what Google no longer has, and what it never had."""
        account = self._session.connection.account
        noted = {push.event_id: push for push in self._events.pushes()}
        events = [one for one in self._events.all() if one.content.status != "cancelled"]
        decisions = [self._settled(one, noted.get(one.id), account, full) for one in events]
        writing = [decision for decision in decisions if decision.write is not None]
        for start in range(0, len(writing), CHUNK):
            part = writing[start : start + CHUNK]
            self._events.commit([one.write for one in part if one.write is not None])
            for decision in part:
                self._report.pulled(decision)

    def _settled(self, event: Event, noted: Push | None, account: str, full: str) -> Decision:
        copy = event.copy_of(account)
        if copy is None:
            if event.source == "google" or noted is not None:
                return Decision(())  # another account's events stay here, and are not copied
            return Decision((), Write(push=note(event, self._ids(), self._clock())))
        if copy.seen == full or copy.gone:
            return Decision(())
        if noted is None:
            return Decision((DELETED,), Write(remove=event))
        lost = replace(event, copy=replace(copy, gone=True), version=event.version + 1)
        return Decision((), Write(put=lost))


def _chunks(named: Sequence[Named]) -> Iterator[list[Named]]:
    """Parts of at most CHUNK in order; none names an event twice, as no transaction may."""
    part: list[Named] = []
    for one in named:
        if len(part) == CHUNK or any(one[1] == other[1] for other in part):
            yield part
            part = []
        part.append(one)
    if part:
        yield part
