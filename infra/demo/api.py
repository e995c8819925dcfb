"""A plain HTTP client of Tidegate, as anybody would write it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx


class ApiFailed(RuntimeError):
    """A call was refused; the message holds status, code and text of the envelope."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Api:
    """Calls with a bearer token; any non-2xx raises ApiFailed."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._http = httpx.Client(base_url=base_url, timeout=60)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The parsed answer."""
        answer = self._http.request(method, path, json=body)
        if answer.status_code >= 400:
            error = answer.json().get("error", {})
            raise ApiFailed(
                f"{method} {path}: {answer.status_code} {error.get('code')}: "
                f"{error.get('message')} {error.get('details') or ''}",
                answer.status_code,
                str(error.get("code")),
            )
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    def register_and_login(self, email: str, password: str, company: str) -> None:
        """Become the owner of a new tenant."""
        self.call(
            "POST",
            "/api/auth/register",
            {
                "email": email, "password": password, "first_name": "Demo",
                "last_name": "Owner", "company": company,
            },
        )  # fmt: skip
        self.login(email, password)

    def login(self, email: str, password: str) -> None:
        """Sign in; later calls carry the token."""
        token = self.call("POST", "/api/auth/login", {"email": email, "password": password})
        self._http.headers["Authorization"] = f"Bearer {token['access_token']}"

    def poll(self, path: str, done: Callable[[Any], bool], seconds: float = 300) -> Iterator[Any]:
        """Every changed answer of a GET until `done`. Raises ApiFailed after `seconds`."""
        deadline = time.monotonic() + seconds
        last = None
        while time.monotonic() < deadline:
            answer = self.call("GET", path)
            if answer != last:
                yield answer
                last = answer
            if done(answer):
                return
            time.sleep(1)  # reads are limited to 100 a minute
        raise ApiFailed(f"GET {path}: not finished after {seconds:.0f} s")
