"""What an administrator may change while the platform runs (contract 2.15, PUT /admin/config).

One global item of the platform table. It is read only where one of its values decides something,
and kept for some seconds; what it does not hold, the settings say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import ConditionFailed, Table, batch_get, scoped_store, store_errors

KEPT = timedelta(seconds=10)
_PK, _SK = "CONFIG", "RUNTIME"


class RuntimeConfigItem(Table):
    """Global: the values set, by name."""

    class Meta:
        table_name = "platform"

    set_values = JSONAttribute()
    revision = NumberAttribute()
    changed_by = UnicodeAttribute()


@dataclass(frozen=True)
class RuntimeValues:
    """What was set: absent names mean the setting of the deployment."""

    values: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0

    def get(self, name: str, otherwise: Any) -> Any:
        """A value, or what the settings say."""
        return self.values.get(name, otherwise)


def read_runtime_config() -> RuntimeValues:
    """The values as stored now. Raises ServiceUnavailable."""
    with scoped_store(None):
        (found,) = batch_get([(RuntimeConfigItem, _PK, _SK)])
    if found is None:
        return RuntimeValues()
    return RuntimeValues(found.set_values, int(found.revision))


def write_runtime_config(
    before: RuntimeValues, changes: Mapping[str, Any], by: str, now: datetime
) -> RuntimeValues | None:
    """Merge changes over the values as read; null takes a value back. None: changed meanwhile."""
    merged = {
        name: value for name, value in {**before.values, **changes}.items() if value is not None
    }
    item = RuntimeConfigItem(
        _PK, _SK, set_values=merged, revision=before.revision + 1, changed_by=by,
        created_at=now, updated_at=now,
    )  # fmt: skip
    condition: Any = RuntimeConfigItem.pk.does_not_exist()
    if before.revision:
        condition = RuntimeConfigItem.revision == before.revision
    try:
        with scoped_store(None), store_errors():
            item.save(condition=condition)
    except ConditionFailed:
        return None
    return RuntimeValues(merged, before.revision + 1)


class RuntimeConfig:
    """The values, kept for ten seconds in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: tuple[datetime, RuntimeValues] | None = None

    def current(self) -> RuntimeValues:
        """Raises ServiceUnavailable: no value is guessed while the store is away."""
        now = self._clock()
        if self._kept is None or not self._kept[0] <= now < self._kept[0] + KEPT:
            self._kept = (now, read_runtime_config())
        return self._kept[1]
