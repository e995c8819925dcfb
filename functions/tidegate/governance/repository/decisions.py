"""Recorded decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import batch_write, store_errors
from tidegate_kit.tenancy import TenantScope

from tidegate.governance.domain import (
    Decision,
    PolicyContext,
    PolicyPrincipal,
    PolicyResource,
    Question,
    RecordedDecision,
)
from tidegate.governance.models import DecisionItem
from tidegate.governance.repository.keys import place_of, time_key

KEPT: Final = timedelta(days=400)
_PREFIX: Final = "DECISION#"


class Decisions(Protocol):
    """The decisions of one tenant."""

    def record(self, decisions: Sequence[RecordedDecision]) -> None:
        """Store them."""

    def page(
        self, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[RecordedDecision], int, dict[str, Any] | None]:
        """Newest first: the rows of a page, the total, and the key to go on from."""

    def between(self, from_: datetime, to: datetime, most: int) -> list[RecordedDecision]:
        """The newest `most` of a time span, both ends inclusive, newest first."""


class DynamoDecisions:
    """Decisions on the table `governance`."""

    def __init__(self, scope: TenantScope) -> None:
        self._pk = scope.pk

    def record(self, decisions: Sequence[RecordedDecision]) -> None:
        batch_write([self._item(one) for one in decisions])

    def page(
        self, skip: int, limit: int, start: Mapping[str, Any] | None
    ) -> tuple[list[RecordedDecision], int, dict[str, Any] | None]:
        rows: list[DecisionItem] = []
        last = f"{_PREFIX}~" if start is None else str(start["sk"])
        for row in self._newest(_PREFIX, last, skip + limit + 1):
            if start is not None and row.sk == last:
                continue
            rows.append(row)
        rows = rows[skip : skip + limit + 1]
        more = len(rows) > limit
        rows = rows[:limit]
        return (
            [_decision_of(row) for row in rows],
            self._total(),
            {"sk": rows[-1].sk} if more else None,
        )

    def between(self, from_: datetime, to: datetime, most: int) -> list[RecordedDecision]:
        low, high = f"{_PREFIX}{time_key(from_)}", f"{_PREFIX}{time_key(to)}~"
        return [_decision_of(row) for row in self._newest(low, high, most)]

    def _newest(self, low: str, high: str, most: int) -> Iterator[DecisionItem]:
        with store_errors():
            yield from DecisionItem.query(
                self._pk,
                DecisionItem.sk.between(low, high),
                scan_index_forward=False,
                consistent_read=True,
                limit=most + 1,
            )

    def _total(self) -> int:
        with store_errors():
            return int(DecisionItem.count(self._pk, DecisionItem.sk.startswith(_PREFIX)))

    def _item(self, one: RecordedDecision) -> DecisionItem:
        made = one.decision
        return DecisionItem(
            self._pk, f"{_PREFIX}{place_of(one.at, one.id)}", id=one.id, at=one.at,
            action=one.question.action, effect=made.effect, question=asdict(one.question),
            policy_ids=list(made.policy_ids), policy_versions=dict(made.policy_versions),
            policy_set_hash=made.policy_set_hash, quorum=made.quorum,
            approver_role=made.approver_role, expiry_hours=made.expiry_hours,
            problem=one.problem or None, expires=epoch(one.at + KEPT), created_at=one.at,
            updated_at=one.at,
        )  # fmt: skip


def _decision_of(item: DecisionItem) -> RecordedDecision:
    asked = item.question
    principal = {**asked["principal"], "roles": tuple(asked["principal"]["roles"])}
    effect: Any = item.effect
    return RecordedDecision(
        at=item.at,
        question=Question(
            PolicyPrincipal(**principal),
            asked["action"],
            PolicyResource(**asked["resource"]),
            PolicyContext(**asked["context"]),
            int(asked["hour_utc"]),
            int(asked["weekday"]),
        ),
        decision=Decision(
            id=item.id,
            effect=effect,
            policy_ids=tuple(str(id_) for id_ in item.policy_ids),
            policy_versions={name: int(each) for name, each in item.policy_versions.items()},
            quorum=int(item.quorum),
            approver_role=item.approver_role,
            expiry_hours=int(item.expiry_hours),
            policy_set_hash=item.policy_set_hash,
        ),
        problem=item.problem or "",
    )
