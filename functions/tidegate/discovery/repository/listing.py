"""The list of living resources over accounts, and the disconnect."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from pynamodb.expressions.condition import Condition
from tidegate_kit.dynamo import store_errors
from tidegate_kit.tenancy import key

from tidegate.discovery.domain import AccountState, ResourceFilters, Row, Segment
from tidegate.discovery.models import AccountItem, CountItem, ResourceItem
from tidegate.discovery.repository import records
from tidegate.discovery.repository.base import Base
from tidegate.discovery.repository.ports import Place, place_of


class ListStore(Base):
    """Reads over the present generations; deletes of the old ones."""

    def accounts(self) -> dict[str, AccountState]:
        with store_errors():
            items = list(
                AccountItem.query(
                    self._scope.pk, AccountItem.sk.startswith("INV#A#"), consistent_read=True
                )
            )
        return {item.account_id: records.account_of(item.account_id, item) for item in items}

    def segments(self, filters: ResourceFilters) -> list[Segment]:
        prefix = "INV#C#"
        if filters.account_id is not None:
            prefix = key("INV", "C", filters.account_id) + "#"
        with store_errors():
            items = list(
                CountItem.query(
                    self._scope.pk, CountItem.sk.startswith(prefix), consistent_read=True
                )
            )
        present = self.accounts()
        segments = [
            segment
            for segment in map(records.segment_of, items)
            if segment.count > 0
            and segment.fits(filters)
            and segment.account_id in present
            and present[segment.account_id].generation == segment.generation
        ]
        return sorted(segments, key=lambda segment: segment.order, reverse=True)

    def segment_rows(
        self, segment: Segment, below_id: str | None, skip: int, limit: int
    ) -> list[Row]:
        place = key(segment.first_seen, segment.region, segment.type)
        high = f"{place}$" if below_id is None else f"{place}#{below_id}"
        rows: list[Row] = []
        with store_errors():
            for item in ResourceItem.by_first_seen.query(
                records.rows_pk(self._scope, segment.account_id, segment.generation),
                ResourceItem.gsi1sk.between(f"{place}#", high),
                scan_index_forward=False,
                limit=skip + limit + 1,
            ):
                if item.id != below_id:
                    rows.append(records.row_of(item))
        return rows[skip : skip + limit]

    def search(self, filters: ResourceFilters, below: Place | None) -> Iterator[Row]:
        accounts = [
            state
            for state in self.accounts().values()
            if filters.account_id in (None, state.account_id)
        ]
        streams = [self._search_account(state, filters) for state in accounts]
        for row in heapq.merge(*streams, key=place_of, reverse=True):
            if below is None or place_of(row) < below:
                yield row

    def _search_account(self, state: AccountState, filters: ResourceFilters) -> Iterator[Row]:
        condition: Condition = ResourceItem.search.contains((filters.q or "").lower())
        if filters.region is not None:
            condition &= ResourceItem.region == filters.region
        if filters.type is not None:
            condition &= ResourceItem.type == filters.type
        with store_errors():
            for item in ResourceItem.by_first_seen.query(
                records.rows_pk(self._scope, state.account_id, state.generation),
                filter_condition=condition,
                scan_index_forward=False,
            ):
                yield records.row_of(item)
