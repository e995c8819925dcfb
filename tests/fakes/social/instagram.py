"""Instagram API with Instagram Login: messages and conversations (Meta for developers).

Errors are {"error": {message, type, code, error_subcode}}; a recipient is an Instagram-scoped id
of somebody who has written first; a text is at most 1,000 octets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.fakes.local_server import Problem, Request

TOKEN = "instagram-token-canary"
ME = {"user_id": "17841400000000001", "id": "17841400000000001", "username": "example.shop"}
_PAGE = 25


def graph_error(status: int, code: int, message: str, subcode: int = 0) -> Problem:
    """An error of the Graph API."""
    error = {"message": message, "type": "IGApiException", "code": code, "error_subcode": subcode}
    return Problem(status, {"error": error})


@dataclass
class FakeInstagram:
    """One professional account and the people who have written to it."""

    now: Callable[[], datetime]
    people: dict[str, str] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    hook: Callable[[str, Request], None] = lambda stage, request: None
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        """A counter of ids."""
        self._ids = itertools.count(1)

    def add_person(self, name: str) -> str:
        """Somebody who has written; gives the scoped id."""
        return self.people.setdefault(name.lower(), str(5_000_000_000 + len(self.people)))

    def sent_to(self, name: str) -> list[str]:
        """Texts that the person has got."""
        wanted = self.people[name.lower()]
        return [one["message"] for one in self.messages if one["to"] == wanted]

    def __call__(self, request: Request) -> tuple[int, dict[str, Any]]:
        """One call."""
        if request.token != TOKEN:
            raise graph_error(400, 190, "Invalid OAuth access token.")
        if self.problems:
            raise self.problems.pop(0)
        if request.path == "/v24.0/me":
            return 200, dict(ME)
        if request.path == "/v24.0/me/conversations":
            return 200, self._conversations(request.query)
        if request.path == "/v24.0/me/messages" and request.method == "POST":
            return 200, self._send(request)
        if request.path.startswith("/v24.0/conversation-"):
            return 200, self._conversation(request.path.rpartition("-")[2])
        raise graph_error(400, 100, "Unsupported get request.", 33)

    def _conversations(self, query: dict[str, str]) -> dict[str, Any]:
        people = list(self.people.items())
        if "user_id" in query:
            found = [one for one in people if one[1] == query["user_id"]]
            return {"data": [{"id": f"conversation-{number}"} for _, number in found]}
        begin = int(query.get("after", "0"))
        rows = [
            {
                "id": f"conversation-{number}",
                "participants": {"data": [dict(ME), {"id": number, "username": name}]},
            }
            for name, number in people[begin : begin + _PAGE]
        ]
        answer: dict[str, Any] = {"data": rows}
        if begin + _PAGE < len(people):
            cursors = {"before": str(begin), "after": str(begin + _PAGE)}
            answer["paging"] = {"cursors": cursors, "next": "https://graph.instagram.com/next"}
        return answer

    def _conversation(self, number: str) -> dict[str, Any]:
        rows = [
            {
                "id": one["id"], "from": dict(ME), "message": one["message"],
                "created_time": one["at"].strftime("%Y-%m-%dT%H:%M:%S+0000"),
            }
            for one in reversed(self.messages)
            if one["to"] == number
        ][:20]  # fmt: skip
        return {"messages": {"data": rows}, "id": f"conversation-{number}"}

    def _send(self, request: Request) -> dict[str, Any]:
        to, text = request.body["recipient"]["id"], request.body["message"]["text"]
        if to not in self.people.values():
            raise graph_error(400, 100, "No matching user found", 2534014)
        if len(text.encode()) > 1000:
            raise graph_error(400, 100, "The message is too long.", 2534022)
        self.hook("before", request)
        message_id = f"mid.{next(self._ids)}"
        self.messages.append({"id": message_id, "to": to, "message": text, "at": self.now()})
        self.hook("after", request)
        return {"recipient_id": to, "message_id": message_id}
