"""Hazards of communications: killed steps, retries, secrets in steps."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from botocore.client import BaseClient
from tidegate.integrations import orchestrator
from tidegate.integrations.channels.api import JsonApi
from tidegate.integrations.service.messages import LEASE
from tidegate.workflows import tasks, wiring
from tidegate.workflows.nodes import StepError
from tidegate.workflows.ports.targets import StepTargets
from tidegate.workflows.public.orchestration import Run, start_run
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import UserScope

from tests.builders.communications import (
    MAIL,
    TWITTER,
    RecordingSes,
    add_targets,
    connect,
    install_ses,
)
from tests.builders.workflows import ENVIRONMENT, follow_stream, install_engine, make_bucket
from tests.fakes.asl_walker import AslError
from tests.fakes.faults import Killed
from tests.fakes.local_server import json_app, serving
from tests.fakes.social.twitter import FakeTwitter
from tests.fakes.workflows import EngineMachines

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANNELS = ("email", "twitter")
MOST_DEATHS = 3  # of one step: each costs it two tries of its twelve, one to die, one to ask after


class Killer:
    """Kills the running step at random: before or after one of its calls, or in a provider's."""

    def __init__(self, seed: int, share: float) -> None:
        self._random = random.Random(seed)
        self._share = share
        self.active = False
        self.kills = 0

    def maybe(self, weight: int = 1) -> None:
        """Here the process may die."""
        if self.active and self._random.random() < weight * self._share:
            self.kills += 1
            self.active = False
            raise Killed("at random")


@pytest.fixture
def engine(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> EngineMachines:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    make_bucket()
    return install_engine(monkeypatch)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(BEGIN, tick=False) as traveller:
        yield traveller


def die_in_calls(killer: Killer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process die before or after any AWS call."""
    base: Any = BaseClient
    make_call = base._make_api_call

    def calling(client: Any, operation: str, params: Any) -> Any:
        killer.maybe()
        answer = make_call(client, operation, params)
        killer.maybe()
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", calling)
    post = JsonApi.post

    def posting(api: JsonApi, path: str, body: Mapping[str, Any]) -> Any:
        killer.maybe(20)
        answer = post(api, path, body)
        killer.maybe(20)
        return answer

    monkeypatch.setattr(JsonApi, "post", posting)


def killed_steps(
    engine: EngineMachines, killer: Killer, ses: RecordingSes, clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Make the engine's step function die at random, on the engine's own virtual time."""
    die_in_calls(killer, monkeypatch)
    ses.hook = lambda stage: killer.maybe(10)

    died: Counter[str] = Counter()

    def step(event: Mapping[str, Any], context: object) -> Any:
        now = engine.runs[event["execution_id"]].walker.now
        clock.move_to(BEGIN + timedelta(seconds=now))
        ses.tell()
        name = json.dumps(event, sort_keys=True)
        killer.active = died[name] < MOST_DEATHS
        try:
            return tasks.step(event, context)
        except Killed:
            died[name] += 1
            raise AslError("Runtime.ExitError") from None
        finally:
            killer.active = False

    engine.step = step


def run_communications(
    engine: EngineMachines, monkeypatch: pytest.MonkeyPatch, clock: Any, count: int, seed: int
) -> tuple[Counter[str], int]:
    """Messages by recipient after an execution whose steps were killed at random; the kills."""
    scope = UserScope(new_id(), new_id())
    ses = install_ses(monkeypatch)
    killer = Killer(seed, 0.012)
    server = FakeTwitter(lambda: datetime.now(UTC), hook=lambda stage, request: None)
    with serving(json_app(server)) as url:
        monkeypatch.setenv("TWITTER_BASE_URL", url)
        connect(scope, TWITTER, MAIL)
        targets = add_targets(scope, count, BEGIN)
        for target in targets:
            server.add_user(target.twitter_username or "")
        messages = [
            {"target_id": target.id, "channel": channel}
            for target in targets
            for channel in CHANNELS
        ]
        given = {"messages": messages, "subject": "S", "text": "Hello"}
        run = Run(new_id(), scope.user_id, given, None)
        started = start_run(scope.tenant, orchestrator.COMMUNICATIONS, run)
        killed_steps(engine, killer, ses, clock, monkeypatch)
        follow_stream()
        engine.settle(10**7)
        ended = wiring.services_of(scope.tenant, "u").repositories.executions.get(
            started.execution_id
        )
        assert ended.status == "completed", (ended.error, engine.crashes[:3])
        counts = Counter(one["to"] for one in server.events)
        counts.update(one["Destination"]["ToAddresses"][0] for one in ses.taken)
        return counts, killer.kills


def one_each(counts: Counter[str], count: int) -> None:
    assert len(counts) == 2 * count
    assert set(counts.values()) == {1}


@pytest.mark.hazard("E18")
@pytest.mark.bite(
    "tidegate.integrations.service.messages.MessageService._ended",
    lambda service, adapter, message, slot, claim: None,
)
def test_killed_steps_send_one_message_each(
    engine: EngineMachines, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    """E18: 20 targets by two channels, steps killed at random: exactly one message each."""
    counts, kills = run_communications(engine, monkeypatch, clock, 20, seed=7)
    one_each(counts, 20)
    assert kills > 5


@pytest.mark.hazard("E18")
def test_two_hundred_targets_get_one_message_each(
    platform: Settings, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    """E18: 200 targets by two channels, each sending killed at random until it ends: one each."""
    count = 200
    scope = UserScope(new_id(), new_id())
    ses = install_ses(monkeypatch)
    killer = Killer(11, 0.01)
    server = FakeTwitter(lambda: datetime.now(UTC))
    with serving(json_app(server)) as url:
        monkeypatch.setenv("TWITTER_BASE_URL", url)
        connect(scope, TWITTER, MAIL)
        targets = add_targets(scope, count, BEGIN)
        for target in targets:
            server.add_user(target.twitter_username or "")
        die_in_calls(killer, monkeypatch)
        ses.hook = lambda stage: killer.maybe(10)
        open_ = [(one.id, channel) for one in targets for channel in CHANNELS]
        while open_:
            clock.shift(LEASE + timedelta(seconds=1))
            ses.tell()
            open_ = [one for one in open_ if not sent(StepTargets(scope), one, killer)]
    counts = Counter(one["to"] for one in server.events)
    counts.update(one["Destination"]["ToAddresses"][0] for one in ses.taken)
    one_each(counts, count)
    assert killer.kills > 50


def sent(port: StepTargets, wanted: tuple[str, str], killer: Killer) -> bool:
    """One try of one step; False where it died or is to be tried again."""
    target_id, channel = wanted
    killer.active = True
    try:
        port.send([target_id], channel, "S", "Hello", effect_key="run/step")
    except Killed:
        return False
    except StepError as error:
        if not error.retryable:
            pytest.fail(f"given up: {error}")
        return False
    finally:
        killer.active = False
    return True
