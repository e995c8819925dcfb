"""Tables with budgets: budget.exceeded."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.events.domain import Change, Draft


def ai_events(change: Change) -> Iterator[Draft]:
    """AI table: what models may cost was met."""
    yield from budget_events(change, "ai")


def budget_events(change: Change, budget: str) -> Iterator[Draft]:
    """The first refusal under a month's limits."""
    item = change.inserted
    if item is None or not change.sk.startswith("EXCEEDED#"):
        return
    _, period, _ = change.sk.split("#")
    yield Draft("budget.exceeded", {"budget": budget, "period": period})
