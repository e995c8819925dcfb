"""In-memory twin of the budget store; one object for all tenants, one lock for atomicity."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime

from tidegate_kit.budgets import (
    BudgetExceeded,
    Limits,
    LimitsChanged,
    Reservation,
    ReservationEnded,
    ReservationRef,
    Spend,
)


@dataclass
class MemoryBudgets:
    """Every tenant's budgets; also GlobalReservations."""

    limits: dict[str, Limits] = field(default_factory=dict)
    counters: dict[tuple[str, str, str | None], Spend] = field(
        default_factory=lambda: defaultdict(Spend)
    )
    reservations: dict[tuple[str, str], Reservation] = field(default_factory=dict)
    exceeded: set[tuple[str, str, int]] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def of(self, tenant_id: str) -> MemoryBudgetStore:
        """The store of one tenant."""
        return MemoryBudgetStore(self, tenant_id)

    def expired(self, now: datetime, limit: int) -> list[ReservationRef]:
        found = [
            ReservationRef(tenant, one.id)
            for (tenant, _), one in self.reservations.items()
            if one.state == "reserved" and one.expires_at <= now
        ]
        return found[:limit]


class MemoryBudgetStore:
    """BudgetStore of one tenant."""

    def __init__(self, everything: MemoryBudgets, tenant_id: str) -> None:
        self._all = everything
        self._tenant = tenant_id

    def limits(self) -> Limits:
        return self._all.limits.get(self._tenant, Limits())

    def set_limits(self, monthly: int | None, per_user: int | None, now: datetime) -> Limits:
        with self._all.lock:
            new = Limits(monthly, per_user, self.limits().revision + 1)
            self._all.limits[self._tenant] = new
            return new

    def spend(self, period: str, user_id: str | None = None) -> Spend:
        return self._all.counters[self._tenant, period, user_id]

    def add(self, wanted: Reservation, limits: Limits, now: datetime) -> Reservation:
        with self._all.lock:
            stored = self.get(wanted.id)
            if stored is not None:
                return stored
            if limits.revision != self.limits().revision:
                raise LimitsChanged
            taken: list[str | None] = [None] if wanted.user_id is None else [None, wanted.user_id]
            for user in taken:
                limit = limits.monthly if user is None else limits.per_user
                committed = self.spend(wanted.period, user).committed
                if limit is not None and committed + wanted.amount > limit:
                    raise BudgetExceeded
            for user in taken:
                self._change(wanted.period, user, 0, wanted.amount)
            self._all.reservations[self._tenant, wanted.id] = wanted
            return wanted

    def _change(self, period: str, user: str | None, used: int, reserved: int) -> None:
        old = self.spend(period, user)
        new = replace(old, used=old.used + used, reserved=old.reserved + reserved)
        self._all.counters[self._tenant, period, user] = new

    def get(self, reservation_id: str) -> Reservation | None:
        return self._all.reservations.get((self._tenant, reservation_id))

    def close(self, old: Reservation, new: Reservation, now: datetime) -> None:
        with self._all.lock:
            stored = self.get(old.id)
            if stored is None or stored.state != old.state:
                raise ReservationEnded(old.id)
            held = old.amount if old.state == "reserved" else 0
            taken: list[str | None] = [None] if old.user_id is None else [None, old.user_id]
            for user in taken:
                self._change(old.period, user, new.settled, -held)
            self._all.reservations[self._tenant, old.id] = new

    def mark_exceeded(self, period: str, limits: Limits, now: datetime) -> None:
        self._all.exceeded.add((self._tenant, period, limits.revision))
