"""Erasing a removed user's or tenant's data, step by step (ADM-1, G25).

Every step may be repeated: a run that dies is begun again by the next one, and the note that asks
for it goes last. Rows are found by looking at whole tables, so that no kind of row can be
forgotten; what lies outside the tables is ended first, while the rows still say where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidegate_kit.observability import logger
from tidegate_kit.tenancy import TenantScope, UserScope

from tidegate.identity.public.erasures import Erasure

_LAST = "identity"  # its rows say that the tenant was there, so they go last


class Rows(Protocol):
    """The tables."""

    def names(self) -> list[str]:
        """Every table."""

    def erase_tenant(self, logical: str, scope: TenantScope, keep: frozenset[str]) -> int:
        """Delete a tenant's rows; how many."""

    def erase_user(self, logical: str, scope: UserScope) -> int:
        """Delete a user's private rows; how many."""

    def erase_sessions(self, scope: UserScope) -> int:
        """Delete a user's sessions; how many."""


class Objects(Protocol):
    """The data bucket."""

    def erase(self, tenant_id: str) -> int:
        """Delete every object of a tenant; how many."""


@dataclass(frozen=True)
class Step:
    """Something outside the tables that is ended first."""

    name: str
    run: Callable[[TenantScope], object]


@dataclass(frozen=True)
class Erased:
    """What a run deleted."""

    rows: int
    objects: int


class Erasing:
    """Erases what is noted."""

    def __init__(self, rows: Rows, objects: Objects, steps: Sequence[Step]) -> None:
        self._rows = rows
        self._objects = objects
        self._steps = steps

    def run(self, wanted: Erasure) -> Erased:
        """Erase to the end. Raises ServiceUnavailable: the note stays, and the next run goes on."""
        scope = TenantScope(wanted.tenant_id)
        if wanted.user_id is not None:
            return self._user(scope.user(wanted.user_id))
        for step in self._steps:
            step.run(scope)
            logger.info("erasing: step done", tenant_id=scope.tenant_id, step=step.name)
        objects = self._objects.erase(scope.tenant_id)
        note = frozenset({f"TENANT#{scope.tenant_id}"})
        names = sorted(self._rows.names(), key=lambda name: (name == _LAST, name))
        count = 0
        # Streams of one table may write to another: until a whole round finds nothing.
        while found := sum(self._rows.erase_tenant(name, scope, note) for name in names):
            count += found
        return Erased(count, objects + self._objects.erase(scope.tenant_id))

    def _user(self, scope: UserScope) -> Erased:
        count = sum(self._rows.erase_user(name, scope) for name in self._rows.names())
        return Erased(count + self._rows.erase_sessions(scope), 0)
