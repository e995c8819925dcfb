"""The audit chain as pure functions: how an entry is made, and what is wrong with a log (GOV-5).

hash = SHA-256(prev_hash + canonical entry): the entry is RFC 8785 JSON of what is answered without
prev_hash and hash, prev_hash is 64 hex digits, zeros before the first. A secret key of the tenant
authenticates each hash, so that a chain recomputed from a forged entry is not a valid one (H23).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import rfc8785
from tidegate_kit.clock import iso

from tidegate.governance.domain import AuditAct

GENESIS: Final = "0" * 64


@dataclass(frozen=True)
class Entry:
    """An entry as it is stored. `place` is what its key says its sequence is; 0 for a bad key."""

    place: int
    body: str
    prev_hash: str
    hash: str
    mac: str
    timestamp: str
    actor_id: str
    actor_email: str
    action: str
    at: datetime
    is_plain: bool = True

    @property
    def fields(self) -> dict[str, Any]:
        """The entry as answered, without its hashes. Raises ValueError."""
        read: dict[str, Any] = json.loads(self.body)
        return read


@dataclass(frozen=True)
class Mark:
    """A signed position: the head of the chain, or a copy of it kept elsewhere."""

    sequence: int
    hash: str
    mac: str


@dataclass(frozen=True)
class Verification:
    """`first_bad_sequence` is None for a good log; `head_hash` is the last good hash."""

    valid: bool
    first_bad_sequence: int | None
    head_hash: str


def link(prev_hash: str, body: str) -> str:
    """The hash of an entry."""
    return hashlib.sha256(prev_hash.encode() + body.encode()).hexdigest()


def sign(key: bytes, sequence: int, hash_: str) -> str:
    """What authenticates a hash at its place."""
    return hmac.new(key, f"{sequence}:{hash_}".encode(), hashlib.sha256).hexdigest()


def mark(key: bytes, sequence: int, hash_: str) -> Mark:
    """A signed position."""
    return Mark(sequence, hash_, sign(key, sequence, hash_))


def entry_of(key: bytes, sequence: int, prev_hash: str, act: AuditAct) -> Entry:
    """The next entry. Raises ValueError for details that are no plain JSON."""
    at = act.at.replace(microsecond=act.at.microsecond // 1000 * 1000)
    fields: dict[str, Any] = {
        "sequence": sequence,
        "timestamp": iso(at),
        "actor": dict(vars(act.actor)),
        "action": act.action,
        "resource": {"type": act.resource_type, "id": act.resource_id},
        "outcome": act.outcome,
        "request_id": act.request_id,
        "details": dict(act.details),
    }
    body = rfc8785.dumps(fields).decode()
    hash_ = link(prev_hash, body)
    return Entry(
        sequence, body, prev_hash, hash_, sign(key, sequence, hash_), iso(at), act.actor.id,
        act.actor.email, act.action, at,
    )  # fmt: skip


class Verifier:
    """Checks a log entry by entry, in order, and says at the end what is wrong first.

    `checkpoint` is a copy of the head in another store: a tail that is cut off together with the
    head is missed by it. `key` None: there is no usable key, so nothing is good.
    """

    def __init__(self, key: bytes | None, checkpoint: Mark | None) -> None:
        self._key = key
        self._checkpoint = checkpoint
        self._bad: int | None = None
        self.last = 0
        self.hash = GENESIS

    def feed(self, entry: Entry) -> bool:
        """Check the next entry; False from the first bad one on."""
        if self._bad is None:
            place = self.last + 1
            good = self._key is not None and is_good(entry, place, self.hash, self._key)
            copied = self._checkpoint
            if good and copied is not None and copied.sequence == place:
                good = copied.hash == entry.hash
            if not good:
                self._bad = place
            else:
                self.last, self.hash = place, entry.hash
        return self._bad is None

    def finish(self, head: Mark | None) -> Verification:
        """The result; `head` was read after the last entry."""
        bad = self._bad if self._bad is not None else self._bad_end(head)
        return Verification(bad is None, bad, self.hash)

    def _bad_end(self, head: Mark | None) -> int | None:
        if head is None and self.last == 0 and self._checkpoint is None:
            return None  # nothing was ever written
        if head is None:
            return self.last + 1
        for each in (head, self._checkpoint):
            if each is None:
                continue
            if self._key is None or each.mac != sign(self._key, each.sequence, each.hash):
                return max(self.last, 1)
            if each.sequence > self.last:
                return self.last + 1
        if head.sequence < self.last:
            return head.sequence + 1
        return None if head.hash == self.hash else self.last


def is_good(entry: Entry, sequence: int, prev_hash: str, key: bytes) -> bool:
    """True for the entry that belongs at this place."""
    if entry.place != sequence or entry.prev_hash != prev_hash or not entry.is_plain:
        return False
    if entry.hash != link(prev_hash, entry.body):
        return False
    if not hmac.compare_digest(entry.mac.encode(), sign(key, sequence, entry.hash).encode()):
        return False
    fields = entry.fields  # its hash is right, so it is what entry_of wrote
    repeated = (entry.timestamp, entry.actor_id, entry.actor_email, entry.action)
    actor = fields["actor"]
    written = (fields["timestamp"], actor["id"], actor["email"], fields["action"])
    return bool(
        fields["sequence"] == sequence
        and repeated == written
        and iso(entry.at) == written[0]
        and entry.at.microsecond % 1000 == 0
    )
