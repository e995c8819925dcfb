"""X API v2: users and direct messages (docs.x.com, "Direct messages" and "Users").

Bearer token of a user; 401 without; 404-like errors of unknown users come as 200 with `errors`;
the same text may be sent twice, so every double shows.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.fakes.local_server import Problem, Request

TOKEN = "twitter-token-canary"
ME = "9000000001"


@dataclass
class FakeTwitter:
    """One account at X, the users it may write to, and what it has sent."""

    now: Callable[[], datetime]
    users: dict[str, str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    # Called with (stage, request): "before" and "after" a message is created.
    hook: Callable[[str, Request], None] = lambda stage, request: None
    limited: int = 0

    def __post_init__(self) -> None:
        """A counter of ids."""
        self._ids = itertools.count(1_700_000_000_000_000_000)
        self._lock = threading.Lock()

    def add_user(self, name: str) -> str:
        """A user by name; gives the id."""
        return self.users.setdefault(name.lower(), str(2_000_000 + len(self.users)))

    def sent_to(self, name: str) -> list[str]:
        """Texts that the user has got."""
        wanted = self.users[name.lower()]
        return [one["text"] for one in self.events if one["to"] == wanted]

    def __call__(self, request: Request) -> tuple[int, dict[str, Any]]:
        """One call."""
        if request.token != TOKEN:
            raise Problem(401, {"title": "Unauthorized", "type": "about:blank", "status": 401})
        if self.limited > 0:
            self.limited -= 1
            raise Problem(429, {"title": "Too Many Requests", "status": 429})
        parts = request.path.strip("/").split("/")
        if parts == ["2", "users", "me"]:
            return 200, {"data": {"id": ME, "name": "Example", "username": "example"}}
        if parts[:4] == ["2", "users", "by", "username"]:
            return 200, self._user(parts[4])
        if parts[:3] == ["2", "dm_conversations", "with"] and parts[4] == "messages":
            return self._create(request, parts[3])
        if parts[:3] == ["2", "dm_conversations", "with"] and parts[4] == "dm_events":
            return 200, self._events(parts[3])
        raise Problem(404, {"title": "Not Found", "status": 404})

    def _user(self, name: str) -> dict[str, Any]:
        found = self.users.get(name.lower())
        if found is None:
            detail = f"Could not find user with username: [{name}]."
            return {"errors": [{"title": "Not Found Error", "detail": detail, "value": name}]}
        return {"data": {"id": found, "name": name, "username": name}}

    def _create(self, request: Request, to: str) -> tuple[int, dict[str, Any]]:
        if request.method != "POST" or to not in self.users.values():
            raise Problem(403, {"title": "Forbidden", "status": 403})
        self.hook("before", request)
        with self._lock:
            event_id = str(next(self._ids))
            self.events.append(
                {"id": event_id, "to": to, "text": request.body["text"], "at": self.now()}
            )
        self.hook("after", request)
        return 201, {"data": {"dm_conversation_id": f"{ME}-{to}", "dm_event_id": event_id}}

    def _events(self, to: str) -> dict[str, Any]:
        rows = [
            {
                "id": one["id"], "text": one["text"], "sender_id": ME,
                "event_type": "MessageCreate",
                "created_at": one["at"].strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            }
            for one in reversed(self.events)
            if one["to"] == to
        ][:100]  # fmt: skip
        return {"data": rows, "meta": {"result_count": len(rows)}}
