"""Plan a run: which regions, which services."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate_kit.observability import logger

from tidegate.discovery.collectors.base import Read, Reader, ReadFailed, Target
from tidegate.discovery.domain import GLOBAL, Run, Unit
from tidegate.discovery.engine.ports import AccessLost, Engine
from tidegate.discovery.errors import ProviderThrottled, ProviderUnavailable, RunGone, Superseded

DESCRIBE_REGIONS = Read("ec2", "describe_regions", "ec2:DescribeRegions")
REGIONS = "regions"  # the service name under which an unreadable list of regions is shown
NOT_ENABLED = "the region is not enabled in this account"
ACCESS_LOST = "access lost: the account no longer lets us in"
ASSUME_ROLE = "sts:AssumeRole"


@dataclass(frozen=True)
class Regions:
    """The regions to read, those that are off, and why the list could not be read."""

    readable: tuple[str, ...]
    disabled: tuple[str, ...] = ()
    gap: Unit | None = None


def prepare(engine: Engine, run_id: str) -> list[Unit]:
    """The units to read, planned once; none when the run is over.

    Raises RunGone for a run that the tenant does not have, ProviderThrottled and
    ProviderUnavailable when the region list cannot be read now.
    """
    run = engine.repository.run(run_id)
    if run is None:
        raise RunGone(run_id)
    if run.status != "running":
        return []
    if run.planned:
        units = engine.repository.units(run.id)
    else:
        units = _plan(engine, run)
    return [unit for unit in units if not unit.done]


def _plan(engine: Engine, run: Run) -> list[Unit]:
    now = engine.clock()
    try:
        regions = _regions(engine, run)
    except AccessLost:
        engine.repository.mark_access_lost(run, now)
        regions = Regions(run.wanted_regions or (engine.home_region,))
    try:
        return engine.repository.plan(run, planned_units(engine, run, regions), now)
    except Superseded:
        # Another worker plans the same run: what it has stored is the plan.
        return engine.repository.plan(run, (), now)


def planned_units(engine: Engine, run: Run, regions: Regions) -> list[Unit]:
    """Units of all wanted services: once for global ones, else for every region."""
    services = [
        collector
        for collector in engine.collectors.values()
        if not run.wanted_services or collector.service in run.wanted_services
    ]
    units = [Unit(GLOBAL, c.service) for c in services if c.is_global]
    regional = [c for c in services if not c.is_global]
    units += [Unit(region, c.service) for region in regions.readable for c in regional]
    units += [
        Unit(region, c.service, status="skipped", reason=NOT_ENABLED)
        for region in regions.disabled
        for c in regional
    ]
    return units if regions.gap is None else [regions.gap, *units]


def _regions(engine: Engine, run: Run) -> Regions:
    wanted = run.wanted_regions
    session = engine.account.open(run, (DESCRIBE_REGIONS.action,))
    target = Target(run.account_id, engine.home_region, engine.clock())
    reader = Reader(session, target, (DESCRIBE_REGIONS,))
    try:
        answer = reader.call(DESCRIBE_REGIONS, AllRegions=True)
    except ReadFailed as failed:
        return _without_list(engine, wanted, failed)
    known = {
        item["RegionName"]: item.get("OptInStatus", "opt-in-not-required") != "not-opted-in"
        for item in answer.get("Regions", [])
    }
    if not wanted:
        return Regions(tuple(sorted(name for name, enabled in known.items() if enabled)))
    off = tuple(name for name in wanted if known.get(name) is False)
    return Regions(tuple(name for name in wanted if name not in off), off)


def _without_list(engine: Engine, wanted: tuple[str, ...], failed: ReadFailed) -> Regions:
    failure = failed.failure
    if failure.kind == "throttled":
        raise ProviderThrottled from failed
    if failure.kind in ("unavailable", "expired"):
        raise ProviderUnavailable from failed
    if failure.kind == "credentials":
        raise AccessLost from failed
    logger.warning("region list not readable", extra={"code": failure.code})
    if wanted:
        return Regions(wanted)
    gap = Unit(
        GLOBAL,
        REGIONS,
        status="denied" if failure.kind == "denied" else "skipped",
        reason=f"{failure.reason}; only {engine.home_region} was read",
        missing_actions=(failure.action,) if failure.action else (),
    )
    return replace(Regions((engine.home_region,)), gap=gap)
