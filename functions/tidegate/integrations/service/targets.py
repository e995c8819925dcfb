"""Communication targets of one user (INT-3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import IdFactory, id_from

from tidegate.integrations.domain import Target
from tidegate.integrations.errors import ChangedMeanwhile
from tidegate.integrations.repository import Records


class TargetService:
    """Targets of the caller; a deleted one is kept, inactive, and answers as an absent one."""

    def __init__(self, targets: Records[Target], clock: Clock, new_id: IdFactory) -> None:
        self._targets = targets
        self._clock = clock
        self._new_id = new_id

    def all(self) -> list[Target]:
        """Active ones, newest first."""
        return [target for target in self._targets.all() if target.active]

    def get(self, target_id: str) -> Target:
        """Raises NotFound."""
        (found,) = self._targets.get([target_id])
        if found is None or not found.active:
            raise NotFound
        return found

    def create(self, fields: Mapping[str, Any], effect_key: str | None = None) -> Target:
        """Store a new target; one `effect_key` makes one target, however often it is called."""
        now = self._clock()
        target_id = id_from(effect_key) if effect_key else self._new_id()
        target = Target(id=target_id, created_at=now, updated_at=now, **fields)
        try:
            self._targets.save([target])
        except ChangedMeanwhile:
            return self.get(target_id)  # an earlier call with this key stored it
        return target

    def replace(self, target_id: str, fields: Mapping[str, Any]) -> Target:
        """Replace every field. Raises NotFound, ChangedMeanwhile."""
        return self._write(self.get(target_id), fields)

    def delete(self, target_id: str) -> None:
        """Deactivate. Raises NotFound, ChangedMeanwhile."""
        self._write(self.get(target_id), {"active": False})

    def _write(self, old: Target, fields: Mapping[str, Any]) -> Target:
        new = replace(old, **fields, updated_at=self._clock(), version=old.version + 1)
        self._targets.save([new])
        return new
