"""In-memory twins of discovery: repository, object store, and a customer account made of pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from tidegate.discovery.collectors.base import ClientSource
from tidegate.discovery.domain import (
    AccountState,
    Chunk,
    ResourceFilters,
    Row,
    RowWrite,
    Run,
    Segment,
    Unit,
    moment_key,
    search_text,
)
from tidegate.discovery.engine.ports import AccessLost
from tidegate.discovery.errors import DiscoveryRunning, Superseded
from tidegate.discovery.repository import Place, place_of

RowKey = tuple[str, int, str, str, str]


class MemoryDiscoveryRepository:
    """DiscoveryRepository in dictionaries: every method is one atomic step, as in a transaction."""

    def __init__(self) -> None:
        self.stored_runs: dict[str, Run] = {}
        self.stored_units: dict[tuple[str, str], Unit] = {}
        self.stored_rows: dict[RowKey, Row] = {}
        self.stored_chunks: dict[tuple[str, str], Chunk] = {}
        self.counts: Counter[tuple[str, int, str, str, str]] = Counter()
        self.states: dict[str, AccountState] = {}
        self.pointers: dict[str, str] = {}

    def begin(self, run: Run, now: datetime) -> Run:
        if run.id in self.stored_runs:
            return self.stored_runs[run.id]
        state = self.account(run.account_id)
        busy = state.running_run_id not in (None, run.id)
        if busy and state.running_until is not None and state.running_until > now:
            raise DiscoveryRunning
        run = replace(run, generation=state.generation)
        self.stored_runs[run.id] = run
        self.pointers[run.onboarding_id] = run.id
        self.states[run.account_id] = replace(
            state, running_run_id=run.id, running_until=run.deadline_at
        )
        return run

    def run(self, run_id: str) -> Run | None:
        return self.stored_runs.get(run_id)

    def latest(self, onboarding_id: str) -> Run | None:
        return self.stored_runs.get(self.pointers.get(onboarding_id, ""))

    def recorded_runs(self, account_id: str) -> list[Run]:
        return [
            run
            for run in self.stored_runs.values()
            if run.account_id == account_id and run.snapshot is not None
        ]

    def account(self, account_id: str) -> AccountState:
        return self.states.get(account_id, AccountState(account_id))

    def plan(self, run: Run, units: Sequence[Unit], now: datetime) -> list[Unit]:
        for unit in units:
            self.stored_units.setdefault((run.id, unit.key), unit)
        stored = self.stored_runs.get(run.id)
        if stored is not None and stored.status == "running":
            self.stored_runs[run.id] = replace(stored, planned=True)
        return self.units(run.id)

    def units(self, run_id: str) -> list[Unit]:
        found = [unit for (run, _), unit in self.stored_units.items() if run == run_id]
        return sorted(found, key=lambda unit: (unit.region, unit.service))

    def unit(self, run_id: str, unit_key: str) -> Unit | None:
        return self.stored_units.get((run_id, unit_key))

    def rows(self, run: Run, places: Sequence[tuple[str, str, str]]) -> dict[str, Row]:
        keys = [(run.account_id, run.generation, *place) for place in places]
        return {key[4]: self.stored_rows[key] for key in keys if key in self.stored_rows}

    def commit_page(
        self, run: Run, before: Unit, after: Unit, writes: Sequence[RowWrite], now: datetime
    ) -> None:
        unit = self.stored_units.get((run.id, before.key))
        place = (before.page, before.resource_count, before.restarts)
        if unit is None or unit.done or (unit.page, unit.resource_count, unit.restarts) != place:
            raise Superseded
        self._store(run, writes)
        self.stored_units[run.id, after.key] = after

    def mark_access_lost(self, run: Run, now: datetime) -> None:
        stored = self.stored_runs.get(run.id)
        if stored is not None and stored.status == "running" and stored.access_lost_at is None:
            self.stored_runs[run.id] = replace(stored, access_lost_at=now)

    def inventory_types(self, run: Run) -> list[tuple[str, str]]:
        mine = (run.account_id, run.generation)
        return sorted({(key[3], key[4]) for key in self.counts if key[:2] == mine})

    def prune_counts(self, run: Run) -> None:
        for key in [key for key, count in self.counts.items() if count <= 0]:
            if key[:2] == (run.account_id, run.generation):
                del self.counts[key]

    def slice(self, run: Run, region: str, type_: str, after_id: str, limit: int) -> list[Row]:
        here = (run.account_id, run.generation, region, type_)
        found = [
            row for key, row in self.stored_rows.items() if key[:4] == here and key[4] > after_id
        ]
        return sorted(found, key=lambda row: row.resource.id)[:limit]

    def vanish(self, run: Run, writes: Sequence[RowWrite], now: datetime) -> None:
        self._store(run, writes)

    def save_chunk(self, run: Run, chunk: Chunk, cursor: str, now: datetime) -> Run:
        stored = self.stored_runs.get(run.id)
        if (
            stored is None
            or stored.status != "running"
            or stored.finish_cursor != run.finish_cursor
        ):
            raise Superseded
        self.stored_chunks[run.id, chunk.key] = chunk
        self.stored_runs[run.id] = replace(stored, finish_cursor=cursor)
        return replace(run, finish_cursor=cursor)

    def chunks(self, run_id: str) -> list[Chunk]:
        found = [chunk for (run, _), chunk in self.stored_chunks.items() if run == run_id]
        return sorted(found, key=lambda chunk: chunk.key)

    def complete(self, run: Run, now: datetime) -> bool:
        stored = self.stored_runs.get(run.id)
        final = stored is not None and stored.status == "running"
        if final:
            self.stored_runs[run.id] = run
        state = self.account(run.account_id)
        if state.running_run_id == run.id:
            self.states[run.account_id] = replace(
                state,
                running_run_id=None,
                running_until=None,
                last_run_id=run.id,
                last_snapshot=run.snapshot or state.last_snapshot,
            )
        return final

    def accounts(self) -> dict[str, AccountState]:
        return dict(self.states)

    def segments(self, filters: ResourceFilters) -> list[Segment]:
        found = [
            Segment(first_seen, account, region, type_, count, generation)
            for (account, generation, first_seen, region, type_), count in self.counts.items()
            if count > 0 and self.account(account).generation == generation
        ]
        kept = [segment for segment in found if segment.fits(filters)]
        return sorted(kept, key=lambda segment: segment.order, reverse=True)

    def segment_rows(
        self, segment: Segment, below_id: str | None, skip: int, limit: int
    ) -> list[Row]:
        rows = [
            row
            for row in self._living(segment.account_id, segment.generation)
            if place_of(row)[:4] == segment.order
            and (below_id is None or row.resource.id < below_id)
        ]
        return sorted(rows, key=place_of, reverse=True)[skip : skip + limit]

    def search(self, filters: ResourceFilters, below: Place | None) -> Iterator[Row]:
        rows = [
            row
            for state in self.states.values()
            for row in self._living(state.account_id, state.generation)
            if self._matches(row, filters) and (below is None or place_of(row) < below)
        ]
        yield from sorted(rows, key=place_of, reverse=True)

    def hide(self, account_id: str, now: datetime) -> AccountState:
        state = AccountState(account_id, self.account(account_id).generation + 1)
        self.states[account_id] = state
        return state

    def delete_some(self, account_id: str, limit: int) -> int:
        present = self.account(account_id).generation
        old = [
            run.id
            for run in self.stored_runs.values()
            if run.account_id == account_id and run.generation < present
        ]
        for items in (
            [(self.stored_units, key) for key in self.stored_units if key[0] in old],
            [(self.stored_chunks, key) for key in self.stored_chunks if key[0] in old],
            [
                (self.stored_rows, key)
                for key in self.stored_rows
                if key[0] == account_id and key[1] < present
            ],
            [
                *(
                    (self.counts, key)
                    for key in self.counts
                    if key[0] == account_id and key[1] < present
                ),
                *((self.pointers, key) for key, run in self.pointers.items() if run in old),
                *((self.stored_runs, key) for key in old),
            ],
        ):
            if items:
                for store, key in items[:limit]:
                    del store[key]  # type: ignore[attr-defined]
                return len(items[:limit])
        return 0

    def _store(self, run: Run, writes: Sequence[RowWrite]) -> None:
        keyed = [(self._key(run, write.row), write) for write in writes]
        for key, write in keyed:
            stored = self.stored_rows.get(key)
            if (None if stored is None else stored.seen_run) != write.expected:
                raise Superseded
        for key, write in keyed:
            self.stored_rows[key] = write.row
            first_seen = moment_key(write.row.resource.first_seen_at)
            if write.counted:
                self.counts[key[0], key[1], first_seen, key[2], key[3]] += write.counted

    @staticmethod
    def _key(run: Run, row: Row) -> RowKey:
        resource = row.resource
        return (run.account_id, run.generation, resource.region, resource.type, resource.id)

    def _living(self, account_id: str, generation: int) -> list[Row]:
        return [
            row
            for key, row in self.stored_rows.items()
            if key[:2] == (account_id, generation) and row.living
        ]

    @staticmethod
    def _matches(row: Row, filters: ResourceFilters) -> bool:
        resource = row.resource
        text = search_text(resource.arn, resource.name, resource.tags)
        return (
            filters.account_id in (None, resource.account_id)
            and filters.region in (None, resource.region)
            and filters.type in (None, resource.type)
            and (filters.q or "").lower() in text
        )


class MemoryObjects:
    """ObjectStore in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts = 0

    def put(self, name: str, body: bytes) -> None:
        self.puts += 1
        self.objects[name] = body

    def get(self, name: str) -> bytes | None:
        return self.objects.get(name)

    def delete_prefix(self, prefix: str, limit: int) -> int:
        names = [name for name in self.objects if name.startswith(prefix)][:limit]
        for name in names:
            del self.objects[name]
        return len(names)


def aws_error(code: str, message: str = "", status: int = 400) -> ClientError:
    """An error answer of AWS."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        "Operation",
    )


Answerer = Callable[[str, str, str, Mapping[str, Any]], Any]


@dataclass
class ScriptedSession:
    """A session whose clients answer from `answer(service, region, operation, parameters)`."""

    answer: Answerer
    calls: list[tuple[str, str, str]] = field(default_factory=list)

    def client(self, service: str, region: str) -> Any:
        return _ScriptedClient(self, service, region)


@dataclass(frozen=True)
class _ScriptedClient:
    session: ScriptedSession
    service: str
    region: str

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            self.session.calls.append((self.service, self.region, operation))
            answer = self.session.answer(self.service, self.region, operation, parameters)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call


@dataclass
class ScriptedAccount:
    """The customer account of a run: hands out one scripted session, or refuses."""

    session: ScriptedSession
    refuses: Callable[[Sequence[str]], bool] = lambda actions: False
    opened: list[tuple[str, ...]] = field(default_factory=list)
    reported: list[tuple[str, datetime]] = field(default_factory=list)

    def open(self, run: Run, actions: Sequence[str]) -> ClientSource:
        self.opened.append(tuple(actions))
        if self.refuses(actions):
            raise AccessLost
        return self.session

    def discovered(self, run: Run, at: datetime) -> None:
        self.reported.append((run.id, at))
