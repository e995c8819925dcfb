"""Budgets on DynamoDB; a domain derives the three models on its own table.

pk      sk                             kind
T#<t>   BUDGET                         limits
T#<t>   SPEND#<period>                 counter of the tenant
T#<t>   SPEND#<period>#U#<user>        counter of a user
T#<t>   RES#<id>                       reservation; gsi1 RESERVATIONS (global) while it is open
T#<t>   EXCEEDED#<period>#<revision>   the limit was met
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from tidegate_kit.budgets import (
    KEPT,
    BudgetExceeded,
    Limits,
    LimitsChanged,
    Reservation,
    ReservationEnded,
    ReservationRef,
    Spend,
    State,
    within,
)
from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import (
    ConditionFailed,
    Table,
    Transaction,
    batch_get,
    store_errors,
)
from tidegate_kit.table_index import Gsi1, SparselyIndexed
from tidegate_kit.tenancy import TenantScope, key

OPEN = "RESERVATIONS"  # global: the sweep asks for every tenant's open reservations


class LimitsItem(Table):
    """Limits of one tenant; derive it on the domain's table."""

    monthly = NumberAttribute(null=True)
    per_user = NumberAttribute(null=True)
    revision = NumberAttribute(default=0)


class SpendItem(Table):
    """A month's counter; derive it on the domain's table."""

    committed = NumberAttribute(default=0)
    used = NumberAttribute(default=0)


class ReservationItem(SparselyIndexed):
    """A reservation; derive it on the domain's table. TTL: `expires`."""

    # Global: open reservations of every tenant by their end.
    open_reservations: Gsi1[ReservationItem] = Gsi1()
    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    period = UnicodeAttribute()
    user_id = UnicodeAttribute(null=True)
    amount = NumberAttribute()
    settled = NumberAttribute(default=0)
    state = UnicodeAttribute()
    ends_at = UTCDateTimeAttribute()
    expires = NumberAttribute()


@dataclass(frozen=True)
class BudgetModels:
    """The three models of one domain."""

    limits: type[LimitsItem]
    spend: type[SpendItem]
    reservation: type[ReservationItem]


class DynamoBudgetStore:
    """BudgetStore on one domain's table."""

    def __init__(
        self, scope: TenantScope, models: BudgetModels, default: Limits | None = None
    ) -> None:
        """`default`: the limits of a tenant that has set none."""
        self._scope = scope
        self._models = models
        self._default = default or Limits()

    def limits(self) -> Limits:
        (item,) = batch_get([(self._models.limits, self._scope.pk, "BUDGET")])
        if item is None:
            return self._default
        return Limits(_whole(item.monthly), _whole(item.per_user), int(item.revision))

    def set_limits(self, monthly: int | None, per_user: int | None, now: datetime) -> Limits:
        model = self._models.limits
        item = model(self._scope.pk, "BUDGET")
        actions: list[Action] = [
            model.revision.add(1),
            model.monthly.remove() if monthly is None else model.monthly.set(monthly),
            model.per_user.remove() if per_user is None else model.per_user.set(per_user),
            *_stamp(model, now),
        ]
        with store_errors():
            item.update(actions)
        return Limits(_whole(item.monthly), _whole(item.per_user), int(item.revision))

    def spend(self, period: str, user_id: str | None = None) -> Spend:
        (item,) = batch_get([(self._models.spend, self._scope.pk, _spend_sk(period, user_id))])
        if item is None:
            return Spend()
        return Spend(int(item.used), int(item.committed) - int(item.used))

    def add(self, wanted: Reservation, limits: Limits, now: datetime) -> Reservation:
        tx = Transaction()
        tx.save(
            self._item(wanted, now),
            self._models.reservation.pk.does_not_exist(),
            name="reservation",
        )
        same: Condition = self._models.limits.revision == limits.revision
        if limits.revision == 0:
            same = self._models.limits.pk.does_not_exist()
        tx.check(self._models.limits, self._scope.pk, "BUDGET", same, name="limits")
        self._take(tx, wanted, None, limits.monthly, now)
        if wanted.user_id is not None:
            self._take(tx, wanted, wanted.user_id, limits.per_user, now)
        try:
            tx.commit()
        except ConditionFailed as lost:
            return self._lost(wanted, lost)
        return wanted

    def _lost(self, wanted: Reservation, lost: ConditionFailed) -> Reservation:
        if "reservation" in lost.names:
            stored = self.get(wanted.id)
            if stored is not None:
                return stored
        if "limits" in lost.names:
            raise LimitsChanged from lost
        raise BudgetExceeded from lost

    def _take(
        self,
        tx: Transaction,
        wanted: Reservation,
        user: str | None,
        limit: int | None,
        now: datetime,
    ) -> None:
        if not within(limit, wanted.amount):
            raise BudgetExceeded
        model = self._models.spend
        tx.update(
            model(self._scope.pk, _spend_sk(wanted.period, user)),
            [model.committed.add(wanted.amount), model.used.add(0), *_stamp(model, now)],
            _fits(model, limit, wanted.amount),
            name="spend",
        )

    def get(self, reservation_id: str) -> Reservation | None:
        (item,) = batch_get(
            [(self._models.reservation, self._scope.pk, key("RES", reservation_id))]
        )
        return None if item is None else _reservation(item)

    def close(self, old: Reservation, new: Reservation, now: datetime) -> None:
        tx = Transaction()
        self.add_close(tx, old, new, now)
        try:
            tx.commit()
        except ConditionFailed as lost:
            raise ReservationEnded(old.id) from lost

    def add_close(self, tx: Transaction, old: Reservation, new: Reservation, now: datetime) -> None:
        """The writes of `close`, for a caller's own transaction; conditions are named "ended"."""
        model = self._models.reservation
        tx.update(
            model(self._scope.pk, key("RES", old.id)),
            [
                model.state.set(new.state),
                model.settled.set(new.settled),
                model.gsi1pk.remove(),
                model.gsi1sk.remove(),
                model.updated_at.set(now),
            ],
            model.state == old.state,
            name="ended",
        )
        held = old.amount if old.state == "reserved" else 0
        spend = self._models.spend
        users = [None] if old.user_id is None else [None, old.user_id]
        for user in users:
            tx.update(
                spend(self._scope.pk, _spend_sk(old.period, user)),
                [
                    spend.committed.add(new.settled - held),
                    spend.used.add(new.settled),
                    spend.updated_at.set(now),
                ],
                name="spend",
            )

    def mark_exceeded(self, period: str, limits: Limits, now: datetime) -> None:
        model = self._models.limits
        item = model(
            self._scope.pk,
            key("EXCEEDED", period, str(limits.revision)),
            monthly=limits.monthly,
            per_user=limits.per_user,
            revision=limits.revision,
            created_at=now,
            updated_at=now,
        )
        try:
            with store_errors():
                item.save(condition=model.pk.does_not_exist())
        except ConditionFailed:
            return  # told before

    def _item(self, wanted: Reservation, now: datetime) -> ReservationItem:
        return self._models.reservation(
            self._scope.pk,
            key("RES", wanted.id),
            gsi1pk=OPEN,
            gsi1sk=_due(wanted.expires_at, wanted.id),
            id=wanted.id,
            tenant_id=self._scope.tenant_id,
            period=wanted.period,
            user_id=wanted.user_id,
            amount=wanted.amount,
            settled=0,
            state=wanted.state,
            ends_at=wanted.expires_at,
            expires=epoch(now + KEPT),
            created_at=now,
            updated_at=now,
        )


class DynamoGlobalReservations:
    """GlobalReservations on one domain's table."""

    def __init__(self, models: BudgetModels) -> None:
        self._models = models

    def expired(self, now: datetime, limit: int) -> list[ReservationRef]:
        index = self._models.reservation.open_reservations
        with store_errors():
            items = index.query(
                OPEN, self._models.reservation.gsi1sk <= _due(now, "~"), limit=limit
            )
            return [ReservationRef(item.tenant_id, item.id) for item in items]


def _fits(model: type[SpendItem], limit: int | None, amount: int) -> Condition | None:
    if limit is None:
        return None
    fits: Condition = model.committed.does_not_exist() | (model.committed <= limit - amount)
    return fits


def _stamp(model: type[Table], now: datetime) -> list[Action]:
    return [
        model.schema_version.set(1),
        model.created_at.set(model.created_at | now),
        model.updated_at.set(now),
    ]


def _spend_sk(period: str, user_id: str | None) -> str:
    return key("SPEND", period) if user_id is None else key("SPEND", period, "U", user_id)


def _due(moment: datetime, name: str) -> str:
    return f"{epoch(moment):012d}#{name}"


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


_STATES: dict[str, State] = {"reserved": "reserved", "settled": "settled", "released": "released"}


def _reservation(item: ReservationItem) -> Reservation:
    return Reservation(
        item.id,
        item.period,
        item.user_id,
        int(item.amount),
        item.ends_at,
        _STATES[item.state],
        int(item.settled),
    )
