"""Between the wire shapes of contract 2.13 and the domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from tidegate_kit.budgets import BudgetStore, period_of, resets_at
from tidegate_kit.errors import Detail, Unprocessable
from tidegate_kit.json_schema import schema_problems
from tidegate_kit.money import from_nano, money_text, to_nano

from tidegate.ai import schemas
from tidegate.ai.catalogue import Catalogue
from tidegate.ai.domain import InferAnswer, InferRequest, Message, ProviderName, UsageRow
from tidegate.ai.providers import ModelProvider
from tidegate.ai.service.usage import GroupBy, grouped, total
from tidegate.profile.public import TASKS

_MAX_DAYS = 366


def request_of(body: schemas.InferBody) -> InferRequest:
    """The request of a body. Raises Unprocessable for a schema that is not offered, or no task."""
    problems = [Detail(*one) for one in schema_problems(body.output_schema or {}, "output_schema")]
    if body.task is not None and body.task not in TASKS:
        problems.append(Detail("task", "is not a task that settings know"))
    if problems:
        raise Unprocessable(details=problems[:20])
    turns = [Message(one.role, one.content) for one in body.messages or ()]
    if body.prompt is not None:
        turns = [Message("user", body.prompt)]
    return InferRequest(
        messages=tuple(turns),
        model=body.model,
        system=body.system,
        max_tokens=body.max_tokens,
        temperature=body.temperature,
        output_schema=body.output_schema,
        task=body.task,
    )


def inferred(answer: InferAnswer) -> schemas.Inferred:
    """The answer of POST /ai/infer."""
    used = answer.usage
    return schemas.Inferred(
        id=answer.id,
        model=answer.model,
        provider=answer.provider,
        text=answer.text,
        json=answer.json,
        usage=schemas.UsageView(
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            total_tokens=used.total_tokens,
        ),
        cost=float(answer.cost),
    )


def models(
    catalogue: Catalogue, providers: Mapping[ProviderName, ModelProvider]
) -> schemas.ModelList:
    """Every model at every provider."""
    return schemas.ModelList(
        models=[
            schemas.ModelView(
                name=model.name,
                provider=route.provider,
                available=providers[route.provider].available,
            )
            for model in catalogue.models.values()
            for route in model.routes
        ]
    )


def span(start: date | None, end: date | None, now: datetime) -> tuple[date, date]:
    """The days asked for; the month of `now` unless said otherwise. Raises Unprocessable."""
    today = now.astimezone(UTC).date()
    last = end or today
    first = start or last.replace(day=1)
    if first > last:
        raise Unprocessable(details=[Detail("from", "must not be after to")])
    if (last - first).days >= _MAX_DAYS:
        raise Unprocessable(details=[Detail("from", f"at most {_MAX_DAYS} days are summed")])
    return first, last


def usage(rows: Sequence[UsageRow], by: GroupBy) -> schemas.UsageAnswer:
    """The answer of GET /ai/usage."""
    everything = total(rows)
    average = everything.average_cost
    return schemas.UsageAnswer(
        total_requests=everything.requests,
        total_cost=float(everything.cost),
        tokens_used=everything.tokens,
        average_cost_per_request=None if average is None else float(average),
        groups=[
            schemas.UsageGroup(
                key=one.key,
                total_requests=one.requests,
                total_cost=float(one.cost),
                tokens_used=one.tokens,
            )
            for one in grouped(rows, by)
        ],
    )


def budget(store: BudgetStore, now: datetime) -> schemas.BudgetView:
    """Limits and counters of this month."""
    limits = store.limits()
    spend = store.spend(period_of(now))
    left = spend.remaining(limits.monthly)
    return schemas.BudgetView(
        monthly_cost=_dollars(limits.monthly),
        per_user_monthly_cost=_dollars(limits.per_user),
        used=money_text(from_nano(spend.used)),
        reserved=money_text(from_nano(spend.reserved)),
        remaining=_dollars(left),
        resets_at=resets_at(now),
    )


def limit(text: str | None) -> int | None:
    """A limit of a body in billionths."""
    return None if text is None else to_nano(Decimal(text))


def _dollars(units: int | None) -> str | None:
    return None if units is None else money_text(from_nano(units))
