"""Monthly budgets by reserve and settle: what may be spent is taken before, what was spent counts.

Amounts are whole billionths of a US dollar (`tidegate_kit.money`). A counter holds `committed`
(used and reserved together), so that one condition decides: a reservation is made only while
committed + amount <= limit, for the tenant and for the user in the same transaction. A reservation
whose worker died is released by the sweep after its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from tidegate_kit.clock import Clock
from tidegate_kit.errors import ServiceUnavailable, TooManyRequests
from tidegate_kit.ids import IdFactory
from tidegate_kit.observability import logger

# Longer than any function that reserves may run, shorter than the 15 minutes of AI-2 with a sweep
# every 5 minutes: a reservation never ends while it is in use.
LIFETIME = timedelta(minutes=9)
KEPT = timedelta(days=100)  # reservations are the ledger of their month
_LOST_AGAIN = 5

State = Literal["reserved", "settled", "released"]
# Replaces a stored reservation by its end, as BudgetStore.close.
Close = Callable[["Reservation", "Reservation", datetime], None]


class BudgetExceeded(TooManyRequests):
    """There is not enough left for the worst case."""

    code = "BUDGET_EXCEEDED"
    message = "This would pass the budget of the month. Raise the budget, or wait for the next one."


class LimitsChanged(Exception):
    """The limits were changed between reading and reserving: read again."""


class ReservationEnded(Exception):
    """The reservation is not in the expected state (any more)."""


@dataclass(frozen=True)
class Limits:
    """Limits of a month; None: none. `revision` counts the changes."""

    monthly: int | None = None
    per_user: int | None = None
    revision: int = 0


@dataclass(frozen=True)
class Spend:
    """What a month has cost so far, and what is reserved."""

    used: int = 0
    reserved: int = 0

    @property
    def committed(self) -> int:
        """Used and reserved."""
        return self.used + self.reserved

    def remaining(self, limit: int | None) -> int | None:
        """What may still be reserved; None without a limit."""
        return None if limit is None else max(0, limit - self.committed)


@dataclass(frozen=True)
class Reservation:
    """One worst case taken from the budget, and what became of it."""

    id: str
    period: str
    user_id: str | None
    amount: int
    expires_at: datetime
    state: State = "reserved"
    settled: int = 0


@dataclass(frozen=True)
class ReservationRef:
    """Where a reservation is."""

    tenant_id: str
    id: str


class BudgetStore(Protocol):
    """Limits, counters and reservations of one tenant."""

    def limits(self) -> Limits:
        """The present limits."""

    def set_limits(self, monthly: int | None, per_user: int | None, now: datetime) -> Limits:
        """Change the limits; what is committed already stays."""

    def spend(self, period: str, user_id: str | None = None) -> Spend:
        """A month of the tenant, or of one user."""

    def add(self, wanted: Reservation, limits: Limits, now: datetime) -> Reservation:
        """Take `wanted` from the counters; one that is there already is given back as stored.

        Raises BudgetExceeded, LimitsChanged.
        """

    def get(self, reservation_id: str) -> Reservation | None:
        """A reservation."""

    def close(self, old: Reservation, new: Reservation, now: datetime) -> None:
        """Replace `old` by its end and correct the counters, at once.

        Raises ReservationEnded when the stored one is not in `old`'s state.
        """

    def mark_exceeded(self, period: str, limits: Limits, now: datetime) -> None:
        """Note that the month's limit was met, once for each limit: budget.exceeded follows."""


class GlobalReservations(Protocol):
    """Reservations of every tenant that are past their end."""

    def expired(self, now: datetime, limit: int) -> list[ReservationRef]:
        """Open reservations whose end has passed; may lag, so look again before acting."""


def period_of(moment: datetime) -> str:
    """The month of an instant, UTC: 2026-03."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def resets_at(moment: datetime) -> datetime:
    """When the next month begins."""
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


class Budgets:
    """Reserve, settle, release for one tenant."""

    def __init__(self, store: BudgetStore, clock: Clock, ids: IdFactory) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    def reserve(
        self, amount: int, user_id: str | None = None, *, reservation_id: str | None = None
    ) -> Reservation:
        """Take the worst case of one call. The same id again gives the same reservation.

        Raises BudgetExceeded, ServiceUnavailable, ValueError for a negative amount.
        """
        if amount < 0:
            raise ValueError("a reservation is not negative")
        now = self._clock()
        wanted = Reservation(
            reservation_id or self._ids(), period_of(now), user_id, amount, now + LIFETIME
        )
        for _ in range(_LOST_AGAIN):
            limits = self._store.limits()
            try:
                return self._store.add(wanted, limits, now)
            except LimitsChanged:
                continue
            except BudgetExceeded:
                self._store.mark_exceeded(wanted.period, limits, now)
                raise
        raise ServiceUnavailable(log="the budget's limits keep changing")

    def settle(
        self, reservation: Reservation, cost: int, close: Close | None = None
    ) -> Reservation:
        """Count what the call cost, at most what was reserved. A second time changes nothing.

        A reservation that was released meanwhile is counted all the same: the money is spent.
        `close` takes the place of the store's own, to commit more in the same transaction.
        """
        if cost < 0:
            raise ValueError("a cost is not negative")
        if cost > reservation.amount:
            # The reserve is the worst case of the catalogue's prices: the provider counts wrongly.
            logger.error("a call cost more than its worst case", reservation_id=reservation.id)
        return self._end(reservation, "settled", min(cost, reservation.amount), close)

    def release(self, reservation: Reservation) -> Reservation:
        """Give an unused reservation back. One that is settled stays so."""
        return self._end(reservation, "released", 0, None)

    def _end(
        self, reservation: Reservation, state: State, cost: int, close: Close | None
    ) -> Reservation:
        now = self._clock()
        for _ in range(_LOST_AGAIN):
            stored = self._store.get(reservation.id)
            if stored is None:
                raise ReservationEnded(reservation.id)
            if stored.state == "settled" or stored.state == state:
                return stored
            new = replace(stored, state=state, settled=cost)
            try:
                (close or self._store.close)(stored, new, now)
                return new
            except ReservationEnded:
                continue
        raise ServiceUnavailable(log=f"reservation {reservation.id} keeps changing")


def sweep(
    everything: GlobalReservations,
    store_of: Callable[[str], BudgetStore],
    clock: Clock,
    limit: int = 500,
) -> int:
    """Release what dead workers have left reserved; how many were released (AI-2)."""
    released = 0
    for ref in everything.expired(clock(), limit):
        store = store_of(ref.tenant_id)
        found = store.get(ref.id)
        if found is None or found.state != "reserved" or not ended(found, clock()):
            continue
        try:
            store.close(found, replace(found, state="released"), clock())
            released += 1
        except ReservationEnded:
            continue  # settled at this moment
    return released


def ended(reservation: Reservation, now: datetime) -> bool:
    """True when no worker can still be using it."""
    return reservation.expires_at <= now


def within(limit: int | None, amount: int) -> bool:
    """True when an empty month can hold the amount."""
    return limit is None or amount <= limit
