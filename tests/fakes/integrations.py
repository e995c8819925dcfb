"""In-memory twin of the integrations repositories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Generic, TypeVar

from tidegate.integrations.domain import Record
from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.repository import AccountRef, Sent, Slot, place_of

R = TypeVar("R", bound=Record)


class MemoryRecords(Generic[R]):
    """Records of one kind and one scope."""

    def __init__(self) -> None:
        self.stored: dict[str, R] = {}

    def all(self) -> list[R]:
        return sorted(self.stored.values(), key=lambda one: (one.created_at, one.id), reverse=True)

    def get(self, ids: Sequence[str]) -> list[R | None]:
        return [self.stored.get(id_) for id_ in ids]

    def save(self, records: Sequence[R]) -> None:
        for record in records:
            self._expect(record.id, record.version - 1)
        self.stored.update({record.id: record for record in records})

    def delete(self, record: R) -> None:
        self._expect(record.id, record.version)
        del self.stored[record.id]

    def _expect(self, id_: str, version: int) -> None:
        old = self.stored.get(id_)
        if (0 if old is None else old.version) != version:
            raise ChangedMeanwhile


class MemoryGlobalAccounts:
    """The list of all tenants' accounts."""

    def __init__(self, *refs: AccountRef) -> None:
        self.refs = list(refs)

    def after(self, place: AccountRef | None, limit: int) -> list[AccountRef]:
        behind = "" if place is None else place_of(place)
        found = sorted(self.refs, key=place_of)
        return [ref for ref in found if place_of(ref) > behind][:limit]


class MemoryMessages:
    """Messages of one user."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str, str], Sent] = {}

    def begin(self, slot: Slot, attempt: str, now: datetime) -> Sent:
        return self.stored.setdefault(_place(slot), Sent("begun", attempt, now))

    def take_over(self, slot: Slot, old: Sent, attempt: str, now: datetime) -> bool:
        known = self.stored.get(_place(slot))
        if known is None or known.state == "sent":
            return False
        if known.attempt not in (old.attempt, attempt):
            return False
        self.stored[_place(slot)] = replace(known, attempt=attempt, begun_at=now)
        return True

    def sent(self, slot: Slot, message_id: str, now: datetime) -> None:
        known = self.stored.get(_place(slot))
        if known is not None and known.state == "begun":
            self.stored[_place(slot)] = replace(known, state="sent", message_id=message_id)

    def release(self, slot: Slot, attempt: str) -> None:
        known = self.stored.get(_place(slot))
        if known is not None and known.state == "begun" and known.attempt == attempt:
            del self.stored[_place(slot)]

    def known_ids(self, slot: Slot) -> frozenset[str]:
        return frozenset(
            one.message_id
            for place, one in self.stored.items()
            if place[:2] == (slot.target_id, slot.channel) and one.message_id is not None
        )


def _place(slot: Slot) -> tuple[str, str, str]:
    return slot.target_id, slot.channel, slot.digest
