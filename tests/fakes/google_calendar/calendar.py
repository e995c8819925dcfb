"""One primary calendar: events with etags, a change log behind sync tokens, pages."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.fakes.google_calendar.problems import ApiProblem

Resource = dict[str, Any]
_ID = re.compile(r"[a-v0-9]{5,1024}")
_INSTANCE = re.compile(r"([a-v0-9]{5,1024})_([0-9]{8}(?:T[0-9]{6}Z)?)")
_NOT_WITH_SYNC = {
    "iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin",
    "timeMax", "updatedMin",
}  # fmt: skip


def stamp(moment: datetime) -> str:
    """RFC 3339 with milliseconds, as Google writes `updated`."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


@dataclass
class Calendar:
    """The events of one account. `page_size` caps what a page holds, whatever is asked."""

    account: str
    now: Callable[[], datetime]
    time_zone: str = "Europe/Berlin"
    page_size: int = 250
    tells_deletion_time: bool = False
    events: dict[str, Resource] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    sequence: int = 0
    epoch: int = 0

    # ---- what a user does in Google's own interface ----------------------------------------------

    def add(self, **fields: Any) -> Resource:
        """Create an event as a user does; gives the resource."""
        number = self.sequence + 1
        fields.setdefault("id", f"g{number:06d}e")
        fields.setdefault("start", {"dateTime": "2026-03-02T09:00:00+01:00"})
        fields.setdefault("end", {"dateTime": "2026-03-02T10:00:00+01:00"})
        uid = fields.pop("iCalUID", None)
        resource = self.insert(fields)
        if uid is not None:
            self.events[resource["id"]]["iCalUID"] = uid
        return copy.deepcopy(self.events[resource["id"]])

    def edit(self, event_id: str, **fields: Any) -> Resource:
        """Change an event as a user does."""
        return self.patch(event_id, fields, "")

    def expire_sync_tokens(self) -> None:
        """Every sync and page token of before is too old."""
        self.epoch += 1

    def living(self) -> list[Resource]:
        """The events that a user sees."""
        return [one for one in self.events.values() if one["status"] != "cancelled"]

    # ---- the API ---------------------------------------------------------------------------------

    def list(self, query: dict[str, str]) -> Resource:
        """events.list."""
        sync, page = query.get("syncToken"), query.get("pageToken")
        if sync is not None and _NOT_WITH_SYNC & query.keys():
            raise ApiProblem(400, "badRequest")
        since, until, offset = self._position(sync, page)
        rows = sorted(
            (one for one in self.events.values() if since < self.order[one["id"]] <= until),
            key=lambda one: self.order[one["id"]],
        )
        if since == 0 and query.get("showDeleted") != "true":
            rows = [one for one in rows if self._shown(one)]
        size = min(self.page_size, int(query.get("maxResults", 250)), 2500)
        answer: Resource = {
            "kind": "calendar#events",
            "etag": f'"p{self.sequence}"',
            "summary": self.account,
            "updated": stamp(self.now()),
            "timeZone": self.time_zone,
            "accessRole": "owner",
            "items": [self._told(one) for one in rows[offset : offset + size]],
        }
        if offset + size < len(rows):
            answer["nextPageToken"] = f"p.{self.epoch}.{since}.{until}.{offset + size}"
        else:
            answer["nextSyncToken"] = f"s.{self.epoch}.{until}"
        return answer

    def get(self, event_id: str) -> Resource:
        """events.get; a deleted event is told as cancelled."""
        if event_id not in self.events:
            raise ApiProblem(404, "notFound")
        return copy.deepcopy(self.events[event_id])

    def insert(self, fields: Resource) -> Resource:
        """events.insert."""
        event_id = fields.get("id")
        if not isinstance(event_id, str) or _ID.fullmatch(event_id) is None:
            raise ApiProblem(400, "invalid")
        if event_id in self.events:  # a deleted id stays taken
            raise ApiProblem(409, "duplicate")
        resource = {
            "kind": "calendar#event",
            "status": "confirmed",
            "created": stamp(self.now()),
            "iCalUID": f"{event_id}@google.com",
            "creator": {"email": self.account, "self": True},
            "organizer": {"email": self.account, "self": True},
            "sequence": 0,
            "reminders": {"useDefault": True},
            "eventType": "default",
        }
        return self._stored({**resource, **fields})

    def patch(self, event_id: str, fields: Resource, etag: str) -> Resource:
        """events.patch: arrays are replaced, null takes a field away."""
        old = self._existing(event_id)
        self._match(old, etag)
        merged = copy.deepcopy(old)
        for name, value in fields.items():
            merged[name] = _merged(merged.get(name), value)
        merged = {name: value for name, value in merged.items() if value is not None}
        merged["sequence"] = old.get("sequence", 0) + 1
        if merged.get("status") == "cancelled":
            return self._cancelled(merged)
        return self._stored(merged)

    def delete(self, event_id: str, etag: str) -> None:
        """events.delete."""
        old = self._existing(event_id)
        if old["status"] == "cancelled":
            raise ApiProblem(410, "deleted")
        self._match(old, etag)
        self._cancelled(copy.deepcopy(old))

    def instances(self, series_id: str, query: dict[str, str]) -> Resource:
        """events.instances, only by originalStart."""
        series = self._existing(series_id)
        if not series.get("recurrence"):
            raise ApiProblem(400, "invalid")
        original = query["originalStart"]
        suffix = re.sub(r"[-:]|\.\d+", "", original)
        return {"items": [copy.deepcopy(self._existing(f"{series_id}_{suffix}"))]}

    # ---- inside ----------------------------------------------------------------------------------

    def _position(self, sync: str | None, page: str | None) -> tuple[int, int, int]:
        if page is not None:
            kind, epoch, since, until, offset = page.split(".")
            if kind != "p" or int(epoch) != self.epoch:
                raise ApiProblem(400, "invalid")
            return int(since), int(until), int(offset)
        if sync is None:
            return 0, self.sequence, 0
        kind, epoch, since = sync.split(".")
        if kind != "s" or int(epoch) != self.epoch:
            raise ApiProblem(410, "fullSyncRequired")
        return int(since), self.sequence, 0

    def _shown(self, one: Resource) -> bool:
        if one["status"] != "cancelled":
            return True
        series = self.events.get(one.get("recurringEventId", ""))
        return series is not None and series["status"] != "cancelled"

    def _told(self, one: Resource) -> Resource:
        if one["status"] != "cancelled":
            return copy.deepcopy(one)
        # All that is promised for a deleted event; in lists Google tells no more.
        names = ("kind", "etag", "id", "status", "recurringEventId", "originalStartTime")
        return {name: one[name] for name in names if name in one} | (
            {"updated": one["updated"]} if self.tells_deletion_time else {}
        )

    def _existing(self, event_id: str) -> Resource:
        if event_id in self.events:
            return self.events[event_id]
        found = _INSTANCE.fullmatch(event_id)
        series = self.events.get(found[1]) if found else None
        if found is None or series is None or not series.get("recurrence"):
            raise ApiProblem(404, "notFound")
        return self._instance(series, event_id, found[2])

    def _instance(self, series: Resource, event_id: str, original: str) -> Resource:
        start: dict[str, str]
        if "T" in original:
            moment = datetime.strptime(original, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            zone = series["start"].get("timeZone", self.time_zone)
            start = {"dateTime": moment.astimezone(ZoneInfo(zone)).isoformat(), "timeZone": zone}
        else:
            start = {"date": f"{original[:4]}-{original[4:6]}-{original[6:]}"}
        lasting = _moment(series["end"]) - _moment(series["start"])
        end = dict(start)
        if "dateTime" in start:
            end["dateTime"] = (_moment(start) + lasting).isoformat()
        else:
            end["date"] = (date.fromisoformat(start["date"]) + lasting).isoformat()
        kept = {name: value for name, value in series.items() if name != "recurrence"}
        return {
            **kept,
            "id": event_id,
            "recurringEventId": series["id"],
            "originalStartTime": start,
            "start": start,
            "end": end,
        }

    @staticmethod
    def _match(old: Resource, etag: str) -> None:
        if etag and etag != old["etag"]:
            raise ApiProblem(412, "conditionNotMet")

    def _cancelled(self, resource: Resource) -> Resource:
        resource["status"] = "cancelled"
        if resource.get("recurrence"):
            for part in [
                one for one in self.events.values()
                if one.get("recurringEventId") == resource["id"] and one["status"] != "cancelled"
            ]:  # fmt: skip
                self._cancelled(copy.deepcopy(part))
        return self._stored(resource, check=False)

    def _stored(self, resource: Resource, *, check: bool = True) -> Resource:
        if check:
            _check(resource)
        self.sequence += 1
        resource["etag"] = f'"{self.sequence}00"'
        resource["updated"] = stamp(self.now())
        for guest in resource.get("attendees", ()):
            guest.setdefault("responseStatus", "needsAction")
        self.events[resource["id"]] = resource
        self.order[resource["id"]] = self.sequence
        return copy.deepcopy(resource)


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    both = {**old, **new}
    return {name: value for name, value in both.items() if value is not None}


def _moment(when: dict[str, str]) -> Any:
    if "date" in when:
        return date.fromisoformat(when["date"])
    moment = datetime.fromisoformat(when["dateTime"])
    if moment.tzinfo is None:
        if "timeZone" not in when:
            raise ApiProblem(400, "required")
        moment = moment.replace(tzinfo=ZoneInfo(when["timeZone"]))
    return moment


def _check(resource: Resource) -> None:
    try:
        start, end = _moment(resource["start"]), _moment(resource["end"])
    except (KeyError, ValueError, TypeError):
        raise ApiProblem(400, "invalid") from None
    both = {"date", "dateTime"}
    if any(len(both & resource[name].keys()) != 1 for name in ("start", "end")):
        raise ApiProblem(400, "invalid")
    if type(start) is not type(end):
        raise ApiProblem(400, "invalid")
    if end < start or (not isinstance(start, datetime) and end == start):
        raise ApiProblem(400, "timeRangeEmpty")
    timed = isinstance(start, datetime)
    if resource.get("recurrence") and timed and "timeZone" not in resource["start"]:
        raise ApiProblem(400, "required")
    if any("@" not in guest.get("email", "") for guest in resource.get("attendees", ())):
        raise ApiProblem(400, "invalid")
    if resource["status"] not in {"confirmed", "tentative", "cancelled"}:
        raise ApiProblem(400, "invalid")
