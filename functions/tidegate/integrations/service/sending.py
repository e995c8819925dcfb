"""One message to one target: the account, the recipient, the sending (INT-4)."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate_kit.tenancy import UserScope

from tidegate.integrations.channels import Adapter, Channel, ChannelError, Message
from tidegate.integrations.domain import Target
from tidegate.integrations.repository import Records, Slot
from tidegate.integrations.service.channels import ChannelService, handle_of
from tidegate.integrations.service.messages import MessageService


@dataclass(frozen=True)
class Draft:
    """What is to be sent; `effect_key` is the same for every try."""

    channel: Channel
    subject: str | None
    text: str
    effect_key: str


class SendingService:
    """Messages from one user to his targets."""

    def __init__(
        self,
        scope: UserScope,
        targets: Records[Target],
        channels: ChannelService,
        messages: MessageService,
    ) -> None:
        self._scope = scope
        self._targets = targets
        self._channels = channels
        self._messages = messages

    def send(self, target_id: str, draft: Draft) -> str:
        """Send once and give the provider's id. Raises ChannelError, ServiceUnavailable."""
        (target,) = self._targets.get([target_id])
        if target is None or not target.active:
            raise ChannelError("UNKNOWN_TARGET", "There is no such target.")
        handle = handle_of(target, draft.channel)
        if handle is None:
            raise ChannelError("NO_ADDRESS", f"The target has no name on {draft.channel}.")
        adapter = self._channels.adapter(draft.channel)
        if adapter is None:
            text = f"No connected account sends by {draft.channel}."
            raise ChannelError("INTEGRATION_REQUIRED", text)
        return self._send(adapter, target, handle, draft)

    def _send(self, adapter: Adapter, target: Target, handle: str, draft: Draft) -> str:
        if len(draft.text.encode()) > adapter.max_octets:
            text = f"The text is longer than {adapter.max_octets} octets."
            raise ChannelError("MESSAGE_TOO_LONG", text)
        slot = Slot(target.id, draft.channel, draft.effect_key)
        # The recipient is looked up first, so that little can go wrong once the row is written.
        to = adapter.resolve(handle)
        message = Message(to, draft.subject, draft.text, tags_of(self._scope, slot))
        return self._messages.send(adapter, message, slot)


def tags_of(scope: UserScope, slot: Slot) -> dict[str, str]:
    """Names the message's record to the provider, which tells it back."""
    return {
        "tidegate-tenant": scope.tenant_id,
        "tidegate-user": scope.user_id,
        "tidegate-target": slot.target_id,
        "tidegate-message": slot.digest,
    }
