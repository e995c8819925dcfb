"""What one sync did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from tidegate.calendar.sync.merge import (
    CREATED,
    DELETED,
    LOCAL_WON,
    REMOTE_WON,
    SKIPPED,
    UPDATED,
    Decision,
)

_DIRECTION = (CREATED, UPDATED, DELETED)


@dataclass
class Report:
    """Counts, as the answer shows them."""

    started_at: datetime
    full_sync: bool = False
    more: bool = False
    completed_at: datetime | None = None
    _pulled: Counter[str] = field(default_factory=Counter)
    _pushed: Counter[str] = field(default_factory=Counter)

    def pulled(self, decision: Decision) -> None:
        """Count a decision that was carried out."""
        self._pulled.update(decision.counts)

    def pushed(self, what: str) -> None:
        """Count a change that Google took, or that was skipped."""
        self._pushed[what] += 1

    @property
    def pulled_counts(self) -> dict[str, int]:
        """created, updated, deleted here."""
        return {name: self._pulled[name] for name in _DIRECTION}

    @property
    def pushed_counts(self) -> dict[str, int]:
        """created, updated, deleted there."""
        return {name: self._pushed[name] for name in _DIRECTION}

    @property
    def conflicts(self) -> dict[str, int]:
        """How conflicts were settled."""
        return {name: self._pulled[name] for name in (LOCAL_WON, REMOTE_WON)}

    @property
    def skipped(self) -> int:
        """What was known already, or cannot be taken over."""
        return self._pulled[SKIPPED] + self._pushed[SKIPPED]
