"""The stored cost series: one item for a day of an account and source."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_delete, batch_get, store_errors
from tidegate_kit.tenancy import TenantScope, key

from tidegate.pipelines.domain import CostLine, DayCosts, RatedCost, Source
from tidegate.pipelines.errors import AccountGone, TooManyLines
from tidegate.pipelines.models import CostAccountItem, CostDayItem

MAX_BODY = 300_000  # bytes; an item holds 400 KB
_PLAIN = 3  # cells of a line without list cost
_PER_TRANSACTION = 10  # 10 x 300 KB stay under the 4 MB of a transaction


class CostSeries(Protocol):
    """The daily costs of one tenant's accounts."""

    def generation(self, account_id: str) -> int:
        """The account's present generation; read it before checking that it is connected."""

    def accounts(self) -> list[str]:
        """Every account that has, or had, a series."""

    def write(
        self, account_id: str, generation: int, days: Sequence[DayCosts], now: datetime
    ) -> None:
        """Replace these days. Each is written as a whole; may be repeated.

        Raises AccountGone when the account was disconnected meanwhile, TooManyLines before
        anything is written.
        """

    def days(self, account_id: str, start: date, end: date) -> list[DayCosts]:
        """Stored days from start to end, both included, of every source, by date."""

    def totals(self, account_id: str, start: date, end: date) -> list[tuple[date, Source, Decimal]]:
        """As `days`, only the sums."""

    def hide(self, account_id: str, now: datetime) -> None:
        """Take the account's series out of every read, and refuse writes on their way."""

    def delete_some(self, account_id: str, limit: int) -> int:
        """Delete up to `limit` hidden rows; how many."""


class DynamoCostSeries:
    """CostSeries on the table `pipelines`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def generation(self, account_id: str) -> int:
        (item,) = batch_get([(CostAccountItem, self._scope.pk, _account_sk(account_id))])
        return 0 if item is None else int(item.generation)

    def accounts(self) -> list[str]:
        with store_errors():
            items = CostAccountItem.query(
                self._scope.pk, CostAccountItem.sk.startswith("COSTS#"), consistent_read=True
            )
            return [item.account_id for item in items]

    def write(
        self, account_id: str, generation: int, days: Sequence[DayCosts], now: datetime
    ) -> None:
        items = [self._item(account_id, generation, day, now) for day in days]
        for start in range(0, len(items), _PER_TRANSACTION):
            tx = Transaction()
            self._hold(tx, account_id, generation, now)
            for item in items[start : start + _PER_TRANSACTION]:
                tx.save(item)
            try:
                tx.commit()
            except ConditionFailed as lost:
                raise AccountGone from lost

    def _hold(self, tx: Transaction, account_id: str, generation: int, now: datetime) -> None:
        same = CostAccountItem.generation == generation
        if generation == 0:
            same = same | CostAccountItem.pk.does_not_exist()
        tx.update(
            CostAccountItem(self._scope.pk, _account_sk(account_id)),
            [
                CostAccountItem.account_id.set(account_id),
                CostAccountItem.generation.set(generation),
                CostAccountItem.schema_version.set(1),
                CostAccountItem.created_at.set(CostAccountItem.created_at | now),
                CostAccountItem.updated_at.set(now),
            ],
            same,
        )

    def _item(self, account_id: str, generation: int, day: DayCosts, now: datetime) -> CostDayItem:
        lines = [_row(day, line) for line in sorted(day.lines)]
        body = zlib.compress(json.dumps(lines, separators=(",", ":")).encode(), 9)
        if len(body) > MAX_BODY:
            raise TooManyLines(f"{day.date.isoformat()}: {len(lines)} lines")
        return CostDayItem(
            self._rows(account_id, generation),
            key("DAY", day.date.isoformat(), day.source),
            date=day.date.isoformat(),
            source=day.source,
            total=str(day.total),
            body=body,
            created_at=now,
            updated_at=now,
        )

    def days(self, account_id: str, start: date, end: date) -> list[DayCosts]:
        return [_day(item) for item in self._query(account_id, start, end)]

    def totals(self, account_id: str, start: date, end: date) -> list[tuple[date, Source, Decimal]]:
        wanted = ["pk", "sk", "date", "source", "total"]
        return [
            (date.fromisoformat(item.date), _source(item.source), Decimal(item.total))
            for item in self._query(account_id, start, end, wanted)
        ]

    def _query(
        self, account_id: str, start: date, end: date, wanted: Sequence[str] | None = None
    ) -> list[CostDayItem]:
        # '~' sorts after every source name.
        span = CostDayItem.sk.between(f"DAY#{start.isoformat()}", f"DAY#{end.isoformat()}#~")
        with store_errors():
            return list(
                CostDayItem.query(
                    self._rows(account_id, self.generation(account_id)),
                    span,
                    consistent_read=True,
                    attributes_to_get=wanted,
                )
            )

    def hide(self, account_id: str, now: datetime) -> None:
        present = self.generation(account_id)
        tx = Transaction()
        same = CostAccountItem.generation == present
        if present == 0:
            same = same | CostAccountItem.pk.does_not_exist()
        tx.update(
            CostAccountItem(self._scope.pk, _account_sk(account_id)),
            [
                CostAccountItem.account_id.set(account_id),
                CostAccountItem.generation.set(present + 1),
                CostAccountItem.schema_version.set(1),
                CostAccountItem.created_at.set(CostAccountItem.created_at | now),
                CostAccountItem.updated_at.set(now),
            ],
            same,
        )
        try:
            tx.commit()
        except ConditionFailed:
            return  # someone else has hidden it meanwhile

    def delete_some(self, account_id: str, limit: int) -> int:
        for generation in range(self.generation(account_id)):
            with store_errors():
                items = CostDayItem.query(
                    self._rows(account_id, generation),
                    consistent_read=True,
                    limit=limit,
                    attributes_to_get=["pk", "sk"],
                )
                keys = [(item.pk, item.sk) for item in items]
            if keys:
                return batch_delete(CostDayItem, keys)
        return 0

    def _rows(self, account_id: str, generation: int) -> str:
        return f"{self._scope.pk}#{key('C', account_id, str(generation))}"


def _account_sk(account_id: str) -> str:
    return key("COSTS", account_id)


def _source(text: str) -> Source:
    return "focus" if text == "focus" else "ce"


def _day(item: CostDayItem) -> DayCosts:
    rows = json.loads(zlib.decompress(item.body))
    return DayCosts(
        date.fromisoformat(item.date),
        _source(item.source),
        {CostLine(*row[:2]): Decimal(row[2]) for row in rows},
        {
            CostLine(*row[:2]): RatedCost(Decimal(row[3]), Decimal(row[4]))
            for row in rows
            if len(row) > _PLAIN
        },
    )


def _row(day: DayCosts, line: CostLine) -> list[str]:
    """[service, usage type, cost], and list and effective cost where they are known."""
    row = [line.service, line.usage_type, str(day.lines[line])]
    rated = day.rated.get(line)
    return row if rated is None else [*row, str(rated.list_cost), str(rated.effective_cost)]
