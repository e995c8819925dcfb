"""Which messages were begun and which were sent: one row for each effect (E18)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, store_errors
from tidegate_kit.tenancy import UserScope, key

from tidegate.integrations.models import MessageItem

# As long as executions, whose steps may be repeated that long.
KEPT: Final = timedelta(days=90)


@dataclass(frozen=True)
class Slot:
    """One message to one target by one channel; `key` is the same for every try."""

    target_id: str
    channel: str
    key: str
    # The key's hash, where the key itself is not known any more.
    known_digest: str = ""

    @property
    def digest(self) -> str:
        """The key's hash, which has no separator in it."""
        return self.known_digest or hashlib.sha256(self.key.encode()).hexdigest()


@dataclass(frozen=True)
class Sent:
    """How far a message came. `attempt` is the try that began it last, at `begun_at`."""

    state: Literal["begun", "sent"]
    attempt: str
    begun_at: datetime
    message_id: str | None = None


class Messages(Protocol):
    """Messages of one user."""

    def begin(self, slot: Slot, attempt: str, now: datetime) -> Sent:
        """Claim a message before it is sent; the stored record where there is one already."""

    def take_over(self, slot: Slot, old: Sent, attempt: str, now: datetime) -> bool:
        """Claim a message whose earlier try has died; False when another one was faster."""

    def sent(self, slot: Slot, message_id: str, now: datetime) -> None:
        """The provider has it. The first id stays."""

    def release(self, slot: Slot, attempt: str) -> None:
        """This try has certainly not sent it."""

    def known_ids(self, slot: Slot) -> frozenset[str]:
        """The provider's ids of the messages to this target by this channel."""


class DynamoMessages:
    """Messages on the table `integrations`."""

    def __init__(self, scope: UserScope) -> None:
        self._pk = scope.pk

    def begin(self, slot: Slot, attempt: str, now: datetime) -> Sent:
        item = MessageItem(
            self._pk, _sk(slot), state="begun", attempt=attempt, begun_at=now,
            expires=epoch(now + KEPT), created_at=now, updated_at=now,
        )  # fmt: skip
        try:
            with store_errors():
                item.save(condition=MessageItem.pk.does_not_exist())
            return Sent("begun", attempt, now)
        except ConditionFailed:
            known = self._get(slot)
        # A row that went away meanwhile was given back: nothing was sent, but this is not ours.
        return known or Sent("begun", "", now)

    def _get(self, slot: Slot) -> Sent | None:
        with store_errors():
            try:
                item = MessageItem.get(self._pk, _sk(slot), consistent_read=True)
            except MessageItem.DoesNotExist:
                return None
        state: Literal["begun", "sent"] = "sent" if item.state == "sent" else "begun"
        return Sent(state, item.attempt, item.begun_at, item.message_id)

    def take_over(self, slot: Slot, old: Sent, attempt: str, now: datetime) -> bool:
        begun = (MessageItem.state == "begun") & (MessageItem.attempt == old.attempt)
        try:
            with store_errors():
                MessageItem(self._pk, _sk(slot)).update(
                    [
                        MessageItem.attempt.set(attempt),
                        MessageItem.begun_at.set(now),
                        MessageItem.updated_at.set(now),
                    ],
                    condition=begun,
                )
        except ConditionFailed:
            known = self._get(slot)
            # Our own claim, whose answer was lost on the way.
            return known is not None and known.state == "begun" and known.attempt == attempt
        return True

    def sent(self, slot: Slot, message_id: str, now: datetime) -> None:
        try:
            with store_errors():
                MessageItem(self._pk, _sk(slot)).update(
                    [
                        MessageItem.state.set("sent"),
                        MessageItem.message_id.set(message_id),
                        MessageItem.updated_at.set(now),
                    ],
                    condition=MessageItem.state == "begun",
                )
        except ConditionFailed:
            return  # told before, or so long ago that the record has expired

    def release(self, slot: Slot, attempt: str) -> None:
        try:
            with store_errors():
                MessageItem(self._pk, _sk(slot)).delete(
                    condition=(MessageItem.state == "begun") & (MessageItem.attempt == attempt)
                )
        except ConditionFailed:
            return  # not ours any more

    def known_ids(self, slot: Slot) -> frozenset[str]:
        prefix = key("MESSAGE", slot.target_id, slot.channel) + "#"
        with store_errors():
            items = list(
                MessageItem.query(self._pk, MessageItem.sk.startswith(prefix), consistent_read=True)
            )
        return frozenset(item.message_id for item in items if item.message_id is not None)


def _sk(slot: Slot) -> str:
    return key("MESSAGE", slot.target_id, slot.channel, slot.digest)
