"""Promoting models: the gate, the policies, an approval where one is required (LAB-1, GOV-1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal, Protocol

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail

from tidegate.lab.domain import Model
from tidegate.lab.errors import GateNotPassed, PolicyDenied
from tidegate.lab.repository.ports import Experiments, Models


@dataclass(frozen=True)
class Verdict:
    """What policies say of a promotion."""

    effect: Literal["allow", "require_approval", "deny"]
    quorum: int
    approver_role: str
    expiry_hours: int
    policy_ids: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """An approval that was asked for."""

    id: str
    status: str
    subject_hash: str


class Gatekeeper(Protocol):
    """Governance, for one caller."""

    def decide(self, model: Model) -> Verdict:
        """Ask the policies about model.promote."""

    def approval(self, approval_id: str) -> Asked:
        """Raises NotFound."""

    def ask(
        self, model: Model, subject_hash: str, verdict: Verdict, reason: str, now: datetime
    ) -> str:
        """Commit a new approval together with the model's note of it; gives its id."""


class PromotionService:
    """Promotions by one caller."""

    def __init__(
        self,
        experiments: Experiments,
        models: Models,
        gatekeeper: Callable[[], Gatekeeper],
        clock: Clock,
    ) -> None:
        self._experiments = experiments
        self._models = models
        self._gatekeeper = gatekeeper
        self._clock = clock

    def promote(self, model_id: str, reason: str, by: str) -> Model:
        """Put a model in production; one that is there already stays.

        Raises NotFound, GateNotPassed, PolicyDenied, PromotedMeanwhile.
        """
        model = self._models.get(model_id)
        if model.stage == "production":
            return model
        if not model.gate.passed:
            raise GateNotPassed
        self._permit(model, reason)
        former = self._experiments.get(model.experiment_id).production_model_id
        if former == model.id:
            return self._models.get(model_id)  # somebody else did it meanwhile
        now = self._clock()
        self._models.promote(model, former, by, now)
        return replace(model, stage="production", promoted_at=now, promoted_by=by)

    def _permit(self, model: Model, reason: str) -> None:
        keeper = self._gatekeeper()
        verdict = keeper.decide(model)
        if verdict.effect == "allow":
            return
        if verdict.effect == "deny":
            raise PolicyDenied
        subject = subject_hash(model)
        if model.approval_id is not None:
            asked = keeper.approval(model.approval_id)
            if asked.status == "approved" and asked.subject_hash == subject:
                return
            if asked.status == "pending":
                raise _needs(asked.id)
        raise _needs(keeper.ask(model, subject, verdict, reason, self._clock()))


def subject_hash(model: Model) -> str:
    """What an approval of a promotion binds to: the model, its figures and its data."""
    subject = {
        "model_id": model.id,
        "experiment_id": model.experiment_id,
        "model_type": model.model_type,
        "version": model.version,
        "content_hash": model.content_hash,
        "metrics": asdict(model.metrics),
    }
    text = json.dumps(subject, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _needs(approval_id: str) -> PolicyDenied:
    return PolicyDenied(
        "A policy wants an approval of this promotion first. Promote again when it is approved.",
        details=[Detail("approval_id", approval_id)],
    )
