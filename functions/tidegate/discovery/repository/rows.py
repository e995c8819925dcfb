"""The inventory's rows, their counts, and the pieces of a run's end."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from pynamodb.expressions.condition import Condition
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, store_errors
from tidegate_kit.tenancy import key

from tidegate.discovery.domain import Chunk, Row, RowWrite, Run, Segment, Unit
from tidegate.discovery.models import ChunkItem, CountItem, ResourceItem, RunItem, UnitItem
from tidegate.discovery.repository import records
from tidegate.discovery.repository.base import MAX_WRITES, Base

_MAX_BYTES = 3_000_000  # of a transaction's 4 MB


class RowStore(Base):
    """Rows of one account generation, written with counts and checkpoint in one transaction."""

    def rows(self, run: Run, places: Sequence[tuple[str, str, str]]) -> dict[str, Row]:
        pk = records.rows_pk(self._scope, run.account_id, run.generation)
        wanted = [(ResourceItem, pk, records.row_sk(*place)) for place in dict.fromkeys(places)]
        found: dict[str, Row] = {}
        for start in range(0, len(wanted), 100):
            for item in batch_get(wanted[start : start + 100]):
                if item is not None:
                    found[item.id] = records.row_of(item)
        return found

    def commit_page(
        self, run: Run, before: Unit, after: Unit, writes: Sequence[RowWrite], now: datetime
    ) -> None:
        current = before
        parts = list(_parts(writes))
        for number, part in enumerate(parts, 1):
            counted = (before.resource_count or 0) + sum(len(done) for done in parts[:number])
            last = number == len(parts)
            target = after if last else replace(before, resource_count=counted)
            tx = Transaction()
            self._add_rows(tx, run, part, now)
            tx.save(
                records.unit_item(self._scope, run, target, now),
                (UnitItem.page == current.page)
                & (UnitItem.status == "pending")
                & _same_count(current.resource_count)
                & (UnitItem.restarts == current.restarts),
                name="unit",
            )
            self._commit(tx)
            current = target

    def vanish(self, run: Run, writes: Sequence[RowWrite], now: datetime) -> None:
        for part in _parts(writes):
            tx = Transaction()
            self._add_rows(tx, run, part, now)
            if len(tx):
                self._commit(tx)

    def _add_rows(
        self, tx: Transaction, run: Run, writes: Sequence[RowWrite], now: datetime
    ) -> None:
        deltas: Counter[Segment] = Counter()
        for write in writes:
            tx.save(
                records.row_item(self._scope, run.generation, write.row, now),
                ResourceItem.pk.does_not_exist()
                if write.expected is None
                else (ResourceItem.seen_run == write.expected),
                name=write.row.resource.id,
            )
            if write.counted:
                deltas[records.segment_for(write.row, run.generation)] += write.counted
        for segment, delta in deltas.items():
            tx.update(
                CountItem(self._scope.pk, records.count_sk(segment)),
                [
                    CountItem.living.add(delta),
                    CountItem.account_id.set(segment.account_id),
                    CountItem.generation.set(segment.generation),
                    CountItem.first_seen.set(segment.first_seen),
                    CountItem.region.set(segment.region),
                    CountItem.type.set(segment.type),
                    CountItem.schema_version.set(1),
                    CountItem.created_at.set(CountItem.created_at | now),
                    CountItem.updated_at.set(now),
                ],
            )

    def inventory_types(self, run: Run) -> list[tuple[str, str]]:
        return sorted({(item.region, item.type) for item in self._counts(run)})

    def prune_counts(self, run: Run) -> None:
        for item in self._counts(run):
            if item.living <= 0:
                # The condition: a resource may have come back meanwhile.
                with contextlib.suppress(ConditionFailed), store_errors():
                    item.delete(CountItem.living <= 0)

    def _counts(self, run: Run) -> list[CountItem]:
        prefix = key("INV", "C", run.account_id, str(run.generation)) + "#"
        with store_errors():
            return list(
                CountItem.query(
                    self._scope.pk, CountItem.sk.startswith(prefix), consistent_read=True
                )
            )

    def slice(self, run: Run, region: str, type_: str, after_id: str, limit: int) -> list[Row]:
        # '$' follows '#', and ids hold neither: the range is exactly this region and type.
        low = f"{key('RES', region, type_)}#{after_id}"
        high = f"{key('RES', region, type_)}$"
        with store_errors():
            items = list(
                ResourceItem.query(
                    records.rows_pk(self._scope, run.account_id, run.generation),
                    ResourceItem.sk.between(low, high),
                    consistent_read=True,
                    limit=limit + 1,
                )
            )
        rows = [records.row_of(item) for item in items]
        return [row for row in rows if row.resource.id > after_id][:limit]

    def save_chunk(self, run: Run, chunk: Chunk, cursor: str, now: datetime) -> Run:
        tx = Transaction()
        tx.save(records.chunk_item(self._scope, run, chunk, now))
        tx.update(
            RunItem(self._scope.pk, key("RUN", run.id)),
            [RunItem.finish_cursor.set(cursor), RunItem.updated_at.set(now)],
            (RunItem.finish_cursor == run.finish_cursor) & (RunItem.status == "running"),
        )
        self._commit(tx)
        return replace(run, finish_cursor=cursor)

    def chunks(self, run_id: str) -> list[Chunk]:
        with store_errors():
            items = list(
                ChunkItem.query(
                    records.run_pk(self._scope, run_id),
                    ChunkItem.sk.startswith("CHUNK#"),
                    consistent_read=True,
                )
            )
        return [records.chunk_of(item) for item in items]


def _same_count(count: int | None) -> Condition:
    if count is None:
        return UnitItem.resource_count.does_not_exist()
    return UnitItem.resource_count == count


def _parts(writes: Sequence[RowWrite]) -> Iterator[list[RowWrite]]:
    """Writes in parts that fit one transaction with their counts and the unit; at least one."""
    part: list[RowWrite] = []
    segments: set[Segment] = set()
    size = 0
    for write in writes:
        weight = _weight(write.row)
        grown = segments | {records.segment_for(write.row, 0)}
        if part and (len(part) + 1 + len(grown) > MAX_WRITES or size + weight > _MAX_BYTES):
            yield part
            part, size = [], 0
            grown = {records.segment_for(write.row, 0)}
        part.append(write)
        segments, size = grown, size + weight
    yield part


def _weight(row: Row) -> int:
    resource = row.resource
    body = (resource.tags, resource.attributes, resource.metrics, resource.unknown)
    return 1500 + 2 * len(str(body))
