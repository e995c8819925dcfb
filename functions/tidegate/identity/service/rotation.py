"""Creates, publishes, activates and retires signing keys (AUTH-10).

The private ring (one secret) decides; the published items follow it. A new public half is stored
before its private half can sign, at least ten minutes before its first use, except where nothing
else could sign.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from tidegate_kit.auth.models import SigningKeyItem
from tidegate_kit.auth.tokens import SKEW_SECONDS
from tidegate_kit.clock import Clock
from tidegate_kit.observability import logger

from tidegate.identity.keys import REFRESH, PrivateKey, new_private_key, parse_ring
from tidegate.identity.repository.keys import RING, PublicKeys
from tidegate.identity.service.access_tokens import CROSS_SYSTEM_LIFE

KEY_LIFE = timedelta(days=30)
# The schedule is hourly, so a run always falls between publication and first use.
PUBLISHED_BEFORE = timedelta(hours=2)
LONGEST_TOKEN = CROSS_SYSTEM_LIFE
# Skew of verifiers, and the minute for which a process may hold an older ring.
GRACE = timedelta(seconds=SKEW_SECONDS) + REFRESH
_LEASE = timedelta(minutes=5)
_KEPT = timedelta(days=30)  # a retired public key stays on record


class RingSecret(Protocol):
    """The secret that holds the private ring."""

    def read(self) -> str:
        """Its text."""

    def write(self, text: str) -> None:
        """Replace its text."""


class KeyRotation:
    """One run of the rotation; safe to repeat at any point of failure."""

    def __init__(
        self,
        secret: RingSecret,
        published: PublicKeys,
        stage: str,
        clock: Clock,
        make: Callable[[str, datetime], PrivateKey] = new_private_key,
    ) -> None:
        self._secret = secret
        self._published = published
        self._stage = stage
        self._clock = clock
        self._make = make

    def run(self) -> dict[str, object]:
        """Rotate if due. Returns {"busy"} or {"keys": [{kid, status}]} for the log."""
        now = self._clock()
        if not self._published.lease(now + _LEASE, now):
            return {"busy": True}
        try:
            ring = parse_ring(self._secret.read(), self._stage)
            ring = self._add_if_due(ring, now)
            ring = self._set_ends(ring)
            ring = self._store(ring, now)
            self._follow(ring, now)
        finally:
            self._published.release()
        keys = [{"kid": one.kid, "status": one.status} for one in self._published.all()]
        return {"busy": False, "keys": keys}

    def _add_if_due(self, ring: list[PrivateKey], now: datetime) -> list[PrivateKey]:
        compromised = {one.kid for one in self._published.all() if one.status == "compromised"}
        ring = [key for key in ring if key.kid not in compromised]
        newest = max((key.active_from for key in ring), default=None)
        if newest is None or all(key.active_from > now for key in ring):
            start = now  # nobody can sign: waiting would only keep everybody out
        elif newest + KEY_LIFE > now + PUBLISHED_BEFORE:
            return ring
        else:
            start = max(now + PUBLISHED_BEFORE, newest + KEY_LIFE)
        made = self._make(self._stage, start)
        x, y = made.coordinates
        self._published.publish(
            SigningKeyItem(
                RING, f"KEY#{made.kid}", kid=made.kid, x=x, y=y, status="published",
                active_from=made.active_from, created_at=now, updated_at=now,
            )
        )  # fmt: skip
        logger.info("a signing key was published", kid=made.kid)
        return [*ring, made]

    @staticmethod
    def _set_ends(ring: list[PrivateKey]) -> list[PrivateKey]:
        """Each key verifies until the last token it signed has expired, plus grace."""
        ordered = sorted(ring, key=lambda key: key.active_from)
        ends = [key.active_from + LONGEST_TOKEN + GRACE for key in ordered[1:]]
        return [
            replace(key, retire_after=end) for key, end in zip(ordered, [*ends, None], strict=True)
        ]

    def _store(self, ring: list[PrivateKey], now: datetime) -> list[PrivateKey]:
        kept = [key for key in ring if key.retire_after is None or key.retire_after > now]
        text = json.dumps({"keys": [key.as_json() for key in kept]})
        if text != self._secret.read():
            self._secret.write(text)
        return kept

    def _follow(self, ring: list[PrivateKey], now: datetime) -> None:
        """Bring the published items in line with the ring."""
        active = max((key.active_from for key in ring if key.active_from <= now), default=None)
        by_kid = {key.kid: key for key in ring}
        for item in self._published.all():
            if item.status == "compromised":
                continue
            key = by_kid.get(item.kid)
            if key is None and item.retire_after and item.retire_after + _KEPT < now:
                self._published.forget(item.kid)
                continue
            status, end = _wanted(item, key, active, now)
            if (item.status, item.retire_after) != (status, end):
                self._published.mark(item.kid, status, end, now)


def _wanted(
    item: SigningKeyItem, key: PrivateKey | None, active: datetime | None, now: datetime
) -> tuple[str, datetime | None]:
    if key is None:
        # Dropped from the ring after its end, or published by a run that failed before storing.
        return "retired", item.retire_after or now
    if active is None or key.active_from > active:
        return "published", key.retire_after
    return ("active" if key.active_from == active else "retired"), key.retire_after
