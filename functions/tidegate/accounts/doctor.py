"""Compares what the features need with what the role grants (contract 2.8, permissions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.accounts.grants import RoleGrants
from tidegate.accounts.permissions import DeniedBy, FeatureState, is_scp
from tidegate.discovery.public import DiscoveryView
from tidegate.findings.public import conditional_needs


@dataclass(frozen=True)
class Seen:
    """What the last discovery found out about actions: denied (by an SCP), and carried out."""

    denied: frozenset[str] = frozenset()
    by_scp: frozenset[str] = frozenset()
    worked: frozenset[str] = field(default_factory=frozenset)


def seen(view: DiscoveryView | None, needs: Mapping[str, Sequence[str]]) -> Seen:
    """The experience of a run. A service that was read without a denial used all its actions."""
    units = [unit for region in view.regions for unit in region.services] if view else []
    denied = {action for unit in units for action in unit.missing_actions}
    by_scp = {action for unit in units if is_scp(unit.reason) for action in unit.missing_actions}
    read = {unit.service for unit in units if unit.status == "ok"}
    worked = {action for service in read for action in needs.get(f"discovery:{service}", ())}
    return Seen(frozenset(denied), frozenset(by_scp), frozenset(worked - denied))


def examine(
    needs: Mapping[str, Sequence[str]], grants: RoleGrants, known: Seen
) -> list[FeatureState]:
    """The state of every feature, by name; `needs` are the IAM actions of each."""
    actions = {action for listed in needs.values() for action in listed}
    problems = {a: found for a in actions if (found := _problem(a, grants, known)) is not None}
    return [_feature(name, needs[name], problems) for name in sorted(needs)]


@dataclass(frozen=True)
class _Problem:
    """Why an action is not granted, and whether an added Allow would grant it."""

    denied_by: DeniedBy
    addable: bool


def _problem(action: str, grants: RoleGrants, known: Seen) -> _Problem | None:
    verdict = grants.verdict(action)
    if verdict == "denied":
        return _Problem("policy", addable=False)  # no Allow outweighs a Deny
    if verdict == "absent":
        return _Problem("policy", addable=True)
    if action in known.denied:
        reason: DeniedBy = "scp" if action in known.by_scp else "unknown"
        # A wider Allow may help one that is allowed in part, unless the organisation forbids it.
        return _Problem(reason, addable=verdict == "narrow" and reason != "scp")
    if verdict == "narrow" and action in conditional_needs():
        return None  # it is never granted otherwise
    if verdict == "narrow" and action not in known.worked:
        return _Problem("policy", addable=True)
    return None


def _feature(name: str, needed: Sequence[str], problems: Mapping[str, _Problem]) -> FeatureState:
    missing = tuple(sorted({action for action in needed if action in problems}))
    reasons = {problems[action].denied_by for action in missing}
    order: tuple[DeniedBy, ...] = ("policy", "scp", "unknown")
    return FeatureState(
        feature=name,
        granted=not missing,
        missing_actions=missing,
        denied_by=next((one for one in order if one in reasons), None),
        addable=tuple(action for action in missing if problems[action].addable),
    )
