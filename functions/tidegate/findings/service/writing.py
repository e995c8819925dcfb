"""From outcomes of checks to stored findings: opened, seen again, resolved (FND-3, FND-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tidegate.findings.domain import (
    Change,
    CheckState,
    Finding,
    FindingException,
    FindingResource,
    exception_id,
    finding_id,
)
from tidegate.findings.errors import ChangedMeanwhile
from tidegate.findings.exceptions import under
from tidegate.findings.overlap import Claim, Cluster, claim_of, clusters
from tidegate.findings.repository import FindingStore
from tidegate.findings.service.evaluation import Found, Outcome

_BATCH = 100  # read at once
_TRIES = 5  # to write findings that others are changing


class Writer:
    """Stores what the checks of one region say, in batches, in bounded memory.

    May be stopped anywhere and done again: ids follow from check and resource, and each write
    tells from what is stored what is left to do.
    """

    def __init__(
        self,
        store: FindingStore,
        tenant_id: str,
        onboarding_id: str,
        generation: int,
        unit_region: str,
        exceptions: Mapping[str, FindingException],
        seen_at: datetime,
        now: datetime,
    ) -> None:
        self._store = store
        self._tenant_id = tenant_id
        self._onboarding_id = onboarding_id
        self._generation = generation
        self._unit_region = unit_region
        self._exceptions = exceptions
        self._seen_at = seen_at
        self._now = now
        self._left: dict[str, str] = {}
        self._claims: dict[str, Claim] = {}
        self._unjudged: set[str] = set()
        self._batch: dict[str, Finding] = {}

    def begin(self, account_id: str) -> None:
        """Read which findings there are."""
        self._left = self._store.active(account_id, self._generation, self._unit_region)

    def take(self, outcome: Outcome) -> None:
        """Hear of one outcome."""
        check_id, arn = outcome.check.check_id, outcome.line["arn"]
        id_ = finding_id(self._tenant_id, check_id, arn)
        known = self._left.pop(id_, None)  # not to be resolved: found again, or not known
        if isinstance(outcome, Found):
            made = self._batch[id_] = self._finding(id_, outcome)
            self._note(made)
            if len(self._batch) >= _BATCH:
                self.flush()
        elif known is not None:
            self._unjudged.add(id_)

    def _note(self, finding: Finding) -> None:
        claim = claim_of(finding)
        if claim is not None:
            self._claims[finding.id] = claim

    def overlaps(self) -> list[Cluster]:
        """After `end`: which findings of the region exclude each other, those too that were not
        judged this time."""
        rest = sorted((self._unjudged | self._left.keys()) - self._claims.keys())
        for start in range(0, len(rest), _BATCH):
            for finding in self._store.stored(rest[start : start + _BATCH]).values():
                if finding.active and finding.generation == self._generation:
                    self._note(finding)
        return clusters(self._claims.values())

    def end(self, states: Sequence[CheckState]) -> None:
        """Write the rest, and resolve what complete listings did not have any more."""
        self.flush()
        settled = {state.check_id for state in states if state.settled}
        gone = [id_ for id_, check_id in self._left.items() if check_id in settled]
        for start in range(0, len(gone), _BATCH):
            self._resolve(gone[start : start + _BATCH])

    def flush(self) -> None:
        """Write the batch."""
        for _ in range(_TRIES):
            stored = self._store.stored(list(self._batch))
            changes = [self._change(new, stored.get(id_)) for id_, new in self._batch.items()]
            try:
                self._store.write(changes, self._now)
            except ChangedMeanwhile:
                continue
            self._batch = {}
            return
        raise ChangedMeanwhile

    def _change(self, new: Finding, old: Finding | None) -> Change:
        if old is None:
            return Change(None, self._excepted(new))
        if old.generation != self._generation:
            after = replace(new, version=old.version + 1)
            return Change(None, self._excepted(after), replaces=old.version)
        after = replace(
            new,
            version=old.version + 1,
            status="planned" if old.status == "planned" else "open",
            plan_id=old.plan_id if old.status == "planned" else None,
            first_seen_at=old.first_seen_at,
            # Two refreshes at once: an older inventory does not take the date back.
            last_seen_at=max(old.last_seen_at, new.last_seen_at),
        )
        return Change(old, self._excepted(after))

    def _excepted(self, finding: Finding) -> Finding:
        id_ = exception_id(self._tenant_id, finding.check_id, finding.resource.arn)
        return under(finding, self._exceptions.get(id_), self._now)

    def _resolve(self, ids: Sequence[str]) -> None:
        for _ in range(_TRIES):
            stored = self._store.stored(ids)
            changes = [
                Change(
                    old,
                    replace(
                        old,
                        status="resolved",
                        exception=None,
                        resolved_at=self._now,
                        version=old.version + 1,
                    ),
                )
                for old in stored.values()
                if old.active and old.generation == self._generation
            ]
            try:
                self._store.write(changes, self._now)
            except ChangedMeanwhile:
                continue
            return
        raise ChangedMeanwhile

    def _finding(self, id_: str, found: Found) -> Finding:
        check, line = found.check, found.line
        return Finding(
            id=id_,
            group=check.group,
            check_id=check.check_id,
            title=check.title,
            severity=check.severity,
            account_id=line["account_id"],
            onboarding_id=self._onboarding_id,
            region=line["region"],
            resource=FindingResource(
                arn=line["arn"],
                type=line["type"],
                id=line["id"],
                name=line["name"],
                tags=dict(line["tags"]),
            ),
            status="open",
            evidence=dict(found.hit.evidence),
            fingerprint=line["fingerprint"],
            saving=found.hit.saving,
            action=check.suggest(found.hit),
            first_seen_at=self._seen_at,
            last_seen_at=self._seen_at,
            generation=self._generation,
            unit_region=self._unit_region,
        )
