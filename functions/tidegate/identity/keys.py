"""The ring of signing keys: strict loading, the active key, rotation (AUTH-10, A20, A23).

Private halves are one JSON secret: {"keys": [{"kid", "private_pem", "active_from", "retire_after",
"stage"}]}. Public halves are items that every function reads. Which key signs follows from the
times alone: the newest one whose `active_from` has come and that is not compromised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tidegate_kit.auth.tokens import PublicKey, b64url_encode
from tidegate_kit.clock import Clock

from tidegate.identity.errors import KeyRingUnusable

REFRESH = timedelta(seconds=60)


@dataclass(frozen=True)
class PrivateKey:
    """One private key of the ring."""

    kid: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    active_from: datetime
    retire_after: datetime | None
    stage: str

    @property
    def coordinates(self) -> tuple[str, str]:
        """x and y of the public half, base64url of 32 bytes each."""
        numbers = self.key.public_key().public_numbers()
        return (
            b64url_encode(numbers.x.to_bytes(32, "big")),
            b64url_encode(numbers.y.to_bytes(32, "big")),
        )

    def as_json(self) -> dict[str, Any]:
        """The entry of the secret."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "kid": self.kid,
            "private_pem": pem.decode(),
            "active_from": self.active_from.isoformat(),
            "retire_after": self.retire_after.isoformat() if self.retire_after else None,
            "stage": self.stage,
        }


def new_private_key(stage: str, active_from: datetime) -> PrivateKey:
    """A fresh P-256 key; its kid is the JWK thumbprint (RFC 7638) with the stage in front."""
    made = PrivateKey("", ec.generate_private_key(ec.SECP256R1()), active_from, None, stage)
    x, y = made.coordinates
    canonical = json.dumps(
        {"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":"), sort_keys=True
    )
    thumbprint = b64url_encode(hashlib.sha256(canonical.encode()).digest())
    return PrivateKey(f"{stage}-{thumbprint}", made.key, active_from, None, stage)


def parse_ring(secret: str, stage: str) -> list[PrivateKey]:
    """The private keys of the secret; may be empty. Raises KeyRingUnusable, never with a key."""
    try:
        entries = json.loads(secret)["keys"]
        ring = [_parse_entry(entry) for entry in entries]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _unusable("the secret is not a list of EC private keys") from None
    if len({key.kid for key in ring}) != len(ring):
        raise _unusable("a kid occurs twice")
    for key in ring:
        if not isinstance(key.key, ec.EllipticCurvePrivateKey) or not isinstance(
            key.key.curve, ec.SECP256R1
        ):
            raise _unusable(f"key {key.kid} is not on P-256")
        if key.stage != stage:
            raise _unusable(f"key {key.kid} belongs to stage {key.stage}")
    return ring


def _parse_entry(entry: Mapping[str, Any]) -> PrivateKey:
    key: Any = serialization.load_pem_private_key(entry["private_pem"].encode(), None)
    retire = entry.get("retire_after")
    return PrivateKey(
        str(entry["kid"]),
        key,
        datetime.fromisoformat(entry["active_from"]),
        datetime.fromisoformat(retire) if retire else None,
        str(entry["stage"]),
    )


def _unusable(reason: str) -> KeyRingUnusable:
    return KeyRingUnusable(log=f"signing keys unusable: {reason}")


def active_key(
    ring: Sequence[PrivateKey], published: Mapping[str, PublicKey], now: datetime
) -> PrivateKey:
    """The one key that signs now. Raises KeyRingUnusable where the halves differ or none may."""
    for key in ring:
        public = published.get(key.kid)
        if public is not None and (public.x, public.y) != key.coordinates:
            raise _unusable(f"key {key.kid} differs from its published half")
    usable = [
        key
        for key in ring
        if key.active_from <= now
        and (public := published.get(key.kid)) is not None
        and public.verifies_at(now)
    ]
    if not usable:
        raise _unusable("no active key; run the key rotation function")
    return max(usable, key=lambda key: key.active_from)


class KeyVault:
    """Keeps the ring of this process for a minute; a failed load keeps nothing."""

    def __init__(
        self,
        read_secret: Callable[[], str],
        published: Callable[[], Mapping[str, PublicKey]],
        stage: str,
    ) -> None:
        self._read_secret = read_secret
        self._published = published
        self._stage = stage
        self._ring: Sequence[PrivateKey] = ()
        self._public: Mapping[str, PublicKey] = {}
        self._loaded_at: datetime | None = None

    def signer(self, clock: Clock) -> PrivateKey:
        """The active key. Raises KeyRingUnusable (503)."""
        now = clock()
        if self._loaded_at is None or now - self._loaded_at >= REFRESH or now < self._loaded_at:
            self._loaded_at = None
            self._ring = parse_ring(self._read_secret(), self._stage)
            self._public = self._published()
            active_key(self._ring, self._public, now)
            self._loaded_at = now
        return active_key(self._ring, self._public, now)
