"""calendar_event: puts an event into the starter's calendar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from tidegate.workflows.nodes.base import Done, Effect, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import OPEN, Address, ShortText, Text
from tidegate.workflows.nodes.ports import CalendarEvent, needed


class CalendarEventData(NodeData):
    """`start` and `end` ISO 8601."""

    title: ShortText
    start: ShortText
    end: ShortText
    time_zone: ShortText | None = None
    attendees: Annotated[list[Address], Field(max_length=100), OPEN] | None = None
    description: Text | None = None


class CalendarEventNode(NodeType[CalendarEventData]):
    """An effect."""

    name = "calendar_event"
    data_model = CalendarEventData
    secrets_allowed = False

    def effect(self, data: Mapping[str, Any]) -> Effect:
        """A calendar changes."""
        return Effect.EFFECT

    def sample(self, data: CalendarEventData) -> Done:
        """An event's id."""
        return Done({"event_id": "sample-event-id"})

    def summary(self, data: CalendarEventData) -> str:
        """Which event."""
        return f"create the event '{data.title[:120]}' at {data.start}"

    def run(self, context: NodeContext[CalendarEventData]) -> Done:
        """[event_id]."""
        data = context.data
        event = CalendarEvent(
            title=data.title,
            start=data.start,
            end=data.end,
            time_zone=data.time_zone,
            attendees=tuple(data.attendees or ()),
            description=data.description,
        )
        calendar = needed(context.ports.calendar, "calendar")
        return Done({"event_id": calendar.create_event(event, effect_key=context.effect_key)})
