"""In-memory twins of the onboarding repositories, and customer roles without AWS."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tidegate.onboarding.domain import Registration
from tidegate.onboarding.records import ConnectedRef
from tidegate.onboarding.repository import Changed, ClaimTaken, Outcome, SlotTaken
from tidegate_kit.aws_session import AccessDeniedByAccount, CustomerSession, Keys, Purpose
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope

from tests.fakes.strict_aws.policy_eval import Caller, Decision, Request, evaluate


@dataclass
class OnboardingTable:
    """What the table holds, for every tenant."""

    rows: dict[tuple[str, str], Registration] = field(default_factory=dict)
    slots: dict[tuple[str, str], str] = field(default_factory=dict)
    claims: dict[str, ConnectedRef] = field(default_factory=dict)
    outcomes: dict[tuple[str, str, str], tuple[Outcome, datetime]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def store_of(self, tenant_id: str) -> InMemoryRegistrations:
        """The registrations of a tenant."""
        return InMemoryRegistrations(self, TenantScope(tenant_id))


class InMemoryRegistrations:
    """Registrations without a database."""

    def __init__(self, table: OnboardingTable, scope: TenantScope) -> None:
        self._table = table
        self._tenant = scope.tenant_id

    def get(self, onboarding_id: str) -> Registration | None:
        return self._table.rows.get((self._tenant, onboarding_id))

    def of_account(self, account_id: str) -> Registration | None:
        slot = self._table.slots.get((self._tenant, account_id))
        return None if slot is None else self.get(slot)

    def all(self) -> list[Registration]:
        mine = [row for (tenant, _), row in self._table.rows.items() if tenant == self._tenant]
        return sorted(mine, key=lambda row: (row.created_at, row.id), reverse=True)

    def create(self, new: Registration) -> Registration:
        with self._table.lock:
            if (self._tenant, new.account_id) in self._table.slots or self.get(new.id):
                raise SlotTaken
            if new.holds_claim:
                self._take(new)
            self._table.slots[self._tenant, new.account_id] = new.id
            return self._put(replace(new, revision=1))

    def swap(self, old: Registration, new: Registration) -> Registration:
        with self._table.lock:
            stored = self.get(old.id)
            if stored is None or stored.revision != old.revision:
                raise Changed
            if new.holds_claim and not old.holds_claim:
                self._take(new)
            if old.holds_claim and not new.holds_claim:
                del self._table.claims[old.account_id]
            if new.status == "disconnected" and old.status != "disconnected":
                self._table.slots.pop((self._tenant, old.account_id))
            return self._put(replace(new, revision=old.revision + 1))

    def outcome(self, onboarding_id: str, request_id: str, now: datetime) -> Outcome | None:
        kept = self._table.outcomes.get((self._tenant, onboarding_id, request_id))
        return None if kept is None or kept[1] <= now else kept[0]

    def record_outcome(
        self, onboarding_id: str, request_id: str, outcome: Outcome, now: datetime
    ) -> Outcome:
        with self._table.lock:
            kept = self.outcome(onboarding_id, request_id, now)
            if kept is None:
                key = (self._tenant, onboarding_id, request_id)
                self._table.outcomes[key] = (outcome, now + timedelta(days=7))
            return kept or outcome

    def forget(self, onboarding_id: str) -> None:
        self._table.rows.pop((self._tenant, onboarding_id), None)

    def _take(self, new: Registration) -> None:
        mine = ConnectedRef(self._tenant, new.id)
        if self._table.claims.setdefault(new.account_id, mine) != mine:
            raise ClaimTaken

    def _put(self, row: Registration) -> Registration:
        self._table.rows[self._tenant, row.id] = row
        return row


class InMemoryRegistry:
    """GlobalRegistry without a database."""

    def __init__(self, table: OnboardingTable) -> None:
        self._table = table

    def tenant_of(self, onboarding_id: str) -> str | None:
        return next((t for t, known in self._table.rows if known == onboarding_id), None)

    def holder_of(self, account_id: str) -> ConnectedRef | None:
        return self._table.claims.get(account_id)

    def connected(self, after: ConnectedRef | None, limit: int) -> list[ConnectedRef]:
        refs = sorted(self._table.claims.values(), key=_order)
        return [ref for ref in refs if after is None or _order(ref) > _order(after)][:limit]


def _order(ref: ConnectedRef) -> str:
    return f"{ref.tenant_id}#{ref.onboarding_id}"


@dataclass
class FakeRole:
    """A customer's role: who may assume it, and whether it may read its own trust policy."""

    trust: Mapping[str, Any]
    readable: bool = True


@dataclass
class FakeRoles:
    """Stands for STS and IAM in front of customers' roles; `down` answers nothing."""

    platform_role_arn: str
    roles: dict[str, FakeRole] = field(default_factory=dict)
    down: bool = False
    calls: list[tuple[str, str | None]] = field(default_factory=list)

    def access(self, tenant_id: str) -> FakeAccess:
        """The access of a tenant."""
        return FakeAccess(self)


class FakeAccess:
    """RoleAccess on `FakeRoles`."""

    def __init__(self, world: FakeRoles) -> None:
        self._world = world

    def assume(
        self,
        role_arn: str,
        external_id: str | None,
        *,
        purpose: Purpose,
        policy: str | None,
        tagged: bool = True,
    ) -> CustomerSession:
        self._world.calls.append((role_arn, external_id))
        if self._world.down:
            raise ServiceUnavailable(log="sts is down")
        role = self._world.roles.get(role_arn)
        if role is None or not self._allowed(role, role_arn, external_id, tagged):
            raise AccessDeniedByAccount
        return _FakeSession(role, role_arn.split(":")[4])

    def _allowed(
        self, role: FakeRole, role_arn: str, external_id: str | None, tagged: bool
    ) -> bool:
        platform = self._world.platform_role_arn
        context = {"aws:PrincipalArn": platform}
        if external_id is not None:
            context["sts:ExternalId"] = external_id
        caller = Caller(platform.split(":")[4], frozenset({platform}))
        actions = ["sts:AssumeRole", "sts:TagSession"] if tagged else ["sts:AssumeRole"]
        return all(
            evaluate([role.trust], Request(action, role_arn, context, caller)) is Decision.ALLOW
            for action in actions
        )


class _FakeSession(CustomerSession):
    def __init__(self, role: FakeRole, account_id: str) -> None:
        super().__init__(Keys("id", "secret"))
        self._role = role
        self._account_id = account_id

    def client(self, service: str, region: str) -> Any:
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": self._account_id}

    def get_role(self, RoleName: str) -> dict[str, Any]:
        if not self._role.readable:
            from botocore.exceptions import ClientError

            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetRole")
        return {"Role": {"AssumeRolePolicyDocument": self._role.trust}}


@dataclass
class FakeCopies:
    """TemplateCopies in memory."""

    kept: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, text: str) -> None:
        self.kept[key] = text

    def url(self, key: str, minute: datetime) -> str:
        return f"https://bucket.s3.amazonaws.com/{key}?X-Amz-Signature=x"

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)


class PlainSealer:
    """A Sealer that binds a text to its place, without encryption."""

    def seal(self, plain: str, context: Any) -> str:
        return f"{context.as_dict()}|{plain}"

    def open(self, sealed: str, context: Any) -> str:
        from tidegate_kit.crypto import SealBroken

        place, _, plain = sealed.partition("|")
        if place != str(context.as_dict()):
            raise SealBroken("moved")
        return plain
