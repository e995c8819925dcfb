"""How the API document shows iCalendar files."""

from __future__ import annotations

from typing import Any

_FILE = {
    "text/calendar": {
        "schema": {"type": "string"},
        "example": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nEND:VCALENDAR\r\n",
    }
}
CALENDAR_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The calendar (RFC 5545).", "content": _FILE}
}
CALENDAR_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": _FILE}}
