"""Domain objects of discovery; no AWS, no storage."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import rfc8785

UnitStatus = Literal["pending", "ok", "partial", "denied", "skipped"]
RunStatus = Literal["running", "completed", "completed_with_gaps", "failed"]
ViewStatus = Literal["not_started", "running", "completed", "completed_with_gaps", "failed"]


def canonical(value: Any) -> bytes:
    """RFC 8785 JSON: one text for one value."""
    return rfc8785.dumps(value)


GLOBAL = "global"  # the region of units and resources that belong to no region


@dataclass(frozen=True)
class Found:
    """One resource as a collector read it.

    `attributes` are settings and state: they make the fingerprint that plans compare (FND-7).
    `metrics` are measurements (sums, sizes): they change all the time and do not. `unknown` names
    the attributes and metrics that could not be read; those are absent, never defaulted (ONB-8).
    """

    arn: str
    type: str
    region: str
    name: str | None = None
    state: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the RFC 8785 form of type, state, tags, attributes and unknown names."""
        return hashlib.sha256(
            canonical(
                {
                    "type": self.type,
                    "state": self.state,
                    "tags": dict(self.tags),
                    "attributes": dict(self.attributes),
                    "unknown": sorted(_settings_of(self)),
                }
            )
        ).hexdigest()


def _settings_of(found: Found) -> set[str]:
    # An unreadable measurement is no change of the resource.
    return {name for name in found.unknown if not name.startswith("metrics.")}


def moment_key(moment: datetime) -> str:
    """A time as a sortable key part of fixed width: epoch milliseconds."""
    return f"{int(moment.timestamp() * 1000):014d}"


def search_text(arn: str, name: str | None, tags: Mapping[str, str]) -> str:
    """What `q` is looked for in: name, ARN and tags, lower case, at most 4,000 characters."""
    words = [name or "", arn, *(f"{key}={value}" for key, value in sorted(tags.items()))]
    return "\n".join(words).lower()[:4000]


def resource_id(tenant_id: str, account_id: str, arn: str) -> str:
    """The id of a resource: a UUID4-shaped digest, so the same resource keeps its id for ever."""
    digest = hashlib.sha256(f"{tenant_id}\n{account_id}\n{arn}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


@dataclass(frozen=True)
class Resource:
    """One resource of the inventory.

    `unchanged_since` is when the present fingerprint was first seen: what the checks of the kind
    "unattached for 7 days" count from where AWS keeps no such date.
    """

    id: str
    arn: str
    type: str
    name: str | None
    account_id: str
    region: str
    state: str | None
    tags: Mapping[str, str]
    attributes: Mapping[str, Any]
    metrics: Mapping[str, Any]
    unknown: tuple[str, ...]
    fingerprint: str
    first_seen_at: datetime
    last_seen_at: datetime
    unchanged_since: datetime


@dataclass(frozen=True)
class Run:
    """One discovery run. `generation` counts the disconnects of the account before it."""

    id: str
    tenant_id: str
    onboarding_id: str
    account_id: str
    generation: int
    status: RunStatus
    wanted_regions: tuple[str, ...]
    wanted_services: tuple[str, ...]
    started_at: datetime
    deadline_at: datetime
    completed_at: datetime | None = None
    planned: bool = False
    access_lost_at: datetime | None = None
    finish_cursor: str = ""
    snapshot: str | None = None
    diff: str | None = None
    summary: Mapping[str, Any] | None = None
    reason: str | None = None

    def stale(self, now: datetime) -> bool:
        """True when it should have ended: its worker died."""
        return self.status == "running" and now >= self.deadline_at


@dataclass(frozen=True)
class Unit:
    """One (region, service) of a run, and how far it is."""

    region: str
    service: str
    status: UnitStatus = "pending"
    page: int = 0
    token: str | None = None
    resource_count: int | None = None
    listed: bool = False
    reason: str | None = None
    missing_actions: tuple[str, ...] = ()
    seen_tokens: tuple[str, ...] = ()
    restarts: int = 0

    @property
    def key(self) -> str:
        """`<region>/<service>`: the unit's name in the state machine."""
        return f"{self.region}/{self.service}"

    @property
    def done(self) -> bool:
        """True once its status is final."""
        return self.status != "pending"


@dataclass(frozen=True)
class Row:
    """A resource as stored, with the marks of the runs that saw it.

    `seen_run` is the last run that saw it, `first_run` the first, `changed_run` the last that saw
    another fingerprint, `vanished_run` the one that missed it (None while it lives).
    """

    resource: Resource
    service: str
    unit_region: str
    seen_run: str
    first_run: str
    changed_run: str | None = None
    vanished_run: str | None = None
    vanished_at: datetime | None = None

    @property
    def living(self) -> bool:
        """False once a complete listing did not have it."""
        return self.vanished_run is None


@dataclass(frozen=True)
class RowWrite:
    """A row to store, if the stored one is still that of run `expected` (None: there is none)."""

    row: Row
    expected: str | None
    counted: int  # +1 begins to live, -1 vanishes, 0 neither


@dataclass(frozen=True)
class AccountState:
    """What is going on with one account."""

    account_id: str
    generation: int = 0
    running_run_id: str | None = None
    running_until: datetime | None = None
    last_run_id: str | None = None
    last_snapshot: str | None = None


@dataclass(frozen=True)
class Chunk:
    """One piece of a run's snapshot: S3 hash, rows, and what changed in it."""

    region: str
    type: str
    first_id: str
    sha256: str | None
    count: int
    added: int = 0
    changed: int = 0
    vanished: int = 0
    diff_sha256: str | None = None

    @property
    def key(self) -> str:
        """Its place among the chunks of the run."""
        return f"{self.region}#{self.type}#{self.first_id}"


@dataclass(frozen=True)
class Segment:
    """How many living resources share first sighting, account, region and type."""

    first_seen: str
    account_id: str
    region: str
    type: str
    count: int
    generation: int = 0

    @property
    def order(self) -> tuple[str, str, str, str]:
        """Its place in the list (which runs from high to low: newest first)."""
        return (self.first_seen, self.account_id, self.region, self.type)

    def fits(self, filters: ResourceFilters) -> bool:
        """True when its resources pass account, region and type of the filters."""
        return (
            filters.account_id in (None, self.account_id)
            and filters.region in (None, self.region)
            and filters.type in (None, self.type)
        )


@dataclass(frozen=True)
class ResourceFilters:
    """Filters of the resource list; `q` matches name, ARN and tags, ignoring case."""

    account_id: str | None = None
    region: str | None = None
    type: str | None = None
    q: str | None = None


@dataclass(frozen=True)
class Totals:
    """Counts of living resources."""

    total: int
    by_type: Mapping[str, int]
    by_account: Mapping[str, int]


@dataclass(frozen=True)
class ServiceView:
    """One service of one region in `discovery->` (contract 2.9)."""

    service: str
    status: UnitStatus
    resource_count: int | None
    reason: str | None
    missing_actions: tuple[str, ...]


@dataclass(frozen=True)
class RegionView:
    """One region in `discovery->`."""

    region: str
    services: tuple[ServiceView, ...]


@dataclass(frozen=True)
class DiscoveryView:
    """The data of `discovery->` (contract 2.9): the latest run of one onboarding."""

    run_id: str
    account_id: str
    status: ViewStatus
    progress: int
    started_at: datetime
    completed_at: datetime | None
    resources_found: int
    regions: tuple[RegionView, ...]


@dataclass(frozen=True)
class DiscoveryRequest:
    """What to discover. Empty `regions`: all that the account has enabled; `services` None: all."""

    tenant_id: str
    onboarding_id: str
    account_id: str
    regions: Sequence[str]
    services: Sequence[str] | None
    run_id: str


def progress_of(status: RunStatus, units: Sequence[Unit]) -> int:
    """0..100; 100 exactly at a final status. Units only ever become done, so it never falls."""
    if status != "running":
        return 100
    if not units:
        return 0
    return min(99, 99 * sum(unit.done for unit in units) // len(units))
