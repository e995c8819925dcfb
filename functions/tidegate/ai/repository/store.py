"""What inferences leave: usage rows, and answers kept under effect keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from tidegate_kit.budget_store import DynamoBudgetStore
from tidegate_kit.budgets import BudgetStore, Reservation, ReservationEnded
from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_delete, batch_get, store_errors
from tidegate_kit.tenancy import TenantScope, key

from tidegate.ai.domain import Usage, UsageRow
from tidegate.ai.models import AI_BUDGET, EffectItem, UsageItem

_KEEP_EFFECTS = timedelta(days=7)  # longer than a step is tried again


@dataclass(frozen=True)
class Effect:
    """An inference under a key, claimed by one attempt; `sealed` is its end, None before it."""

    key: str
    attempt: str
    sealed: str | None = None


class AiStore(Protocol):
    """The store of one tenant."""

    @property
    def budgets(self) -> BudgetStore:
        """Limits, counters, reservations."""

    def claim(self, effect: Effect, now: datetime) -> Effect:
        """Claim the key for an attempt; the stored effect when another has it."""

    def give_back(self, effect: Effect) -> None:
        """Free a key of this attempt that has no end yet: nothing was asked that counts."""

    def finish(
        self,
        old: Reservation,
        new: Reservation,
        row: UsageRow,
        effect: Effect | None,
        now: datetime,
    ) -> None:
        """Settle, count the usage and keep the effect's end, all at once.

        Raises ReservationEnded when the stored reservation is not in `old`'s state.
        """

    def usage(self, start: date, end: date) -> list[UsageRow]:
        """Usage from start to end, both included, by day."""


class DynamoAiStore:
    """AiStore on the table `ai`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope
        self.budgets = DynamoBudgetStore(scope, AI_BUDGET)

    def claim(self, effect: Effect, now: datetime) -> Effect:
        item = self._effect_item(effect, now)
        try:
            with store_errors():
                item.save(
                    condition=EffectItem.pk.does_not_exist() | (EffectItem.expires <= epoch(now))
                )
            return effect
        except ConditionFailed:
            (stored,) = batch_get([(EffectItem, self._scope.pk, _effect_sk(effect.key))])
            if stored is None:
                return Effect(effect.key, "", None)  # given back at this moment
            return Effect(effect.key, stored.attempt, stored.sealed)

    def _effect_item(self, effect: Effect, now: datetime) -> EffectItem:
        return EffectItem(
            self._scope.pk,
            _effect_sk(effect.key),
            attempt=effect.attempt,
            sealed=effect.sealed,
            expires=epoch(now + _KEEP_EFFECTS),
            created_at=now,
            updated_at=now,
        )

    def give_back(self, effect: Effect) -> None:
        mine = (EffectItem.attempt == effect.attempt) & EffectItem.sealed.does_not_exist()
        try:
            with store_errors():
                EffectItem(self._scope.pk, _effect_sk(effect.key)).delete(condition=mine)
        except ConditionFailed:
            return  # not ours any more, or ended

    def finish(
        self,
        old: Reservation,
        new: Reservation,
        row: UsageRow,
        effect: Effect | None,
        now: datetime,
    ) -> None:
        tx = Transaction()
        self.budgets.add_close(tx, old, new, now)
        tx.update(
            UsageItem(self._scope.pk, key("USE", row.day, row.user_id, _safe(row.model))),
            [
                UsageItem.day.set(row.day),
                UsageItem.user_id.set(row.user_id),
                UsageItem.model.set(row.model),
                UsageItem.requests.add(row.requests),
                UsageItem.input_tokens.add(row.usage.input_tokens),
                UsageItem.output_tokens.add(row.usage.output_tokens),
                UsageItem.cost.add(row.cost),
                UsageItem.schema_version.set(1),
                UsageItem.created_at.set(UsageItem.created_at | now),
                UsageItem.updated_at.set(now),
            ],
        )
        if effect is not None:
            tx.save(self._effect_item(effect, now), EffectItem.attempt == effect.attempt)
        try:
            tx.commit()
        except ConditionFailed as lost:
            raise ReservationEnded(old.id) from lost

    def usage(self, start: date, end: date) -> list[UsageRow]:
        span = UsageItem.sk.between(f"USE#{start.isoformat()}", f"USE#{end.isoformat()}#~")
        with store_errors():
            items = list(UsageItem.query(self._scope.pk, span, consistent_read=True))
        return [
            UsageRow(
                item.day,
                item.user_id,
                item.model,
                int(item.requests),
                Usage(int(item.input_tokens), int(item.output_tokens)),
                int(item.cost),
            )
            for item in items
        ]

    def delete_some(self, limit: int) -> int:
        """Delete up to `limit` rows of any kind; how many."""
        with store_errors():
            items = EffectItem.query(
                self._scope.pk, consistent_read=True, limit=limit, attributes_to_get=["pk", "sk"]
            )
            keys = [(item.pk, item.sk) for item in items]
        return batch_delete(EffectItem, keys) if keys else 0


def _effect_sk(effect_key: str) -> str:
    return key("EFFECT", hashlib.sha256(effect_key.encode()).hexdigest())


def _safe(model: str) -> str:
    return model.replace("#", "_")
