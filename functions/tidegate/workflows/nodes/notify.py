"""notify: tells the tenant's people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tidegate.workflows.nodes.base import Done, Effect, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import ShortText, Text
from tidegate.workflows.nodes.ports import Notice, needed


class NotifyData(NodeData):
    """`severity` as in system alerts."""

    channel: Literal["realtime", "email", "webhook"]
    title: ShortText
    message: Text
    severity: Literal["info", "warning", "critical"] = "info"


class NotifyNode(NodeType[NotifyData]):
    """An effect."""

    name = "notify"
    data_model = NotifyData
    secrets_allowed = False

    def effect(self, data: Mapping[str, Any]) -> Effect:
        """Somebody is told."""
        return Effect.EFFECT

    def sample(self, data: NotifyData) -> Done:
        """As told."""
        return Done({"notified": True})

    def summary(self, data: NotifyData) -> str:
        """By which channel."""
        return f"notify by {data.channel}: {data.title[:120]}"

    def run(self, context: NodeContext[NotifyData]) -> Done:
        """[notified]."""
        data = context.data
        notice = Notice(data.channel, data.title, data.message, data.severity)
        needed(context.ports.notices, "notifications").notify(notice, effect_key=context.effect_key)
        return Done({"notified": True})
