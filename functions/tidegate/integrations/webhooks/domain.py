"""Webhooks, deliveries and the retry table; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from tidegate_kit.ids import id_from

from tidegate.integrations.domain import Record

DeliveryStatus = Literal["pending", "delivered", "failed", "dead"]
DEFAULT_ID = "default"
EVERY_TYPE = "*"
MAX_WEBHOOKS = 50
MAX_BODY_BYTES = 256 * 1024  # of a body kept in its row; an execution's outcome is read when sent
ATTEMPT_SECONDS = 15.0  # INT-6
KEPT = timedelta(days=14)
# INT-6: the wait before each further attempt; after the last the delivery is dead.
RETRY_AFTER = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600)
)
LONGEST_WAIT = timedelta(hours=24)  # a receiver's Retry-After is followed up to this
JITTER = 0.1  # waits are up to this share longer, never shorter, so that retries do not meet
MAX_RESTARTS = 5
KEPT_TRIES = 20
_STEERING = frozenset({429, 503})  # the answers whose Retry-After is followed
GONE = 410


@dataclass(frozen=True, kw_only=True)
class Webhook(Record):
    """Where events of a tenant go. Secrets are sealed; `url` is empty on a default without one.

    `disabled_reason`: why the platform disabled it; `delivered_at`: a recent success (within 1 h).
    """

    url: str
    event_types: tuple[str, ...]
    enabled: bool
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    rotated_at: datetime | None = None
    disabled_reason: str | None = None
    delivered_at: datetime | None = None

    def wants(self, event_type: str) -> bool:
        """True if an event of that type is to be delivered here."""
        subscribed = EVERY_TYPE in self.event_types or event_type in self.event_types
        return self.enabled and bool(self.url) and subscribed


@dataclass(frozen=True)
class Try:
    """One attempt: when, the status or the reason why there was none, and how long it took."""

    at: datetime
    status_code: int | None
    error: str | None
    millis: int


@dataclass(frozen=True, kw_only=True)
class Delivery(Record):
    """One event on its way to one address. Its id is the webhook-id of every attempt.

    body: the bytes sent, as text; None: made when sent from the outcome of `execution_id`.
    fixed_url: the address was given with the event; else the webhook's own of the moment.
    round: counts machines started for it; `tries` counts attempts of the present round.
    """

    webhook_id: str
    event_type: str
    url: str
    fixed_url: bool
    body: str | None = field(default=None, repr=False)
    execution_id: str | None = None
    occurred_at: datetime
    status: DeliveryStatus = "pending"
    attempts: int = 0
    tries: int = 0
    round: int = 1
    restarts: int = 0
    due_at: datetime
    last_status_code: int | None = None
    last_error: str | None = None
    history: tuple[Try, ...] = ()

    @property
    def ended(self) -> bool:
        """True when no attempt follows."""
        return self.status in ("delivered", "dead")

    def tried(self, outcome: Try, now: datetime) -> Delivery:
        """With one more attempt recorded; its status is decided by the caller."""
        return replace(
            self,
            attempts=self.attempts + 1,
            tries=self.tries + 1,
            last_status_code=outcome.status_code,
            last_error=outcome.error,
            history=(*self.history, outcome)[-KEPT_TRIES:],
            updated_at=now,
        )


def delivery_id(tenant_id: str, webhook_id: str, url: str | None, source_id: str) -> str:
    """The same event for the same receiver is the same delivery, however often it is told."""
    return id_from("\n".join(("delivery", tenant_id, webhook_id, url or "", source_id)))


def next_wait(tries: int, asked: timedelta | None, share: Callable[[], float]) -> timedelta | None:
    """The wait after so many failed attempts; None: no further one.

    asked: what the receiver's Retry-After says; share: random, 0 to 1.
    """
    if tries > len(RETRY_AFTER):
        return None
    wait = RETRY_AFTER[tries - 1] * (1 + JITTER * share())
    return wait if asked is None else max(wait, min(asked, LONGEST_WAIT))


def retry_after(status: int, header: str | None, now: datetime) -> timedelta | None:
    """The wait that an answer asks for: seconds or an HTTP date (RFC 9110); None: none, or none
    that makes sense."""
    if status not in _STEERING or header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return LONGEST_WAIT if len(text) > 9 else timedelta(seconds=int(text))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(timedelta(0), moment - now)


def silent_since(webhook: Webhook, delivery: Delivery) -> bool:
    """True if nothing reached the webhook while this delivery was tried in vain (F16)."""
    return webhook.delivered_at is None or webhook.delivered_at < delivery.created_at


def unknown_types(given: Sequence[str], known: frozenset[str]) -> list[int]:
    """Positions of what is neither an event type nor `*`."""
    return [place for place, name in enumerate(given) if name != EVERY_TYPE and name not in known]
