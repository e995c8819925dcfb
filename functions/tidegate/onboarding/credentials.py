"""Connects an account by long-lived access keys: checked first, kept sealed (ONB-7, G20)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime

from tidegate_kit.clock import Clock
from tidegate_kit.crypto import SealBroken, SealContext, Sealer
from tidegate_kit.errors import Detail, ServiceUnavailable
from tidegate_kit.ids import IdFactory

from tidegate.onboarding.domain import Registration
from tidegate.onboarding.errors import (
    AccountAlreadyConnected,
    AccountMismatch,
    InvalidAwsCredentials,
    RootKeysRefused,
)
from tidegate.onboarding.keys import KeyOwner, KeyReader
from tidegate.onboarding.repository import (
    Changed,
    ClaimTaken,
    Registrations,
    SlotTaken,
    change,
)
from tidegate.onboarding.trust_policy import refusal
from tidegate.onboarding.verification import access_lost

KEYS_DUE = "KEYS_DUE"
_ATTEMPTS = 4


@dataclass(frozen=True)
class GivenKeys:
    """What a credentials call holds."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    account_id: str | None = None
    regions: tuple[str, ...] | None = None
    label: str | None = None


@dataclass(frozen=True)
class KeyConnection:
    """The connected registration, whether it is new, and whether its keys may do too much."""

    registration: Registration
    created: bool
    over_privileged: bool


def masked(access_key_id: str) -> str:
    """*** and the last four characters (*** alone if the key is short)."""
    return f"***{access_key_id[-4:]}" if len(access_key_id) >= 8 else "***"


def seal_context(tenant_id: str, onboarding_id: str) -> SealContext:
    """Where the sealed keys belong; moved elsewhere they do not open (H31)."""
    return SealContext(tenant_id, f"onboarding/{onboarding_id}", "access_keys")


def open_keys(sealer: Sealer, registration: Registration) -> tuple[str, str]:
    """Access key id and secret. Raises SealBroken, ServiceUnavailable."""
    if registration.sealed_keys is None:
        raise SealBroken("no keys are stored")
    context = seal_context(registration.tenant_id, registration.id)
    pair = json.loads(sealer.open(registration.sealed_keys, context))
    return str(pair["access_key_id"]), str(pair["secret_access_key"])


def _rechecked(old: Registration, actor: str, now: datetime) -> Registration:
    """Good keys; from their 90th day on with an alert, raised once (ONB-7)."""
    alert = KEYS_DUE if old.keys_due(now) else None
    return replace(
        old,
        status="connected",
        refusal=None,
        alert=alert,
        alert_at=None if alert is None else old.alert_at if old.alert == alert else now,
        last_verified_at=now,
        updated_at=now,
        actor=old.actor if old.status == "connected" else actor,
    )


class KeyConnector:
    """Connects accounts of one tenant by access keys."""

    def __init__(
        self,
        store: Registrations,
        reader: KeyReader,
        sealer: Sealer,
        platform_account: str,
        clock: Clock,
        new_id: IdFactory,
    ) -> None:
        self._store = store
        self._reader = reader
        self._sealer = sealer
        self._platform_account = platform_account
        self._clock = clock
        self._new_id = new_id

    def connect(self, tenant_id: str, actor: str, given: GivenKeys) -> KeyConnection:
        """Connect the keys' account, or replace the keys of the tenant's own account.

        Raises InvalidAwsCredentials, RootKeysRefused, AccountMismatch, AccountAlreadyConnected,
        ServiceUnavailable; then nothing is stored.
        """
        owner = self._reader.owner(given.access_key_id, given.secret_access_key)
        self._check_account(owner, given.account_id)
        broad = self._reader.over_privileged(owner, given.access_key_id, given.secret_access_key)
        for _ in range(_ATTEMPTS):
            known = self._store.of_account(owner.account_id)
            try:
                stored = self._store_keys(tenant_id, actor, owner.account_id, given, known)
            except (Changed, SlotTaken):
                continue
            except ClaimTaken as taken:
                raise AccountAlreadyConnected from taken
            return KeyConnection(stored, known is None or not known.holds_claim, broad)
        raise ServiceUnavailable(log="the account's registration kept changing")

    def recheck(self, registration: Registration, actor: str) -> Registration:
        """Repeat the identity check of stored keys and store the outcome (ONB-9).

        Raises ServiceUnavailable when AWS or KMS do not answer.
        """
        fault = self._key_fault(registration)
        now = self._clock()

        def step(old: Registration) -> Registration:
            if not old.holds_claim or old.sealed_keys != registration.sealed_keys:
                return old  # disconnected, or newer keys
            if fault:
                return access_lost(
                    replace(old, refusal=refusal("INVALID_AWS_CREDENTIALS")), actor, now
                )
            return _rechecked(old, actor, now)

        return change(self._store, registration.id, step)

    def _key_fault(self, registration: Registration) -> bool:
        try:
            owner = self._reader.owner(*open_keys(self._sealer, registration))
        except (InvalidAwsCredentials, RootKeysRefused, SealBroken):
            return True
        return owner.account_id != registration.account_id

    def _check_account(self, owner: KeyOwner, declared: str | None) -> None:
        if owner.account_id == self._platform_account:
            raise AccountMismatch(
                details=[Detail("access_key_id", "belongs to the platform's own account")]
            )
        if declared is not None and declared != owner.account_id:
            raise AccountMismatch(
                details=[Detail("account_id", "is not the account that the keys belong to")]
            )

    def _store_keys(
        self,
        tenant_id: str,
        actor: str,
        account_id: str,
        given: GivenKeys,
        known: Registration | None,
    ) -> Registration:
        if known is None:
            return self._store.create(self._new(tenant_id, actor, account_id, given))
        if known.holds_claim and known.method != "credentials":
            raise AccountAlreadyConnected
        return self._store.swap(known, self._with_keys(known, actor, given))

    def _new(self, tenant_id: str, actor: str, account_id: str, given: GivenKeys) -> Registration:
        now = self._clock()
        blank = Registration(
            id=self._new_id(),
            tenant_id=tenant_id,
            account_id=account_id,
            method="credentials",
            tier="read",
            regions=(),
            label=None,
            status="pending",
            created_at=now,
            updated_at=now,
            actor=actor,
        )
        return self._with_keys(blank, actor, given)

    def _with_keys(self, old: Registration, actor: str, given: GivenKeys) -> Registration:
        now: datetime = self._clock()
        pair = {
            "access_key_id": given.access_key_id,
            "secret_access_key": given.secret_access_key,
        }
        context = seal_context(old.tenant_id, old.id)
        return replace(
            old,
            method="credentials",
            tier="read",
            status="connected",
            regions=old.regions if given.regions is None else given.regions,
            label=old.label if given.label is None else given.label,
            sealed_keys=self._sealer.seal(json.dumps(pair), context),
            access_key_masked=masked(given.access_key_id),
            keys_set_at=now,
            refusal=None,
            checks=(),
            lease=None,
            alert=None,
            alert_at=None,
            last_verified_at=now,
            connected_at=old.connected_at if old.holds_claim else now,
            discovery_run_id=old.discovery_run_id if old.holds_claim else self._new_id(),
            actor=actor,
            updated_at=now,
        )
