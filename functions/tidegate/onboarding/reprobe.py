"""The daily re-probe of every connected account (ONB-9), and with it of the age of keys (EVT-6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tidegate_kit.observability import logger

from tidegate.onboarding.credentials import KeyConnector
from tidegate.onboarding.domain import Registration
from tidegate.onboarding.errors import VerifyRunning
from tidegate.onboarding.records import ConnectedRef
from tidegate.onboarding.repository import GlobalRegistry, Registrations
from tidegate.onboarding.verification import Verifier

ACTOR = "reprobe"
_PAGE = 100


@dataclass(frozen=True)
class TenantServices:
    """What probing the accounts of one tenant needs."""

    store: Registrations
    verifier: Verifier
    keys: KeyConnector


@dataclass
class Tally:
    """How a sweep went. `next` is where to go on when the time was up."""

    probed: int = 0
    connected: int = 0
    access_lost: int = 0
    disconnected: int = 0
    skipped: int = 0
    failed: int = 0
    next: ConnectedRef | None = None


class Reprobe:
    """Probes connected accounts one after the other; one that fails stops no other."""

    def __init__(
        self,
        registry: GlobalRegistry,
        services: Callable[[str], TenantServices],
    ) -> None:
        self._registry = registry
        self._services = services

    def sweep(
        self,
        started_at: datetime,
        after: ConnectedRef | None,
        time_left: Callable[[], bool],
    ) -> Tally:
        """Probe all accounts behind `after` that were not probed since `started_at`.

        Repeating a sweep that died probes only the rest. Raises ServiceUnavailable when the
        listing cannot be read.
        """
        tally = Tally()
        while page := self._registry.connected(after, _PAGE):
            for ref in page:
                if not time_left():
                    tally.next = after
                    return tally
                self._count(tally, ref, started_at)
                after = ref
        return tally

    def _count(self, tally: Tally, ref: ConnectedRef, started_at: datetime) -> None:
        try:
            status = self._one(ref, started_at)
        except VerifyRunning:
            tally.skipped += 1  # its verification is this one's equal
        except Exception:
            tally.failed += 1
            logger.exception(
                "re-probe failed", tenant_id=ref.tenant_id, onboarding_id=ref.onboarding_id
            )
        else:
            tally.probed += status != "skipped"
            vars(tally)[status] += 1

    def _one(self, ref: ConnectedRef, started_at: datetime) -> str:
        services = self._services(ref.tenant_id)
        seen = services.store.get(ref.onboarding_id)
        if seen is None or not seen.holds_claim or _probed_since(seen, started_at):
            return "skipped"
        if seen.method == "credentials":
            return services.keys.recheck(seen, ACTOR).status
        return services.verifier.reprobe(seen, ACTOR).status


def _probed_since(seen: Registration, started_at: datetime) -> bool:
    return seen.last_verified_at is not None and seen.last_verified_at >= started_at
