"""One message for each effect: the store under one contract, and the sending with every fault."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tidegate.integrations import tasks
from tidegate.integrations.channels import ChannelError, Found, Message, Sending
from tidegate.integrations.channels.ses import EVENT_BOUND, Ses
from tidegate.integrations.repository import DynamoMessages, Messages, Slot
from tidegate.integrations.service.messages import LEASE, MessageService
from tidegate.integrations.service.sending import tags_of
from tidegate_kit.clock import FixedClock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ids import new_id
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import UserScope

from tests.fakes.faults import SideEffect, enumerate_faults
from tests.fakes.integrations import MemoryMessages
from tests.fakes.races import race

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def slot(key: str = "run/step", target: str | None = None) -> Slot:
    return Slot(target or new_id(), "twitter", key)


@pytest.fixture(params=["memory", "dynamo"])
def messages(request: pytest.FixtureRequest) -> Messages:
    if request.param == "memory":
        return MemoryMessages()
    request.getfixturevalue("platform")
    return DynamoMessages(UserScope(new_id(), new_id()))


def test_the_first_claim_stands_until_it_is_given_back(messages: Messages) -> None:
    place = slot()
    assert messages.begin(place, "one", NOW).attempt == "one"
    assert messages.begin(place, "one", NOW).attempt == "one"
    again = messages.begin(place, "two", LATER)
    assert (again.state, again.attempt, again.begun_at) == ("begun", "one", NOW)
    messages.release(place, "two")  # not its own
    assert messages.begin(place, "two", LATER).attempt == "one"
    messages.release(place, "one")
    assert messages.begin(place, "two", LATER).attempt == "two"


def test_a_claim_is_taken_over_once(messages: Messages) -> None:
    place = slot()
    old = messages.begin(place, "one", NOW)
    assert messages.take_over(place, old, "two", LATER)
    assert messages.take_over(place, old, "two", LATER)  # its own answer was lost
    assert not messages.take_over(place, old, "three", LATER)
    assert messages.begin(place, "four", LATER).attempt == "two"


def test_what_was_sent_stays_sent(messages: Messages) -> None:
    place = slot()
    messages.begin(place, "one", NOW)
    old = messages.begin(place, "two", NOW)
    messages.sent(place, "m-1", LATER)
    messages.sent(place, "m-2", LATER)
    messages.release(place, "one")
    assert not messages.take_over(place, old, "two", LATER)
    known = messages.begin(place, "three", LATER)
    assert (known.state, known.message_id) == ("sent", "m-1")


def test_ids_are_known_by_target_and_channel(messages: Messages) -> None:
    first = slot("a")
    second, other = slot("b", first.target_id), slot("a")
    for place, message_id in ((first, "m-1"), (second, "m-2"), (other, "m-3")):
        messages.begin(place, "one", NOW)
        messages.sent(place, message_id, LATER)
    messages.begin(slot("c", first.target_id), "one", NOW)
    assert messages.known_ids(first) == {"m-1", "m-2"}


class Provider:
    """A provider that takes what it is sent and can be asked for it."""

    max_octets = 1000

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.taken: list[tuple[str, str, datetime]] = []
        self.remembers = True

    def check(self) -> None:
        """Always well."""

    def resolve(self, handle: str) -> str:
        return handle

    def send(self, message: Message, key: str) -> str:
        message_id = f"m-{len(self.taken)}"
        self.taken.append((message_id, message.text, self.clock()))
        return message_id

    def find(self, message: Message, sending: Sending) -> Found:
        if not self.remembers:
            return Found("unknown")
        for message_id, text, at in self.taken:
            if text == message.text and at >= sending.since and message_id not in sending.known_ids:
                return Found("sent", message_id)
        return Found("absent")


def lost() -> Exception:
    return ChannelError("PROVIDER_UNAVAILABLE", "lost", retryable=True, uncertain=True)


def refused() -> Exception:
    return ChannelError("PROVIDER_RATE_LIMITED", "later", retryable=True)


@dataclass
class World:
    """One user, one provider, one message."""

    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    place: Slot = field(default_factory=slot)

    def __post_init__(self) -> None:
        """The provider on this world's clock."""
        self.provider = Provider(self.clock)
        self.messages = DynamoMessages(UserScope(new_id(), new_id()))

    def send(self) -> str:
        """One try."""
        service = MessageService(self.messages, self.clock, new_id)
        return service.send(self.provider, Message("ada", None, "Hello"), self.place)

    def again(self) -> str:
        """A try as the state machine repeats it, some time later."""
        self.clock.advance(seconds=LEASE.total_seconds() + 1)
        return self.send()

    def one_message(self) -> None:
        """Exactly one."""
        assert [text for _, text, _ in self.provider.taken] == ["Hello"]


@pytest.mark.hazard("E18")
@pytest.mark.bite(
    "tests.integration.integrations.test_messages.DynamoMessages.begin",
    lambda store, place, attempt, now: MemoryMessages().begin(place, attempt, now),
)
def test_whatever_dies_there_is_one_message(platform: Settings) -> None:
    """E18: killed, throttled or answered into the void at any call, then tried again: one."""

    @contextlib.contextmanager
    def fresh() -> Iterator[World]:
        yield World()

    enumerate_faults(
        World.send, World.again, World.one_message, fresh, name="message",
        side_effects=[SideEffect(f"{__name__}.Provider.send", throttled=refused, lost=lost)],
    )  # fmt: skip


def test_a_provider_without_memory_is_not_asked_twice(platform: Settings) -> None:
    world = World()
    world.provider.remembers = False
    world.messages.begin(world.place, "dead", NOW)
    with pytest.raises(ChannelError, match="MESSAGE_UNCERTAIN") as caught:
        world.again()
    assert not caught.value.retryable
    assert world.provider.taken == []


def test_a_try_that_may_be_alive_is_left_alone(platform: Settings) -> None:
    world = World()
    world.messages.begin(world.place, "alive", NOW)
    world.clock.advance(seconds=1)
    with pytest.raises(ChannelError, match="MESSAGE_UNCERTAIN") as caught:
        world.send()
    assert caught.value.retryable
    assert world.provider.taken == []
    world.again()
    world.one_message()


@pytest.mark.hazard("H2")
@pytest.mark.bite(
    "tidegate.integrations.repository.messages.DynamoMessages.take_over", returns=True
)
def test_two_tries_at_once_send_one(platform: Settings) -> None:
    """H2: the same step delivered twice at the same moment takes a dead try over once."""
    worlds: dict[int, World] = {}

    def setup(number: int) -> None:
        world = worlds[number] = World()
        world.messages.begin(world.place, "dead", NOW)
        world.clock.advance(seconds=LEASE.total_seconds() + 1)

    def attempt(worker: int, number: int) -> None:
        with contextlib.suppress(ChannelError):
            worlds[number].send()

    race(2, attempt, rounds=100, setup=setup)
    assert [len(world.provider.taken) for world in worlds.values()] == [1] * 100


class LostSes:
    """SES that takes mails; some of its answers are lost."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []

    def send_email(self, **request: Any) -> dict[str, Any]:
        self.taken.append(request)
        raise ServiceUnavailable  # any error of the caller's own: the process ends here


def test_the_event_of_a_sent_mail_completes_its_record(
    platform: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FixedClock(NOW)
    scope, place = UserScope(new_id(), new_id()), Slot(new_id(), "email", "run/step")
    ses = LostSes()
    adapter = Ses(lambda: ses, "ops@example.com", "set", clock)
    service = MessageService(DynamoMessages(scope), clock, new_id)
    mail = Message("a@example.com", "Subject", "Text", tags_of(scope, place))
    with pytest.raises(ServiceUnavailable):
        service.send(adapter, mail, place)
    clock.advance(seconds=120)
    with pytest.raises(ChannelError, match="MESSAGE_UNCERTAIN") as caught:
        service.send(adapter, mail, place)
    assert caught.value.retryable
    tags = {one["Name"]: [one["Value"]] for one in ses.taken[0]["EmailTags"]}
    event = {
        "source": "aws.ses", "detail-type": "Email Sent",
        "detail": {"eventType": "Send", "mail": {"messageId": "ses-1", "tags": tags}},
    }  # fmt: skip
    for _ in range(2):
        assert tasks.mail_sent(event, None) == {"known": True}
    clock.advance(seconds=EVENT_BOUND.total_seconds())
    assert service.send(adapter, mail, place) == "ses-1"
    assert len(ses.taken) == 1
    strange = {"detail": {"mail": {"messageId": "x", "tags": {}}}}
    assert tasks.mail_sent(strange, None) == {"known": False}
