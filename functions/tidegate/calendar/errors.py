"""Errors of the calendar domain (contract 2.3)."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate_kit.errors import BadRequest, Conflict, Detail, ServiceUnavailable, Unprocessable


class NoOAuthToken(Conflict):
    code = "NO_OAUTH_TOKEN"
    message = "No calendar is connected. Start with POST /v1/calendar/oauth/start."


class ReconnectRequired(Conflict):
    code = "OAUTH_RECONNECT_REQUIRED"
    message = "Google no longer accepts the stored authorisation. Connect the calendar again."


class SyncRunning(Conflict):
    code = "SYNC_RUNNING"
    message = "A sync of this calendar is running."


class ChangedMeanwhile(Conflict):
    message = "This was changed by another call at the same moment. Read it and try again."


class OAuthStateInvalid(BadRequest):
    code = "OAUTH_STATE_INVALID"
    message = "This authorisation was not started here, is used up or too old. Start again."


class RedirectNotAllowed(Unprocessable):
    message = "The redirect address is not one of this deployment's own."

    def __init__(self) -> None:
        super().__init__(details=[Detail("redirect_uri", "must be on a configured origin")])


class AccessNotGranted(OAuthStateInvalid):
    message = "Access to the calendar was not granted. Start again and allow it."


class ProviderRateLimited(ServiceUnavailable):
    code = "PROVIDER_RATE_LIMITED"
    message = "Google limits the calls for this calendar at the moment. Try again later."


class ProviderUnavailable(ServiceUnavailable):
    code = "PROVIDER_UNAVAILABLE"
    message = "Google Calendar does not answer as it should. Try again shortly."


class NotConfigured(ServiceUnavailable):
    code = "PROVIDER_UNAVAILABLE"
    message = "This deployment has no Google client: set GoogleClientId and GoogleClientSecret."


class BadCalendarFile(Unprocessable):
    """422 of an .ics file; every detail names a line. Nothing was written."""

    message = "The iCalendar file cannot be imported; nothing was written."

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        """`problems`: (line number from 1, what is wrong there); the first 50 are told."""
        self.problems = tuple(problems)
        super().__init__(
            details=[Detail(f"line {line}", message) for line, message in self.problems[:50]]
        )
