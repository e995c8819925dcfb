"""Asks the policies and records the answer (GOV-2, GOV-3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidegate_kit.clock import Clock
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger

from tidegate.governance.cedar.engine import Outcome, PolicyEngine, PolicyText
from tidegate.governance.domain import (
    Decision,
    Policy,
    PolicyContext,
    PolicyPrincipal,
    PolicyResource,
    Question,
    RecordedDecision,
)
from tidegate.governance.repository.decisions import Decisions


class Deciding:
    """Decisions of one tenant. `policies` gives its policies as stored now."""

    def __init__(
        self,
        policies: Callable[[], Sequence[Policy]],
        store: Decisions,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._policies = policies
        self._store = store
        self._clock = clock
        self._ids = ids

    def decide(
        self,
        principal: PolicyPrincipal,
        questions: Sequence[tuple[str, PolicyResource, PolicyContext]],
    ) -> list[Decision]:
        """Decide each question by itself, under one reading of the policies, and record it."""
        engine = PolicyEngine(texts_of(self._policies()))
        now = self._clock()
        recorded = []
        for action, resource, context in questions:
            question = Question(principal, action, resource, context, now.hour, now.isoweekday())
            outcome = engine.ask(question)
            if outcome.problem:
                # The alert of B18: the recorded decision becomes a system.alert event as well.
                logger.error("policy evaluation failed", action=action, problem=outcome.problem)
            decision = _decision(self._ids(), engine, outcome)
            recorded.append(RecordedDecision(now, question, decision, outcome.problem))
        self._store.record(recorded)
        return [one.decision for one in recorded]


def texts_of(policies: Sequence[Policy]) -> list[PolicyText]:
    """The enabled policies, as they are evaluated."""
    return [PolicyText(one.id, one.version, one.text) for one in policies if one.enabled]


def _decision(id_: str, engine: PolicyEngine, outcome: Outcome) -> Decision:
    need = outcome.approving
    return Decision(
        id=id_,
        effect=outcome.effect,
        policy_ids=outcome.policy_ids,
        policy_versions=engine.versions,
        quorum=need.quorum if need else 0,
        approver_role=need.approver_role if need else "client",
        expiry_hours=need.expiry_hours if need else 0,
        policy_set_hash=engine.set_hash,
    )
