"""In-memory twins of the governance repositories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tidegate.governance.chain import Entry, Mark
from tidegate.governance.domain import Approval, Policy, PolicyVersion, RecordedDecision
from tidegate.governance.errors import TooManyPolicies, VersionConflict
from tidegate.governance.repository.approvals import ApprovalChanged, ApprovalFilters
from tidegate.governance.repository.audit import AuditFilters, Extended
from tidegate.governance.repository.policies import MAX_POLICIES, PolicyExists
from tidegate_kit.dynamo import Transaction
from tidegate_kit.errors import NotFound


class MemoryPolicies:
    """Twin of DynamoPolicies."""

    def __init__(self) -> None:
        self.stored: dict[str, Policy] = {}
        self.history: dict[str, list[PolicyVersion]] = {}
        self._begun = False

    def begun(self) -> bool:
        return self._begun

    def begin(self, policies: Sequence[Policy], now: datetime) -> None:
        if self._begun:
            return
        self._begun = True
        for policy in policies:
            self._put(policy)

    def all(self) -> list[Policy]:
        return sorted(self.stored.values(), key=lambda one: (one.created_at, one.id), reverse=True)

    def get(self, policy_id: str) -> Policy:
        if policy_id not in self.stored:
            raise NotFound
        return self.stored[policy_id]

    def add(self, policy: Policy) -> None:
        if policy.id in self.stored:
            raise PolicyExists
        if len(self.stored) >= MAX_POLICIES or not self._begun:
            raise TooManyPolicies
        self._put(policy)

    def change(self, old: Policy, new: Policy) -> None:
        self._expect(old)
        self._put(replace(new, version=old.version + 1))

    def delete(self, policy: Policy, by: str, now: datetime) -> None:
        self._expect(policy)
        last = replace(policy, version=policy.version + 1, updated_by=by, updated_at=now)
        self._put(last)
        del self.stored[policy.id]

    def versions(self, policy_id: str) -> list[PolicyVersion]:
        return self.history.get(policy_id, [])[::-1]

    def _expect(self, old: Policy) -> None:
        if old.id not in self.stored or self.stored[old.id].version != old.version:
            raise VersionConflict

    def _put(self, policy: Policy) -> None:
        self.stored[policy.id] = policy
        made = PolicyVersion(policy.version, policy.text, policy.updated_by, policy.updated_at)
        self.history.setdefault(policy.id, []).append(made)


class MemoryDecisions:
    """Twin of DynamoDecisions."""

    def __init__(self) -> None:
        self.stored: list[RecordedDecision] = []

    def record(self, decisions: Sequence[RecordedDecision]) -> None:
        self.stored += decisions

    def page(
        self, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[RecordedDecision], int, dict[str, Any] | None]:
        rows = self._newest()
        if start is not None:
            rows = [row for row in rows if [row.at.isoformat(), row.id] < start["sk"]]
        shown = rows[skip : skip + limit]
        more = len(rows) > skip + limit
        next_key = {"sk": [shown[-1].at.isoformat(), shown[-1].id]} if more else None
        return shown, len(self.stored), next_key

    def between(self, from_: datetime, to: datetime, most: int) -> list[RecordedDecision]:
        return [row for row in self._newest() if from_ <= row.at <= to][:most]

    def _newest(self) -> list[RecordedDecision]:
        return sorted(self.stored, key=lambda one: (one.at, one.id), reverse=True)


class MemoryApprovals:
    """Twin of DynamoApprovals; `add` writes when the transaction is committed."""

    def __init__(self) -> None:
        self.stored: dict[str, Approval] = {}

    def add(self, transaction: Transaction | None, approval: Approval) -> None:
        self.stored[approval.id] = approval

    def get(self, approval_id: str) -> Approval:
        if approval_id not in self.stored:
            raise NotFound
        return self.stored[approval_id]

    def many(self, approval_ids: Sequence[str]) -> list[Approval]:
        return [self.stored[id_] for id_ in approval_ids if id_ in self.stored]

    def change(self, old: Approval, new: Approval) -> Approval:
        if self.stored[old.id].revision != old.revision:
            raise ApprovalChanged
        self.stored[old.id] = replace(new, revision=old.revision + 1)
        return self.stored[old.id]

    def newest(
        self, filters: ApprovalFilters, below: tuple[datetime, str] | None
    ) -> Iterator[Approval]:
        rows = sorted(self._matching(filters), key=_place, reverse=True)
        yield from (row for row in rows if below is None or _place(row) < below)

    def total(self, filters: ApprovalFilters) -> int:
        return len(self._matching(filters))

    def due(self, now: datetime) -> list[str]:
        pending = [one for one in self.stored.values() if one.status == "pending"]
        over = [one for one in pending if one.expires_at <= now]
        return [one.id for one in sorted(over, key=lambda one: (one.expires_at, one.id))]

    def _matching(self, filters: ApprovalFilters) -> list[Approval]:
        return [
            one
            for one in self.stored.values()
            if filters.status in (None, one.shown_status(filters.now))
            and filters.subject_type in (None, one.subject_type)
        ]


def _place(approval: Approval) -> tuple[datetime, str]:
    return approval.requested_at, approval.id


class MemoryAudit:
    """Twin of DynamoAudit; tests may change `rows` as somebody with the table's keys could."""

    def __init__(self) -> None:
        self.rows: dict[int, Entry] = {}
        self.end: Mark | None = None
        self.sources: set[str] = set()

    def head(self) -> Mark | None:
        return self.end

    def known(self, source_ids: Sequence[str]) -> set[str]:
        return self.sources & set(source_ids)

    def extend(self, old: Mark | None, new: Mark, entries: Sequence[tuple[str, Entry]]) -> None:
        taken = any(entry.place in self.rows for _, entry in entries)
        if self.end != old or taken or self.known([id_ for id_, _ in entries]):
            raise Extended
        self.rows.update({entry.place: entry for _, entry in entries})
        self.sources.update(id_ for id_, _ in entries)
        self.end = new

    def entries(self, after: int = 0, upto: int | None = None) -> Iterator[Entry]:
        for place in sorted(self.rows):
            if after < place and (upto is None or place <= upto):
                yield self.rows[place]

    def page(
        self, filters: AuditFilters, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[Entry], int, dict[str, Any] | None]:
        rows = [
            row
            for _, row in sorted(self.rows.items(), reverse=True)
            if (filters.from_ is None or row.at >= filters.from_)
            and (filters.to is None or row.at <= filters.to)
            and filters.actor in (None, row.actor_id, row.actor_email)
            and filters.action in (None, row.action)
        ]
        total = len(rows)
        if start is not None:
            rows = [row for row in rows if row.place < start["sequence"]]
        shown = rows[skip : skip + limit]
        more = len(rows) > skip + limit
        return shown, total, {"sequence": shown[-1].place} if more else None


class MemoryCheckpoints:
    """Twin of S3Checkpoints."""

    def __init__(self) -> None:
        self.kept: Mark | None = None

    def get(self) -> Mark | None:
        return self.kept

    def put(self, head: Mark) -> None:
        self.kept = head


class FixedKeys:
    """AuditKeys with a key of the test."""

    def __init__(self, key: bytes | None = b"k" * 32) -> None:
        self.key = key

    def make(self) -> bytes:
        assert self.key is not None
        return self.key

    def find(self) -> bytes | None:
        return self.key
