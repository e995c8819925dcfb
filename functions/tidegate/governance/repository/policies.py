"""Policies and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal, Protocol

from pynamodb.expressions.condition import Condition
from tidegate_kit.dynamo import ConditionFailed, Transaction, store_errors
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope, key

from tidegate.governance.domain import Policy, PolicyVersion
from tidegate.governance.errors import TooManyPolicies, VersionConflict
from tidegate.governance.models import PolicyItem, PolicySetItem, PolicyVersionItem
from tidegate.governance.repository.keys import version_sk

MAX_POLICIES: Final = 50
_SET: Final = "POLICIES"
ChangeKind = Literal["created", "updated", "deleted"]


class PolicyExists(Exception):
    """A policy with this id is stored already."""


class Policies(Protocol):
    """The policies of one tenant."""

    def begun(self) -> bool:
        """True once the tenant has been given its first policies."""

    def begin(self, policies: Sequence[Policy], now: datetime) -> None:
        """Store the first policies, once; nothing happens where that was done before."""

    def all(self) -> list[Policy]:
        """Every policy, newest first; strongly consistent."""

    def get(self, policy_id: str) -> Policy:
        """One policy. Raises NotFound."""

    def add(self, policy: Policy) -> None:
        """Store a new policy. Raises PolicyExists, TooManyPolicies."""

    def change(self, old: Policy, new: Policy) -> None:
        """Replace `old` by its next version. Raises VersionConflict."""

    def delete(self, policy: Policy, by: str, now: datetime) -> None:
        """Remove; the versions stay. Raises VersionConflict."""

    def versions(self, policy_id: str) -> list[PolicyVersion]:
        """The versions of a stored policy, newest first."""


class DynamoPolicies:
    """Policies on the table `governance`."""

    def __init__(self, scope: TenantScope) -> None:
        self._pk = scope.pk

    def begun(self) -> bool:
        with store_errors():
            found = PolicySetItem.query(
                self._pk, PolicySetItem.sk == _SET, consistent_read=True, limit=1
            )
            return next(iter(found), None) is not None

    def begin(self, policies: Sequence[Policy], now: datetime) -> None:
        writes = Transaction()
        writes.save(
            PolicySetItem(
                self._pk, _SET, policies=len(policies), revision=1, created_at=now, updated_at=now
            ),
            PolicySetItem.pk.does_not_exist(),
            name="set",
        )
        for policy in policies:
            writes.save(self._item(policy), name="policy")
            writes.save(self._version(policy, "created"), name="version")
        try:
            writes.commit()
        except ConditionFailed:
            return  # somebody else began in the same moment

    def all(self) -> list[Policy]:
        with store_errors():
            rows = list(
                PolicyItem.query(
                    self._pk, PolicyItem.sk.startswith("POLICY#"), consistent_read=True
                )
            )
        found = [policy_of(row) for row in rows]
        return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)

    def get(self, policy_id: str) -> Policy:
        with store_errors():
            try:
                item = PolicyItem.get(self._pk, key("POLICY", policy_id), consistent_read=True)
            except PolicyItem.DoesNotExist:
                raise NotFound from None
        return policy_of(item)

    def add(self, policy: Policy) -> None:
        writes = Transaction()
        self._count(writes, 1, policy.updated_at)
        writes.save(self._item(policy), PolicyItem.pk.does_not_exist(), name="policy")
        writes.save(self._version(policy, "created"), name="version")
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise (PolicyExists if "policy" in lost.names else TooManyPolicies) from lost

    def change(self, old: Policy, new: Policy) -> None:
        made = replace(new, version=old.version + 1)
        writes = Transaction()
        self._count(writes, 0, made.updated_at)
        writes.save(self._item(made), PolicyItem.version == old.version, name="policy")
        writes.save(self._version(made, "updated"), name="version")
        self._commit(writes)

    def delete(self, policy: Policy, by: str, now: datetime) -> None:
        last = replace(policy, version=policy.version + 1, updated_by=by, updated_at=now)
        writes = Transaction()
        self._count(writes, -1, now)
        writes.delete(self._item(policy), PolicyItem.version == policy.version, name="policy")
        writes.save(self._version(last, "deleted"), name="version")
        self._commit(writes)

    def versions(self, policy_id: str) -> list[PolicyVersion]:
        with store_errors():
            rows = PolicyVersionItem.query(
                self._pk,
                PolicyVersionItem.sk.startswith(f"{key('POLICYV', policy_id)}#"),
                scan_index_forward=False,
                consistent_read=True,
            )
            return [
                PolicyVersion(int(row.version), row.text, row.created_by, row.created_at)
                for row in rows
            ]

    def _count(self, writes: Transaction, change: int, now: datetime) -> None:
        room: Condition = PolicySetItem.pk.exists()
        if change > 0:
            room = PolicySetItem.policies < MAX_POLICIES
        writes.update(
            PolicySetItem(self._pk, _SET),
            [
                PolicySetItem.policies.add(change),
                PolicySetItem.revision.add(1),
                PolicySetItem.updated_at.set(now),
            ],
            room,
            name="set",
        )

    @staticmethod
    def _commit(writes: Transaction) -> None:
        try:
            writes.commit()
        except ConditionFailed as lost:
            raise VersionConflict from lost

    def _item(self, policy: Policy) -> PolicyItem:
        return PolicyItem(self._pk, key("POLICY", policy.id), **vars(policy))

    def _version(self, policy: Policy, change: ChangeKind) -> PolicyVersionItem:
        return PolicyVersionItem(
            self._pk, version_sk(policy.id, policy.version), id=policy.id, name=policy.name,
            version=policy.version, text=policy.text, enabled=policy.enabled, change=change,
            created_by=policy.updated_by, created_at=policy.updated_at,
            updated_at=policy.updated_at,
        )  # fmt: skip


def policy_of(item: PolicyItem) -> Policy:
    """The domain object of a stored policy."""
    return Policy(
        id=item.id, name=item.name, text=item.text, enabled=item.enabled,
        version=int(item.version), created_by=item.created_by, created_at=item.created_at,
        updated_at=item.updated_at, updated_by=item.updated_by,
    )  # fmt: skip
