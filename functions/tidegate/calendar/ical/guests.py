"""ATTENDEE properties."""

from __future__ import annotations

import re

from tidegate.calendar.ical.lines import Property

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def email_of(one: Property) -> str:
    """The address of an ATTENDEE."""
    value = one.value.strip()
    return value[7:] if value[:7].lower() == "mailto:" else value


def guest_line(email: str, name: str | None, kept: Property | None) -> str:
    """The property of a guest, with the parameters that it came with."""
    from icalendar.parser import Parameters

    given = dict(kept.parameters) if kept is not None else {}
    given.pop("CN", None)
    if name is not None:
        given["CN"] = _CONTROL.sub("", name)
    parameters = Parameters(given).to_ical().decode() if given else ""
    plain = _CONTROL.sub("", email).replace("\n", "").replace("\t", "")
    address = plain if ":" in plain else f"mailto:{plain}"
    return f"ATTENDEE{';' if parameters else ''}{parameters}:{address}"
