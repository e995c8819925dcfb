"""PynamoDB models of the `ai` table.

pk      sk                               kind
T#<t>   BUDGET, SPEND#, RES#, EXCEEDED#  tidegate_kit.budget_store
T#<t>   USE#<date>#<user>#<model>        UsageItem
T#<t>   EFFECT#<hash>                    EffectItem
"""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from tidegate_kit.budget_store import BudgetModels, LimitsItem, ReservationItem, SpendItem
from tidegate_kit.dynamo import Table

TABLE = "ai"


class AiTable(Table):
    """Every item of the table."""

    class Meta:
        table_name = TABLE


class AiLimitsItem(LimitsItem, AiTable):
    """What models may cost."""


class AiSpendItem(SpendItem, AiTable):
    """What they have cost in a month."""


class AiReservationItem(ReservationItem, AiTable):
    """One call of a model."""


AI_BUDGET = BudgetModels(AiLimitsItem, AiSpendItem, AiReservationItem)


class UsageItem(AiTable):
    """Calls of one user to one model on one day; `cost` in billionths of a dollar."""

    day = UnicodeAttribute()
    user_id = UnicodeAttribute()
    model = UnicodeAttribute()
    requests = NumberAttribute(default=0)
    input_tokens = NumberAttribute(default=0)
    output_tokens = NumberAttribute(default=0)
    cost = NumberAttribute(default=0)


class EffectItem(AiTable):
    """One inference under an effect key: claimed before it is asked, kept sealed after. TTL."""

    attempt = UnicodeAttribute()
    sealed = UnicodeAttribute(null=True)
    expires = NumberAttribute()
