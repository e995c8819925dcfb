"""Sends one message exactly once, whatever dies on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from tidegate_kit.clock import Clock
from tidegate_kit.ids import IdFactory

from tidegate.integrations.channels import Adapter, ChannelError, Message, Sending
from tidegate.integrations.repository.messages import Messages, Sent, Slot

# Longer than any call of an adapter: a try that began before that has ended one way or another.
LEASE: Final = timedelta(seconds=60)


class MessageService:
    """Messages of one user.

    A row is written before the provider is called and completed after it. A try that finds a row
    without an end asks the provider whether it has the message: if so the row is completed, if
    not the message is sent, and where the provider cannot tell it is not sent again.
    """

    def __init__(self, messages: Messages, clock: Clock, ids: IdFactory) -> None:
        self._messages = messages
        self._clock = clock
        self._ids = ids

    def send(self, adapter: Adapter, message: Message, slot: Slot) -> str:
        """The provider's id of the message. Raises ChannelError, ServiceUnavailable."""
        attempt = self._ids()
        claim = self._messages.begin(slot, attempt, self._clock())
        if claim.state == "sent":
            return claim.message_id or ""
        if claim.attempt != attempt:
            found = self._ended(adapter, message, slot, claim)
            if found is not None:
                return found
            if not self._messages.take_over(slot, claim, attempt, self._clock()):
                raise _busy()
        try:
            message_id = adapter.send(message, slot.key)
        except ChannelError as error:
            if not error.uncertain:
                self._messages.release(slot, attempt)
            raise
        self._messages.sent(slot, message_id, self._clock())
        return message_id

    def _ended(self, adapter: Adapter, message: Message, slot: Slot, claim: Sent) -> str | None:
        """How an earlier try ended: the message's id, or None where it sent nothing."""
        sending = Sending(slot.key, claim.begun_at, self._messages.known_ids(slot))
        found = adapter.find(message, sending)
        if found.state == "sent":
            self._messages.sent(slot, found.message_id, self._clock())
            return found.message_id
        if found.state == "unknown":
            text = "An earlier try ended before it could say whether the message was sent."
            raise ChannelError("MESSAGE_UNCERTAIN", text)
        if found.state == "later" or self._clock() - claim.begun_at < LEASE:
            raise _busy()
        return None


def _busy() -> ChannelError:
    text = "Another try to send the message may still be at work."
    return ChannelError("MESSAGE_UNCERTAIN", text, retryable=True)
