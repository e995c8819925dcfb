"""Evaluates questions against policies; whatever goes wrong is a deny (GOV-2, GOV-3, B18)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tidegate.governance.cedar.compiled import Approving, Statement, compiled
from tidegate.governance.cedar.defaults import PLATFORM_ID, PLATFORM_TEXT, PLATFORM_VERSION
from tidegate.governance.cedar.vocabulary import (
    ACTIONS,
    APPROVER_ROLES,
    AWS_ACTIONS,
    GROUPS,
    IRREVERSIBLE,
    groups_of,
)
from tidegate.governance.domain import Effect, Question

_TWO_APPROVERS: Final = 2  # of what cannot be undone (FND-10)


@dataclass(frozen=True)
class PolicyText:
    """A policy as it is evaluated."""

    id: str
    version: int
    text: str


@dataclass(frozen=True)
class Outcome:
    """What policies say to one question. `problem` is not empty where they could not be asked."""

    effect: Effect
    policy_ids: tuple[str, ...] = ()
    approving: Approving | None = None
    problem: str = ""


class PolicyEngine:
    """A set of policies, the platform's own always among them (B19)."""

    def __init__(self, policies: Sequence[PolicyText]) -> None:
        platform = PolicyText(PLATFORM_ID, PLATFORM_VERSION, PLATFORM_TEXT)
        self._policies = (platform, *sorted(policies, key=lambda one: one.id))
        self._statements: dict[str, tuple[str, Statement]] = {}
        self._set: Any = None
        self.problem = ""
        try:
            self._set = self._parsed()
        except Exception as error:
            self.problem = f"policies cannot be read: {error!r}"

    @property
    def versions(self) -> dict[str, int]:
        """The version of every policy that takes part."""
        return {policy.id: policy.version for policy in self._policies}

    @property
    def set_hash(self) -> str:
        """SHA-256 of every policy's id, version and text."""
        text = json.dumps([[one.id, one.version, one.text] for one in self._policies])
        return hashlib.sha256(text.encode()).hexdigest()

    def ask(self, question: Question) -> Outcome:
        """What the policies say. Never raises: what cannot be evaluated is denied."""
        if self.problem:
            return Outcome("deny", problem=self.problem)
        if question.action not in ACTIONS:
            return Outcome("deny", problem="no policy knows this action")
        try:
            return _floored(question, self._outcome(evaluate(self._set, question)))
        except BaseException as error:
            # A panic of the engine is no Exception; the death of the process must go on.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            return Outcome("deny", problem=f"evaluation failed: {error!r}")

    def _parsed(self) -> Any:
        import cedarpy

        # Each text was parsed alone, so joining them joins whole statements, and Cedar names these
        # policy0, policy1, ... in order. Its JSON form, which takes names, is read 128 deep only.
        for policy in self._policies:
            for statement in compiled(policy.text):
                self._statements[f"policy{len(self._statements)}"] = (policy.id, statement)
        made = cedarpy.PolicySet.from_str("\n".join(policy.text for policy in self._policies))
        if len(made) != len(self._statements):
            raise ValueError(f"{len(made)} statements where {len(self._statements)} were read")
        return made

    def _outcome(self, answer: Any) -> Outcome:
        # An erroring forbid is skipped by Cedar, and a permit would win (B18).
        errors = errors_of(answer)
        if errors:
            return Outcome("deny", problem="; ".join(errors))
        names = sorted(answer.diagnostics.reasons, key=lambda name: int(name[len("policy") :]))
        reasons = [self._statements[name] for name in names]
        decision = answer.decision.name
        if decision == "Deny":
            return Outcome("deny", _ids(reasons))
        if decision != "Allow":
            return Outcome("deny", problem=f"the engine answered {decision}")
        asking = [(id_, one.approving) for id_, one in reasons if one.approving is not None]
        if not asking:
            return Outcome("allow", _ids(reasons))
        needs = [need for _, need in asking if need is not None]
        ids = tuple(dict.fromkeys(id_ for id_, _ in asking))
        return Outcome("require_approval", ids, _strictest(needs))


def errors_of(answer: Any) -> list[str]:
    """What Cedar could not evaluate."""
    return list(answer.diagnostics.errors)


def entity(kind: str, id_: str) -> dict[str, str]:
    """An entity's name as Cedar takes it literally (B20)."""
    return {"type": kind, "id": id_}


def evaluate(policies: Any, question: Question) -> Any:
    """One evaluation by Cedar; no id is ever put into text (B20)."""
    import cedarpy

    user = entity("User", question.principal.id)
    resource = entity("Resource", question.resource.arn)
    request = {
        "principal": user,
        "action": entity("Action", question.action),
        "resource": resource,
        "context": _context(question),
    }
    return cedarpy.is_authorized(request, policies, _entities(question, user, resource))


def _context(question: Question) -> dict[str, Any]:
    context = question.context
    return {
        "monthly_saving_cents": context.monthly_saving_cents,
        "item_count": context.item_count,
        "hour_utc": question.hour_utc,
        "weekday": question.weekday,
        "environment": context.environment,
    }


def _entities(
    question: Question, user: Mapping[str, str], resource: Mapping[str, str]
) -> list[dict[str, Any]]:
    principal, target = question.principal, question.resource
    tags = dict(target.tags)
    attributes = {
        "arn": target.arn, "type": target.type, "region": target.region,
        "account": target.account, "reversible": target.reversible, "tags": tags,
    }  # fmt: skip
    roles = [entity("Role", role) for role in principal.roles]
    email = {} if principal.email is None else {"email": principal.email}
    return [
        {"uid": user, "attrs": email, "parents": roles},
        {"uid": resource, "attrs": attributes, "tags": tags, "parents": []},
        _action(question.action, groups_of(question.action)),
        *(_action(group, parents) for group, parents in GROUPS.items()),
    ]


def _action(name: str, parents: Sequence[str]) -> dict[str, Any]:
    return {
        "uid": entity("Action", name),
        "attrs": {},
        "parents": [entity("Action", parent) for parent in parents],
    }


def _ids(reasons: Sequence[tuple[str, Statement]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id_ for id_, _ in reasons))


def _strictest(needs: Sequence[Approving]) -> Approving:
    """The most votes, by the highest role, within the shortest time (GOV-2)."""
    return Approving(
        max(need.quorum for need in needs),
        max((need.approver_role for need in needs), key=APPROVER_ROLES.index),
        min(need.expiry_hours for need in needs),
    )


def _floored(question: Question, outcome: Outcome) -> Outcome:
    """What cannot be undone needs two approvers, whatever a tenant's policies say (FND-10)."""
    final = question.action in IRREVERSIBLE or (
        question.action in AWS_ACTIONS and not question.resource.reversible
    )
    if not final or outcome.effect == "deny":
        return outcome
    need = outcome.approving or Approving()
    if outcome.effect == "require_approval" and need.quorum >= _TWO_APPROVERS:
        return outcome
    floored = Approving(_TWO_APPROVERS, need.approver_role, need.expiry_hours)
    return Outcome("require_approval", (*outcome.policy_ids, PLATFORM_ID), floored)
