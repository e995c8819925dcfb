"""Two-way sync with a local Google (CAL-1 to CAL-3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tidegate.calendar.domain import event_id_of, google_id_of
from tidegate.calendar.errors import (
    NoOAuthToken,
    ProviderRateLimited,
    ProviderUnavailable,
    ReconnectRequired,
    SyncRunning,
)
from tidegate_kit.errors import ApiError

from tests.builders.calendar import Connected, draft, in_memory

NOTHING = {"created": 0, "updated": 0, "deleted": 0}


@pytest.fixture
def world() -> Iterator[Connected]:
    with in_memory() as connected:
        yield connected


def assert_quiet(world: Connected) -> None:
    """CAL-2: another run changes nothing, here and there."""
    world.later()
    here, there = world.events.all(), dict(world.google.calendar.events)
    report = world.sync()
    assert (report.pulled_counts, report.pushed_counts, report.more) == (NOTHING, NOTHING, False)
    assert report.conflicts == {"local_won": 0, "remote_won": 0}
    assert world.events.all() == here
    assert world.google.calendar.events == there


def test_not_connected(world: Connected) -> None:
    world.oauth.disconnect()
    with pytest.raises(NoOAuthToken):
        world.sync()


def test_first_sync_reads_everything_and_tells_what_is_only_here(world: Connected) -> None:
    world.google.calendar.add(summary="theirs")
    world.service.create(draft(title="ours"))
    report = world.sync()
    assert report.full_sync
    assert report.pulled_counts == {"created": 1, "updated": 0, "deleted": 0}
    assert report.pushed_counts == {"created": 1, "updated": 0, "deleted": 0}
    assert world.titles() == world.google_titles() == ["ours", "theirs"]
    assert_quiet(world)


def test_events_older_than_the_connection_are_pushed_too(world: Connected) -> None:
    world.oauth.disconnect()
    world.files.load(
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a@b\r\nDTSTART:20260302T080000Z\r\nSUMMARY:old\r\n"
        b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    world.connect()
    world.sync()
    assert world.google_titles() == ["old"]
    assert_quiet(world)


def test_changes_of_both_sides_are_taken_over_incrementally(world: Connected) -> None:
    theirs = world.google.calendar.add(summary="theirs")
    gone = world.google.calendar.add(summary="gone")
    ours = world.service.create(draft(title="ours"))
    dropped = world.service.create(draft(title="dropped"))
    world.sync()
    world.later()
    world.google.calendar.edit(theirs["id"], summary="theirs 2")
    world.google.calendar.delete(gone["id"], "")
    world.service.change(ours.id, {"title": "ours 2"})
    world.service.delete(dropped.id)
    report = world.sync()
    assert not report.full_sync
    assert report.pulled_counts == {"created": 0, "updated": 1, "deleted": 1}
    assert report.pushed_counts == {"created": 0, "updated": 1, "deleted": 1}
    assert world.titles() == world.google_titles() == ["ours 2", "theirs 2"]
    assert_quiet(world)


@pytest.mark.parametrize("first", ["local", "remote"])
def test_the_newest_change_wins(world: Connected, first: str) -> None:
    there = world.google.calendar.add(summary="base")
    world.sync()
    ours = world.only()
    for side in (first, "remote" if first == "local" else "local"):
        world.later()
        if side == "local":
            world.service.change(ours.id, {"title": "local"})
        else:
            world.google.calendar.edit(there["id"], summary="remote")
    report = world.sync()
    newest = "remote" if first == "local" else "local"
    assert world.titles() == world.google_titles() == [newest]
    assert report.conflicts[f"{newest}_won"] == 1
    assert sum(report.conflicts.values()) == 1
    assert_quiet(world)


@pytest.mark.parametrize("local_is_newer", [True, False])
def test_a_deletion_there_against_a_change_here(world: Connected, local_is_newer: bool) -> None:
    there = world.google.calendar.add(summary="base")
    world.sync()
    event_id = world.only().id
    if not local_is_newer:
        world.later()
        world.service.change(event_id, {"title": "changed"})
    world.later()
    world.google.calendar.delete(there["id"], "")
    if local_is_newer:
        world.later()
        world.service.change(event_id, {"title": "changed"})
    report = world.sync()
    expected = ["changed"] if local_is_newer else []
    assert world.titles() == world.google_titles() == expected
    assert report.conflicts == {
        "local_won": int(local_is_newer),
        "remote_won": int(not local_is_newer),
    }
    assert_quiet(world)


@pytest.mark.parametrize("local_is_newer", [True, False])
def test_a_deletion_here_against_a_change_there(world: Connected, local_is_newer: bool) -> None:
    there = world.google.calendar.add(summary="base")
    world.sync()
    event_id = world.only().id
    for deletes in (True, False) if not local_is_newer else (False, True):
        world.later()
        if deletes:
            world.service.delete(event_id)
        else:
            world.google.calendar.edit(there["id"], summary="changed")
    report = world.sync()
    expected = [] if local_is_newer else ["changed"]
    assert world.titles() == world.google_titles() == expected
    assert sum(report.conflicts.values()) == 1
    assert_quiet(world)


def test_too_old_a_sync_token_leads_to_one_full_sync(world: Connected) -> None:
    kept = world.google.calendar.add(summary="kept")
    lost = world.google.calendar.add(summary="lost")
    world.sync()
    world.google.calendar.delete(lost["id"], "")
    world.google.calendar.edit(kept["id"], summary="kept 2")
    world.google.calendar.expire_sync_tokens()
    world.google.calls.clear()
    report = world.sync()
    assert report.full_sync
    assert report.pulled_counts == {"created": 0, "updated": 1, "deleted": 1}
    assert world.titles() == ["kept 2"]
    lists = [call for call in world.google.calls if call.startswith("GET")]
    assert [("syncToken" in call) for call in lists] == [True, False]
    assert_quiet(world)


def test_410_twice_is_an_error_and_not_a_loop(world: Connected) -> None:
    world.sync()
    world.google.fail(410, "fullSyncRequired", times=99)
    with pytest.raises(ProviderUnavailable):
        world.sync()
    assert len(world.google.calls) < 12


def test_pages_are_taken_over_one_by_one_and_more_goes_on(world: Connected) -> None:
    world.google.calendar.page_size = 10
    for number in range(65):
        world.google.calendar.add(summary=f"e{number:02d}")
    world.google.before = lambda method, path: world.later(seconds=5)
    reports = [world.sync()]
    assert reports[0].more
    assert 10 <= reports[0].pulled_counts["created"] < 65
    connection = world.connections.get()
    assert connection is not None
    assert connection.sync_token is None  # it moves only after all writes (CAL-3)
    while reports[-1].more:
        reports.append(world.sync())
    assert sum(report.pulled_counts["created"] for report in reports) == 65
    assert all(report.full_sync for report in reports)
    world.google.before = lambda method, path: None
    assert_quiet(world)


def test_a_page_token_that_google_forgot_starts_the_round_again(world: Connected) -> None:
    world.google.calendar.page_size = 5
    for number in range(12):
        world.google.calendar.add(summary=f"e{number:02d}")
    world.google.before = lambda method, path: world.later(seconds=11)
    assert world.sync().more
    world.google.calendar.expire_sync_tokens()
    world.google.before = lambda method, path: None
    world.sync()
    assert len(world.events.all()) == 12
    assert_quiet(world)


def test_2000_events_page_by_page_within_the_budget(world: Connected) -> None:
    """CAL-2: every call ends within 25 s; `more` until all are here."""
    for number in range(2000):
        world.google.calendar.add(summary=f"e{number:04d}")
    world.google.before = lambda method, path: world.later(seconds=4)
    calls = 0
    while True:
        report = world.sync()
        calls += 1
        assert report.completed_at is not None
        assert (report.completed_at - report.started_at).total_seconds() <= 25
        if not report.more:
            break
    assert calls > 1
    assert len(world.events.all()) == 2000
    world.google.before = lambda method, path: None
    assert_quiet(world)


def test_an_expired_token_is_refreshed_once(world: Connected) -> None:
    world.later(hours=2)
    world.google.calendar.add(summary="a")
    world.sync()
    assert world.google.oauth.refreshes == 1
    assert_quiet(world)
    assert world.google.oauth.refreshes == 1


def test_a_token_that_google_ended_early_is_refreshed_once(world: Connected) -> None:
    world.google.oauth.expire_access()
    world.sync()
    assert world.google.oauth.refreshes == 1


def test_401_after_the_refresh_asks_to_reconnect(world: Connected) -> None:
    world.google.fail(401, "authError", times=99)
    with pytest.raises(ReconnectRequired):
        world.sync()
    assert world.google.oauth.refreshes == 1
    status = world.oauth.status()
    assert status is not None
    assert status.needs_reconnect
    assert status.last_error
    calls = len(world.google.calls)
    with pytest.raises(ReconnectRequired):
        world.sync()
    assert len(world.google.calls) == calls  # no call is made until the user connects again
    world.google.faults.clear()
    world.connect()
    world.sync()


def test_missing_scope_asks_to_reconnect(world: Connected) -> None:
    world.google.fail(403, "insufficientPermissions", times=99)
    with pytest.raises(ReconnectRequired):
        world.sync()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "rateLimitExceeded"), (403, "userRateLimitExceeded"), (429, "rateLimitExceeded")],
)
def test_limits_back_off_in_the_call_then_tell_when_to_come_again(
    world: Connected, status: int, reason: str
) -> None:
    world.google.calendar.add(summary="a")
    world.google.fail(status, reason, times=2)
    world.sync()
    assert len(world.waits) == 2
    assert world.waits[1] > world.waits[0] >= 0.3
    world.google.calendar.add(summary="b")
    world.google.fail(status, reason, retry_after=120, times=99)
    with pytest.raises(ProviderRateLimited) as refused:
        world.sync()
    assert refused.value.headers["Retry-After"] == "120"
    assert refused.value.status == 503
    connection = world.connections.get()
    assert connection is not None
    assert connection.last_error == "PROVIDER_RATE_LIMITED"
    assert connection.lease is None
    world.google.faults.clear()
    world.sync()
    assert world.titles() == ["a", "b"]
    assert_quiet(world)


@pytest.mark.parametrize("status", [500, 503])
def test_an_outage_is_a_503_and_keeps_what_was_done(world: Connected, status: int) -> None:
    world.google.calendar.page_size = 2
    for number in range(4):
        world.google.calendar.add(summary=f"e{number}")
    seen = []

    def break_down(method: str, path: str) -> None:
        seen.append(path)
        if len([one for one in seen if "events" in one]) == 2:
            world.google.fail(status, "backendError", times=99)

    world.google.before = break_down
    with pytest.raises(ProviderUnavailable) as refused:
        world.sync()
    assert int(refused.value.headers["Retry-After"]) >= 5
    assert len(world.events.all()) == 2
    world.google.before = lambda method, path: None
    world.google.faults.clear()
    report = world.sync()
    assert report.pulled_counts["created"] == 2
    assert_quiet(world)


def test_one_sync_at_a_time_until_the_lease_ends(world: Connected) -> None:
    refused: list[ApiError] = []

    def another(method: str, path: str) -> None:
        world.google.before = lambda method, path: None
        try:
            world.sync()
        except SyncRunning as error:
            refused.append(error)

    world.google.before = another
    world.sync()
    assert len(refused) == 1
    assert int(refused[0].headers["Retry-After"]) > 0
    connection = world.connections.get()
    assert connection is not None
    # A sync that died holds the calendar for a minute, not for ever.
    until = world.clock() + (world.clock().replace(hour=1) - world.clock().replace(hour=0)) / 60
    world.connections.put(
        replace(connection, lease="dead", lease_until=until, version=connection.version + 1)
    )
    with pytest.raises(SyncRunning):
        world.sync()
    world.later(seconds=61)
    world.sync()


def test_disconnecting_while_a_sync_runs_ends_it(world: Connected) -> None:
    world.google.calendar.add(summary="a")

    def disconnect(method: str, path: str) -> None:
        world.google.before = lambda method, path: None
        world.oauth.disconnect()

    world.google.before = disconnect
    with pytest.raises((NoOAuthToken, ReconnectRequired)):
        world.sync()
    assert world.connections.get() is None


def test_a_lost_answer_of_an_insert_does_not_double(world: Connected) -> None:
    world.sync()
    ours = world.service.create(draft(title="once"))
    world.google.fail(503, "backendError", method="POST", after=True)
    report = world.sync()
    assert world.google_titles() == ["once"]
    assert google_id_of(ours.id) in world.google.calendar.events
    assert report.pushed_counts["created"] == 1
    assert_quiet(world)


def test_a_change_that_google_refuses_rests_until_it_is_changed(world: Connected) -> None:
    world.sync()
    bad = world.service.create(draft(title="bad"))
    world.service.create(draft(title="good"))
    world.google.fail(400, "invalid", method="POST")
    report = world.sync()
    assert world.google_titles() == ["good"]
    assert report.skipped == 1
    assert not report.more
    calls = world.google.count("POST /calendar")
    world.sync()
    assert world.google.count("POST /calendar") == calls
    world.service.change(bad.id, {"title": "mended"})
    world.sync()
    assert world.google_titles() == ["good", "mended"]


def test_changed_there_between_pull_and_push(world: Connected) -> None:
    there = world.google.calendar.add(summary="base")
    world.sync()
    world.later()
    world.service.change(world.only().id, {"title": "ours"})

    def race(method: str, path: str) -> None:
        if method == "PATCH":
            world.google.before = lambda method, path: None
            world.later()
            world.google.calendar.edit(there["id"], summary="theirs, later")

    world.google.before = race
    assert world.sync().more  # 412: nothing was overwritten
    assert world.google_titles() == ["theirs, later"]
    world.sync()
    assert world.titles() == ["theirs, later"]
    assert_quiet(world)


def test_changed_here_while_it_is_pushed(world: Connected) -> None:
    world.sync()
    ours = world.service.create(draft(title="one"))

    def race(method: str, path: str) -> None:
        if method == "POST":
            world.google.before = lambda method, path: None
            world.service.change(ours.id, {"title": "two"})

    world.google.before = race
    world.sync()
    world.sync()
    assert world.titles() == world.google_titles() == ["two"]
    assert_quiet(world)


def test_deleted_here_while_it_is_pushed(world: Connected) -> None:
    world.sync()
    ours = world.service.create(draft(title="one"))

    def race(method: str, path: str) -> None:
        if method == "POST":
            world.google.before = lambda method, path: None
            world.service.delete(ours.id)

    world.google.before = race
    world.sync()
    world.sync()
    assert world.titles() == world.google_titles() == []
    assert_quiet(world)


def test_guests_keep_their_answers(world: Connected) -> None:
    guests = [{"email": "ada@example.com", "responseStatus": "accepted", "displayName": "Ada"}]
    there = world.google.calendar.add(summary="base", attendees=guests, colorId="7")
    world.sync()
    world.later()
    world.service.change(world.only().id, {"title": "renamed"})
    world.sync()
    changed = world.google.calendar.get(there["id"])
    assert changed["summary"] == "renamed"
    assert changed["attendees"][0]["responseStatus"] == "accepted"
    assert changed["colorId"] == "7"  # what we do not know of stays


def test_series_changed_and_cancelled_occurrences(world: Connected) -> None:
    series = world.google.calendar.add(
        summary="weekly",
        start={"dateTime": "2026-03-02T09:00:00+01:00", "timeZone": "Europe/Berlin"},
        end={"dateTime": "2026-03-02T10:00:00+01:00", "timeZone": "Europe/Berlin"},
        recurrence=["RRULE:FREQ=WEEKLY;COUNT=8", "EXDATE;TZID=Europe/Berlin:20260309T090000"],
    )
    world.google.calendar.edit(f"{series['id']}_20260316T080000Z", summary="moved")
    world.google.calendar.delete(f"{series['id']}_20260323T080000Z", "")
    world.sync()
    by_rid = {event.recurrence_id: event for event in world.events.all()}
    assert by_rid[""].content.recurrence == "FREQ=WEEKLY;COUNT=8"
    assert by_rid[""].content.time_zone == "Europe/Berlin"
    assert by_rid[""].content.exdates == ("2026-03-09T08:00:00Z",)
    assert by_rid["20260316T080000Z"].content.title == "moved"
    assert by_rid["20260323T080000Z"].content.status == "cancelled"
    assert by_rid["20260323T080000Z"].content.title == "weekly"
    assert_quiet(world)
    world.google.calendar.delete(series["id"], "")
    world.sync()
    assert world.titles() == []
    assert_quiet(world)


def test_a_series_of_a_file_goes_there_with_its_changed_occurrence(world: Connected) -> None:
    world.files.load(
        b"BEGIN:VCALENDAR\r\n"
        b"BEGIN:VEVENT\r\nUID:s@x\r\nDTSTART;TZID=Europe/Berlin:20260302T090000\r\n"
        b"DTEND;TZID=Europe/Berlin:20260302T100000\r\nRRULE:FREQ=DAILY;COUNT=5\r\n"
        b"SUMMARY:daily\r\nEND:VEVENT\r\n"
        b"BEGIN:VEVENT\r\nUID:s@x\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260303T090000\r\n"
        b"DTSTART;TZID=Europe/Berlin:20260303T110000\r\nSUMMARY:later\r\nEND:VEVENT\r\n"
        b"END:VCALENDAR\r\n"
    )
    world.sync()
    assert world.google_titles() == ["daily", "later"]
    part = next(one for one in world.google.calendar.living() if one["summary"] == "later")
    assert part["recurringEventId"] == google_id_of(event_id_of("s@x"))
    assert part["originalStartTime"]["dateTime"] == "2026-03-03T09:00:00+01:00"
    assert len(world.events.all()) == 2
    assert_quiet(world)
    world.service.delete(event_id_of("s@x"))
    world.sync()
    assert world.titles() == world.google_titles() == []
    assert_quiet(world)


def test_a_file_and_google_with_the_same_uid_are_one_event(world: Connected) -> None:
    there = world.google.calendar.add(summary="invitation", iCalUID="040000008200E0@outlook")
    world.sync()
    counts = world.files.load(
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:040000008200E0@outlook\r\n"
        b"DTSTART:20260302T080000Z\r\nDTEND:20260302T090000Z\r\nSUMMARY:invitation 2\r\n"
        b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    assert (counts.created, counts.updated) == (0, 1)
    world.sync()
    assert world.google_titles() == ["invitation 2"]
    world.google.calendar.delete(there["id"], "")  # told without its UID
    world.sync()
    assert world.titles() == []
    assert_quiet(world)


def test_all_day_events_keep_their_days_both_ways(world: Connected) -> None:
    from datetime import date

    world.sync()
    day = date(2026, 5, 1)
    ours = world.service.create(draft(title="day", all_day=True, start=day, end=day))
    world.sync()
    there = world.google.calendar.get(google_id_of(ours.id))
    assert (there["start"], there["end"]) == ({"date": "2026-05-01"}, {"date": "2026-05-02"})
    assert_quiet(world)
    world.later()
    start = {"dateTime": "2026-05-01T09:00:00+02:00", "date": None}
    world.google.calendar.edit(there["id"], start=start, end={**start})
    world.sync()
    assert not world.only().content.all_day
    world.later()
    world.service.change(ours.id, {"all_day": True, "start": day, "end": date(2026, 5, 3)})
    world.sync()
    assert world.google.calendar.get(there["id"])["end"] == {"date": "2026-05-03"}
    assert_quiet(world)


def test_a_cancelled_event_here_is_gone_there_and_stays_here(world: Connected) -> None:
    world.sync()
    ours = world.service.create(draft(title="maybe"))
    world.sync()
    world.later()
    world.service.change(ours.id, {"status": "cancelled"})
    world.sync()
    assert world.google_titles() == []
    assert world.titles() == ["maybe"]
    assert_quiet(world)
    world.google.calendar.expire_sync_tokens()
    world.sync()
    assert world.titles() == ["maybe"]
    world.later()
    world.service.change(ours.id, {"status": "confirmed"})
    world.sync()
    assert world.google_titles() == ["maybe"]
    assert_quiet(world)


def test_reconnecting_the_same_account_goes_on_incrementally(world: Connected) -> None:
    world.google.calendar.add(summary="a")
    world.sync()
    world.connect()
    assert not world.sync().full_sync


def test_another_account_gets_what_is_ours_and_nothing_of_the_first(world: Connected) -> None:
    world.google.calendar.add(summary="private of the first account")
    world.service.create(draft(title="ours"))
    world.sync()
    world.oauth.disconnect()
    world.google.__post_init__()
    world.google.oauth.account = "1090002"
    world.connect()
    world.sync()
    assert world.google_titles() == ["ours"]
    assert world.titles() == ["ours", "private of the first account"]
    assert_quiet(world)


def test_an_unreadable_event_is_skipped_and_the_rest_comes(world: Connected) -> None:
    broken = world.google.calendar.add(summary="broken")
    world.google.calendar.events[broken["id"]]["start"] = {"dateTime": "soon"}
    world.google.calendar.add(summary="fine")
    report = world.sync()
    assert world.titles() == ["fine"]
    assert report.skipped == 1


def test_never_synced_and_deleted_leaves_no_trace(world: Connected) -> None:
    world.oauth.disconnect()
    ours = world.service.create(draft())
    world.service.delete(ours.id)
    assert world.events.pushes() == []
