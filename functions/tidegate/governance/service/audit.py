"""The audit log: appended once per source, listed, verified (GOV-5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from tidegate_kit.errors import ServiceUnavailable

from tidegate.governance.chain import (
    GENESIS,
    Entry,
    Mark,
    Verification,
    Verifier,
    entry_of,
    mark,
)
from tidegate.governance.domain import AuditAct
from tidegate.governance.repository.audit import AuditFilters, AuditLog, Checkpoints, Extended

_AT_ONCE: Final = 40  # entries of one transaction: each needs two writes, and the head one
_ATTEMPTS: Final = 100  # one is lost to each append that comes first


class AuditKeys(Protocol):
    """The tenant's secret key."""

    def make(self) -> bytes:
        """The key; a new one where there is none. Raises SealBroken, ServiceUnavailable."""

    def find(self) -> bytes | None:
        """The key; None where there is none, or none that can be opened."""


class AuditService:
    """The audit log of one tenant. `email_of` completes actors that are known by id alone."""

    def __init__(
        self,
        log: AuditLog,
        checkpoints: Checkpoints,
        keys: AuditKeys,
        email_of: Callable[[str], str],
        wait: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`wait` is called with the number of times that somebody else came first."""
        self._wait = wait
        self._log = log
        self._checkpoints = checkpoints
        self._keys = keys
        self._email_of = email_of

    def append(self, acts: Sequence[AuditAct]) -> int:
        """Enter what is not entered yet, in this order; returns how many were new.

        A call that dies anywhere is repeated as a whole. Raises ServiceUnavailable, SealBroken.
        """
        if not acts:
            return 0
        key = self._keys.make()
        distinct = list({act.source_id: self._complete(act) for act in acts}.values())
        added = sum(
            self._append(key, distinct[start : start + _AT_ONCE])
            for start in range(0, len(distinct), _AT_ONCE)
        )
        # Also when nothing was new: the call that wrote the entries may have died before this.
        head = self._log.head()
        if head is not None:
            self._checkpoints.put(head)
        return added

    def _append(self, key: bytes, acts: Sequence[AuditAct]) -> int:
        for attempt in range(1, _ATTEMPTS + 1):
            head = self._log.head()
            known = self._log.known([act.source_id for act in acts])
            fresh = [act for act in acts if act.source_id not in known]
            if not fresh:
                return 0
            entries = _chained(key, head, fresh)
            last = entries[-1]
            new_head = mark(key, last.place, last.hash)
            try:
                self._log.extend(
                    head,
                    new_head,
                    list(zip((act.source_id for act in fresh), entries, strict=True)),
                )
            except Extended:
                self._wait(attempt)
                continue
            return len(fresh)
        raise ServiceUnavailable(log="the audit log stays contended")

    def _complete(self, act: AuditAct) -> AuditAct:
        if act.actor.type != "user" or act.actor.email or not act.actor.id:
            return act
        return replace(act, actor=replace(act.actor, email=self._email_of(act.actor.id)))

    def page(
        self, filters: AuditFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Entry], int, dict[str, Any] | None]:
        """Newest first: the rows of a page, the total, and the key to go on from."""
        return self._log.page(filters, skip, limit, start)

    def verification(self) -> Verification:
        """Read the whole log and check it."""
        # The checkpoint first: what is appended while the log is read comes after it.
        verifier = Verifier(self._keys.find(), self._checkpoints.get())
        for entry in self._log.entries():
            if not verifier.feed(entry):
                break
        head = self._log.head()
        if head is not None and head.sequence > verifier.last:
            for entry in self._log.entries(verifier.last, head.sequence):
                verifier.feed(entry)
        return verifier.finish(head)


def _chained(key: bytes, head: Mark | None, acts: Sequence[AuditAct]) -> list[Entry]:
    sequence, prev = (0, GENESIS) if head is None else (head.sequence, head.hash)
    entries: list[Entry] = []
    for act in acts:
        sequence += 1
        entries.append(entry_of(key, sequence, prev, act))
        prev = entries[-1].hash
    return entries
