"""Stored registrations, and the global claims on AWS accounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, Transaction, batch_get, scoped_store, store_errors
from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.tenancy import TenantScope, key

from tidegate.onboarding.domain import Registration
from tidegate.onboarding.models import (
    AccountItem,
    ClaimItem,
    ConnectedItem,
    OutcomeItem,
    PointerItem,
    SlotItem,
)
from tidegate.onboarding.records import (
    CONNECTED,
    ConnectedRef,
    attributes_of,
    listing_item,
    listing_key,
    pointer_item,
    registration_of,
)

_OUTCOME_LIFE = timedelta(days=7)  # CloudFormation gives up on a request after an hour
_ATTEMPTS = 8


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
        return None if item is None else registration_of(item)

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
        found = [registration_of(item) for item in items]
        return sorted(found, key=lambda r: (r.created_at, r.id), reverse=True)

    def create(self, new: Registration) -> Registration:
        stored = replace(new, revision=1)
        tx = Transaction()
        tx.save(self._item(stored), AccountItem.pk.does_not_exist(), name="row")
        tx.save(self._slot(new), SlotItem.pk.does_not_exist(), name="slot")
        tx.save(pointer_item(new), PointerItem.pk.does_not_exist(), name="pointer")
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
        return AccountItem(self._scope.pk, sk, **attributes_of(registration))

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
        condition = None if after is None else ConnectedItem.sk > listing_key(after)
        with scoped_store(None), store_errors():
            found = list(
                ConnectedItem.query(CONNECTED, condition, consistent_read=True, limit=limit)
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
    tx.save(listing_item(new))


def _release(tx: Transaction, old: Registration) -> None:
    mine = (ClaimItem.tenant_id == old.tenant_id) & (ClaimItem.onboarding_id == old.id)
    tx.delete(ClaimItem(key("AWS", old.account_id), "CLAIM"), mine, name="held")
    tx.delete(listing_item(old))
