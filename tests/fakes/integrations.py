"""In-memory twin of the integrations repositories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from tidegate.integrations.domain import Record
from tidegate.integrations.errors import ChangedMeanwhile

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
