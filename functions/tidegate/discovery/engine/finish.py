"""Finish a run: mark what vanished, write the snapshot and the diff, close the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tidegate_kit.clock import iso

from tidegate.discovery.domain import Chunk, Row, RowWrite, Run, RunStatus, Unit
from tidegate.discovery.engine.ports import Engine
from tidegate.discovery.engine.units import fail_unit, over
from tidegate.discovery.errors import RunGone, Superseded
from tidegate.discovery.snapshots import change_of, diff_of

SLICE = 250  # rows held in memory at once
STOPPED = "the run ended before this was read"
OVERTAKEN = "the run took too long, or the account was disconnected"


def finish(engine: Engine, run_id: str) -> bool:
    """Work through the inventory slice by slice; True when the run is closed.

    False means: call again, it goes on where it stopped. Raises RunGone.
    """
    run = engine.repository.run(run_id)
    if run is None:
        raise RunGone(run_id)
    if run.status != "running":
        _report(engine, run)
        return True
    if over(engine, run):
        fail_run(engine, run_id, OVERTAKEN)
        return True
    for unit in engine.repository.units(run.id):
        if not unit.done:
            fail_unit(engine, run.id, unit.key, STOPPED)
    units = {unit.key: unit for unit in engine.repository.units(run.id)}
    for region, type_ in engine.repository.inventory_types(run):
        finished = _finish_type(engine, run, units, region, type_)
        if finished is None:
            return False
        run = finished
    _close(engine, run, list(units.values()))
    return True


def fail_run(engine: Engine, run_id: str, reason: str) -> None:
    """Close a run that cannot go on. What was read stays."""
    run = engine.repository.run(run_id)
    if run is None:
        raise RunGone(run_id)
    if run.status == "running":
        now = engine.clock()
        engine.repository.complete(
            replace(run, status="failed", completed_at=now, reason=reason), now
        )


def _finish_type(
    engine: Engine, run: Run, units: dict[str, Unit], region: str, type_: str
) -> Run | None:
    """Slices of one (region, type); None when the time is up."""
    here = f"{region}#{type_}#"
    after = ""
    if run.finish_cursor.startswith(here):
        after = run.finish_cursor.removeprefix(here)
    elif run.finish_cursor >= here:
        return run  # done before
    while rows := engine.repository.slice(run, region, type_, after, SLICE):
        rows = _mark_vanished(engine, run, units, rows)
        after = rows[-1].resource.id
        run = engine.repository.save_chunk(
            run, _chunk(engine, run, region, type_, rows), f"{here}{after}", engine.clock()
        )
        if not engine.has_time():
            return None
    return run


def _mark_vanished(
    engine: Engine, run: Run, units: dict[str, Unit], rows: Sequence[Row]
) -> list[Row]:
    """Rows that a complete listing of this run did not have become vanished.

    Where the listing was denied, cut short or not part of the run they stay as they were: not
    seen is not gone (G14).
    """
    now = engine.clock()
    marked: dict[str, RowWrite] = {}
    for row in rows:
        unit = units.get(f"{row.unit_region}/{row.service}")
        if row.living and row.seen_run != run.id and fully_listed(unit):
            gone = replace(row, vanished_run=run.id, vanished_at=now)
            marked[row.resource.id] = RowWrite(gone, row.seen_run, -1)
    if marked:
        engine.repository.vanish(run, list(marked.values()), now)
    return [marked[row.resource.id].row if row.resource.id in marked else row for row in rows]


def fully_listed(unit: Unit | None) -> bool:
    """True when what this run did not see is gone, and not just unread (G14)."""
    return unit is not None and unit.listed


def _chunk(engine: Engine, run: Run, region: str, type_: str, rows: Sequence[Row]) -> Chunk:
    changes = [change_of(row, run.id) for row in rows]
    return Chunk(
        region=region,
        type=type_,
        first_id=rows[0].resource.id,
        sha256=engine.snapshots.write_rows(run, rows),
        count=sum(row.living for row in rows),
        added=changes.count("added"),
        changed=changes.count("changed"),
        vanished=changes.count("vanished"),
        diff_sha256=engine.snapshots.write_diff(run, rows),
    )


def _close(engine: Engine, run: Run, units: Sequence[Unit]) -> None:
    now = engine.clock()
    engine.repository.prune_counts(run)
    chunks = engine.repository.chunks(run.id)
    diff = diff_of(run, chunks)
    closed = replace(
        run,
        status=final_status(units),
        completed_at=now,
        snapshot=engine.snapshots.write_manifest(run, chunks, units),
        diff=engine.snapshots.write_diff_manifest(run, chunks),
        summary={
            "resources": sum(chunk.count for chunk in chunks),
            "added": diff["added"],
            "changed": diff["changed"],
            "vanished": diff["vanished"],
            "completed_at": iso(now),
        },
        reason=None if run.access_lost_at is None else "access lost",
    )
    if not engine.repository.complete(closed, now):
        stored = engine.repository.run(run.id)
        if stored is None or stored.status == "running":
            raise Superseded
        closed = stored
    _report(engine, closed)


def _report(engine: Engine, run: Run) -> None:
    if run.status in ("completed", "completed_with_gaps") and run.completed_at is not None:
        engine.account.discovered(run, run.completed_at)


def final_status(units: Sequence[Unit]) -> RunStatus:
    """completed: every unit ok; failed: no listing was complete and nothing was found."""
    if all(unit.status == "ok" for unit in units):
        return "completed"
    if not any(unit.listed or unit.resource_count for unit in units):
        return "failed"
    return "completed_with_gaps"
