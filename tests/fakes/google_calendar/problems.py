"""Error answers in Google's two forms."""

from __future__ import annotations

from typing import Any


class ApiProblem(Exception):
    """An error of the Calendar API."""

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(reason)

    @property
    def body(self) -> dict[str, Any]:
        """{"error": {"errors": [{domain, reason, message}], code, message}}."""
        one = {"domain": "global", "reason": self.reason, "message": self.reason}
        return {"error": {"errors": [one], "code": self.status, "message": self.reason}}


class OAuthProblem(Exception):
    """An error of the token endpoint (RFC 6749 5.2)."""

    def __init__(self, error: str, status: int = 400) -> None:
        self.status = status
        self.error = error
        super().__init__(error)

    @property
    def body(self) -> dict[str, Any]:
        """{"error", "error_description"}."""
        return {"error": self.error, "error_description": self.error.replace("_", " ")}
