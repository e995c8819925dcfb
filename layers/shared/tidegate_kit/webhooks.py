"""Standard Webhooks: signing what we send, verifying what we get (INT-5, WF-14).

Source: the Standard Webhooks specification, version 1.0.0 (symmetric signatures). The reference
library decodes bodies to text, reads the system clock and accepts loose base64, so signing and
verifying are done here over raw bytes; tests check both against the library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets as random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tidegate_kit.clock import epoch, from_epoch, iso
from tidegate_kit.errors import Unauthenticated

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix
TOLERANCE_SECONDS = 300
ROTATION_OVERLAP = timedelta(hours=24)
MAX_SIGNATURES = 10
_SECRET_BYTES = range(24, 65)
_MAX_SIGNATURE_CHARS = 1024
# Id and timestamp are joined with full stops before signing, so neither may hold one.
_ID = re.compile(r"[A-Za-z0-9_:@~+/=-]{1,128}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,11}", re.ASCII)  # seconds; milliseconds are longer
_NOBODY = b"\x00" * 32


class InvalidSignature(Unauthenticated):
    """The one answer to an unknown endpoint, a bad signature and an old message (F22)."""

    code = "INVALID_SIGNATURE"
    message = "The webhook signature is not valid."


@dataclass(frozen=True)
class WebhookSecrets:
    """The secret of an endpoint, and the one before it until its overlap ends (F18)."""

    current: str = field(repr=False)
    previous: str | None = field(default=None, repr=False)
    rotated_at: datetime | None = None

    def at(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign and verify at that moment, newest first."""
        if self.previous is None or self.rotated_at is None:
            return (self.current,)
        if now >= self.rotated_at + ROTATION_OVERLAP:
            return (self.current,)
        return (self.current, self.previous)

    def rotated(self, fresh: str, now: datetime) -> WebhookSecrets:
        """With a fresh secret; the present one signs beside it for 24 h."""
        return WebhookSecrets(fresh, self.current, now)


@dataclass(frozen=True)
class ReceivedWebhook:
    """What a verified message says of itself."""

    id: str
    sent_at: datetime


def new_webhook_secret(source: Callable[[int], bytes] = random.token_bytes) -> str:
    """`whsec_` and base64 of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(source(32)).decode()


def secret_key(secret: str) -> bytes:
    """The key of a secret. Raises ValueError unless it is whsec_ and base64 of 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) not in _SECRET_BYTES:
        raise ValueError("a webhook secret is whsec_ and base64 of 24 to 64 bytes")
    return key


def event_body(event_type: str, moment: datetime, data: Any) -> bytes:
    """The body {type, timestamp, data} of an outbound event (INT-5)."""
    event = {"type": event_type, "timestamp": iso(moment), "data": data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def signed_headers(
    secrets: Sequence[str], message_id: str, moment: datetime, body: bytes
) -> dict[str, str]:
    """The three webhook headers; one signature per secret. `message_id` stays over all retries.

    Raises ValueError for an id that cannot be signed, no secret, or a malformed one.
    """
    if not secrets or _ID.fullmatch(message_id) is None:
        raise ValueError("a webhook needs a secret and an id without full stop or space")
    timestamp = str(epoch(moment))
    signatures = [
        "v1," + base64.b64encode(_mac(secret_key(secret), message_id, timestamp, body)).decode()
        for secret in secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def verify_webhook(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> ReceivedWebhook:
    """Check a message's raw body before anything parses it (WF-14).

    `secrets`: those of the endpoint at `now`; none for an unknown endpoint, which costs and
    answers the same as a wrong signature. Raises InvalidSignature.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id = given.get("webhook-id", "")
    timestamp = given.get("webhook-timestamp", "")
    presented = _signatures(given.get("webhook-signature", ""))
    keys = [secret_key(secret) for secret in secrets] or [_NOBODY]
    matches = 0
    for key in keys:
        expected = _mac(key, message_id, timestamp, body)
        matches += sum(hmac.compare_digest(expected, signature) for signature in presented)
    if (
        not matches
        or not secrets
        or _ID.fullmatch(message_id) is None
        or _TIMESTAMP.fullmatch(timestamp) is None
        or abs(epoch(now) - int(timestamp)) > TOLERANCE_SECONDS
    ):
        raise InvalidSignature
    return ReceivedWebhook(message_id, from_epoch(int(timestamp)))


def _mac(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "surrogatepass")
    return hmac.new(key, signed + body, hashlib.sha256).digest()


def _signatures(header: str) -> list[bytes]:
    """The v1 signatures of the header; none where it is longer than any honest one."""
    parts = header.split(" ")
    if len(header) > _MAX_SIGNATURE_CHARS or len(parts) > MAX_SIGNATURES:
        return []
    found = []
    for part in parts:
        version, comma, text = part.partition(",")
        if version != "v1" or not comma or not text.isascii():
            continue
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(raw) == 32 and base64.b64encode(raw).decode() == text:
            found.append(raw)
    return found
