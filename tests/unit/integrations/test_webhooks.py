"""The delivery engine against the published retry table (INT-5, INT-6)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from tidegate.events.public import EVENT_TYPES
from tidegate.integrations.vault import Vault
from tidegate.integrations.webhooks.domain import (
    LONGEST_WAIT,
    MAX_BODY_BYTES,
    MAX_RESTARTS,
    MAX_WEBHOOKS,
    RETRY_AFTER,
    Delivery,
    Try,
    Webhook,
    delivery_id,
    next_wait,
    retry_after,
)
from tidegate.integrations.webhooks.errors import (
    DefaultStays,
    EventTooLarge,
    TooManyWebhooks,
    WebhookDisabled,
)
from tidegate.integrations.webhooks.service.engine import Engine
from tidegate.integrations.webhooks.service.management import WebhookService, WithSecret
from tidegate.integrations.webhooks.service.outbox import Outbox, Told
from tidegate.integrations.webhooks.service.sender import Outcome
from tidegate_kit.clock import FixedClock
from tidegate_kit.crypto import SealBroken, SealContext
from tidegate_kit.errors import NotFound, Unprocessable
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope
from tidegate_kit.webhooks import signed_headers

from tests.fakes.calendar import MemorySealer
from tests.fakes.webhooks import MemoryDeliveries, MemoryWebhooks, ScriptedSender, answered

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://hooks.example.com/in"
TABLE = [5, 30, 120, 600, 3600, 21600, 86400]  # INT-6


@dataclass
class World:
    """One tenant's webhooks, with a clock and a receiver that answer as told."""

    scope: TenantScope = field(default_factory=lambda: TenantScope(new_id()))
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    webhooks: MemoryWebhooks = field(default_factory=MemoryWebhooks)
    deliveries: MemoryDeliveries = field(default_factory=MemoryDeliveries)
    sender: ScriptedSender = field(default_factory=lambda: ScriptedSender([answered(200, NOW)]))
    share: Callable[[], float] = lambda: 0.0
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def service(self) -> WebhookService:
        vault = Vault(MemorySealer(), self.scope)
        return WebhookService(self.webhooks, vault, lambda url: None, EVENT_TYPES, self.clock)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.scope, self.service, self.deliveries, self.clock)

    @property
    def engine(self) -> Engine:
        return Engine(
            self.deliveries, self.webhooks, self.service, self.sender, self.outcomes.get,
            self.clock, self.share,
        )  # fmt: skip

    def webhook(self, *types: str) -> WithSecret:
        return self.service.create(new_id(), URL, types or ("*",), enabled=True)

    def tell(self, source: str = "event-1", **changes: Any) -> Delivery:
        (made,) = self.outbox.tell(event(source, **changes))
        return self.stored(made)

    def stored(self, wanted: str) -> Delivery:
        return self.deliveries.stored[wanted]

    def hook(self, webhook_id: str) -> Webhook:
        return self.webhooks.stored[webhook_id]

    def run(self, delivery: Delivery) -> list[int]:
        """What the delivery machine does: attempt, wait, attempt; gives the waits in seconds."""
        waits: list[int] = []
        for _ in range(20):
            coming = self.engine.attempt(delivery.id, delivery.round)
            if coming.next == "done":
                return waits
            waits.append(coming.seconds)
            self.clock.advance(seconds=coming.seconds)
        raise AssertionError(f"the machine does not end: {waits}")


def event(source: str = "event-1", **changes: Any) -> Told:
    values: dict[str, Any] = {
        "type": "finding.opened", "data": {"n": 1}, "source_id": source, "occurred_at": NOW,
        **changes,
    }  # fmt: skip
    return Told(**values)


def failing(reason: str) -> Outcome:
    return Outcome(Try(NOW, None, reason, 5))


@pytest.fixture
def world() -> World:
    return World()


def test_a_delivery_that_succeeds_is_one_attempt(world: World) -> None:
    made = world.webhook()
    delivery = world.tell()
    assert (delivery.status, delivery.url, delivery.attempts) == ("pending", URL, 0)
    assert world.run(delivery) == []
    done = world.stored(delivery.id)
    assert (done.status, done.attempts, done.last_status_code) == ("delivered", 1, 200)
    (letter,) = world.sender.letters
    assert letter.id == delivery.id
    assert json.loads(letter.body) == {
        "type": "finding.opened", "timestamp": "2026-03-01T12:00:00Z", "data": {"n": 1},
    }  # fmt: skip
    headers = signed_headers(letter.secrets, letter.id, datetime.now(UTC), letter.body)
    for library in (standardwebhooks, svix.webhooks):
        library.Webhook(made.secret).verify(letter.body, headers)


@pytest.mark.hazard("F16")
@pytest.mark.bite("tidegate.integrations.webhooks.domain.RETRY_AFTER", (timedelta(seconds=5),) * 7)
@pytest.mark.bite("tidegate.integrations.webhooks.service.engine.silent_since", returns=False)
def test_a_receiver_that_stays_down_gets_the_published_table(world: World) -> None:
    """F16, INT-6: eight attempts at the published waits, all recorded; then dead and disabled."""
    made = world.webhook()
    world.sender.outcomes = [failing("connect"), answered(500, NOW), failing("timeout")]
    delivery = world.tell()
    assert world.run(delivery) == TABLE
    assert [int(wait.total_seconds()) for wait in RETRY_AFTER] == TABLE
    dead = world.stored(delivery.id)
    assert (dead.status, dead.attempts, dead.last_error) == ("dead", 8, "timeout")
    assert [one.error for one in dead.history] == ["connect", "status 500"] + ["timeout"] * 6
    assert {letter.id for letter in world.sender.letters} == {delivery.id}
    assert len({letter.body for letter in world.sender.letters}) == 1
    hook = world.hook(made.webhook.id)
    assert not hook.enabled
    assert hook.disabled_reason is not None


@pytest.mark.hazard("F16")
@pytest.mark.bite("tidegate.integrations.webhooks.domain.JITTER", 0.0)
def test_waits_are_jittered_and_never_shorter() -> None:
    """F16: each wait is up to a tenth longer, so that retries of many deliveries do not meet."""
    for tries, wait in enumerate(RETRY_AFTER, 1):
        assert next_wait(tries, None, lambda: 0.0) == wait
        longest = next_wait(tries, None, lambda: 1.0)
        assert longest is not None
        assert wait < longest <= wait * 1.1
    assert next_wait(len(RETRY_AFTER) + 1, timedelta(0), lambda: 0.0) is None


@pytest.mark.hazard("F16")
@pytest.mark.bite("tidegate.integrations.webhooks.service.engine.silent_since", returns=True)
def test_one_dead_letter_does_not_disable_a_webhook_that_answers(world: World) -> None:
    """F16: a receiver that took other events in the meantime stays enabled."""
    made = world.webhook()
    world.sender.outcomes = [answered(500, NOW)]
    poison = world.tell("poison")
    coming = world.engine.attempt(poison.id, 1)
    world.sender.outcomes = [answered(200, NOW)]
    world.clock.advance(seconds=1)
    assert world.run(world.tell("fine")) == []
    world.sender.outcomes = [answered(500, NOW)]
    world.clock.advance(seconds=coming.seconds)
    world.run(poison)
    assert world.stored(poison.id).status == "dead"
    assert world.hook(made.webhook.id).enabled


@pytest.mark.hazard("F17")
@pytest.mark.bite(
    "tidegate.integrations.webhooks.service.management.WebhookService.disable", returns=None
)
def test_410_ends_the_delivery_and_disables_the_webhook(world: World) -> None:
    """F17: 410 at any attempt: dead at once, disabled, and the next event is not delivered."""
    made = world.webhook()
    world.sender.outcomes = [answered(500, NOW), answered(410, NOW)]
    delivery = world.tell()
    assert world.run(delivery) == [5]
    assert world.stored(delivery.id).status == "dead"
    hook = world.hook(made.webhook.id)
    assert (hook.enabled, "410" in str(hook.disabled_reason)) == (False, True)
    assert world.outbox.tell(event("event-2")) == []


CASES = {
    "seconds": ("120", 120),
    "shorter-than-the-table": ("1", 5),
    "date": (format_datetime(NOW + timedelta(hours=2), usegmt=True), 7200),
    "past-date": (format_datetime(NOW - timedelta(hours=2), usegmt=True), 5),
    "date-without-zone": ("Sun, 01 Mar 2026 13:00:00", 3600),
    "absurd-seconds": ("9" * 400, 86400),
    "beyond-the-cap": ("90000", 86400),
    "absurd-date": ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
    "negative": ("-5", 5),
    "fraction": ("1.5", 5),
    "other-digits": ("١٢٣", 5),
    "junk": ("soon", 5),
    "empty": ("", 5),
}


@pytest.mark.hazard("F17")
@pytest.mark.bite(
    "tidegate.integrations.webhooks.domain.LONGEST_WAIT",
    timedelta(days=10**5),
    cases=["absurd-date-429", "beyond-the-cap-503"],
)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("case", CASES)
def test_retry_after_is_followed_within_a_cap(world: World, case: str, status: int) -> None:
    """F17: Retry-After in seconds or as a date is followed, up to a day and never below the
    table."""
    header, seconds = CASES[case]
    world.webhook()
    wait = retry_after(status, header, NOW)
    world.sender.outcomes = [answered(status, NOW, wait=wait), answered(200, NOW)]
    assert world.run(world.tell()) == [seconds]
    assert timedelta(days=1) == LONGEST_WAIT
    for other in (200, 301, 400, 500, 502):
        assert retry_after(other, "120", NOW) is None


@pytest.mark.hazard("F18")
@pytest.mark.bite(
    "tidegate_kit.webhooks.WebhookSecrets.at", lambda secrets, now: (secrets.current,)
)
def test_old_and_new_secret_sign_for_a_day(world: World) -> None:
    """F18, INT-5: letters of the day after a rotation carry both signatures, later ones the new."""
    made = world.webhook()
    rotated = world.service.rotate(made.webhook.id)
    assert rotated.secret != made.secret
    world.clock.advance(hours=23, minutes=59)
    world.run(world.tell("during"))
    world.clock.advance(minutes=1)
    world.run(world.tell("after"))
    during, after = world.sender.letters
    assert list(during.secrets) == [rotated.secret, made.secret]
    assert list(after.secrets) == [rotated.secret]


@pytest.mark.hazard("F19")
@pytest.mark.bite(
    "tidegate.integrations.vault.Vault._context", lambda *_: SealContext("t", "r", "f")
)
def test_a_secret_of_another_webhook_or_tenant_never_signs(world: World) -> None:
    """F19: a secret copied from another webhook or tenant does not open: nothing is sent."""
    mine, neighbour = world.webhook(), world.webhook()
    stranger = World()
    theirs = stranger.webhook()
    for foreign in (neighbour.webhook.secret, theirs.webhook.secret):
        hook = world.hook(mine.webhook.id)
        world.webhooks.save(replace(hook, secret=foreign, version=hook.version + 1))
        for made in world.outbox.tell(event(f"event-{foreign}", type="plan.approved")):
            world.run(world.stored(made))
    sent = [tuple(letter.secrets) for letter in world.sender.letters]
    assert set(sent) == {(neighbour.secret,)}
    assert len(sent) == 2
    with pytest.raises(SealBroken):
        world.service.secrets(world.hook(mine.webhook.id))
    dead = [one for one in world.deliveries.stored.values() if one.status == "dead"]
    assert {one.last_error for one in dead} == {"the secret cannot be read"}


@pytest.mark.hazard("H2")
@pytest.mark.bite("tidegate.integrations.webhooks.service.outbox.delivery_id", lambda *_: new_id())
def test_an_event_told_again_makes_no_further_delivery(world: World) -> None:
    """H2: the same event twice and three times, to webhooks and to an address: one delivery
    each."""
    world.webhook()
    world.webhook()
    told = {tuple(world.outbox.tell(event())) for _ in range(3)}
    asked = {world.outbox.tell_url(event(), "https://other.example.com/") for _ in range(3)}
    assert (len(told), len(asked), len(world.deliveries.stored)) == (1, 1, 3)


def test_a_repeated_or_late_step_adds_nothing(world: World) -> None:
    """A step before its time waits, one of an earlier round ends, neither sends."""
    world.webhook()
    world.sender.outcomes = [answered(500, NOW)]
    delivery = world.tell()
    first = world.engine.attempt(delivery.id, 1)
    world.clock.advance(seconds=2)
    again = world.engine.attempt(delivery.id, 1)
    assert (first.seconds, again.seconds, len(world.sender.letters)) == (5, 3, 1)
    assert world.engine.attempt(delivery.id, 2).next == "done"
    assert world.engine.attempt(new_id(), 1).next == "done"
    assert world.stored(delivery.id).attempts == 1


def test_a_slow_step_that_was_overtaken_leaves_the_record_alone(world: World) -> None:
    """Two steps send at once: both count as one attempt, and the first record rules."""
    world.webhook()
    delivery = world.tell()
    engine = world.engine

    class Overtaken(ScriptedSender):
        def send(self, letter: Any, now: datetime) -> Outcome:
            world.sender = ScriptedSender([answered(200, NOW)])
            assert world.engine.attempt(delivery.id, 1).next == "done"
            return answered(500, NOW)

    engine._sender = Overtaken([])
    assert engine.attempt(delivery.id, 1).next == "done"
    done = world.stored(delivery.id)
    assert (done.status, done.attempts) == ("delivered", 1)


def test_redelivering_starts_a_round_under_the_same_id(world: World) -> None:
    made = world.webhook()
    world.sender.outcomes = [answered(500, NOW)]
    delivery = world.tell()
    world.run(delivery)
    hook_id = made.webhook.id
    with pytest.raises(WebhookDisabled):
        world.outbox.redeliver(hook_id, delivery.id)
    world.service.change(hook_id, {"enabled": True, "url": "https://mended.example.com/"})
    assert world.hook(hook_id).disabled_reason is None
    again = world.outbox.redeliver(hook_id, delivery.id)
    assert (again.status, again.round, again.tries, again.attempts) == ("pending", 2, 0, 8)
    world.sender.outcomes = [answered(200, NOW)]
    assert world.run(again) == []
    last = world.sender.letters[-1]
    assert (last.id, last.url) == (delivery.id, "https://mended.example.com/")
    for other in (world.webhook().webhook.id, "default"):
        with pytest.raises(NotFound):
            world.outbox.redeliver(other, delivery.id)
    world.clock.advance(days=15)
    with pytest.raises(NotFound):
        world.outbox.redeliver(hook_id, delivery.id)


@pytest.mark.parametrize("change", ["disabled", "deleted"])
def test_deliveries_of_a_webhook_that_ended_are_dead(world: World, change: str) -> None:
    made = world.webhook()
    delivery = world.tell()
    if change == "disabled":
        world.service.change(made.webhook.id, {"enabled": False})
    else:
        world.service.delete(made.webhook.id)
    assert world.run(delivery) == []
    dead = world.stored(delivery.id)
    assert (dead.status, dead.attempts) == ("dead", 0)
    assert change in str(dead.last_error)
    assert world.sender.letters == []


def test_an_address_given_with_an_event_is_signed_by_the_default(world: World) -> None:
    """WF-13: the outcome is read when it is sent; a 410 of that address disables nothing."""
    rotated = world.service.rotate("default")
    asked = event("execution", type="workflow.execution.completed", data={}, execution_id="run")
    world.outcomes["run"] = {"status": "completed", "output_data": {"n": 1}}
    delivery = world.stored(world.outbox.tell_url(asked, "https://asker.example.com/"))
    assert delivery.body is None
    world.run(delivery)
    (letter,) = world.sender.letters
    assert letter.secrets[0] == rotated.secret
    assert json.loads(letter.body)["data"] == world.outcomes["run"]
    assert world.outbox.tell(event()) == []  # the default itself has no address
    world.sender.outcomes = [answered(410, NOW)]
    gone = world.stored(world.outbox.tell_url(event("other"), "https://asker.example.com/"))
    world.run(gone)
    assert world.stored(gone.id).status == "dead"
    assert world.hook("default").enabled
    lost = event("lost", execution_id="unknown")
    forgotten = world.stored(world.outbox.tell_url(lost, "https://asker.example.com/"))
    world.run(forgotten)
    assert world.stored(forgotten.id).last_error == "the execution is no longer kept"


def test_a_machine_that_died_is_followed_by_another_round(world: World) -> None:
    world.webhook()
    delivery = world.tell()
    for number in range(1, MAX_RESTARTS + 1):
        assert world.engine.restart(delivery.id, number)
        assert not world.engine.restart(delivery.id, number)
    assert world.stored(delivery.id).round == MAX_RESTARTS + 1
    assert world.engine.restart(delivery.id, MAX_RESTARTS + 1)
    assert world.stored(delivery.id).status == "dead"
    assert not world.engine.restart(delivery.id, MAX_RESTARTS + 1)


def test_webhooks_get_the_types_they_asked_for(world: World) -> None:
    every, some = world.webhook(), world.webhook("plan.approved", "plan.undone")
    off = world.service.create(new_id(), URL, ("*",), enabled=False)
    told = world.outbox.tell(event(type="plan.approved"))
    assert {world.stored(one).webhook_id for one in told} == {every.webhook.id, some.webhook.id}
    (other,) = world.outbox.tell(event("event-2"))
    assert world.stored(other).webhook_id == every.webhook.id
    assert off.webhook.id not in {one.webhook_id for one in world.deliveries.stored.values()}


def test_a_webhook_is_not_told_of_its_own_dead_letters(world: World) -> None:
    failing_one, watcher = world.webhook(), world.webhook()
    data = {"webhook_id": failing_one.webhook.id}
    (told,) = world.outbox.tell(event(type="webhook.dead_lettered", data=data))
    assert world.stored(told).webhook_id == watcher.webhook.id


def test_limits_of_webhooks_and_bodies(world: World) -> None:
    made = world.webhook()
    overhead = len(world.tell(data={"text": ""}).body or "")
    fits = MAX_BODY_BYTES - overhead
    assert world.tell("fits", data={"text": "x" * fits}).body is not None
    for size in (fits + 1, 10 * fits):
        with pytest.raises(EventTooLarge):
            world.tell("large", data={"text": "x" * size})
    for _ in range(MAX_WEBHOOKS - 1):
        world.webhook()
    with pytest.raises(TooManyWebhooks):
        world.webhook()
    again = world.service.create(made.webhook.id, URL, ("*",), enabled=True)
    assert (again.webhook.id, again.secret) == (made.webhook.id, made.secret)
    with pytest.raises(DefaultStays):
        world.service.delete("default")
    with pytest.raises(Unprocessable) as refused:
        world.service.create(new_id(), URL, ("plan.approved", "plan.exploded"), enabled=True)
    assert [detail.field for detail in refused.value.details] == ["event_types.1"]


def test_the_default_exists_once_made(world: World) -> None:
    first = world.service.get("default")
    assert world.service.get("default") == first
    assert [one.id for one in world.service.all()] == ["default"]
    changed = world.service.change("default", {"url": URL})
    assert changed.wants("plan.approved")
    (told,) = world.outbox.tell(event())
    assert world.stored(told).webhook_id == "default"


def test_delivery_ids_differ_by_all_that_names_them() -> None:
    base = ("tenant", "webhook", None, "source")
    others = [
        ("t", *base[1:]),
        ("tenant", "w", None, "source"),
        ("tenant", "webhook", URL, "source"),
        ("tenant", "webhook", None, "s"),
    ]
    assert len({delivery_id(*base), *(delivery_id(*one) for one in others)}) == 5
    assert delivery_id(*base) == delivery_id(*base)
