"""Stored registrations, and the global claims on AWS accounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, scoped_store, store_errors
from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.tenancy import TenantScope, key

from tidegate.onboarding.domain import ROTATE_KEYS_AFTER, Check, Lease, Refusal, Registration
from tidegate.onboarding.models import (
    AccountItem,
    ClaimItem,
    ConnectedItem,
    OutcomeItem,
    PointerItem,
    SlotItem,
)

_OUTCOME_LIFE = timedelta(days=7)  # CloudFormation gives up on a request after an hour
_ATTEMPTS = 8
_CONNECTED = "CONNECTED"


class SlotTaken(Exception):
    """The tenant has a living registration of this AWS account."""


class ClaimTaken(Exception):
    """Another registration holds this AWS account."""


class Changed(Exception):
    """The registration was written since it was read."""


@dataclass(frozen=True)
class Outcome:
    """The answer to a stack call-back."""

    status: str  # SUCCESS or FAILED
    reason: str
    physical_id: str


@dataclass(frozen=True)
class ConnectedRef:
    """Where a connected registration lies."""

    tenant_id: str
    onboarding_id: str


class Registrations(Protocol):
    """The registrations of one tenant. All reads are strongly consistent."""

    def get(self, onboarding_id: str) -> Registration | None:
        """One registration, in any status."""

    def of_account(self, account_id: str) -> Registration | None:
        """The living registration of an AWS account (not a disconnected one)."""

    def all(self) -> list[Registration]:
        """Every registration, newest first."""

    def create(self, new: Registration) -> Registration:
        """Store a new one. Raises SlotTaken; ClaimTaken where it is born holding the account."""

    def swap(self, old: Registration, new: Registration) -> Registration:
        """Replace `old`, with claim, listing and slot following the status in one transaction.

        Raises Changed when `old` is not what is stored, ClaimTaken when the account is held.
        """

    def outcome(self, onboarding_id: str, request_id: str, now: datetime) -> Outcome | None:
        """The answer already given to a call-back."""

    def record_outcome(
        self, onboarding_id: str, request_id: str, outcome: Outcome, now: datetime
    ) -> Outcome:
        """Keep the first answer to a call-back, and give the kept one."""

    def forget(self, onboarding_id: str) -> None:
        """Remove a disconnected registration and its pointer (a deleted tenant, G25)."""


class GlobalRegistry(Protocol):
    """What is known across tenants: for the signed link, the call-back and the re-probe."""

    def tenant_of(self, onboarding_id: str) -> str | None:
        """The tenant of a registration."""

    def holder_of(self, account_id: str) -> ConnectedRef | None:
        """Who holds an AWS account."""

    def connected(self, after: ConnectedRef | None, limit: int) -> list[ConnectedRef]:
        """Connected registrations behind `after`, in key order."""


def change(
    store: Registrations, onboarding_id: str, step: Callable[[Registration], Registration]
) -> Registration:
    """Read, apply `step`, write; again when another writer was faster.

    `step` raises to refuse, and gives its argument back to leave all as it is.
    Raises NotFound for an absent registration.
    """
    for _ in range(_ATTEMPTS):
        old = store.get(onboarding_id)
        if old is None:
            raise NotFound
        new = step(old)
        if new is old:
            return old
        try:
            return store.swap(old, new)
        except Changed:
            continue
    raise ServiceUnavailable(log=f"registration {onboarding_id} kept changing")


class DynamoRegistrations:
    """Registrations on the table `onboarding`."""

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def get(self, onboarding_id: str) -> Registration | None:
        (item,) = batch_get([(AccountItem, self._scope.pk, key("ACCOUNT", onboarding_id))])
        return None if item is None else _registration(item)

    def of_account(self, account_id: str) -> Registration | None:
        (slot,) = batch_get([(SlotItem, self._scope.pk, key("SLOT", account_id))])
        return None if slot is None else self.get(slot.onboarding_id)

    def all(self) -> list[Registration]:
        with store_errors():
            items = list(
                AccountItem.query(
                    self._scope.pk,
                    AccountItem.sk.startswith("ACCOUNT#"),
                    consistent_read=True,
                )
            )
        found = [_registration(item) for item in items]
        return sorted(found, key=lambda r: (r.created_at, r.id), reverse=True)

    def create(self, new: Registration) -> Registration:
        stored = replace(new, revision=1)
        tx = Transaction()
        tx.save(self._item(stored), AccountItem.pk.does_not_exist(), name="row")
        tx.save(self._slot(new), SlotItem.pk.does_not_exist(), name="slot")
        tx.save(_pointer(new), PointerItem.pk.does_not_exist(), name="pointer")
        if new.holds_claim:
            _take(tx, new)
        try:
            _commit_global(tx)
        except ConditionFailed as lost:
            if "claim" in lost.names and "slot" not in lost.names:
                raise ClaimTaken from lost
            raise SlotTaken from lost
        return stored

    def swap(self, old: Registration, new: Registration) -> Registration:
        stored = replace(new, revision=old.revision + 1)
        same = AccountItem.revision == old.revision
        if old.holds_claim == new.holds_claim and new.status != "disconnected":
            try:
                with store_errors():
                    self._item(stored).save(condition=same)
            except ConditionFailed as lost:
                raise Changed from lost
            return stored
        tx = Transaction()
        tx.save(self._item(stored), same, name="row")
        if new.holds_claim:
            _take(tx, new)
        elif old.holds_claim:
            _release(tx, old)
        if new.status == "disconnected":
            slot = self._slot(new)
            tx.delete(slot, SlotItem.onboarding_id == new.id, name="slot")
        try:
            _commit_global(tx)
        except ConditionFailed as lost:
            if lost.names == {"claim"}:
                raise ClaimTaken from lost
            raise Changed from lost
        return stored

    def outcome(self, onboarding_id: str, request_id: str, now: datetime) -> Outcome | None:
        sk = key("CALLBACK", onboarding_id, request_id)
        (item,) = batch_get([(OutcomeItem, self._scope.pk, sk)])
        if item is None or int(item.expires) <= epoch(now):
            return None
        return Outcome(item.status, item.reason, item.physical_id)

    def record_outcome(
        self, onboarding_id: str, request_id: str, outcome: Outcome, now: datetime
    ) -> Outcome:
        item = OutcomeItem(
            self._scope.pk,
            key("CALLBACK", onboarding_id, request_id),
            status=outcome.status,
            reason=outcome.reason,
            physical_id=outcome.physical_id,
            expires=epoch(now + _OUTCOME_LIFE),
            created_at=now,
            updated_at=now,
        )
        free = OutcomeItem.pk.does_not_exist() | (OutcomeItem.expires <= epoch(now))
        try:
            with store_errors():
                item.save(condition=free)
        except ConditionFailed:
            return self.outcome(onboarding_id, request_id, now) or outcome
        return outcome

    def forget(self, onboarding_id: str) -> None:
        tx = Transaction()
        row = AccountItem(self._scope.pk, key("ACCOUNT", onboarding_id))
        tx.delete(row, AccountItem.status == "disconnected", name="row")
        tx.delete(PointerItem(key("ONBOARDING", onboarding_id), "TENANT"))
        _commit_global(tx)

    def _item(self, registration: Registration) -> AccountItem:
        sk = key("ACCOUNT", registration.id)
        return AccountItem(self._scope.pk, sk, **_attributes(registration))

    def _slot(self, registration: Registration) -> SlotItem:
        return SlotItem(
            self._scope.pk,
            key("SLOT", registration.account_id),
            onboarding_id=registration.id,
            created_at=registration.updated_at,
            updated_at=registration.updated_at,
        )


class DynamoGlobalRegistry:
    """GlobalRegistry on the table `onboarding`, with the platform's own credentials."""

    def tenant_of(self, onboarding_id: str) -> str | None:
        with scoped_store(None):
            (item,) = batch_get([(PointerItem, key("ONBOARDING", onboarding_id), "TENANT")])
        return None if item is None else item.tenant_id

    def holder_of(self, account_id: str) -> ConnectedRef | None:
        with scoped_store(None):
            (item,) = batch_get([(ClaimItem, key("AWS", account_id), "CLAIM")])
        return None if item is None else ConnectedRef(item.tenant_id, item.onboarding_id)

    def connected(self, after: ConnectedRef | None, limit: int) -> list[ConnectedRef]:
        condition = None if after is None else ConnectedItem.sk > _listing_key(after)
        with scoped_store(None), store_errors():
            found = list(
                ConnectedItem.query(_CONNECTED, condition, consistent_read=True, limit=limit)
            )
        return [ConnectedRef(item.tenant_id, item.onboarding_id) for item in found]


def _commit_global(tx: Transaction) -> None:
    # Claims, pointers and listings are no tenant's own keys.
    with scoped_store(None):
        tx.commit()


def _take(tx: Transaction, new: Registration) -> None:
    mine = (ClaimItem.tenant_id == new.tenant_id) & (ClaimItem.onboarding_id == new.id)
    claim = ClaimItem(
        key("AWS", new.account_id), "CLAIM", account_id=new.account_id, tenant_id=new.tenant_id,
        onboarding_id=new.id, claimed_at=new.updated_at, created_at=new.updated_at,
        updated_at=new.updated_at,
    )  # fmt: skip
    tx.save(claim, ClaimItem.pk.does_not_exist() | mine, name="claim")
    tx.save(_listing(new))


def _release(tx: Transaction, old: Registration) -> None:
    mine = (ClaimItem.tenant_id == old.tenant_id) & (ClaimItem.onboarding_id == old.id)
    tx.delete(ClaimItem(key("AWS", old.account_id), "CLAIM"), mine, name="held")
    tx.delete(_listing(old))


def _listing_key(ref: ConnectedRef) -> str:
    return key(ref.tenant_id, ref.onboarding_id)


def _listing(registration: Registration) -> ConnectedItem:
    return ConnectedItem(
        _CONNECTED, _listing_key(ConnectedRef(registration.tenant_id, registration.id)),
        tenant_id=registration.tenant_id, onboarding_id=registration.id,
        created_at=registration.updated_at, updated_at=registration.updated_at,
    )  # fmt: skip


def _pointer(registration: Registration) -> PointerItem:
    return PointerItem(
        key("ONBOARDING", registration.id), "TENANT", tenant_id=registration.tenant_id,
        created_at=registration.created_at, updated_at=registration.updated_at,
    )  # fmt: skip


# Attributes that the item spells as the registration does.
_SAME = (
    "revision", "id", "tenant_id", "account_id", "method", "tier", "label", "status", "actor",
    "external_id", "role_name", "role_arn", "template_key", "template_copy", "connected_at",
    "last_verified_at", "disconnected_at", "discovery_run_id", "last_discovery_run_id",
    "last_discovery_at", "sealed_keys", "access_key_masked", "keys_set_at", "stack_id",
    "stack_removed_at", "alert", "alert_at", "created_at", "updated_at",
)  # fmt: skip


def _attributes(registration: Registration) -> dict[str, Any]:
    values: dict[str, Any] = {name: vars(registration)[name] for name in _SAME}
    values["regions"] = list(registration.regions)
    values["checks"] = [[c.name, c.passed, c.detail] for c in registration.checks] or None
    if registration.refusal is not None:
        values["refusal_code"] = registration.refusal.code
        values["refusal_fix"] = registration.refusal.fix
    if registration.lease is not None:
        values["lease_token"] = registration.lease.token
        values["lease_until"] = registration.lease.until
    if registration.keys_set_at is not None:
        values["keys_due_at"] = registration.keys_set_at + ROTATE_KEYS_AFTER
    return {name: value for name, value in values.items() if value is not None}


def _registration(item: AccountItem) -> Registration:
    stored: dict[str, Any] = item.attribute_values
    values: dict[str, Any] = {name: stored.get(name) for name in _SAME}
    values["revision"] = int(item.revision)
    values["regions"] = tuple(item.regions)
    values["checks"] = tuple(Check(*row) for row in stored.get("checks") or [])
    if stored.get("refusal_code") is not None:
        values["refusal"] = Refusal(stored["refusal_code"], stored.get("refusal_fix") or "")
    if stored.get("lease_token") is not None:
        values["lease"] = Lease(stored["lease_token"], stored["lease_until"])
    return Registration(**values)
