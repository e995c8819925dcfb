"""What other domains may use: events made by workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.errors import Detail, Unprocessable
from tidegate_kit.tenancy import UserScope

from tidegate.calendar.schemas import Event, EventCreate
from tidegate.calendar.wiring import events_for

__all__ = ["create_event"]


def create_event(
    scope: UserScope, values: Mapping[str, Any], effect_key: str, clock: Clock = system_clock
) -> dict[str, Any]:
    """Create an event from the fields of POST /v1/calendar/events; gives it as GET does.

    One `effect_key` makes one event, however often this is called. Raises Unprocessable.
    """
    try:
        draft = EventCreate.model_validate(dict(values))
    except ValidationError as error:
        raise Unprocessable(
            details=[
                Detail(".".join(map(str, one["loc"])), "is not valid here")
                for one in error.errors()
            ]
        ) from None
    event = events_for(scope, clock).create(draft.model_dump(), effect_key)
    return Event.of(event).model_dump(mode="json")
