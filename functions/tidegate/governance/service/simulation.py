"""What other policies would have said to recorded questions (GOV-3). Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, NotFound

from tidegate.governance.cedar.engine import PolicyEngine, PolicyText
from tidegate.governance.cedar.vocabulary import AWS_ACTIONS
from tidegate.governance.domain import Effect, RecordedDecision
from tidegate.governance.errors import PolicyInvalid
from tidegate.governance.repository.decisions import Decisions
from tidegate.governance.service.deciding import texts_of
from tidegate.governance.service.policies import PolicyService

MOST: Final = 5_000  # of the newest decisions
_SHOWN: Final = 100
_DEFAULT_SPAN: Final = timedelta(days=30)
_CENTS: Final = Decimal(100)


@dataclass(frozen=True)
class Trial:
    """A text to try: in the place of the policy `id`, or as a further one."""

    text: str
    id: str | None = None


@dataclass(frozen=True)
class Difference:
    """A decision that would have been another."""

    recorded: RecordedDecision
    after: Effect

    @property
    def monthly(self) -> Decimal | None:
        """The saving that the question was about; None for what saves nothing by definition."""
        if self.recorded.question.action not in AWS_ACTIONS:
            return None
        return Decimal(self.recorded.question.context.monthly_saving_cents) / _CENTS


@dataclass(frozen=True)
class Simulated:
    """What a simulation found; `shown` is the newest 100 of what changed."""

    evaluated: int
    unchanged: int
    shown: tuple[Difference, ...]
    monthly_affected: Decimal


class Simulation:
    """Simulations of one tenant."""

    def __init__(self, policies: PolicyService, decisions: Decisions, clock: Clock) -> None:
        self._policies = policies
        self._decisions = decisions
        self._clock = clock

    def run(
        self, trials: Sequence[Trial], from_: datetime | None, to: datetime | None
    ) -> Simulated:
        """Replay the newest 5,000 decisions of the span (default: the last 30 days).

        Raises PolicyInvalid, NotFound for an id that is no policy.
        """
        engine = PolicyEngine(self._with(trials))
        to = to or self._clock()
        found = self._decisions.between(from_ or to - _DEFAULT_SPAN, to, MOST)[:MOST]
        changed = []
        for one in found:
            after = engine.ask(one.question).effect
            if after != one.decision.effect:
                changed.append(Difference(one, after))
        return Simulated(
            len(found),
            len(found) - len(changed),
            tuple(changed[:_SHOWN]),
            sum((each.monthly or Decimal(0) for each in changed), Decimal(0)),
        )

    def _with(self, trials: Sequence[Trial]) -> list[PolicyText]:
        policies = self._policies.all()
        texts = {one.id: one for one in texts_of(policies)}
        known = {one.id: one.version for one in policies}
        for number, trial in enumerate(trials):
            self._demand(number, trial)
            id_ = trial.id or f"trial-{number}"
            texts[id_] = PolicyText(id_, known.get(id_, 0) + 1, trial.text)
        return list(texts.values())

    def _demand(self, number: int, trial: Trial) -> None:
        if trial.id is not None:
            known = {one.id for one in self._policies.all()}
            if trial.id not in known:
                raise NotFound
        problems = self._policies.problems(trial.text)
        if problems:
            raise PolicyInvalid(
                details=[
                    Detail(
                        f"policies.{number}.text",
                        f"line {one.line}, column {one.column}: {one.message}",
                    )
                    for one in problems
                ]
            )
