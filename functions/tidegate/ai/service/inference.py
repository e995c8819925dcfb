"""Asking a model: choose, reserve the worst case, ask, settle, keep the answer (AI-1 to AI-3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC

from tidegate_kit.budgets import Budgets, Reservation
from tidegate_kit.clock import Clock
from tidegate_kit.errors import ApiError
from tidegate_kit.ids import IdFactory, id_from
from tidegate_kit.money import from_nano
from tidegate_kit.observability import logger

from tidegate.ai.catalogue import Catalogue
from tidegate.ai.domain import (
    InferAnswer,
    InferRequest,
    Model,
    ProviderName,
    Question,
    Reply,
    Route,
    Usage,
    UsageRow,
)
from tidegate.ai.errors import (
    InferenceUncertain,
    OutputInvalid,
    ProviderRateLimited,
    ProviderUnavailable,
)
from tidegate.ai.providers import ModelProvider, ProviderFailed
from tidegate.ai.repository import AiStore, Effect
from tidegate.ai.service import output
from tidegate.ai.service.effects import EffectSeal

_LEAST_SECONDS = 1.0  # with less left, a provider is not asked any more


@dataclass(frozen=True)
class Parts:
    """What an inference is made of, for one tenant. `timer` counts seconds, monotonic."""

    store: AiStore
    seal: EffectSeal
    providers: Mapping[ProviderName, ModelProvider]
    catalogue: Catalogue
    default_model: str
    model_of_task: Callable[[str, str], str | None]
    clock: Clock
    timer: Callable[[], float]
    ids: IdFactory


@dataclass(frozen=True)
class _Given:
    """A reply, where it came from, and the reservation that it is paid from."""

    reply: Reply
    route: Route
    reservation: Reservation
    usage: Usage
    cost: int


class Inference:
    """One inference of a user."""

    def __init__(self, parts: Parts, user_id: str, request: InferRequest) -> None:
        self._parts = parts
        self._user_id = user_id
        self._request = request
        self._ends_at = parts.timer() + request.timeout_seconds
        self._budgets = Budgets(parts.store.budgets, parts.clock, parts.ids)
        self._unsettled = False
        self._spent = 0
        self._usage = Usage()

    def answer(self, effect_key: str | None) -> InferAnswer:
        """Ask, once for an effect key: repeated, it gives the kept answer and pays nothing.

        Raises UnknownModel, OutputInvalid, BudgetExceeded, ProviderRateLimited,
        ProviderUnavailable, InferenceUncertain, ServiceUnavailable.
        """
        model = self._model()
        if effect_key is None:
            return self._asked(model, None)
        effect = Effect(effect_key, self._parts.ids())
        stored = self._parts.store.claim(effect, self._parts.clock())
        if stored.sealed is not None:
            return self._parts.seal.open(effect_key, stored.sealed)
        if claimed_before(stored, effect):
            raise InferenceUncertain
        try:
            return self._asked(model, effect)
        except ApiError:
            if not self._unsettled:
                # Nothing is on its way, so another try may ask; an end that is kept stays.
                self._parts.store.give_back(effect)
            raise

    def _model(self) -> Model:
        name = self._request.model
        if name is None and self._request.task is not None:
            name = self._parts.model_of_task(self._user_id, self._request.task)
        return self._parts.catalogue.model(name or self._parts.default_model)

    def _asked(self, model: Model, effect: Effect | None) -> InferAnswer:
        asked = self._request
        question = Question(asked.messages, asked.system, asked.max_tokens, asked.temperature)
        schema = asked.output_schema
        if schema is None:
            given = self._ask(model, question)
            return self._end(model, given, None, effect)
        question = output.with_schema(question, schema)
        given = self._ask(model, question)
        reading = output.read(given.reply.text, schema)
        if reading.problems:
            self._settle(given, model, None)
            question = output.asked_again(question, given.reply.text, reading.problems)
            given = self._ask(model, question)
            reading = output.read(given.reply.text, schema)
        if reading.problems:
            kept = None
            if effect is not None:
                sealed = self._parts.seal.invalid(effect.key, reading.problems)
                kept = replace(effect, sealed=sealed)
            self._settle(given, model, kept)
            raise OutputInvalid(details=reading.problems)
        return self._end(model, given, reading.value, effect)

    def _ask(self, model: Model, question: Question) -> _Given:
        """The first provider that answers, in the configured order."""
        failures: list[ProviderFailed] = []
        for route in model.routes:
            provider = self._parts.providers[route.provider]
            left = self._ends_at - self._parts.timer()
            if not provider.available or left < _LEAST_SECONDS:
                continue
            worst = worst_case(route, question)
            reservation = self._budgets.reserve(worst, self._user_id)
            self._unsettled = True
            try:
                reply = provider.ask(route.model_id, question, left)
            except ProviderFailed as failed:
                failures.append(failed)
                self._after_failure(model, route, reservation, failed)
                continue
            usage = reply.usage or Usage(question.input_bound, question.max_tokens)
            cost = min(route.price.cost(usage), worst)
            return _Given(reply, route, reservation, usage, cost)
        if any(failed.kind == "rate_limited" for failed in failures):
            raise ProviderRateLimited(log=str(failures))
        raise ProviderUnavailable(log=str(failures) if failures else "no provider is configured")

    def _after_failure(
        self, model: Model, route: Route, reservation: Reservation, failed: ProviderFailed
    ) -> None:
        logger.warning(
            "a model's provider failed",
            model=model.name,
            provider=route.provider,
            kind=failed.kind,
            detail=failed.detail,
        )
        if failed.charged:
            self._budgets.settle(reservation, reservation.amount)
        else:
            self._budgets.release(reservation)
        self._unsettled = False

    def _end(
        self, model: Model, given: _Given, value: object, effect: Effect | None
    ) -> InferAnswer:
        parts = self._parts
        answer = InferAnswer(
            id=parts.ids() if effect is None else id_from(f"inference/{effect.key}"),
            model=model.name,
            provider=given.route.provider,
            text=given.reply.text,
            json=value,
            usage=self._usage.plus(given.usage),
            cost=from_nano(self._spent + given.cost),
        )
        kept = None
        if effect is not None:
            kept = replace(effect, sealed=parts.seal.answer(effect.key, answer))
        self._settle(given, model, kept)
        return answer

    def _settle(self, given: _Given, model: Model, kept: Effect | None) -> None:
        """Pay, count, and keep the end, in one transaction."""
        day = self._parts.clock().astimezone(UTC).date().isoformat()
        row = UsageRow(day, self._user_id, model.name, 1, given.usage, given.cost)
        self._budgets.settle(
            given.reservation,
            given.cost,
            lambda old, new, now: self._parts.store.finish(old, new, row, kept, now),
        )
        self._unsettled = False
        self._spent += given.cost
        self._usage = self._usage.plus(given.usage)


def worst_case(route: Route, question: Question) -> int:
    """The most that one call can cost, in billionths of a dollar."""
    return route.price.cost(Usage(question.input_bound, question.max_tokens))


def claimed_before(stored: Effect, mine: Effect) -> bool:
    """True when another attempt has asked, or is asking, under this key."""
    return stored.attempt != mine.attempt
