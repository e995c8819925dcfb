"""Events in the calendar of the execution's starter."""

from __future__ import annotations

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Conflict, ServiceUnavailable, Unprocessable
from tidegate_kit.tenancy import UserScope

from tidegate.calendar import public as calendar
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import CalendarEvent


class StepCalendar:
    """Calendar port of one step."""

    def __init__(self, scope: UserScope, clock: Clock) -> None:
        self._scope = scope
        self._clock = clock

    def create_event(self, event: CalendarEvent, *, effect_key: str) -> str:
        """Create the event; one effect key makes one event."""
        new = calendar.NewEvent(
            title=event.title,
            start=event.start,
            end=event.end,
            time_zone=event.time_zone,
            attendees=event.attendees,
            description=event.description,
        )
        try:
            return calendar.create_event(self._scope, new, effect_key, self._clock)
        except Unprocessable as error:
            wrong = "; ".join(f"{each.field} {each.message}" for each in error.details)
            raise StepError("INVALID_DATA", f"The event is not valid: {wrong}.") from error
        except Conflict as error:
            raise StepError(error.code, error.message, retryable=True) from error
        except ServiceUnavailable as error:
            raise StepError(error.code, error.message, retryable=True) from error
