"""Inbound webhooks: one effect per webhook-id, also when calls come at once (WF-14)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tidegate.workflows import wiring
from tidegate.workflows.domain import RunSettings
from tidegate.workflows.errors import WebhookIdReused
from tidegate.workflows.repository.executions import ExecutionFilters
from tidegate.workflows.repository.triggers import GlobalHooks
from tidegate.workflows.service.hooks import Inbound, Received, receive
from tidegate.workflows.service.workflows import Draft
from tidegate_kit.clock import system_clock
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope
from tidegate_kit.webhooks import (
    InvalidSignature,
    ReceivedWebhook,
    new_webhook_secret,
    signed_headers,
)

from tests.builders.members import sign_in
from tests.builders.workflows import ENVIRONMENT, chain, install_engine, make_bucket, node
from tests.fakes.races import race

BODY = b'{"n": 1}'


class Hooked:
    """A workflow with an inbound hook."""

    def __init__(self) -> None:
        owner = sign_in()
        self.scope = TenantScope(owner.tenant_id)
        services = wiring.services_of(self.scope, owner.user_id)
        draft = Draft("W", "", chain(node("a")), True, RunSettings(max_concurrency=100))
        self.workflow_id = services.workflows.create(draft).workflow.id
        hook, self.secret = wiring.hook_parts(self.scope).hooks.create(
            self.workflow_id, None, owner.user_id
        )
        self.hook_id = hook.id

    def call(self, webhook_id: str, body: bytes = BODY, secret: str | None = None) -> Received:
        headers = signed_headers([secret or self.secret], webhook_id, system_clock(), body)
        inbound = Inbound(self.hook_id, headers, body, {"n": 1}, "request")
        return receive(
            GlobalHooks(), lambda scope, _: wiring.hook_parts(scope), inbound, system_clock
        )

    def executions(self) -> int:
        stored = wiring.services_of(self.scope, "system").repositories.executions
        filters = ExecutionFilters(workflow_id=self.workflow_id)
        return stored.page(filters, 0, 100, None)[1]


@pytest.fixture
def hooked(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Hooked:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    install_engine(monkeypatch).paused = True
    return Hooked()


@pytest.mark.hazard("F15")
@pytest.mark.bite("tidegate.workflows.service.hooks.id_from", lambda text: new_id())
def test_a_seen_id_starts_nothing_more(hooked: Hooked) -> None:
    """F15: a webhook-id that came before gives the first execution, with another body 422."""
    first = hooked.call("msg_1")
    again = [hooked.call("msg_1") for _ in range(3)]
    assert not first.repeated
    assert all(one.repeated for one in again)
    assert {one.execution.id for one in again} == {first.execution.id}
    with pytest.raises(WebhookIdReused):
        hooked.call("msg_1", b'{"n": 2}')
    assert hooked.executions() == 1
    assert hooked.call("msg_2").execution.id != first.execution.id
    assert hooked.executions() == 2


@pytest.mark.hazard("F15")
@pytest.mark.bite("tidegate.workflows.service.hooks.id_from", lambda text: new_id())
def test_a_seen_id_comes_eight_times_at_once(hooked: Hooked) -> None:
    """F15: eight calls with one webhook-id at the same instant: one execution, told to all."""
    rounds = 10
    outcome = race(8, lambda worker, round_: hooked.call(f"msg_{round_}"), rounds=rounds)
    fresh: Counter[int] = Counter()
    for one in outcome.rounds:
        results: list[Any] = [attempt.result for attempt in one.attempts]
        assert len(results) == 8
        assert not one.errors, one.errors
        assert len({result.execution.id for result in results}) == 1
        fresh[one.number] = sum(not result.repeated for result in results)
    assert set(fresh.values()) == {1}
    assert hooked.executions() == rounds


@pytest.mark.hazard("F19")
@pytest.mark.bite(
    "tidegate.workflows.service.hooks.verify_webhook",
    lambda secrets, headers, body, now: ReceivedWebhook(headers["webhook-id"], now),
)
def test_the_secret_of_another_hook_opens_nothing(hooked: Hooked) -> None:
    """F19: another hook's or tenant's secret, and a foreign one, start nothing."""
    for number, secret in enumerate((Hooked().secret, new_webhook_secret())):
        refused = False
        try:
            hooked.call(f"msg_{number}", secret=secret)
        except InvalidSignature:
            refused = True
        assert refused
    assert hooked.executions() == 0
