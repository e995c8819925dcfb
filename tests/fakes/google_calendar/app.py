"""The WSGI application, and faults that can be put in its way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.fakes.google_calendar.calendar import Calendar
from tests.fakes.google_calendar.oauth import Authorization
from tests.fakes.google_calendar.problems import ApiProblem, OAuthProblem

CLIENT_ID, CLIENT_SECRET = "tidegate-test.apps.example", "client-secret-canary"
_EVENTS = "/calendar/v3/calendars/primary/events"
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass
class Fault:
    """An answer given instead of the real one: `times` calls of `method` whose path holds `part`.

    after: the real call is carried out first, and its answer is lost.
    """

    problem: ApiProblem
    method: str = ""
    part: str = _EVENTS
    times: int = 1
    after: bool = False


@dataclass
class FakeGoogle:
    """One account at Google: its calendar, its authorisations, a log of the calls."""

    now: Callable[[], datetime]
    account: str = "1090001"
    issuer: str = "https://accounts.google.com"
    calls: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda method, path: None

    def __post_init__(self) -> None:
        """An empty calendar."""
        self.calendar = Calendar(f"{self.account}@example.com", lambda: self.now())
        self.oauth = Authorization(
            lambda: self.now(), CLIENT_ID, CLIENT_SECRET, self.issuer, self.account
        )

    def fail(self, status: int, reason: str, retry_after: int | None = None, **more: Any) -> None:
        """Put a fault in the way."""
        self.faults.append(Fault(ApiProblem(status, reason, retry_after), **more))

    def count(self, text: str) -> int:
        """How many logged calls hold a text."""
        return sum(text in call for call in self.calls)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        query_text = environ.get("QUERY_STRING", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.calls.append(f"{method} {path}?{query_text}")
        self.before(method, path)
        headers = {"content-type": "application/json; charset=UTF-8"}
        try:
            status, answer = self._faulty(method, path, query_text, body, environ)
        except ApiProblem as problem:
            status, answer = problem.status, problem.body
            if problem.retry_after is not None:
                headers["retry-after"] = str(problem.retry_after)
        except OAuthProblem as problem:
            status, answer = problem.status, problem.body
        data = b"" if answer is None else json.dumps(answer).encode()
        headers["content-length"] = str(len(data))
        start_response(f"{status} {'OK' if status < 400 else 'Error'}", list(headers.items()))
        return [data]

    def _faulty(
        self, method: str, path: str, query: str, body: bytes, environ: dict[str, Any]
    ) -> tuple[int, Any]:
        for fault in self.faults:
            if fault.times > 0 and fault.part in path and fault.method in ("", method):
                fault.times -= 1
                if fault.after:
                    self._answer(method, path, query, body, environ)
                raise fault.problem
        return self._answer(method, path, query, body, environ)

    def _answer(
        self, method: str, path: str, query_text: str, body: bytes, environ: dict[str, Any]
    ) -> tuple[int, Any]:
        query = {name: values[0] for name, values in parse_qs(query_text).items()}
        if method == "POST" and path in {"/token", "/revoke"}:
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            if path == "/token":
                return 200, self.oauth.token(form)
            self.oauth.revoke(form.get("token", ""))
            return 200, {}
        if not path.startswith(_EVENTS):
            raise ApiProblem(404, "notFound")
        self.oauth.check(environ.get("HTTP_AUTHORIZATION", ""))
        etag = environ.get("HTTP_IF_MATCH", "")
        return self._events(method, path.removeprefix(_EVENTS), query, body, etag)

    def _events(
        self, method: str, rest: str, query: dict[str, str], body: bytes, etag: str
    ) -> tuple[int, Any]:
        event_id, _, sub = unquote(rest.lstrip("/")).partition("/")
        if not event_id and method == "GET":
            return 200, self.calendar.list(query)
        if not event_id and method == "POST":
            return 200, self.calendar.insert(_resource(body))
        if sub == "instances" and method == "GET":
            return 200, self.calendar.instances(event_id, query)
        if method == "GET":
            return 200, self.calendar.get(event_id)
        if method == "PATCH":
            return 200, self.calendar.patch(event_id, _resource(body), etag)
        if method == "DELETE":
            self.calendar.delete(event_id, etag)
            return 204, None
        raise ApiProblem(404, "notFound")


def _resource(body: bytes) -> dict[str, Any]:
    try:
        resource = json.loads(body)
    except ValueError:
        raise ApiProblem(400, "parseError") from None
    if not isinstance(resource, dict):
        raise ApiProblem(400, "parseError")
    return resource
