"""Sums of measurements, each counted once (contract 2.7, H7).

A batch goes in by one transaction: a row for each measurement, on condition that there is none
yet, and one addition for each cell. So a batch that comes again adds nothing, and a worker that
dies leaves all or nothing. The rows are kept for some days: whoever doubts the sums counts them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from pynamodb.expressions.operand import Path
from tidegate_kit.auth.models import TenantItem
from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import (
    ConditionFailed,
    Transaction,
    batch_delete,
    batch_get,
    scoped_store,
    store_errors,
)
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope

from tidegate.monitoring.domain import (
    KEPT,
    KINDS,
    LABELS,
    NOTHING,
    Cell,
    Kind,
    Measurement,
    Place,
    cell_of,
    places_of,
    total_of,
)
from tidegate.monitoring.models import CLASS_PREFIX, CellItem, CountedItem

COUNTED_KEPT = timedelta(days=8)  # longer than any source brings a measurement again
# 12 rows with at most 7 cells each, and a check: below the 100 items of a transaction.
CHUNK = 12
SHARDS = 8
_TRIES = 8
_TIME = "%Y-%m-%dT%H:%M:%S"


class Metrics(Protocol):
    """The sums of one tenant, or of the whole platform."""

    def add(self, measurements: Sequence[Measurement], now: datetime) -> int:
        """Count what was not counted before; how many that was. Raises ServiceUnavailable."""

    def total(self, kind: Kind) -> Cell:
        """Everything ever counted of a kind."""

    def cells(
        self, kind: Kind, size: str, label: str, start: datetime, end: datetime
    ) -> Iterator[tuple[datetime, str, Cell]]:
        """(start, value, sums) of the cells that begin in [start, end)."""

    def counted(self, day: datetime) -> Iterator[Measurement]:
        """The rows of the measurements that were counted on a UTC day, for a recount."""


class _Sums:
    """What both repositories share; `_shard` says where a batch goes."""

    def __init__(self, prefixes: Sequence[str], labels: frozenset[str]) -> None:
        self._prefixes = prefixes
        self._labels = labels

    def add(self, measurements: Sequence[Measurement], now: datetime) -> int:
        unique = list({(one.kind, one.id): one for one in measurements}.values())
        parts = [unique[start : start + CHUNK] for start in range(0, len(unique), CHUNK)]
        return sum(self._add(part, now) for part in parts)

    def _add(self, wanted: list[Measurement], now: datetime) -> int:
        for _ in range(_TRIES):
            new = self._uncounted(wanted)
            if not new:
                return 0
            try:
                self._write(new, now)
            except ConditionFailed as lost:
                if "tenant" in lost.names:
                    return 0  # deleted meanwhile: what comes late is dropped (G25)
                continue  # another worker counted one of them: look again
            return len(new)
        raise ServiceUnavailable(log="measurements stayed contended")

    def _uncounted(self, wanted: list[Measurement]) -> list[Measurement]:
        found = batch_get([(CountedItem, *self._counted_key(one)) for one in wanted])
        return [one for one, row in zip(wanted, found, strict=True) if row is None]

    def _home(self, one: Measurement) -> str:
        # By the measurement's own id, so that one that comes again looks in the same place.
        return self._prefixes[zlib.crc32(one.id.encode()) % len(self._prefixes)]

    def _counted_key(self, one: Measurement) -> tuple[str, str]:
        return f"{self._home(one)}#COUNTED#{one.at:%Y-%m-%d}", f"{one.kind}#{one.id}"

    def _write(self, new: list[Measurement], now: datetime) -> None:
        writes = Transaction()
        self._guard(writes)
        sums: dict[tuple[str, str], tuple[Cell, int | None]] = {}
        for one in new:
            writes.save(self._row(one, now), CountedItem.pk.does_not_exist(), name="counted")
            home, added = self._home(new[0]), cell_of(one)
            until = epoch(one.at + KEPT)
            keys = [(_cell_key(home, place), until) for place in self._places(one)]
            for key, expires in [((f"{home}#TOTAL", one.kind), None), *keys]:
                before = sums.get(key, (NOTHING, None))[0]
                sums[key] = (before.plus(added), expires)
        for (pk, sk), (cell, expires) in sums.items():
            writes.update(CellItem(pk, sk), _additions(cell, expires, now), name="cell")
        writes.commit()

    def _places(self, one: Measurement) -> list[Place]:
        return places_of(one, grouped=self._labels)

    def _guard(self, writes: Transaction) -> None:
        """A condition of the whole batch; none for the platform's own sums."""

    def _row(self, one: Measurement, now: datetime) -> CountedItem:
        pk, sk = self._counted_key(one)
        return CountedItem(
            pk, sk, kind=one.kind, at=one.at, failed=0 if one.ok else 1, micros=one.micros,
            cost_nanos=one.cost_nanos, tokens=one.tokens, expires=epoch(now + COUNTED_KEPT),
            created_at=now, updated_at=now,
        )  # fmt: skip

    def total(self, kind: Kind) -> Cell:
        found = [
            row
            for prefix in self._prefixes
            for row in batch_get([(CellItem, f"{prefix}#TOTAL", kind)])
        ]
        return total_of(_cell(row) for row in found if row is not None)

    def cells(
        self, kind: Kind, size: str, label: str, start: datetime, end: datetime
    ) -> Iterator[tuple[datetime, str, Cell]]:
        low, high = start.strftime(_TIME), end.strftime(_TIME)
        for prefix in self._prefixes:
            with store_errors():
                rows = CellItem.query(
                    f"{prefix}#{kind}#{size}#{label}",
                    CellItem.sk.between(low, high),
                    consistent_read=True,
                )
                for row in rows:
                    time, _, value = row.sk.partition("#")
                    at = datetime.strptime(f"{time}+0000", f"{_TIME}%z")
                    if at < end:
                        yield at, value, _cell(row)

    def counted(self, day: datetime) -> Iterator[Measurement]:
        for prefix in self._prefixes:
            with store_errors():
                for row in CountedItem.query(f"{prefix}#COUNTED#{day:%Y-%m-%d}"):
                    yield Measurement(
                        row.sk.partition("#")[2], cast(Kind, row.kind), row.at, not row.failed,
                        int(row.micros), int(row.cost_nanos), int(row.tokens),
                    )  # fmt: skip


class DynamoMetrics(_Sums):
    """The sums of one tenant."""

    def __init__(self, scope: TenantScope) -> None:
        super().__init__(
            [scope.pk], frozenset({*LABELS["request"], "workflow", "account", "model"})
        )
        self._scope = scope

    def _guard(self, writes: Transaction) -> None:
        exists = TenantItem.pk.exists()
        writes.check(TenantItem, self._scope.pk, "TENANT", exists, name="tenant")

    def add_to(self, writes: Transaction, one: Measurement, now: datetime) -> None:
        """Add a measurement to the transaction of whoever made it; it is counted with it."""
        writes.save(self._row(one, now), CountedItem.pk.does_not_exist(), name="counted")
        expires = epoch(one.at + KEPT)
        keys = [(*_cell_key(self._scope.pk, place), expires) for place in self._places(one)]
        for pk, sk, until in [(f"{self._scope.pk}#TOTAL", one.kind, None), *keys]:
            writes.update(CellItem(pk, sk), _additions(cell_of(one), until, now), name="cell")

    def forget(self, limit: int, now: datetime) -> bool:
        """Delete up to about `limit` rows; True when none is left."""
        left = limit
        for model, pk in self._partitions(now):
            with store_errors():
                rows = model.query(pk, limit=left + 1, attributes_to_get=["pk", "sk"])
                keys = [(row.pk, row.sk) for row in rows]
            batch_delete(model, keys[:left])
            if len(keys) > left:
                return False
            left -= len(keys)
        return True

    def _partitions(self, now: datetime) -> Iterator[tuple[Any, str]]:
        pk = self._scope.pk
        yield CellItem, f"{pk}#TOTAL"
        for kind in KINDS:
            for size in ("minute", "hour"):
                for label in ("all", *LABELS[kind]):
                    yield CellItem, f"{pk}#{kind}#{size}#{label}"
        for ago in range(-1, KEPT.days):
            yield CountedItem, f"{pk}#COUNTED#{now - timedelta(days=ago):%Y-%m-%d}"


class GlobalMetrics(_Sums):
    """The sums of the whole platform, spread over shards; without users' names."""

    def __init__(self) -> None:
        prefixes = [f"PLATFORM#{shard}" for shard in range(SHARDS)]
        super().__init__(prefixes, frozenset({"route", "model", "part"}))

    def add(self, measurements: Sequence[Measurement], now: datetime) -> int:
        shards: dict[str, list[Measurement]] = {}
        for one in measurements:
            shards.setdefault(self._home(one), []).append(one)
        with scoped_store(None):
            return sum(super(GlobalMetrics, self).add(part, now) for part in shards.values())

    def total(self, kind: Kind) -> Cell:
        with scoped_store(None):
            return super().total(kind)

    def cells(
        self, kind: Kind, size: str, label: str, start: datetime, end: datetime
    ) -> Iterator[tuple[datetime, str, Cell]]:
        # Read at once: a generator would leave the scope open between two rows.
        with scoped_store(None):
            return iter(list(super().cells(kind, size, label, start, end)))


def _cell_key(prefix: str, place: Place) -> tuple[str, str]:
    pk = f"{prefix}#{place.kind}#{place.granularity}#{place.label}"
    return pk, f"{place.start.strftime(_TIME)}#{place.value}"


def _additions(cell: Cell, expires: int | None, now: datetime) -> list[Any]:
    actions = [
        CellItem.measured.add(cell.count),
        CellItem.failed.add(cell.failed),
        CellItem.micros.add(cell.micros),
        CellItem.cost_nanos.add(cell.cost_nanos),
        CellItem.tokens.add(cell.tokens),
        CellItem.schema_version.set(1),
        CellItem.created_at.set(CellItem.created_at | now),
        CellItem.updated_at.set(now),
    ]
    for index, number in cell.classes.items():
        actions.append(Path(f"{CLASS_PREFIX}{index}").add(number))
    if expires is not None:
        actions.append(CellItem.expires.set(expires))
    return actions


def _cell(row: CellItem) -> Cell:
    return Cell(
        int(row.measured), int(row.failed), int(row.micros), int(row.cost_nanos),
        int(row.tokens), row.classes,
    )  # fmt: skip
