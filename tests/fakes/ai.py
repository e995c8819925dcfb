"""Twins and doubles of AI: the store, a provider that follows a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from tidegate.ai.domain import Question, Reply, Usage, UsageRow
from tidegate.ai.providers import ProviderFailed
from tidegate.ai.repository import Effect
from tidegate_kit.budgets import BudgetStore, Reservation

from tests.fakes.budgets import MemoryBudgets

Step = Reply | ProviderFailed | Callable[[Question], Reply]


class MemoryAiStore:
    """AiStore of one tenant."""

    def __init__(self, budgets: MemoryBudgets, tenant_id: str) -> None:
        self._budgets = budgets.of(tenant_id)
        self.effects: dict[str, Effect] = {}
        self.rows: dict[tuple[str, str, str], UsageRow] = {}

    @property
    def budgets(self) -> BudgetStore:
        return self._budgets

    def claim(self, effect: Effect, now: datetime) -> Effect:
        return self.effects.setdefault(effect.key, effect)

    def give_back(self, effect: Effect) -> None:
        stored = self.effects.get(effect.key)
        if stored is not None and stored.attempt == effect.attempt and stored.sealed is None:
            del self.effects[effect.key]

    def finish(
        self,
        old: Reservation,
        new: Reservation,
        row: UsageRow,
        effect: Effect | None,
        now: datetime,
    ) -> None:
        self._budgets.close(old, new, now)
        name = (row.day, row.user_id, row.model)
        before = self.rows.get(name, UsageRow(*name, 0, Usage(), 0))
        self.rows[name] = UsageRow(
            *name,
            before.requests + row.requests,
            before.usage.plus(row.usage),
            before.cost + row.cost,
        )
        if effect is not None:
            self.effects[effect.key] = effect

    def usage(self, start: date, end: date) -> list[UsageRow]:
        first, last = start.isoformat(), end.isoformat()
        return [self.rows[name] for name in sorted(self.rows) if first <= name[0] <= last]


@dataclass
class ScriptedProvider:
    """Answers by a script; the last step repeats. `asked` are the questions it was given."""

    script: Sequence[Step] = field(default_factory=lambda: [Reply("hello", Usage(10, 5))])
    available: bool = True
    asked: list[tuple[str, Question]] = field(default_factory=list)

    def ask(self, model_id: str, question: Question, timeout: float) -> Reply:
        step = self.script[min(len(self.asked), len(self.script) - 1)]
        self.asked.append((model_id, question))
        if isinstance(step, ProviderFailed):
            raise step
        return step if isinstance(step, Reply) else step(question)
