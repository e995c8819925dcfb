"""The calendar over the whole pipeline (contract 2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from tidegate.calendar import wiring
from tidegate.calendar.routes import router
from tidegate_kit.auth.authenticate import ACCESS_COOKIE, CSRF_COOKIE
from tidegate_kit.auth.models import SessionItem, session_key
from tidegate_kit.clock import system_clock
from tidegate_kit.http.guard import csrf_token
from tidegate_kit.settings import Settings

from tests.builders.api import ApiClient
from tests.builders.members import SignedIn, sign_in
from tests.builders.settings import PREFIX, REGION
from tests.fakes.google_calendar import FakeGoogle, serving
from tests.fakes.google_calendar.app import CLIENT_ID, CLIENT_SECRET
from tests.fakes.tables import dump_tables

BASE = "/api/v1/calendar"
EVENT = {
    "title": "Review", "start": "2026-03-02T10:00:00+01:00", "end": "2026-03-02T11:00:00+01:00",
    "time_zone": "Europe/Berlin",
}  # fmt: skip
REDIRECT = "http://localhost:3000/connected"
NOTHING = {"created": 0, "updated": 0, "deleted": 0}
ICS = Path(__file__).parents[1] / "data" / "ics"
CALENDAR = {"content-type": "text/calendar; charset=utf-8"}


@pytest.fixture
def client(platform: Settings) -> ApiClient:
    return ApiClient([router], platform)


@pytest.fixture
def member(platform: Settings) -> SignedIn:
    return sign_in()


@pytest.fixture
def google(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    """A local Google that the function's settings name."""
    fake = FakeGoogle(system_clock)
    with serving(fake) as url:
        for name, value in {
            "GOOGLE_BASE_URL": url, "GOOGLE_TOKEN_URL": f"{url}/token",
            "GOOGLE_REVOKE_URL": f"{url}/revoke", "GOOGLE_CLIENT_ID": CLIENT_ID,
            "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        yield fake


def create(client: ApiClient, member: SignedIn, kind: str = "events", **fields: Any) -> Any:
    body = fields if kind == "tasks" else {**EVENT, **fields}
    answer = client.post(f"{BASE}/{kind}", json=body, headers=member.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def connect(client: ApiClient, member: SignedIn, google: FakeGoogle) -> Any:
    started = client.post(
        f"{BASE}/oauth/start", json={"redirect_uri": REDIRECT}, headers=member.headers
    )
    assert started.status_code == 200, started.text
    code, state = google.oauth.consent(started.json()["authorization_url"])
    assert state == started.json()["state"]
    done = client.post(
        f"{BASE}/oauth/complete", json={"code": code, "state": state}, headers=member.headers
    )
    assert done.status_code == 200, done.text
    return done.json()


def tables() -> Any:
    client = boto3.client("dynamodb", region_name=REGION)
    return dump_tables(client, [f"{PREFIX}-calendar"])


# ---- events ------------------------------------------------------------------------------------


def test_an_event_with_defaults(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member)
    assert made == {
        "id": made["id"], "title": "Review", "description": "", "location": "",
        "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T10:00:00Z", "all_day": False,
        "time_zone": "Europe/Berlin", "attendees": [], "recurrence": None, "status": "confirmed",
        "source": "local", "external_id": None, "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }  # fmt: skip
    path = f"{BASE}/events/{made['id']}"
    assert client.get(path, headers=member.headers).json() == made
    assert client.get(path.removeprefix("/api") + "/", headers=member.headers).json() == made


def test_every_field_and_changes(client: ApiClient, member: SignedIn) -> None:
    fields = {
        "description": "line 1\nline 2", "location": "Room 4", "all_day": True,
        "start": "2026-05-01", "end": "2026-05-03", "status": "tentative",
        "attendees": [{"email": "ada@example.com", "name": "Ada"}, {"email": "b@example.com"}],
        "recurrence": "FREQ=YEARLY;COUNT=3",
    }  # fmt: skip
    made = create(client, member, **fields)
    assert {name: made[name] for name in fields} == fields
    path = f"{BASE}/events/{made['id']}"
    changed = client.put(path, json={"title": "New", "recurrence": None}, headers=member.headers)
    assert changed.status_code == 200
    assert changed.json() == {
        **made, "title": "New", "recurrence": None, "updated_at": changed.json()["updated_at"],
    }  # fmt: skip
    assert changed.json()["updated_at"] > made["updated_at"]
    deleted = client.delete(path, headers=member.headers)
    assert deleted.json() == {"id": made["id"], "deleted": True}
    assert client.delete(path, headers=member.headers).status_code == 404
    assert client.get(path, headers=member.headers).status_code == 404
    assert client.put(path, json={"title": "x"}, headers=member.headers).status_code == 404


BAD_EVENTS: list[tuple[dict[str, Any], str]] = [
    ({"title": ""}, "title"), ({"title": "x" * 201}, "title"), ({"title": None}, "title"),
    ({"title": "a\x00b"}, "title"), ({"title": "a\nb"}, "title"), ({"title": 7}, "title"),
    ({"description": "x" * 2001}, "description"), ({"start": "2026-03-02T10:00:00"}, "start"),
    ({"start": "2026-03-02"}, "start"), ({"start": "tomorrow"}, "start"),
    ({"start": "2026-13-02T10:00:00Z"}, "start"), ({"start": 1}, "start"),
    ({"start": "2026-W10-1T10:00:00Z"}, "start"), ({"start": "9999-12-31T23:00:00Z"}, "start"),
    ({"start": "0001-01-01T00:00:00+14:00"}, "start"),
    ({"end": "2026-03-02T09:59:59+01:00"}, "end"), ({"end": None}, "end"),
    ({"all_day": True}, "start"), ({"all_day": "true"}, "all_day"),
    ({"time_zone": "Mars/Olympus"}, "time_zone"), ({"time_zone": "../../etc"}, "time_zone"),
    ({"recurrence": "FREQ=OFTEN"}, "recurrence"), ({"recurrence": ""}, "recurrence"),
    ({"status": "done"}, "status"), ({"attendees": [{"email": "nobody"}]}, "attendees.0.email"),
    ({"attendees": [{"email": "a@b", "role": "x"}]}, "attendees.0.role"),
    ({"attendees": [{"email": "a@b"}] * 101}, "attendees"), ({"source": "google"}, "source"),
    ({"id": "x"}, "id"), ({"external_id": "x"}, "external_id"), ({"unknown": 1}, "unknown"),
]  # fmt: skip


def test_what_the_contract_does_not_allow_is_refused_and_not_written(
    client: ApiClient, member: SignedIn
) -> None:
    path = f"{BASE}/events/{create(client, member)['id']}"
    before = tables()
    for change, field in BAD_EVENTS:
        created = client.post(f"{BASE}/events", json={**EVENT, **change}, headers=member.headers)
        changed = client.put(path, json=change, headers=member.headers)
        for answer in (created, changed):
            assert answer.status_code == 422, (change, answer.text)
            assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
            assert field in [one["field"] for one in answer.json()["error"]["details"]], change
    assert tables() == before


def test_times_must_fit_after_a_change_too(client: ApiClient, member: SignedIn) -> None:
    path = f"{BASE}/events/{create(client, member)['id']}"
    refused = client.put(path, json={"start": "2026-04-01T00:00:00Z"}, headers=member.headers)
    assert refused.json()["error"]["details"] == [
        {"field": "end", "message": "must not be before start"}
    ]
    moved = {"start": "2026-04-01", "end": "2026-04-01", "all_day": True}
    assert client.put(path, json=moved, headers=member.headers).status_code == 200


def test_lists_filter_page_and_count(client: ApiClient, member: SignedIn) -> None:
    for day in range(1, 8):
        create(client, member, title=f"Day {day}", start=f"2026-06-0{day}T09:00:00Z",
               end=f"2026-06-0{day}T10:00:00Z")  # fmt: skip
    create(client, member, title="Weekly", start="2026-01-05T09:00:00Z",
           end="2026-01-05T10:00:00Z", recurrence="FREQ=WEEKLY", time_zone="UTC")  # fmt: skip

    def titles(query: str) -> list[str]:
        answer = client.get(f"{BASE}/events?{query}", headers=member.headers)
        assert answer.status_code == 200, answer.text
        return [one["title"] for one in answer.json()["events"]]

    assert titles("")[0] == "Weekly"  # newest first (PAGE-1)
    assert titles("from=2026-06-02&to=2026-06-04") == ["Day 3", "Day 2"]
    assert titles("from=2026-06-01T09:30:00Z&to=2026-06-01T09:45:00Z") == ["Weekly", "Day 1"]
    assert titles("to=2026-01-06") == ["Weekly"]
    assert titles("q=dAY%207") == ["Day 7"]
    assert titles("from=2027-01-01&to=2027-01-04") == []
    page = client.get(f"{BASE}/events?page=2&page_size=3", headers=member.headers).json()
    assert (page["total"], page["page"], page["page_size"], page["total_pages"]) == (8, 2, 3, 3)
    assert [one["title"] for one in page["events"]] == ["Day 5", "Day 4", "Day 3"]
    first = client.get(f"{BASE}/events?page_size=5&q=Day", headers=member.headers).json()
    rest = client.get(
        f"{BASE}/events?page_size=5&q=Day&cursor={first['next_cursor']}", headers=member.headers
    ).json()
    assert [one["title"] for one in rest["events"]] == ["Day 2", "Day 1"]
    stolen = client.get(
        f"{BASE}/events?page_size=5&cursor={first['next_cursor']}", headers=member.headers
    )
    assert stolen.json()["error"]["code"] == "INVALID_CURSOR"
    fields = client.get(f"{BASE}/events?fields=title&q=Weekly", headers=member.headers).json()
    assert list(fields["events"][0]) == ["id", "title"]


def test_bad_filters(client: ApiClient, member: SignedIn) -> None:
    queries = [
        "from=yesterday", "from=2026-01-01T00:00:00", "to=0000-01-01", "from=9999-12-31", "page=0",
        "from=2026-02-01&to=2026-01-01", "page_size=101",
    ]  # fmt: skip
    for path in [f"{kind}?{query}" for kind in ("events", "tasks") for query in queries]:
        assert client.get(f"{BASE}/{path}", headers=member.headers).status_code == 422, path
    for q in ("", "x" * 2001):
        assert client.get(f"{BASE}/events?q={q}", headers=member.headers).status_code == 422


def test_one_key_makes_one_event(client: ApiClient, member: SignedIn) -> None:
    headers = {**member.headers, "Idempotency-Key": "k1"}
    first = client.post(f"{BASE}/events", json=EVENT, headers=headers)
    second = client.post(f"{BASE}/events", json=EVENT, headers=headers)
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert client.get(f"{BASE}/events", headers=member.headers).json()["total"] == 1


# ---- tasks -------------------------------------------------------------------------------------


def test_a_task_and_its_completion(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member, "tasks", title="Pay")
    assert made == {
        "id": made["id"], "title": "Pay", "description": "", "due": None, "time_zone": "UTC",
        "priority": "medium", "status": "open", "completed_at": None,
        "created_at": made["created_at"], "updated_at": made["created_at"],
    }  # fmt: skip
    path = f"{BASE}/tasks/{made['id']}"

    def put(**fields: Any) -> Any:
        answer = client.put(path, json=fields, headers=member.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    done = put(status="done", due="2026-03-02T10:00:00+01:00", priority="high")
    assert done["completed_at"] == done["updated_at"]
    assert (done["due"], done["priority"]) == ("2026-03-02T09:00:00Z", "high")
    assert put(title="Paid")["completed_at"] == done["completed_at"]
    assert put(status="in_progress")["completed_at"] is None
    assert put(due=None)["due"] is None
    assert client.get(path, headers=member.headers).json()["title"] == "Paid"
    assert client.delete(path, headers=member.headers).json()["deleted"] is True
    assert client.get(path, headers=member.headers).status_code == 404


def test_task_lists(client: ApiClient, member: SignedIn) -> None:
    create(client, member, "tasks", title="none")
    create(client, member, "tasks", title="march", due="2026-03-05T00:00:00Z", status="done")
    create(client, member, "tasks", title="april", due="2026-04-01T00:00:00Z")

    def titles(query: str) -> list[str]:
        rows = client.get(f"{BASE}/tasks?{query}", headers=member.headers).json()["tasks"]
        return [one["title"] for one in rows]

    assert titles("") == ["april", "march", "none"]
    assert titles("status=open") == ["april", "none"]
    assert titles("from=2026-03-01&to=2026-04-01") == ["march"]
    assert titles("from=2026-03-01") == ["april", "march"]
    assert client.get(f"{BASE}/tasks?status=late", headers=member.headers).status_code == 422


def test_bad_tasks(client: ApiClient, member: SignedIn) -> None:
    bodies: list[dict[str, Any]] = [
        {}, {"title": "x", "due": "soon"}, {"title": "x", "due": "2026-03-02"},
        {"title": "x", "priority": "urgent"}, {"title": "x", "status": "closed"},
        {"title": "x", "completed_at": "2026-03-02T00:00:00Z"}, {"title": "x", "time_zone": ""},
    ]  # fmt: skip
    for body in bodies:
        answer = client.post(f"{BASE}/tasks", json=body, headers=member.headers)
        assert answer.status_code == 422, body


def test_another_user_sees_nothing(client: ApiClient, member: SignedIn) -> None:
    """TEST-2, GEN-16: users of the same and of another tenant get 404, as for no such id."""
    event, task = create(client, member), create(client, member, "tasks", title="x")
    nobody = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    before = tables()
    for other in (sign_in(tenant_id=member.tenant_id), sign_in()):
        for kind, one in (("events", event["id"]), ("tasks", task["id"])):
            for method, body in (("GET", None), ("PUT", {"title": "stolen"}), ("DELETE", None)):
                theirs = client.request(
                    method, f"{BASE}/{kind}/{one}", json=body, headers=other.headers
                )
                absent = client.request(
                    method, f"{BASE}/{kind}/{nobody}", json=body, headers=other.headers
                )
                assert theirs.status_code == absent.status_code == 404
                assert theirs.json()["error"]["message"] == absent.json()["error"]["message"]
            assert client.get(f"{BASE}/{kind}", headers=other.headers).json()["total"] == 0
        export = client.get(f"{BASE}/export.ics", headers=other.headers)
        assert b"BEGIN:VEVENT" not in export.content
    assert tables() == before


# ---- iCalendar ---------------------------------------------------------------------------------


def test_import_and_export(client: ApiClient, member: SignedIn) -> None:
    data = (ICS / "recurrence.ics").read_bytes()

    def send() -> Any:
        answer = client.post(f"{BASE}/import", content=data, headers={**member.headers, **CALENDAR})
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert send() == {"created": 8, "updated": 0, "skipped": 0}
    assert send() == {"created": 0, "updated": 0, "skipped": 8}
    rows = client.get(f"{BASE}/events?page_size=100", headers=member.headers).json()["events"]
    daily = next(one for one in rows if one["title"] == "Stand-up")
    assert daily["recurrence"] == "FREQ=DAILY;COUNT=10;BYDAY=MO,TU,WE,TH,FR"
    assert (daily["source"], daily["external_id"]) == ("ical", "count@recurrence.example")
    assert (daily["time_zone"], daily["start"]) == ("Asia/Kolkata", "2026-01-05T04:00:00Z")
    export = client.get(f"{BASE}/export.ics", headers=member.headers)
    assert export.headers["content-type"] == "text/calendar; charset=utf-8"
    assert "tidegate.ics" in export.headers["content-disposition"]
    data = export.content
    assert send() == {"created": 0, "updated": 0, "skipped": 8}
    data = data.replace(b"Stand-up", b"Stand-down")
    assert send() == {"created": 0, "updated": 1, "skipped": 7}
    other = sign_in()
    member = other
    assert send()["created"] == 8


def test_our_own_events_go_out_and_come_back(client: ApiClient, member: SignedIn) -> None:
    made = create(client, member, title="Ours; with, marks\\", description="a\nb")
    data = client.get(f"{BASE}/export.ics", headers=member.headers).content
    assert f"UID:{made['id']}@tidegate".encode() in data
    headers = {**member.headers, **CALENDAR}
    again = client.post(f"{BASE}/import", content=data, headers=headers).json()
    assert again == {"created": 0, "updated": 0, "skipped": 1}
    client.delete(f"{BASE}/events/{made['id']}", headers=member.headers)
    client.post(f"{BASE}/import", content=data, headers=headers)
    back = client.get(f"{BASE}/events/{made['id']}", headers=member.headers).json()
    assert (back["title"], back["description"]) == (made["title"], made["description"])


def test_a_bad_file_names_lines_and_writes_nothing(client: ApiClient, member: SignedIn) -> None:
    good = (ICS / "google.ics").read_bytes()
    bad = good.replace(b"DTSTART;VALUE=DATE:20261224", b"DTSTART;VALUE=DATE:20261324")
    before = tables()
    answer = client.post(f"{BASE}/import", content=bad, headers={**member.headers, **CALENDAR})
    assert answer.status_code == 422
    line = bad.split(b"\r\n").index(b"DTSTART;VALUE=DATE:20261324") + 1
    assert answer.json()["error"]["details"] == [
        {"field": f"line {line}", "message": "DTSTART is not on the calendar"}
    ]
    assert tables() == before


def test_media_types(client: ApiClient, member: SignedIn) -> None:
    data = (ICS / "apple.ics").read_bytes()
    for content_type, status in (
        ("application/json", 415),
        ("text/calendar; charset=latin-1", 415),
        ("text/plain", 415),
        ("text/calendar", 200),
    ):
        headers = {**member.headers, "content-type": content_type}
        answer = client.post(f"{BASE}/import", content=data, headers=headers)
        assert answer.status_code == status, content_type


def test_an_empty_body_and_a_large_one(client: ApiClient, member: SignedIn) -> None:
    headers = {**member.headers, **CALENDAR}
    assert client.post(f"{BASE}/import", content=b"", headers=headers).status_code == 422
    large = b"x" * (1024 * 1024 + 1)
    assert client.post(f"{BASE}/import", content=large, headers=headers).status_code == 413


# ---- Google ------------------------------------------------------------------------------------


def test_connect_sync_disconnect(client: ApiClient, member: SignedIn, google: FakeGoogle) -> None:
    status = client.get(f"{BASE}/oauth", headers=member.headers)
    assert status.json() == {
        "connected": False, "scopes": [], "expires_at": None, "last_error": None,
    }  # fmt: skip
    done = connect(client, member, google)
    assert done["connected"] is True
    assert "https://www.googleapis.com/auth/calendar.events" in done["scopes"]
    assert done == client.get(f"{BASE}/oauth", headers=member.headers).json()
    google.calendar.add(summary="theirs")
    create(client, member, title="ours")
    synced = client.post(f"{BASE}/sync/auto", headers=member.headers)
    assert synced.status_code == 200, synced.text
    body = synced.json()
    assert body == {
        "status": "completed", "provider": "google", "full_sync": True,
        "pulled": {**NOTHING, "created": 1}, "pushed": {**NOTHING, "created": 1},
        "conflicts": {"local_won": 0, "remote_won": 0}, "skipped": 0, "more": False,
        "started_at": body["started_at"], "completed_at": body["completed_at"],
        "duration": body["duration"],
    }  # fmt: skip
    assert 0 < body["duration"] < 25
    again = client.post(f"{BASE}/sync/auto", headers=member.headers).json()
    assert (again["full_sync"], again["pulled"], again["pushed"]) == (False, NOTHING, NOTHING)
    gone = client.delete(f"{BASE}/oauth", headers=member.headers)
    assert gone.json() == {"id": "google", "deleted": True}
    assert google.oauth.refresh == {}  # the authorisation ended there too
    assert client.delete(f"{BASE}/oauth", headers=member.headers).status_code == 404
    refused = client.post(f"{BASE}/sync/auto", headers=member.headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "NO_OAUTH_TOKEN")
    assert client.get(f"{BASE}/events", headers=member.headers).json()["total"] == 2


def test_reconnect_required(client: ApiClient, member: SignedIn, google: FakeGoogle) -> None:
    connect(client, member, google)
    google.oauth.end_grants()
    refused = client.post(f"{BASE}/sync/auto", headers=member.headers)
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "OAUTH_RECONNECT_REQUIRED"
    status = client.get(f"{BASE}/oauth", headers=member.headers).json()
    assert status["connected"] is False
    assert status["last_error"]
    assert connect(client, member, google)["connected"] is True


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (429, "rateLimitExceeded", "PROVIDER_RATE_LIMITED"),
        (503, "backendError", "PROVIDER_UNAVAILABLE"),
    ],
)  # fmt: skip
def test_provider_errors(
    client: ApiClient, member: SignedIn, google: FakeGoogle, monkeypatch: pytest.MonkeyPatch,
    status: int, reason: str, code: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(wiring.time, "sleep", lambda seconds: None)
    connect(client, member, google)
    google.fail(status, reason, retry_after=77, times=99)
    refused = client.post(f"{BASE}/sync/auto", headers=member.headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, code)
    assert int(refused.headers["retry-after"]) >= 77


def test_without_a_google_client_connecting_says_so(client: ApiClient, member: SignedIn) -> None:
    refused = client.post(
        f"{BASE}/oauth/start", json={"redirect_uri": REDIRECT}, headers=member.headers
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "PROVIDER_UNAVAILABLE")


def test_sync_needs_a_csrf_token_whenever_a_session_cookie_is_there(
    client: ApiClient, member: SignedIn, google: FakeGoogle
) -> None:
    """AUTH-12: also when the call itself is authenticated by Bearer."""
    connect(client, member, google)
    cookie = f"{ACCESS_COOKIE}={member.token}"
    path = f"{BASE}/sync/auto"
    assert client.post(path, headers=member.headers).status_code == 200
    for headers in ({"cookie": cookie}, {"cookie": cookie, **member.headers}):
        refused = client.post(path, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "CSRF_FAILED")
    session = SessionItem.get(
        f"T#{member.tenant_id}", session_key(member.user_id, member.session_id)
    )
    token = csrf_token(bytes(session.csrf_key), member.session_id)
    with_token = {"cookie": f"{cookie}; {CSRF_COOKIE}={token}", "x-csrf-token": token}
    assert client.post(path, headers=with_token).status_code == 200
    assert client.post(path, headers={**with_token, **member.headers}).status_code == 200
