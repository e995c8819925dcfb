"""The secret key of a tenant's audit log: 32 random octets, sealed by KMS, stored beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from tidegate_kit.auth.tokens import b64url_decode
from tidegate_kit.crypto import SealBroken, SealContext, Sealer
from tidegate_kit.ids import new_secret

_OCTETS: Final = 32


class KeyStore(Protocol):
    """Where the sealed key is."""

    def get(self) -> str | None:
        """The sealed key; None where there is none."""

    def add(self, sealed: str) -> str:
        """Store the first key; returns the one that is stored then, this or another's."""


class AuditVault:
    """The key of one tenant."""

    def __init__(self, tenant_id: str, store: KeyStore, sealer: Sealer) -> None:
        self._tenant_id = tenant_id
        self._store = store
        self._sealer = sealer

    def make(self) -> bytes:
        """The key; a new one where there is none. Raises SealBroken, ServiceUnavailable."""
        sealed = self._store.get()
        if sealed is None:
            made = self._sealer.seal(new_secret(_OCTETS), _context(self._tenant_id))
            sealed = self._store.add(made)
        return _Opener(self._tenant_id, self._sealer).open(sealed)

    def find(self) -> bytes | None:
        """The key; None where there is none, or none that can be opened."""
        sealed = self._store.get()
        if sealed is None:
            return None
        try:
            return _Opener(self._tenant_id, self._sealer).open(sealed)
        except SealBroken:
            return None


def _context(tenant_id: str) -> SealContext:
    return SealContext(tenant_id, "audit", "key")


@dataclass(frozen=True)
class _Opener:
    """Opens one tenant's key; equal for equal tenants and sealers."""

    tenant_id: str
    sealer: Any

    @lru_cache(maxsize=64)  # noqa: B019 - bounded, and named by the exact ciphertext: never stale
    def open(self, sealed: str) -> bytes:
        """The key."""
        return b64url_decode(self.sealer.open(sealed, _context(self.tenant_id)))
