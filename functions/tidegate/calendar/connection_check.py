"""One harmless call of Google with a user's authorisation."""

from __future__ import annotations

import time
from dataclasses import replace

from tidegate_kit.clock import Clock
from tidegate_kit.tenancy import UserScope

from tidegate.calendar.domain import Connection
from tidegate.calendar.errors import NoOAuthToken, ProviderUnavailable, ReconnectRequired
from tidegate.calendar.repository.connections import DynamoConnections
from tidegate.calendar.sync.caller import Caller, OutOfTime, Timing
from tidegate.calendar.sync.google import Refused
from tidegate.calendar.sync.tokens import Unusable
from tidegate.calendar.wiring import google_client, vault_of

# Nothing has this id, so "not found" is the answer of a calendar that we may read.
_ABSENT = "tidegate00000000000000000000000check"


def check_google(scope: UserScope, clock: Clock) -> None:
    """Raises NoOAuthToken, ReconnectRequired, ProviderRateLimited, ProviderUnavailable."""
    stored = DynamoConnections(scope).get()
    if stored is None:
        raise NoOAuthToken
    if stored.needs_reconnect:
        raise ReconnectRequired
    held = [stored]

    def keep(connection: Connection) -> None:
        # A renewed access token serves this check alone; the next sync renews its own.
        held[0] = replace(connection)

    google = google_client()
    timing = Timing(clock, time.sleep, clock())
    caller = Caller(google, vault_of(scope), timing, lambda: held[0], keep)
    try:
        caller.call(lambda token, seconds: google.get(token, seconds, _ABSENT))
    except Unusable as error:
        raise ReconnectRequired from error
    except OutOfTime as error:
        raise ProviderUnavailable from error
    except Refused as refused:
        if refused.status not in (404, 410):
            raise ProviderUnavailable(log=f"google: {refused}") from refused
