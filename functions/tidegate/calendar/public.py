"""What other domains may use of the calendar: events made by workflows. Without FastAPI."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unicodedata import category

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.errors import Detail, Unprocessable
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import UserScope

from tidegate.calendar.connection_check import check_google
from tidegate.calendar.drafts import EMAIL, read_moment
from tidegate.calendar.repository.connections import DynamoConnections
from tidegate.calendar.repository.events import DynamoEvents
from tidegate.calendar.service.events import EventService
from tidegate.calendar.zones import known_zones

__all__ = ["NewEvent", "check_connection", "create_event"]

_MAX_GUESTS = 100


@dataclass(frozen=True)
class NewEvent:
    """An event to be made. start, end: ISO 8601 with offset or Z, or both dates for all-day."""

    title: str
    start: str
    end: str
    time_zone: str | None = None
    attendees: tuple[str, ...] = ()
    description: str | None = None


def create_event(
    scope: UserScope, event: NewEvent, effect_key: str, clock: Clock = system_clock
) -> str:
    """Create the event in a user's calendar and give its id.

    One `effect_key` makes one event, however often this is called. Raises Unprocessable naming
    each field that is wrong.
    """
    values = _checked(event)
    service = EventService(DynamoEvents(scope), DynamoConnections(scope), clock, new_id)
    return service.create(values, effect_key).id


def check_connection(scope: UserScope, clock: Clock = system_clock) -> None:
    """Ask Google whether the user's authorisation still reaches the calendar; stores nothing.

    Raises NoOAuthToken, ReconnectRequired, ProviderRateLimited, ProviderUnavailable. The caller's
    function needs the GOOGLE_* settings, kms:Decrypt and reads of the table `calendar`.
    """
    check_google(scope, clock)


def _checked(event: NewEvent) -> dict[str, Any]:
    details: list[Detail] = []

    def field(name: str, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except ValueError as error:
            details.append(Detail(name, str(error)))
            return None

    start = field("start", lambda: read_moment(event.start))
    values = {
        "title": field("title", lambda: _text(event.title, 1, 200, breaks="")),
        "description": field("description", lambda: _text(event.description or "", 0, 2000)),
        "start": start,
        "end": field("end", lambda: read_moment(event.end)),
        "all_day": start is not None and not isinstance(start, datetime),
        "time_zone": field("time_zone", lambda: _zone(event.time_zone or "UTC")),
        "attendees": field("attendees", lambda: _guests(event.attendees)),
    }
    if details:
        raise Unprocessable(details=details)
    return values


def _text(text: str, least: int, most: int, breaks: str = "\n\r\t") -> str:
    if any(category(char) in {"Cc", "Cs"} and char not in breaks for char in text):
        raise ValueError("holds a control character")
    text = text.strip()
    if not least <= len(text) <= most:
        raise ValueError(f"must have {least} to {most} characters")
    return text


def _zone(name: str) -> str:
    if name not in known_zones():
        raise ValueError("is not an IANA time zone")
    return name


def _guests(addresses: tuple[str, ...]) -> list[dict[str, str]]:
    if len(addresses) > _MAX_GUESTS:
        raise ValueError(f"must be at most {_MAX_GUESTS}")
    if not all(re.fullmatch(EMAIL, address) for address in addresses):
        raise ValueError("holds something that is not an e-mail address")
    return [{"email": address} for address in addresses]
