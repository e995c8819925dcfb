"""What one page changes in the inventory: a pure function of page, stored rows and run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tidegate.discovery.domain import Found, Resource, Row, RowWrite, Run, Unit, resource_id
from tidegate.discovery.engine.ports import Engine

_MAX_BODY = 300_000  # bytes of one resource; an item takes 400 KB


def merge(engine: Engine, run: Run, unit: Unit, found: Sequence[Found]) -> list[RowWrite]:
    """Writes for the resources that this run has not stored yet; so nothing is counted twice."""
    named: dict[str, Found] = {}
    for one in found:
        named.setdefault(resource_id(run.tenant_id, run.account_id, one.arn), one)
    places = [(one.region, one.type, id_) for id_, one in named.items()]
    stored = engine.repository.rows(run, places)
    writes = (merged(run, unit, id_, one, stored.get(id_)) for id_, one in named.items())
    return [write for write in writes if write is not None]


def merged(run: Run, unit: Unit, id_: str, found: Found, old: Row | None) -> RowWrite | None:
    """The write for one resource; None when this run has stored it already."""
    if old is not None and stored_already(run, old):
        return None
    found = bounded(found)
    fingerprint = found.fingerprint
    same = old is not None and old.living and old.resource.fingerprint == fingerprint
    resource = Resource(
        id=id_,
        arn=found.arn,
        type=found.type,
        name=found.name,
        account_id=run.account_id,
        region=found.region,
        state=found.state,
        tags=found.tags,
        attributes=found.attributes,
        metrics=found.metrics,
        unknown=found.unknown,
        fingerprint=fingerprint,
        first_seen_at=run.started_at if old is None else old.resource.first_seen_at,
        last_seen_at=run.started_at,
        unchanged_since=old.resource.unchanged_since if old and same else run.started_at,
    )
    row = Row(
        resource=resource,
        service=unit.service,
        unit_region=unit.region,
        seen_run=run.id,
        first_run=run.id if old is None or not old.living else old.first_run,
        changed_run=run.id if old and not same else (old.changed_run if old else None),
    )
    begins = old is None or not old.living
    return RowWrite(row, None if old is None else old.seen_run, 1 if begins else 0)


def stored_already(run: Run, old: Row) -> bool:
    """True when this run has stored the resource: pages overlap, and pages are read again (G19)."""
    return old.seen_run == run.id and old.living


def bounded(found: Found) -> Found:
    """`found` within the size of an item: the largest values become unknown, named as such."""
    while _size(found) > _MAX_BODY:
        name, values = _largest(found)
        if name is None:
            return replace(found, tags={})
        rest = {key: value for key, value in values.items() if key != name}
        if values is found.metrics:
            found = replace(found, metrics=rest, unknown=(*found.unknown, f"metrics.{name}"))
        else:
            found = replace(found, attributes=rest, unknown=(*found.unknown, name))
    return found


def _size(found: Found) -> int:
    return len(json.dumps([dict(found.tags), dict(found.attributes), dict(found.metrics)]))


def _largest(found: Found) -> tuple[str | None, Mapping[str, object]]:
    sized = [
        (len(json.dumps(value)), name, values)
        for values in (found.attributes, found.metrics)
        for name, value in values.items()
    ]
    if not sized:
        return None, {}
    _, name, values = max(sized, key=lambda entry: entry[0])
    return name, values
