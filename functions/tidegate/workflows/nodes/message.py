"""message: writes to communication targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from tidegate.workflows.nodes.base import Done, Effect, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import OPEN, ShortText
from tidegate.workflows.nodes.ports import needed


class MessageData(NodeData):
    """`target_id` or `target_ids`. `subject` is for e-mail; without one the text's start is it."""

    target_id: ShortText | None = None
    target_ids: Annotated[list[ShortText], Field(min_length=1, max_length=200), OPEN] | None = None
    channel: Annotated[Literal["email", "twitter", "instagram"], OPEN]
    subject: ShortText | None = None
    text: Annotated[str, Field(min_length=1, max_length=5000)]


class MessageNode(NodeType[MessageData]):
    """An effect."""

    name = "message"
    data_model = MessageData

    def effect(self, data: Mapping[str, Any]) -> Effect:
        """Messages leave the house."""
        return Effect.EFFECT

    def check(self, data: MessageData) -> list[tuple[str, str]]:
        """One of the two."""
        if (data.target_id is None) == (data.target_ids is None):
            return [("target_id", "Give either target_id or target_ids.")]
        return []

    def sample(self, data: MessageData) -> Done:
        """One message a target."""
        sent = [{"target_id": one, "message_id": "sample-message-id"} for one in _targets(data)]
        return Done({"sent": sent})

    def summary(self, data: MessageData) -> str:
        """To how many."""
        return f"send a message by {data.channel} to {len(_targets(data))} target(s)"

    def run(self, context: NodeContext[MessageData]) -> Done:
        """[sent]."""
        data = context.data
        sent = needed(context.ports.targets, "communication targets").send(
            _targets(data), data.channel, data.subject, data.text, effect_key=context.effect_key
        )
        return Done({"sent": sent})


def _targets(data: MessageData) -> list[str]:
    if data.target_id is not None:
        return [data.target_id]
    return data.target_ids if isinstance(data.target_ids, list) else []
