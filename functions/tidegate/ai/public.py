"""What other domains may use of AI."""

from __future__ import annotations

import calendar
from datetime import date

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.tenancy import TenantScope

from tidegate.ai import wiring
from tidegate.ai.domain import InferAnswer, InferRequest, Message, ProviderName, Usage
from tidegate.ai.errors import (
    BudgetExceeded,
    InferenceUncertain,
    OutputInvalid,
    ProviderRateLimited,
    ProviderUnavailable,
    UnknownModel,
)
from tidegate.ai.service.usage import Total, total

__all__ = [
    "BudgetExceeded",
    "InferAnswer",
    "InferRequest",
    "InferenceUncertain",
    "Message",
    "OutputInvalid",
    "ProviderRateLimited",
    "ProviderUnavailable",
    "Total",
    "UnknownModel",
    "Usage",
    "default_model",
    "endpoints",
    "forget_tenant",
    "infer",
    "usage",
]


def infer(
    scope: TenantScope,
    user_id: str,
    request: InferRequest,
    *,
    effect_key: str | None = None,
    clock: Clock = system_clock,
) -> InferAnswer:
    """Ask a model under the budgets of the tenant and the user (AI-1 to AI-3).

    With an effect key a repeated call gives the first one's answer and pays nothing; where an
    earlier call died on the way it raises InferenceUncertain instead of asking twice.
    Raises BudgetExceeded (429), UnknownModel, OutputInvalid (422), ProviderRateLimited,
    ProviderUnavailable, InferenceUncertain, ServiceUnavailable (503).
    """
    return wiring.inference(scope, user_id, request, clock).answer(effect_key)


def endpoints() -> list[tuple[ProviderName, str]]:
    """(provider, base URL) of each configured provider, in the order in which they are asked."""
    return wiring.endpoints()


def default_model() -> str | None:
    """The name of the model that is asked where nobody chooses one; None where there is none."""
    return wiring.default_model()


def usage(scope: TenantScope, month: str) -> Total:
    """Requests, cost in USD and tokens of a month ("2026-03", UTC)."""
    year, number = (int(part) for part in month.split("-"))
    last = calendar.monthrange(year, number)[1]
    rows = wiring.store_of(scope).usage(date(year, number, 1), date(year, number, last))
    return total(rows, month)


def forget_tenant(scope: TenantScope, limit: int = 500) -> bool:
    """Delete up to `limit` rows of the tenant; True when nothing is left. May be called again."""
    return wiring.store_of(scope).delete_some(limit) == 0
