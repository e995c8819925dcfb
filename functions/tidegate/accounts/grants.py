"""What a role's policies allow, action by action: pure, three answers and one in between.

Only what holds for every resource and without condition is counted: a policy that may or may not
apply proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

# narrow: allowed for some resources, or under a condition, only.
Verdict = Literal["allowed", "denied", "narrow", "absent"]


@dataclass(frozen=True)
class RoleGrants:
    """Every policy document that decides what a role may do."""

    documents: Sequence[Mapping[str, Any]]

    def verdict(self, action: str) -> Verdict:
        """Whether `action` (service:Name) is granted on every resource."""
        found = [s for s in self._statements() if _names(s, action)]
        if any(s.get("Effect") == "Deny" and _unlimited(s) for s in found):
            return "denied"
        allows = [s for s in found if s.get("Effect") == "Allow"]
        if any(_unlimited(s) for s in allows):
            return "allowed"
        return "narrow" if allows else "absent"

    def _statements(self) -> Iterable[Mapping[str, Any]]:
        for document in self.documents:
            listed = document.get("Statement", ())
            yield from [listed] if isinstance(listed, Mapping) else listed


def _names(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not _any_matches(statement["NotAction"], action)
    return _any_matches(statement.get("Action", ()), action)


def _any_matches(patterns: str | Sequence[str], action: str) -> bool:
    return any(_matches(pattern, action) for pattern in _listed(patterns))


def _matches(pattern: str, action: str) -> bool:
    # IAM knows * and ? only, and takes action names in any case. Linear for any pattern (D10).
    return fnmatchcase(action.lower(), pattern.lower().replace("[", "[[]"))


def _unlimited(statement: Mapping[str, Any]) -> bool:
    return "*" in _listed(statement.get("Resource", ())) and not statement.get("Condition")


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
