"""The calendar on the deployed template, over HTTP, with a local Google (contract 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tidegate_kit.clock import system_clock

from tests.e2e.conftest import Owner, RunningCloud
from tests.fakes.google_calendar import FakeGoogle, serving

ICS = Path(__file__).parents[1] / "data" / "ics"
BASE = "/api/v1/calendar"
EVENT = {
    "title": "Review", "start": "2026-03-02T10:00:00+01:00", "end": "2026-03-02T11:00:00+01:00",
    "time_zone": "Europe/Berlin",
}  # fmt: skip


@pytest.fixture
def google(cloud: RunningCloud) -> Iterator[FakeGoogle]:
    """The Google that the deployed function calls."""
    fake = FakeGoogle(system_clock)
    with serving(fake, cloud.google_port):
        yield fake


def test_events_tasks_and_files(new_owner: Callable[[], Owner]) -> None:
    """Every route of 2.3 that needs no provider, in both spellings."""
    http = new_owner().http
    made = http.post(f"{BASE}/events", json=EVENT)
    assert made.status_code == 201, made.text
    event = made.json()
    path = f"/v1/calendar/events/{event['id']}"
    assert http.get(path).json() == http.get(f"/api{path}/").json() == event
    assert http.put(path, json={"title": "Renamed"}).json()["title"] == "Renamed"
    listed = http.get(f"{BASE}/events", params={"from": "2026-03-02", "to": "2026-03-03"}).json()
    assert [one["id"] for one in listed["events"]] == [event["id"]]
    task = http.post(f"{BASE}/tasks", json={"title": "Pay", "due": "2026-03-05T00:00:00Z"}).json()
    assert http.put(f"{BASE}/tasks/{task['id']}", json={"status": "done"}).json()["completed_at"]
    assert http.get(f"{BASE}/tasks", params={"status": "done"}).json()["total"] == 1
    assert http.get(f"{BASE}/tasks/{task['id']}").status_code == 200
    assert http.delete(f"{BASE}/tasks/{task['id']}").json()["deleted"] is True
    headers = {"content-type": "text/calendar"}
    data = (ICS / "outlook.ics").read_bytes()
    counts = http.post(f"{BASE}/import", content=data, headers=headers)
    assert counts.json() == {"created": 2, "updated": 0, "skipped": 0}
    export = http.get(f"{BASE}/export.ics")
    assert export.headers["content-type"].startswith("text/calendar")
    assert http.post(f"{BASE}/import", content=export.content, headers=headers).json() == {
        "created": 0, "updated": 0, "skipped": 3,
    }  # fmt: skip
    bad = http.post(f"{BASE}/import", content=data[:-20], headers=headers)
    assert bad.status_code == 422
    assert bad.json()["error"]["details"][0]["field"].startswith("line ")
    assert http.delete(path).json() == {"id": event["id"], "deleted": True}
    assert http.get(path).status_code == 404


def test_connect_and_sync(
    new_owner: Callable[[], Owner], cloud: RunningCloud, google: FakeGoogle
) -> None:
    """CAL-1, CAL-2: authorisation with PKCE, a sync both ways, a second that changes nothing."""
    http = new_owner().http
    refused = http.post(f"{BASE}/sync/auto")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "NO_OAUTH_TOKEN")
    evil = http.post(f"{BASE}/oauth/start", json={"redirect_uri": "https://evil.example/x"})
    assert evil.status_code == 422
    redirect = f"{cloud.config.api_url}/connected"
    started = http.post(f"{BASE}/oauth/start", json={"redirect_uri": redirect})
    assert started.status_code == 200, started.text
    code, state = google.oauth.consent(started.json()["authorization_url"])
    complete: dict[str, Any] = {"code": code, "state": state}
    done = http.post(f"{BASE}/oauth/complete", json=complete)
    assert done.json()["connected"] is True, done.text
    replayed = http.post(f"{BASE}/oauth/complete", json=complete)
    assert replayed.json()["error"]["code"] == "OAUTH_STATE_INVALID"
    google.calendar.add(summary="theirs")
    ours = http.post(f"{BASE}/events", json=EVENT).json()
    synced = http.post(f"{BASE}/sync/auto").json()
    assert (synced["pulled"]["created"], synced["pushed"]["created"]) == (1, 1)
    again = http.post(f"{BASE}/sync/auto").json()
    nothing = {"created": 0, "updated": 0, "deleted": 0}
    assert (again["full_sync"], again["pulled"], again["pushed"]) == (False, nothing, nothing)
    google.calendar.edit(ours["id"].replace("-", ""), summary="renamed there")
    http.post(f"{BASE}/sync/auto")
    assert http.get(f"{BASE}/events/{ours['id']}").json()["title"] == "renamed there"
    assert http.delete(f"{BASE}/oauth").json()["deleted"] is True
    assert http.get(f"{BASE}/oauth").json()["connected"] is False
