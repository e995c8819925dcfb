"""What an event of Google means for ours: one pure decision for each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from tidegate.calendar.domain import Content, Copy, Event, Push
from tidegate.calendar.repository.events import Write
from tidegate.calendar.sync.remote import RemoteEvent, same

# What a decision counts as; the names of the answer's fields.
CREATED, UPDATED, DELETED, SKIPPED = "created", "updated", "deleted", "skipped"
LOCAL_WON, REMOTE_WON = "local_won", "remote_won"


@dataclass(frozen=True)
class Here:
    """Our side. account: whose calendar; seen: the full sync that runs, or empty."""

    account: str
    seen: str
    now: datetime


@dataclass(frozen=True)
class Decision:
    """What to write, and what to count once it is written."""

    counts: tuple[str, ...]
    write: Write | None = None

    def count(self, counter: Counter[str]) -> None:
        """Add to the counts."""
        counter.update(self.counts)


@dataclass(frozen=True)
class Met:
    """An event of Google with all that we have of it; `series` for a changed occurrence."""

    remote: RemoteEvent
    event_id: str
    uid: str
    local: Event | None
    noted: Push | None
    series: Event | None = None


def decide(met: Met, here: Here) -> Decision:
    """The newest `updated` wins where both sides changed; what is known already is skipped."""
    if met.local is None:
        return _without_local(met, here)
    copy = met.local.copy_of(here.account)
    if copy is not None and copy.id != met.remote.id:
        return _SKIP  # an id that we have replaced
    if copy is not None and copy.etag == met.remote.etag:
        return _stamped(met.local, here)
    if met.remote.content is None:
        return _deleted_there(met, met.local, here)
    return _changed_there(met, met.local, here)


_SKIP = Decision((SKIPPED,))


def _without_local(met: Met, here: Here) -> Decision:
    remote, noted = met.remote, met.noted
    if noted is None:
        return _SKIP if remote.content is None else Decision((CREATED,), _creation(met, here))
    if remote.content is None:
        return Decision((SKIPPED,), Write(clear=noted))
    if noted.copy is not None and noted.copy.etag == remote.etag:
        return _SKIP  # our deletion is still to be told
    if remote.updated > noted.at:
        won = replace(_creation(met, here), clear=noted)
        return Decision((CREATED, REMOTE_WON), won)
    kept = replace(noted, copy=remote.copy(here.account, here.seen))
    return Decision((LOCAL_WON,), Write(push=kept, clear=noted))


def _creation(met: Met, here: Here) -> Write:
    remote = met.remote
    event = Event(
        met.event_id, _theirs(met), here.now, here.now, uid=met.uid,
        recurrence_id=remote.recurrence_id, source="google", external_id=remote.id,
        copy=remote.copy(here.account, here.seen),
    )  # fmt: skip
    return Write(put=event, link=_link(met))


def _link(met: Met) -> tuple[str, str] | None:
    """Deletions come without UID, so one that the id does not tell is remembered."""
    remote = met.remote
    if remote.series or not remote.uid or remote.uid == f"{remote.id}@google.com":
        return None
    return remote.id, remote.uid


def _theirs(met: Met) -> Content:
    """What Google says; of a cancelled occurrence it says little, so the rest stays as it was."""
    content = met.remote.content
    if content is None:
        raise ValueError("a deleted event has no content")
    if content.status != "cancelled":
        return content
    if met.local is not None:
        return replace(met.local.content, status="cancelled")
    if met.series is not None:
        return replace(content, title=met.series.content.title)
    return content


def _stamped(local: Event, here: Here) -> Decision:
    if not here.seen or local.copy is None or local.copy.seen == here.seen:
        return _SKIP
    return Decision((SKIPPED,), _linked(local, replace(local.copy, seen=here.seen)))


def _linked(local: Event, copy: Copy) -> Write:
    return Write(put=replace(local, copy=copy, version=local.version + 1))


def _deleted_there(met: Met, local: Event, here: Here) -> Decision:
    remote, copy = met.remote, local.copy_of(here.account)
    if copy is None:
        return _SKIP
    if met.noted is None:
        return Decision((DELETED,), Write(remove=local))
    if remote.updated > local.updated_at:
        return Decision((DELETED, REMOTE_WON), Write(remove=local, clear=met.noted))
    gone = replace(copy, etag=remote.etag, gone=True, seen=here.seen)
    return Decision((LOCAL_WON,), _linked(local, gone))


def _changed_there(met: Met, local: Event, here: Here) -> Decision:
    remote, theirs = met.remote, _theirs(met)
    copy = remote.copy(here.account, here.seen)
    if same(local.content, theirs):
        return Decision((SKIPPED,), replace(_linked(local, copy), clear=met.noted, link=_link(met)))
    if met.noted is not None and remote.updated < local.updated_at:
        return Decision((LOCAL_WON,), replace(_linked(local, copy), link=_link(met)))
    new = replace(local.changed(theirs, here.now), copy=copy, version=local.version + 1)
    counts = (UPDATED,) if met.noted is None else (UPDATED, REMOTE_WON)
    return Decision(counts, Write(put=new, clear=met.noted, link=_link(met)))
