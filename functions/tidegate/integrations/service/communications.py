"""initiate-communications: who is written to by which channel, and the workflow that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tidegate_kit.errors import Detail, Unprocessable

from tidegate.integrations.channels import CHANNELS, Channel, Message
from tidegate.integrations.channels.build import MAX_OCTETS
from tidegate.integrations.channels.ses import subject_of
from tidegate.integrations.domain import Target
from tidegate.integrations.errors import IntegrationRequired, NoTargets
from tidegate.integrations.mail_templates import mail_text
from tidegate.integrations.service.channels import ChannelService, handle_of
from tidegate.integrations.service.targets import TargetService

# One item a message, so that one that fails is told by itself and keeps no other from going out.
DEFINITION: Final[Mapping[str, Any]] = {
    "nodes": [
        {"id": "start", "type": "start", "data": {}},
        {
            "id": "messages",
            "type": "foreach",
            "data": {
                "label": "Each target and channel",
                "items": "{{messages}}",
                "max_concurrency": 10,
                "on_item_error": "collect",
                "definition": {
                    "nodes": [
                        {"id": "begin", "type": "start", "data": {}},
                        {
                            "id": "send",
                            "type": "message",
                            "data": {
                                "target_id": "{{item.target_id}}",
                                "channel": "{{item.channel}}",
                                "subject": "{{subject}}",
                                "text": "{{text}}",
                                # Provider limits are windows of up to a quarter of an hour.
                                "retry": {
                                    "max_attempts": 10,
                                    "interval_seconds": 5,
                                    "backoff_rate": 2,
                                },
                                "timeout_seconds": 120,
                            },
                        },
                    ],
                    "edges": [{"id": "e", "source": "begin", "target": "send"}],
                },
            },
        },
    ],
    "edges": [{"id": "e", "source": "start", "target": "messages"}],
}


@dataclass(frozen=True)
class Wish:
    """A request; None means: every target, every connected channel."""

    target_ids: Sequence[str] | None
    channels: Sequence[Channel] | None
    subject: str | None
    message: str | None
    template: str | None
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class Skipped:
    """A target that gets nothing by some channel, and why."""

    target_id: str
    reason: str


@dataclass(frozen=True)
class Outgoing:
    """What the workflow is given."""

    messages: list[dict[str, str]]
    subject: str
    text: str

    def as_input(self) -> dict[str, Any]:
        """Input of the execution. It names targets by id; addresses stay where they are."""
        return {"messages": self.messages, "subject": self.subject, "text": self.text}


@dataclass(frozen=True)
class Planned:
    """What a request comes to."""

    outgoing: Outgoing
    skipped: list[Skipped]

    @property
    def target_count(self) -> int:
        """Targets that get a message."""
        return len({one["target_id"] for one in self.outgoing.messages})


class CommunicationService:
    """Plans what the caller sends."""

    def __init__(self, targets: TargetService, channels: ChannelService) -> None:
        self._targets = targets
        self._channels = channels

    def plan(self, wish: Wish) -> Planned:
        """Raises Unprocessable, IntegrationRequired, NoTargets."""
        subject, text = _text(wish)
        channels = self._connected(wish.channels)
        problems = [
            Detail("message", f"is longer than the {MAX_OCTETS[channel]} octets of {channel}")
            for channel in channels
            if len(text.encode()) > MAX_OCTETS[channel]
        ]
        if problems:
            raise Unprocessable(details=problems)
        targets, skipped = self._wanted(wish.target_ids)
        messages = []
        for target in targets:
            for channel in channels:
                if handle_of(target, channel) is None:
                    skipped.append(Skipped(target.id, f"no name for {channel}"))
                else:
                    messages.append({"target_id": target.id, "channel": channel})
        if not messages:
            raise NoTargets
        return Planned(Outgoing(messages, subject, text), skipped)

    def _connected(self, wanted: Sequence[Channel] | None) -> list[Channel]:
        connected = self._channels.connected()
        channels = [one for one in CHANNELS if one in (connected if wanted is None else wanted)]
        missing = [one for one in channels if one not in connected]
        if missing or not channels:
            raise IntegrationRequired(
                details=[Detail("channels", f"no connected account sends by {one}")
                         for one in missing or CHANNELS]
            )  # fmt: skip
        return channels

    def _wanted(self, ids: Sequence[str] | None) -> tuple[list[Target], list[Skipped]]:
        active = self._targets.all()
        if ids is None:
            return active, []
        known = {target.id: target for target in active}
        wanted = list(dict.fromkeys(ids))
        missing = [Skipped(one, "no such target") for one in wanted if one not in known]
        return [known[one] for one in wanted if one in known], missing


def _text(wish: Wish) -> tuple[str, str]:
    if (wish.message is None) == (wish.template is None):
        raise Unprocessable(details=[Detail("message", "give either message or template")])
    if wish.message is not None:
        if wish.variables:
            raise Unprocessable(details=[Detail("variables", "belong to a template")])
        return subject_of(Message("", wish.subject, wish.message)), wish.message
    written = mail_text(wish.template or "", wish.variables)
    if written is None:
        raise Unprocessable(details=[Detail("template", "is no mail template")])
    if len(written[1]) > 5000:
        raise Unprocessable(details=[Detail("variables", "make a text over 5000 characters")])
    return subject_of(Message("", wish.subject or written[0], written[1])), written[1]
