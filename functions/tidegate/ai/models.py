"""PynamoDB models of the `ai` table.

pk      sk                               kind
T#<t>   BUDGET, SPEND#, RES#, EXCEEDED#  tidegate_kit.budget_store
T#<t>   USE#<date>#<user>#<model>        UsageItem
T#<t>   EFFECT#<hash>                    EffectItem
"""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from tidegate_kit.budget_store import BudgetModels, LimitsItem, ReservationItem, SpendItem
from tidegate_kit.dynamo import Table

TABLE = "ai"


class AiLimitsItem(LimitsItem):
    """What models may cost."""

    class Meta:
        table_name = TABLE


class AiSpendItem(SpendItem):
    """What they have cost in a month."""

    class Meta:
        table_name = TABLE


class OpenReservations(GlobalSecondaryIndex["AiReservationItem"]):  # type: ignore[no-untyped-call]
    """Global: open reservations of every tenant by their end."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class AiReservationItem(ReservationItem):
    """One call of a model."""

    class Meta:
        table_name = TABLE

    open_reservations = OpenReservations()


AI_BUDGET = BudgetModels(
    AiLimitsItem, AiSpendItem, AiReservationItem, AiReservationItem.open_reservations
)


class UsageItem(Table):
    """Calls of one user to one model on one day; `cost` in billionths of a dollar."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    day = UnicodeAttribute()
    user_id = UnicodeAttribute()
    model = UnicodeAttribute()
    requests = NumberAttribute(default=0)
    input_tokens = NumberAttribute(default=0)
    output_tokens = NumberAttribute(default=0)
    cost = NumberAttribute(default=0)


class EffectItem(Table):
    """One inference under an effect key: claimed before it is asked, kept sealed after. TTL."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    attempt = UnicodeAttribute()
    sealed = UnicodeAttribute(null=True)
    expires = NumberAttribute()
