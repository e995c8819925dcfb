"""The store of inferences: DynamoDB and its twin under one contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import boto3
import pytest
from tidegate.ai import public
from tidegate.ai.domain import Usage, UsageRow
from tidegate.ai.repository import AiStore, DynamoAiStore, Effect
from tidegate_kit.budgets import Budgets, Reservation, ReservationEnded
from tidegate_kit.clock import FixedClock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import PREFIX, REGION
from tests.fakes.ai import MemoryAiStore
from tests.fakes.budgets import MemoryBudgets
from tests.fakes.tables import dump_tables

NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
ROW = UsageRow("2026-03-10", "ada", "nova", 1, Usage(10, 5), 70)


@pytest.fixture(params=["memory", "dynamo"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryAiStore(MemoryBudgets(), new_id())
    else:
        request.getfixturevalue("platform")
        yield DynamoAiStore(TenantScope(new_id()))


def reserved(store: AiStore, amount: int = 100) -> Reservation:
    return Budgets(store.budgets, FixedClock(NOW), new_id).reserve(amount, "ada")


def settled(reservation: Reservation, cost: int = 70) -> Reservation:
    return replace(reservation, state="settled", settled=cost)


def test_paying_counting_and_keeping_are_one(store: AiStore) -> None:
    first, second = reserved(store), reserved(store)
    effect = store.claim(Effect("key", "attempt-1"), NOW)
    kept = replace(effect, sealed="sealed")
    store.finish(first, settled(first), ROW, kept, NOW)
    store.finish(second, settled(second, 30), replace(ROW, cost=30), None, NOW)
    with pytest.raises(ReservationEnded):
        store.finish(first, settled(first), ROW, None, NOW)
    (row,) = store.usage(date(2026, 3, 10), date(2026, 3, 10))
    assert row == UsageRow("2026-03-10", "ada", "nova", 2, Usage(20, 10), 100)
    spend = store.budgets.spend("2026-03")
    assert (spend.used, spend.reserved) == (100, 0)
    assert store.claim(Effect("key", "attempt-2"), NOW) == kept


def test_a_key_is_claimed_once_and_given_back_only_without_an_end(store: AiStore) -> None:
    mine = Effect("key", "attempt-1")
    assert store.claim(mine, NOW) == mine
    assert store.claim(Effect("key", "attempt-2"), NOW) == mine
    store.give_back(Effect("key", "attempt-2"))
    assert store.claim(Effect("key", "attempt-3"), NOW) == mine
    store.give_back(mine)
    other = Effect("key", "attempt-4")
    assert store.claim(other, NOW) == other
    made = reserved(store)
    store.finish(made, settled(made), ROW, replace(other, sealed="end"), NOW)
    store.give_back(other)
    assert store.claim(Effect("key", "attempt-5"), NOW).sealed == "end"


def test_usage_is_of_the_days_asked_for(store: AiStore) -> None:
    for day in ("2026-03-09", "2026-03-10", "2026-03-11"):
        for model in ("nova", "llama3.2:3b"):
            made = reserved(store)
            store.finish(made, settled(made), replace(ROW, day=day, model=model), None, NOW)
    rows = store.usage(date(2026, 3, 10), date(2026, 3, 11))
    assert [(row.day[-2:], row.model) for row in rows] == [
        ("10", "llama3.2:3b"),
        ("10", "nova"),
        ("11", "llama3.2:3b"),
        ("11", "nova"),
    ]


def test_a_month_is_summed_and_a_tenant_forgotten(platform: Settings) -> None:
    mine, other = TenantScope(new_id()), TenantScope(new_id())
    for scope in (mine, other):
        store = DynamoAiStore(scope)
        made = reserved(store)
        store.claim(Effect("key", "a"), NOW)
        store.finish(made, settled(made), ROW, None, NOW)
    assert public.usage(mine, "2026-03").requests == 1
    assert public.usage(mine, "2026-02").requests == 0
    while not public.forget_tenant(mine, 2):
        pass
    client = boto3.client("dynamodb", region_name=REGION)
    left = dump_tables(client, [f"{PREFIX}-ai"])[f"{PREFIX}-ai"]
    assert left
    assert {item["pk"]["S"] for item in left} == {other.pk}


def test_prompts_and_answers_are_nowhere_in_clear(
    platform: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """AI-3: neither the question nor the answer is logged or stored in clear."""
    from tidegate.ai import wiring
    from tidegate.ai.domain import Reply
    from tidegate.ai.providers import ProviderFailed

    from tests.fakes.ai import ScriptedProvider

    good = ScriptedProvider([Reply("answer-canary", Usage(1, 1))])
    bad = ScriptedProvider([ProviderFailed("timeout", "timeout")])
    both = {"bedrock": good, "openai_compatible": bad}
    monkeypatch.setattr(wiring, "providers", lambda settings: both)
    asked = public.InferRequest(
        (public.Message("user", "prompt-canary"),), system="system-canary", model="llama3.2:3b"
    )
    scope = TenantScope(new_id())
    answer = public.infer(scope, "ada", asked, effect_key="key-1")
    assert answer.text == "answer-canary"
    assert "canary" not in repr(asked) + repr(answer)
    client = boto3.client("dynamodb", region_name=REGION)
    assert "canary" not in repr(dump_tables(client, [f"{PREFIX}-ai"]))
    told = [repr(vars(record)) for record in caplog.records]
    assert any("a model's provider failed" in line for line in told)
    assert not any("canary" in line for line in told)
