"""Events made by workflows."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from tidegate.calendar.public import NewEvent, create_event
from tidegate.calendar.repository.events import DynamoEvents
from tidegate_kit.errors import Unprocessable
from tidegate_kit.settings import Settings

from tests.builders.calendar import SCOPE

EVENT = NewEvent("Review", "2026-03-02T10:00:00+01:00", "2026-03-02T11:00:00+01:00")


def test_one_effect_key_makes_one_event(platform: Settings) -> None:
    full = replace(EVENT, time_zone="Europe/Berlin", attendees=("a@b.example",), description="x")
    first = create_event(SCOPE, full, "key-1")
    assert create_event(SCOPE, full, "key-1") == first
    assert create_event(SCOPE, full, "key-2") != first
    event = DynamoEvents(SCOPE).get(first)
    assert event is not None
    assert (event.content.title, event.content.time_zone) == ("Review", "Europe/Berlin")
    assert [guest.email for guest in event.content.attendees] == ["a@b.example"]
    assert len(DynamoEvents(SCOPE).all()) == len(DynamoEvents(SCOPE).pushes()) == 2


def test_two_dates_make_an_all_day_event(platform: Settings) -> None:
    day = replace(EVENT, start="2026-03-02", end="2026-03-03")
    event = DynamoEvents(SCOPE).get(create_event(SCOPE, day, "key"))
    assert event is not None
    assert event.content.all_day


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", ""), ("title", "x" * 201), ("title", "a\nb"), ("start", "soon"), ("end", "2026"),
     ("end", "2026-03-01T00:00:00Z"), ("time_zone", "Mars/Olympus"), ("attendees", ("nobody",)),
     ("attendees", ("a@b",) * 101), ("description", "x" * 2001), ("description", "\x00")],
)  # fmt: skip
def test_what_is_wrong_is_named(field: str, value: object) -> None:
    with pytest.raises(Unprocessable) as refused:
        create_event(SCOPE, replace(EVENT, **{field: value}), "key")  # type: ignore[arg-type]
    assert [detail.field for detail in refused.value.details] == [field]


def test_workers_do_not_pay_for_fastapi() -> None:
    heavy = "{'fastapi', 'icalendar'}"
    code = f"import sys, tidegate.calendar.public as _; print({heavy} & {{*sys.modules}})"
    path = ":".join(["functions", "layers/shared"])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "set()"
