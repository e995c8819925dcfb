"""Onboarding requests: create, read, links, disconnect."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, NotFound, ServiceUnavailable, Unprocessable
from tidegate_kit.ids import IdFactory
from tidegate_kit.settings import Settings

from tidegate.onboarding.copies import TemplateCopies
from tidegate.onboarding.domain import Registration, Tier
from tidegate.onboarding.errors import AccountAlreadyConnected, InvalidSignature, NotConnected
from tidegate.onboarding.links import quick_create_url, signature_holds, template_url
from tidegate.onboarding.repository import (
    GlobalRegistry,
    Registrations,
    SlotTaken,
    change,
)
from tidegate.onboarding.template import copy_key, render, role_name, stack_name, template_values

_KEY_BYTES = 32
_ATTEMPTS = 4


@dataclass(frozen=True)
class NewRequest:
    """What a create call asks for. `regions` empty: all that the account has enabled."""

    account_id: str
    tier: Tier
    regions: tuple[str, ...]
    label: str | None


@dataclass(frozen=True)
class Links:
    """Fresh links of a role request."""

    template_url: str
    template_url_expires_at: datetime
    quick_create_url: str


class Requests:
    """The onboarding requests of one tenant."""

    def __init__(
        self,
        store: Registrations,
        copies: TemplateCopies,
        settings: Settings,
        clock: Clock,
        new_id: IdFactory,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._store = store
        self._copies = copies
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        self._random_bytes = random_bytes

    def create(self, tenant_id: str, actor: str, wanted: NewRequest) -> tuple[Registration, bool]:
        """The tenant's unfinished request for an account, and whether it was made now (ONB-1).

        Says nothing of other tenants. Raises AccountAlreadyConnected for the tenant's own
        connected account, Unprocessable for the platform's own account (G8).
        """
        if wanted.account_id == self._settings.platform_account:
            raise Unprocessable(details=[Detail("account_id", "is the platform's own account")])
        for _ in range(_ATTEMPTS):
            known = self._store.of_account(wanted.account_id)
            if known is not None and known.status != "disconnected":
                if known.holds_claim:
                    raise AccountAlreadyConnected
                return self._with_copy(known), False
            try:
                made = self._store.create(self._new(tenant_id, actor, wanted))
            except SlotTaken:
                continue
            return self._with_copy(made), True
        raise ServiceUnavailable(log="the account's slot kept changing hands")

    def get(self, onboarding_id: str) -> Registration:
        """One registration in any status. Raises NotFound."""
        found = self._store.get(onboarding_id)
        if found is None:
            raise NotFound
        return found

    def all(self) -> list[Registration]:
        """Every registration of the tenant, newest first."""
        return self._store.all()

    def links(self, registration: Registration) -> Links | None:
        """Fresh links; None where no stack is to be made (keys, disconnected)."""
        key = registration.template_key
        if key is None or registration.method != "role":
            return None
        minute = self._clock().replace(second=0, microsecond=0)
        base = self._settings.public_base_url
        signed, expires_at = template_url(base, key, registration.id, minute)
        copy = self._with_copy(registration).template_copy or ""
        quick = quick_create_url(
            self._settings.callback_topic_arn,
            self._copies.url(copy, minute),
            stack_name(registration.id),
            template_values(registration, self._settings),
        )
        return Links(signed, expires_at, quick)

    def template(self, onboarding_id: str) -> str:
        """The template of a request, as YAML. Raises NotFound where there is no stack to make."""
        found = self.get(onboarding_id)
        if found.template_key is None or found.method != "role":
            raise NotFound
        return self._rendered(found)

    def _rendered(self, registration: Registration) -> str:
        return render(template_values(registration, self._settings))

    def _with_copy(self, registration: Registration) -> Registration:
        """The registration with a stored copy of its present template; repairs a missing one."""
        if registration.method != "role" or registration.template_key is None:
            return registration
        text = self._rendered(registration)
        key = copy_key(registration, text)
        if registration.template_copy == key:
            return registration
        self._copies.put(key, text)
        return change(self._store, registration.id, lambda old: replace(old, template_copy=key))

    def _new(self, tenant_id: str, actor: str, wanted: NewRequest) -> Registration:
        now = self._clock()
        onboarding_id = self._new_id()
        return Registration(
            id=onboarding_id,
            tenant_id=tenant_id,
            account_id=wanted.account_id,
            method="role",
            tier=wanted.tier,
            regions=wanted.regions,
            label=wanted.label,
            status="pending",
            created_at=now,
            updated_at=now,
            actor=actor,
            external_id=self._new_id(),
            role_name=role_name(onboarding_id),
            template_key=self._random_bytes(_KEY_BYTES),
        )


def signed_template_tenant(
    registry: GlobalRegistry,
    store_of: Callable[[str], Registrations],
    onboarding_id: str,
    exp: str | None,
    sig: str,
    now: datetime,
) -> str:
    """The tenant of a signed template link. Raises InvalidSignature for any other link (G13)."""
    tenant_id = registry.tenant_of(onboarding_id)
    found = None if tenant_id is None else store_of(tenant_id).get(onboarding_id)
    key = None if found is None else found.template_key
    if not signature_holds(key, onboarding_id, exp, sig, now) or tenant_id is None:
        raise InvalidSignature
    return tenant_id


def connected(found: Registration) -> Registration:
    """`found`, if it is connected. Raises NotConnected (409)."""
    if found.status != "connected":
        raise NotConnected
    return found


def disconnected(old: Registration, actor: str, now: datetime) -> Registration:
    """The registration after a disconnect: no keys, no lease, no right to connect (CLI-2)."""
    return replace(
        old,
        status="disconnected",
        disconnected_at=now,
        updated_at=now,
        actor=actor,
        lease=None,
        template_key=None,
        sealed_keys=None,
        access_key_masked=None,
        keys_set_at=None,
        alert=None,
        alert_at=None,
    )


def disconnect(store: Registrations, onboarding_id: str, actor: str, now: datetime) -> Registration:
    """Disconnect: status, claim, slot and keys in one transaction. Raises NotFound if it is so."""

    def step(old: Registration) -> Registration:
        if old.status == "disconnected":
            raise NotFound
        return disconnected(old, actor, now)

    return change(store, onboarding_id, step)


def forget_tenant(
    store: Registrations, copies: TemplateCopies, actor: str, now: datetime
) -> list[str]:
    """Remove every registration of a deleted tenant (G25); the AWS account ids it had.

    Claims are freed, keys and copies erased, so later call-backs agree with nothing. May be
    repeated after a failure. Raises ServiceUnavailable.
    """
    accounts = []
    for found in store.all():
        if found.status != "disconnected":
            disconnect(store, found.id, actor, now)
        if found.template_copy is not None:
            copies.delete(found.template_copy)
        store.forget(found.id)
        accounts.append(found.account_id)
    return accounts
