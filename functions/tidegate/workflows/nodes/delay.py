"""delay: waits for a time span or until an instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field

from tidegate.workflows.nodes.base import Done, NodeData, NodeType, Sleep
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.errors import StepError
from tidegate.workflows.nodes.fields import OPEN, ShortText

MAX_SECONDS: Final = 31_536_000


class DelayData(NodeData):
    """`seconds` or `until` (ISO 8601; without a zone it is UTC)."""

    seconds: Annotated[int, Field(ge=1, le=MAX_SECONDS), OPEN] | None = None
    until: ShortText | None = None


class DelayNode(NodeType[DelayData]):
    """A Wait state; an instant that has passed does not wait."""

    name = "delay"
    data_model = DelayData

    def check(self, data: DelayData) -> list[tuple[str, str]]:
        """One of the two."""
        if (data.seconds is None) == (data.until is None):
            return [("seconds", "Give either seconds or until.")]
        if data.until is not None and "{{" not in data.until and instant(data.until) is None:
            return [("until", "is not an ISO 8601 time")]
        return []

    def sample(self, data: DelayData) -> Done:
        """Over at once."""
        return Done()

    def summary(self, data: DelayData) -> str:
        """How long."""
        return f"wait {data.seconds} s" if data.until is None else f"wait until {data.until}"

    def run(self, context: NodeContext[DelayData]) -> Sleep:
        """When to continue."""
        now = context.now()
        if context.data.seconds is not None:
            return Sleep(now + timedelta(seconds=context.data.seconds))
        until = instant(context.data.until or "")
        if until is None:
            raise StepError("INVALID_DATA", "'until' is not an ISO 8601 time.")
        if until - now > timedelta(seconds=MAX_SECONDS):
            raise StepError("INVALID_DATA", f"'until' is more than {MAX_SECONDS} seconds away.")
        return Sleep(max(until, now))

    def finish(self, context: NodeContext[DelayData], answer: Mapping[str, Any]) -> Done:
        """The time is over."""
        return Done()


def instant(text: str) -> datetime | None:
    """ISO 8601 text as an instant, UTC where it has no zone; None when it is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
