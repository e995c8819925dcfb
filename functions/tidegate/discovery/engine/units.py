"""Read one unit page by page, with a checkpoint after every page."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from tidegate_kit.observability import logger

from tidegate.discovery.collectors.base import (
    ClientSource,
    Collector,
    Page,
    Read,
    Reader,
    ReadFailed,
    Target,
)
from tidegate.discovery.domain import GLOBAL, Run, Unit
from tidegate.discovery.engine.merge import merge
from tidegate.discovery.engine.ports import AccessLost, Engine
from tidegate.discovery.engine.prepare import ACCESS_LOST, ASSUME_ROLE, NOT_ENABLED
from tidegate.discovery.errors import (
    ProviderThrottled,
    ProviderUnavailable,
    RunGone,
    Superseded,
    UnknownService,
)

MAX_PAGES = 20_000
MAX_RESTARTS = 2  # after a refused pagination token
REMEMBERED_TOKENS = 50
_WHO = Read("sts", "get_caller_identity", "sts:GetCallerIdentity")
_LOST_AGAIN = 3  # times in a row that another worker may be first


def read_unit(engine: Engine, run_id: str, unit_key: str) -> bool:
    """Read pages until the unit is done or the time is up; True when there is nothing left to do.

    Raises ProviderThrottled or ProviderUnavailable, both to be tried again later from the
    checkpoint, RunGone for a run or unit that the tenant does not have.
    """
    lost = 0
    while True:
        run, unit = _current(engine, run_id, unit_key)
        if unit.done or over(engine, run):
            return True
        try:
            _read_page(engine, run, unit)
        except Superseded:
            lost += 1
            if lost == _LOST_AGAIN:
                raise
            continue
        if not engine.has_time():
            return False


def fail_unit(engine: Engine, run_id: str, unit_key: str, reason: str) -> None:
    """End a unit that failed for good: partial, with what was read so far."""
    run, unit = _current(engine, run_id, unit_key)
    if not unit.done and not over(engine, run):
        _end(engine, run, unit, cut_short(unit, reason))


def _current(engine: Engine, run_id: str, unit_key: str) -> tuple[Run, Unit]:
    run = engine.repository.run(run_id)
    unit = engine.repository.unit(run_id, unit_key)
    if run is None or unit is None:
        raise RunGone(f"{run_id} {unit_key}")
    return run, unit


def over(engine: Engine, run: Run) -> bool:
    """True when nothing more may be written for the run: closed, too old, or disconnected."""
    # A disconnect raises the generation: what is read from then on belongs to nobody.
    if run.status != "running" or run.stale(engine.clock()):
        return True
    return engine.repository.account(run.account_id).generation != run.generation


def _read_page(engine: Engine, run: Run, unit: Unit) -> None:
    collector = engine.collectors.get(unit.service)
    if collector is None:
        raise UnknownService(unit.service)
    if known_lost(run):
        _end(engine, run, unit, _lost_access(unit))
        return
    try:
        page = _collect(engine, run, unit, collector)
    except AccessLost:
        engine.repository.mark_access_lost(run, engine.clock())
        _end(engine, run, unit, _lost_access(unit))
    except ReadFailed as failed:
        _end(engine, run, unit, _after_failure(engine, run, unit, failed))
    else:
        _store(engine, run, unit, page)


def _collect(engine: Engine, run: Run, unit: Unit, collector: Collector) -> Page:
    target = Target(run.account_id, _place(engine, unit), run.started_at)
    session = engine.account.open(run, collector.actions)
    try:
        return collector.collect(session, target, unit.token)
    except ReadFailed as failed:
        if not session_ended(failed):
            raise
    # In the middle of the page: assume again, once (G15).
    return collector.collect(engine.account.open(run, collector.actions), target, unit.token)


def known_lost(run: Run) -> bool:
    """True when the account has refused us in this run: it is not asked again (G14)."""
    return run.access_lost_at is not None


def session_ended(failed: ReadFailed) -> bool:
    """True when the credentials were good and have run out."""
    return failed.failure.kind == "expired"


def _place(engine: Engine, unit: Unit) -> str:
    return engine.home_region if unit.region == GLOBAL else unit.region


def _after_failure(engine: Engine, run: Run, unit: Unit, failed: ReadFailed) -> Unit:
    failure = failed.failure
    logger.info("listing failed", extra={"unit": unit.key, "call": str(failed)})
    if failure.kind == "throttled":
        raise ProviderThrottled(str(failed)) from failed
    if failure.kind in ("unavailable", "expired"):
        raise ProviderUnavailable(str(failed)) from failed
    if failure.kind == "credentials":
        return _keys_refused(engine, run, unit)
    if failure.kind == "denied":
        return replace(
            cut_short(unit, failure.reason),
            status="denied" if unit.page == 0 else "partial",
            missing_actions=_union(unit.missing_actions, [failure.action or failed.read.action]),
        )
    if failure.kind == "skipped":
        return replace(cut_short(unit, failure.reason), status="skipped")
    if failure.kind == "token" and unit.token is not None:
        if unit.restarts < MAX_RESTARTS:
            return replace(unit, token=None, restarts=unit.restarts + 1, seen_tokens=())
        return cut_short(unit, "the pagination token was refused again and again")
    return cut_short(unit, failure.reason)


def _keys_refused(engine: Engine, run: Run, unit: Unit) -> Unit:
    """Keys that work elsewhere are refused by a region that is not enabled; else access is lost."""
    session: ClientSource = engine.account.open(run, (_WHO.action,))
    reader = Reader(session, Target(run.account_id, engine.home_region, run.started_at), (_WHO,))
    try:
        reader.call(_WHO)
    except ReadFailed as failed:
        if failed.failure.retryable:
            raise ProviderUnavailable(str(failed)) from failed
        engine.repository.mark_access_lost(run, engine.clock())
        return _lost_access(unit)
    return replace(cut_short(unit, NOT_ENABLED), status="skipped")


def _store(engine: Engine, run: Run, unit: Unit, page: Page) -> None:
    writes = merge(engine, run, unit, page.resources)
    after = _advanced(unit, page, len(writes))
    engine.repository.commit_page(run, unit, after, writes, engine.clock())


def _advanced(unit: Unit, page: Page, added: int) -> Unit:
    missing = _union(unit.missing_actions, page.missing_actions)
    moved = replace(
        unit,
        page=unit.page + 1,
        token=page.next_token,
        resource_count=(unit.resource_count or 0) + added,
        missing_actions=missing,
        reason=unit.reason or (page.reasons[0] if page.reasons else None),
    )
    if page.next_token is None:
        incomplete = bool(missing or moved.reason)
        return replace(moved, status="partial" if incomplete else "ok", listed=True)
    mark = hashlib.sha256(page.next_token.encode()).hexdigest()[:16]
    if repeats(unit, mark):
        return cut_short(moved, "the service repeated a pagination token")
    if moved.page >= MAX_PAGES:
        return cut_short(moved, "more pages than we read")
    return replace(moved, seen_tokens=(*unit.seen_tokens, mark)[-REMEMBERED_TOKENS:])


def repeats(unit: Unit, mark: str) -> bool:
    """True when the service gives a token again: going on would never end (G18)."""
    return mark in unit.seen_tokens


def _end(engine: Engine, run: Run, unit: Unit, after: Unit) -> None:
    engine.repository.commit_page(run, unit, after, (), engine.clock())


def cut_short(unit: Unit, reason: str) -> Unit:
    """A unit that ends without a complete listing; no page read means the count is not known."""
    count = unit.resource_count if unit.page else None
    return replace(
        unit, status="partial", reason=reason, token=None, resource_count=count, listed=False
    )


def _lost_access(unit: Unit) -> Unit:
    return replace(
        cut_short(unit, ACCESS_LOST),
        status="denied" if unit.page == 0 else "partial",
        missing_actions=_union(unit.missing_actions, [ASSUME_ROLE]),
    )


def _union(known: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({*known, *more}))
