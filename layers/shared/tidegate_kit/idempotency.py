"""Idempotency-Key (IDEM-1): one effect and one answer per key, kept 24 h encrypted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute

from tidegate_kit.clock import Clock, epoch
from tidegate_kit.crypto import SealContext, Sealer
from tidegate_kit.dynamo import ConditionFailed, Table, store_errors
from tidegate_kit.errors import Conflict, Detail, ServiceUnavailable, Unprocessable

_KEEP = timedelta(hours=24)
_IN_FLIGHT = timedelta(seconds=60)  # longer than any HTTP function may run (30 s)
_NOT_KEPT = frozenset({401, 403, 429})


class IdempotencyInFlight(Conflict):
    code = "IDEMPOTENCY_IN_FLIGHT"
    message = "The first call with this Idempotency-Key is still running."


class IdempotencyKeyReused(Unprocessable):
    code = "IDEMPOTENCY_KEY_REUSED"
    message = "This Idempotency-Key was used with another body."


@dataclass(frozen=True)
class Kept:
    """A finished call's answer."""

    status: int
    body: str


class IdempotencyItem(Table):
    """pk scope (user partition, or PUBLIC), sk IDEM#<hash of method, path, key>. TTL `expires`."""

    class Meta:
        table_name = "platform"

    request_hash = UnicodeAttribute()
    attempt = UnicodeAttribute()
    running_until = UTCDateTimeAttribute()
    kept_until = UTCDateTimeAttribute(null=True)
    status = NumberAttribute(null=True)
    sealed_body = UnicodeAttribute(null=True)
    expires = NumberAttribute()


class IdempotencyStore(Protocol):
    """Keeps first answers."""

    def begin(self, scope: str, route: str, key: str, body: bytes, attempt: str) -> Kept | None:
        """Claim the key, or give the kept answer. Raises the two errors above."""

    def finish(self, scope: str, route: str, key: str, attempt: str, kept: Kept | None) -> None:
        """Keep the answer, or free the key (`kept` None)."""


def keepable(status: int) -> bool:
    """401, 403, 429 and 5xx are not kept (IDEM-1)."""
    return status < 500 and status not in _NOT_KEPT


def check_key(key: str) -> str:
    """1 to 128 printable ASCII characters, else 422."""
    if not 1 <= len(key) <= 128 or not all(" " <= char <= "~" for char in key):
        raise Unprocessable(
            details=[Detail("Idempotency-Key", "must be 1 to 128 printable ASCII characters")]
        )
    return key


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\x00".join(parts)).hexdigest()


def effect_key(scope: str, route: str, key: str) -> str:
    """A name for the effect of every call under one key: 64 hex digits, unguessable without it."""
    return _digest(scope.encode(), route.encode(), key.encode())


class DynamoIdempotencyStore:
    """IdempotencyStore on the platform table; one conditional put claims a key."""

    def __init__(self, clock: Clock, sealer: Callable[[], Sealer]) -> None:
        self._clock = clock
        self._sealer = sealer

    def begin(self, scope: str, route: str, key: str, body: bytes, attempt: str) -> Kept | None:
        now = self._clock()
        item = IdempotencyItem(
            scope,
            self._sk(route, key),
            request_hash=_digest(body),
            attempt=attempt,
            running_until=now + _IN_FLIGHT,
            expires=epoch(now + _KEEP),
            created_at=now,
            updated_at=now,
        )
        free = (
            IdempotencyItem.pk.does_not_exist()
            | (IdempotencyItem.kept_until.exists() & (IdempotencyItem.kept_until <= now))
            | (IdempotencyItem.kept_until.does_not_exist() & (IdempotencyItem.running_until <= now))
        )
        try:
            with store_errors():
                item.save(condition=free)
            return None
        except ConditionFailed:
            return self._existing(scope, route, key, item.request_hash, now)

    def _existing(self, scope: str, route: str, key: str, request_hash: str, now: datetime) -> Kept:
        with store_errors():
            found = next(
                iter(
                    IdempotencyItem.query(
                        scope,
                        IdempotencyItem.sk == self._sk(route, key),
                        consistent_read=True,
                        limit=1,
                    )
                ),
                None,
            )
        if found is None:
            raise ServiceUnavailable(log="idempotency record vanished between two reads")
        if found.request_hash != request_hash:
            raise IdempotencyKeyReused
        if found.kept_until is None or found.sealed_body is None or found.status is None:
            left = max(1, int((found.running_until - now).total_seconds()) + 1)
            raise IdempotencyInFlight(headers={"Retry-After": str(left)})
        body = self._sealer().open(found.sealed_body, self._context(scope, route, key))
        return Kept(int(found.status), body)

    def finish(self, scope: str, route: str, key: str, attempt: str, kept: Kept | None) -> None:
        now = self._clock()
        item = IdempotencyItem(scope, self._sk(route, key))
        mine = IdempotencyItem.attempt == attempt
        try:
            with store_errors():
                if kept is None:
                    item.delete(condition=mine)
                    return
                sealed = self._sealer().seal(kept.body, self._context(scope, route, key))
                item.update(
                    actions=[
                        IdempotencyItem.status.set(kept.status),
                        IdempotencyItem.sealed_body.set(sealed),
                        IdempotencyItem.kept_until.set(now + _KEEP),
                        IdempotencyItem.updated_at.set(now),
                    ],
                    condition=mine,
                )
        except ConditionFailed:
            # Another attempt took over after ours had expired; its answer is the kept one (H30).
            return

    @staticmethod
    def _sk(route: str, key: str) -> str:
        return f"IDEM#{_digest(route.encode(), key.encode())}"

    def _context(self, scope: str, route: str, key: str) -> SealContext:
        return SealContext(scope, self._sk(route, key), "response")
