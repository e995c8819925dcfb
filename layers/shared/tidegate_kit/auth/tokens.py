"""The one token verifier: ES256 only, strict, over the published key ring (AUTH-5, AUTH-6, IMP-6).

Sources: RFC 7515, RFC 8725 (algorithm from the ring, never from the token), RFC 9068 (at+jwt).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tidegate_kit.clock import Clock, from_epoch
from tidegate_kit.errors import Unauthenticated

AUDIENCE = "tidegate-api"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
SKEW_SECONDS = 60
MAX_TOKEN_CHARS = 8192
_YEAR_10000 = 253402300800  # seconds since 1970; datetime ends there
_LEGACY_LIFE = timedelta(hours=24)
_REQUIRED = ("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "tid", "sid", "role")
_LEGACY_REQUIRED = ("iss", "aud", "sub", "iat", "exp", "id", "role")


class TokenInvalid(Unauthenticated):
    code = "TOKEN_INVALID"
    message = "The access token is not valid. Sign in again."


class TokenExpired(Unauthenticated):
    code = "TOKEN_EXPIRED"
    message = "The access token has expired. Refresh it."


class TokenFormatRetired(Unauthenticated):
    code = "TOKEN_FORMAT_RETIRED"
    message = "Tokens of this old layout are no longer accepted. Sign in again."


@dataclass(frozen=True)
class PublicKey:
    """A ring entry: P-256 coordinates and how long it verifies."""

    kid: str
    key: ec.EllipticCurvePublicKey
    x: str
    y: str
    status: str
    retire_after: datetime | None

    def verifies_at(self, now: datetime) -> bool:
        """Published, active and not-yet-expired old keys verify; compromised ones never (A20)."""
        if self.status == "compromised":
            return False
        return self.retire_after is None or now <= self.retire_after

    def jwk(self) -> dict[str, str]:
        """The JWK of /.well-known/jwks.json."""
        return {
            "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y,
            "kid": self.kid, "use": "sig", "alg": "ES256",
        }  # fmt: skip


def public_key(
    kid: str, x: str, y: str, status: str, retire_after: datetime | None = None
) -> PublicKey:
    """Build a ring entry from base64url coordinates. Raises ValueError for a point off P-256."""
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(b64url_decode(x), "big"),
        int.from_bytes(b64url_decode(y), "big"),
        ec.SECP256R1(),
    )
    return PublicKey(kid, numbers.public_key(), x, y, status, retire_after)


class KeyRing:
    """Public keys by kid, read from the store at most once per interval (A27).

    An unknown kid never causes a read by itself: an early re-read happens once per
    `refresh_seconds`, however many unknown kids arrive.
    """

    def __init__(
        self, load: Callable[[], Mapping[str, PublicKey]], clock: Clock, refresh_seconds: int = 60
    ) -> None:
        self._load = load
        self._clock = clock
        self._interval = timedelta(seconds=refresh_seconds)
        self._keys: Mapping[str, PublicKey] = {}
        self._loaded_at: datetime | None = None

    def all(self) -> list[PublicKey]:
        """Every key that still verifies, for the JWKS route."""
        now = self._clock()
        self._refresh(now)
        return [key for key in self._keys.values() if key.verifies_at(now)]

    def find(self, kid: str) -> PublicKey | None:
        """The key of that id, if it verifies now."""
        now = self._clock()
        self._refresh(now)
        found = self._keys.get(kid)
        return found if found is not None and found.verifies_at(now) else None

    def _refresh(self, now: datetime) -> None:
        if self._loaded_at is None or now - self._loaded_at >= self._interval:
            self._keys = self._load()
            self._loaded_at = now


@dataclass(frozen=True)
class Claims:
    """Verified claims, the same for both layouts (AUTH-6)."""

    user_id: str
    tenant_id: str | None
    session_id: str | None
    token_id: str
    issued_at: datetime
    expires_at: datetime
    legacy: bool


@dataclass(frozen=True)
class LegacyPolicy:
    """Whether the legacy claim layout is accepted, and until when (AUTH-6)."""

    enabled: bool = False
    until: datetime | None = None

    def accepts(self, now: datetime) -> bool:
        """True while legacy tokens pass."""
        return self.enabled and self.until is not None and now < self.until


class TokenVerifier:
    """Verifies access tokens. Raises TokenInvalid, TokenExpired or TokenFormatRetired (401)."""

    def __init__(
        self, ring: KeyRing, issuer: str, clock: Clock, legacy: LegacyPolicy | None = None
    ) -> None:
        self._ring = ring
        self._issuer = issuer
        self._clock = clock
        self._legacy = legacy or LegacyPolicy()

    def verify(self, token: str) -> Claims:
        """Claims of a valid token. Checks form, header, signature, then type and claims."""
        header, raw = open_jws(token, self._ring)
        payload = _json_object(raw)
        legacy = "id" in payload
        types = ("at+jwt", "JWT") if legacy else ("at+jwt",)
        if header.get("typ") not in types:
            raise TokenInvalid
        return self._check_claims(payload, legacy=legacy)

    def _check_claims(self, payload: dict[str, Any], *, legacy: bool) -> Claims:
        now = self._clock()
        if legacy and not self._legacy.accepts(now):
            raise TokenFormatRetired
        for name in _LEGACY_REQUIRED if legacy else _REQUIRED:
            if name not in payload:
                raise TokenInvalid
        if payload["iss"] != self._issuer or payload["aud"] != AUDIENCE:
            raise TokenInvalid
        issued, expires = _moment(payload["iat"]), _moment(payload["exp"])
        not_before = _moment(payload.get("nbf", payload["iat"]))
        skew = timedelta(seconds=SKEW_SECONDS)
        if issued > now + skew or not_before > now + skew:
            raise TokenInvalid
        if legacy and expires - issued > _LEGACY_LIFE:
            raise TokenInvalid
        if expires + skew <= now:
            raise TokenExpired
        texts = ["id"] if legacy else ["sub", "tid", "sid", "jti"]
        if any(not isinstance(payload[name], str) or not payload[name] for name in texts):
            raise TokenInvalid
        if legacy:
            token_id = payload.get("jti")
            return Claims(
                payload["id"], None, None, token_id if isinstance(token_id, str) else "",
                issued, expires, True,
            )  # fmt: skip
        return Claims(
            payload["sub"], payload["tid"], payload["sid"], payload["jti"], issued, expires, False
        )


def _moment(value: object) -> datetime:
    # bool is an int in Python; NaN and Infinity are floats, and outside every range (A7).
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenInvalid
    if not 0 <= value < _YEAR_10000:
        raise TokenInvalid
    return from_epoch(value)


def open_jws(token: str, ring: KeyRing) -> tuple[dict[str, Any], bytes]:
    """Header and payload of a compact JWS signed by a key of the ring, whatever it claims.

    The text must be the one canonical encoding of its parts (A12). Raises TokenInvalid.
    """
    if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARS:
        raise TokenInvalid
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        raise TokenInvalid
    try:
        head, payload, signature = (b64url_decode(part) for part in parts)
    except ValueError:
        raise TokenInvalid from None
    header = _json_object(head)
    check_header(header)
    key = ring.find(header["kid"])
    if key is None or not signature_ok(f"{parts[0]}.{parts[1]}".encode(), signature, key):
        raise TokenInvalid
    return header, payload


def check_header(header: dict[str, Any]) -> None:
    """Raise TokenInvalid unless the header names ES256 and a kid, and nothing critical."""
    kid = header.get("kid")
    if (
        header.get("alg") != "ES256"
        or not isinstance(kid, str)
        or not 1 <= len(kid) <= 128
        or "crit" in header
        or "b64" in header
    ):
        raise TokenInvalid


def signature_ok(signed: bytes, signature: bytes, key: PublicKey) -> bool:
    """ES256 as RFC 7518 section 3.4 has it: r and s of 32 bytes each, nothing else."""
    if len(signature) != 64:
        return False
    return bool(jwt.get_algorithm_by_name("ES256").verify(signed, key.key, signature))


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError):
        raise TokenInvalid from None
    if not isinstance(value, dict):
        raise TokenInvalid
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def b64url_decode(text: str) -> bytes:
    """Strict base64url without padding. Raises ValueError for any other spelling."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64url") from error
    if b64url_encode(raw) != text:
        raise ValueError("not canonical base64url")
    return raw


def b64url_encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
