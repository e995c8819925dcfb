"""Events of one user, and the changes that Google is still to be told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

from tidegate_kit.dynamo import Transaction, batch_get, store_errors
from tidegate_kit.tenancy import UserScope, key

from tidegate.calendar.domain import (
    Attendee,
    Content,
    Copy,
    Event,
    Moment,
    Push,
    read_moment,
    stored_moment,
)
from tidegate.calendar.models import CalendarTable, EventItem, LinkItem, PushItem

T = TypeVar("T", bound=CalendarTable)

CHUNK = 25  # events of one transaction: at most four items each, of DynamoDB's hundred
_READ = 100  # keys of one BatchGetItem


@dataclass(frozen=True)
class Write:
    """One step of a transaction; each part is optional.

    put: store this event over the version before it (`version` 1: there must be none);
    remove: delete this event as read; push: note a change for Google over whatever is noted;
    clear: drop a note if it is still the same change, or with `push`, replace only that one;
    link: (Google's id, UID) of the event put.
    """

    put: Event | None = None
    remove: Event | None = None
    push: Push | None = None
    clear: Push | None = None
    link: tuple[str, str] | None = None


class Events(Protocol):
    """Events of one user; reads are strongly consistent."""

    def get(self, event_id: str) -> Event | None:
        """One event."""

    def all(self) -> list[Event]:
        """Every event, in no promised order."""

    def find(self, event_ids: Sequence[str]) -> dict[str, tuple[Event | None, Push | None]]:
        """Events and noted changes by event id; absent ones are None."""

    def linked(self, google_ids: Sequence[str]) -> dict[str, str]:
        """UIDs by Google's ids, of those that are linked."""

    def pushes(self) -> list[Push]:
        """Every noted change, series before their single occurrences, else oldest first."""

    def commit(self, writes: Sequence[Write]) -> None:
        """Write all (at most CHUNK) or none. Raises ConditionFailed where one was changed."""


class DynamoEvents:
    """Events on the table `calendar`."""

    def __init__(self, scope: UserScope) -> None:
        self._pk = scope.pk

    def get(self, event_id: str) -> Event | None:
        (item,) = batch_get([(EventItem, self._pk, key("EVENT", event_id))])
        return _event(item) if item is not None else None

    def all(self) -> list[Event]:
        return [_event(item) for item in self._query(EventItem, "EVENT#")]

    def find(self, event_ids: Sequence[str]) -> dict[str, tuple[Event | None, Push | None]]:
        found: dict[str, tuple[Event | None, Push | None]] = {}
        ids = list(dict.fromkeys(event_ids))
        for start in range(0, len(ids), _READ // 2):
            part = ids[start : start + _READ // 2]
            wanted: list[tuple[type[CalendarTable], str, str]] = []
            for event_id in part:
                wanted.append((EventItem, self._pk, key("EVENT", event_id)))
                wanted.append((PushItem, self._pk, key("PUSH", event_id)))
            items = batch_get(wanted)
            for number, event_id in enumerate(part):
                event, push = items[2 * number], items[2 * number + 1]
                found[event_id] = (
                    _event(event) if isinstance(event, EventItem) else None,
                    _push(push) if isinstance(push, PushItem) else None,
                )
        return found

    def linked(self, google_ids: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        ids = list(dict.fromkeys(google_ids))
        for start in range(0, len(ids), _READ):
            part = ids[start : start + _READ]
            items = batch_get([(LinkItem, self._pk, _link_key(one)) for one in part])
            found |= {item.google_id: item.uid for item in items if item is not None}
        return found

    def pushes(self) -> list[Push]:
        rows = [_push(item) for item in self._query(PushItem, "PUSH#")]
        return sorted(rows, key=lambda push: (push.child, push.at, push.event_id))

    def commit(self, writes: Sequence[Write]) -> None:
        transaction = Transaction()
        for write in writes:
            self._add(transaction, write)
        if len(transaction):
            transaction.commit()

    def _add(self, transaction: Transaction, write: Write) -> None:
        if write.put is not None:
            transaction.save(
                self._item(write.put), _follows(write.put.version - 1), name=write.put.id
            )
        if write.remove is not None:
            gone = EventItem(self._pk, key("EVENT", write.remove.id))
            transaction.delete(gone, _follows(write.remove.version), name=write.remove.id)
        noted = PushItem.change == write.clear.change if write.clear is not None else None
        if write.push is not None:
            transaction.save(self._push_item(write.push), noted, name="change")
        elif write.clear is not None:
            cleared = PushItem(self._pk, key("PUSH", write.clear.event_id))
            transaction.delete(cleared, noted, name="change")
        if write.link is not None and write.put is not None:
            transaction.save(self._link_item(*write.link, write.put.updated_at))

    def _query(self, model: type[T], prefix: str) -> list[T]:
        with store_errors():
            rows = model.query(self._pk, model.sk.startswith(prefix), consistent_read=True)
            return cast("list[T]", list(rows))

    def _item(self, event: Event) -> EventItem:
        content = event.content
        return EventItem(
            self._pk,
            key("EVENT", event.id),
            id=event.id,
            title=content.title,
            start=stored_moment(content.start),
            end=stored_moment(content.end),
            description=content.description or None,
            location=content.location or None,
            all_day=content.all_day,
            time_zone=content.time_zone,
            attendees=[guest.as_dict() for guest in content.attendees] or None,
            recurrence=content.recurrence,
            status=content.status,
            exdates=list(content.exdates) or None,
            rdates=list(content.rdates) or None,
            floating=content.floating or None,
            uid=event.uid or None,
            recurrence_id=event.recurrence_id or None,
            source=event.source,
            external_id=event.external_id,
            extras=event.extras or None,
            google=asdict(event.copy) if event.copy is not None else None,
            version=event.version,
            created_at=event.created_at,
            updated_at=event.updated_at,
        )

    def _push_item(self, push: Push) -> PushItem:
        return PushItem(
            self._pk,
            key("PUSH", push.event_id),
            event_id=push.event_id,
            kind=push.kind,
            change=push.change,
            at=push.at,
            google=asdict(push.copy) if push.copy is not None else None,
            child=push.child,
            parked=push.parked or None,
            created_at=push.at,
            updated_at=push.at,
        )

    def _link_item(self, google_id: str, uid: str, at: datetime) -> LinkItem:
        return LinkItem(
            self._pk, _link_key(google_id), google_id=google_id, uid=uid,
            created_at=at, updated_at=at,
        )  # fmt: skip


def _follows(version: int) -> Any:
    if version == 0:
        return EventItem.pk.does_not_exist()
    if version == 1:  # items older than the attribute count as their first version (H27)
        return EventItem.pk.exists() & (
            EventItem.version.does_not_exist() | (EventItem.version == 1)
        )
    return EventItem.version == version


def _link_key(google_id: str) -> str:
    # Google's ids are up to 1,024 characters, which is all that a sort key holds.
    return key("LINK", hashlib.sha256(google_id.encode()).hexdigest())


def _event(item: EventItem) -> Event:
    return Event(
        id=item.id,
        content=_content(item),
        created_at=item.created_at,
        updated_at=item.updated_at,
        uid=item.uid or "",
        recurrence_id=item.recurrence_id or "",
        source=_one_of(item.source, ("local", "google", "ical")),
        external_id=item.external_id,
        extras=item.extras or "",
        version=int(item.version or 1),
        copy=_copy(item.google),
    )


def _content(item: EventItem) -> Content:
    return Content(
        title=item.title,
        start=_utc(read_moment(item.start)),
        end=_utc(read_moment(item.end)),
        description=item.description or "",
        location=item.location or "",
        all_day=bool(item.all_day),
        time_zone=item.time_zone or "UTC",
        attendees=tuple(
            Attendee(str(guest["email"]), guest.get("name")) for guest in item.attendees or ()
        ),
        recurrence=item.recurrence,
        status=_one_of(item.status, ("confirmed", "tentative", "cancelled")),
        exdates=tuple(item.exdates or ()),
        rdates=tuple(item.rdates or ()),
        floating=bool(item.floating),
    )


def _utc(moment: Moment) -> Moment:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment


def _one_of(value: str | None, known: tuple[str, ...]) -> Any:
    # A value of another version of this code must not stop the list it is in (H27).
    return value if value in known else known[0]


def _copy(stored: dict[str, Any] | None) -> Copy | None:
    if not stored:
        return None
    return Copy(
        account=stored.get("account", ""),
        id=stored.get("id", ""),
        etag=stored.get("etag", ""),
        attendees=tuple(stored.get("attendees", ())),
        seen=stored.get("seen", ""),
        gone=bool(stored.get("gone", False)),
    )


def _push(item: PushItem) -> Push:
    return Push(
        event_id=item.event_id,
        kind=_one_of(item.kind, ("upsert", "delete")),
        change=item.change,
        at=item.at,
        copy=_copy(item.google),
        child=bool(item.child),
        parked=item.parked or "",
    )
