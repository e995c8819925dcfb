"""A tenant's policies: written only when valid, changed only from the version last read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail
from tidegate_kit.ids import IdFactory, id_from

from tidegate.governance.cedar.defaults import AWS_NAME, AWS_TEXT, OTHER_NAME, OTHER_TEXT
from tidegate.governance.cedar.text import TextProblem
from tidegate.governance.cedar.validation import problems_of
from tidegate.governance.domain import Policy, PolicyVersion
from tidegate.governance.errors import PolicyInvalid, VersionConflict
from tidegate.governance.repository.policies import Policies, PolicyExists

_SYSTEM = "system"


@dataclass(frozen=True)
class PolicyChange:
    """What a PUT asks for; None leaves a part as it is."""

    name: str | None = None
    text: str | None = None
    enabled: bool | None = None
    expected_version: int | None = None


class PolicyService:
    """The policies of one tenant. `is_member` tells whether a user id is one of its members."""

    def __init__(
        self,
        tenant_id: str,
        store: Policies,
        is_member: Callable[[str], bool],
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self._tenant_id = tenant_id
        self._store = store
        self._is_member = is_member
        self._clock = clock
        self._ids = ids

    def all(self) -> list[Policy]:
        """Every policy, newest first. A tenant without any history gets the first ones (GOV-2)."""
        found = self._store.all()
        if not found:
            if not self._store.begun():
                self._begin()
            # Again in any case: somebody else may have begun between the two readings.
            found = self._store.all()
        return found

    def get(self, policy_id: str) -> Policy:
        """One policy. Raises NotFound. Writes nothing: ids are known from a list."""
        return self._store.get(policy_id)

    def versions(self, policy_id: str) -> list[PolicyVersion]:
        """Every version of a policy, newest first. Raises NotFound."""
        self.get(policy_id)
        return self._store.versions(policy_id)

    def create(
        self, name: str, text: str, *, enabled: bool, by: str, effect_key: str | None = None
    ) -> Policy:
        """Store a new policy. Raises PolicyInvalid, TooManyPolicies.

        The same `effect_key` again gives the policy that was made under it (H30).
        """
        self._demand(text)
        self.all()
        now = self._clock()
        id_ = (
            self._ids()
            if effect_key is None
            else id_from(f"policy\n{self._tenant_id}\n{effect_key}")
        )
        policy = Policy(id_, name, text, enabled, 1, by, now, now, by)
        try:
            self._store.add(policy)
        except PolicyExists:
            return self._store.get(id_)
        return policy

    def change(self, policy_id: str, wish: PolicyChange, by: str) -> Policy:
        """Store the next version. Raises NotFound, VersionConflict, PolicyInvalid."""
        if wish.text is not None:
            self._demand(wish.text)
        old = self.get(policy_id)
        if wish.expected_version not in (None, old.version):
            raise VersionConflict
        new = replace(
            old,
            name=old.name if wish.name is None else wish.name,
            text=old.text if wish.text is None else wish.text,
            enabled=old.enabled if wish.enabled is None else wish.enabled,
            updated_by=by,
            updated_at=self._clock(),
            version=old.version + 1,
        )
        self._store.change(old, new)
        return new

    def delete(self, policy_id: str, by: str) -> None:
        """Remove a policy. Raises NotFound, VersionConflict."""
        self._store.delete(self.get(policy_id), by, self._clock())

    def problems(self, text: str) -> list[TextProblem]:
        """What keeps a text from being stored; none for a valid one."""
        return problems_of(text, self._is_member)

    def _demand(self, text: str) -> None:
        problems = self.problems(text)
        if problems:
            raise PolicyInvalid(
                details=[
                    Detail("text", f"line {one.line}, column {one.column}: {one.message}")
                    for one in problems
                ]
            )

    def _begin(self) -> None:
        now = self._clock()
        self._store.begin(
            [
                Policy(
                    id_from(f"first policy\n{self._tenant_id}\n{name}"), name, text, True, 1,
                    _SYSTEM, now, now, _SYSTEM,
                )
                for name, text in ((AWS_NAME, AWS_TEXT), (OTHER_NAME, OTHER_TEXT))
            ],
            now,
        )  # fmt: skip
