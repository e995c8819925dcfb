"""POST sync/auto: pull, then push, within one lease and one budget of time."""

from __future__ import annotations

from collections.abc import Callable

from tidegate_kit.clock import Clock
from tidegate_kit.errors import ApiError
from tidegate_kit.ids import IdFactory

from tidegate.calendar.errors import NoOAuthToken, ReconnectRequired, SyncRunning
from tidegate.calendar.repository.connections import Connections
from tidegate.calendar.repository.events import Events
from tidegate.calendar.sync.caller import Caller, OutOfTime, Timing
from tidegate.calendar.sync.google import GoogleClient
from tidegate.calendar.sync.pull import Pull
from tidegate.calendar.sync.push import Pushes
from tidegate.calendar.sync.report import Report
from tidegate.calendar.sync.session import Session
from tidegate.calendar.sync.tokens import TokenVault, Unusable


class SyncService:
    """Two-way sync of one user's calendar with Google (CAL-1 to CAL-3)."""

    def __init__(
        self,
        events: Events,
        connections: Connections,
        google: GoogleClient,
        vault: TokenVault,
        clock: Clock,
        ids: IdFactory,
        pause: Callable[[float], None],
    ) -> None:
        self._events = events
        self._connections = connections
        self._google = google
        self._vault = vault
        self._clock = clock
        self._ids = ids
        self._pause = pause

    def run(self) -> Report:
        """Sync once.

        Raises NoOAuthToken, ReconnectRequired, SyncRunning, ProviderRateLimited,
        ProviderUnavailable; what was taken over before stays, and the next call goes on there.
        """
        report = Report(self._clock())
        session = Session(self._connections, self._clock, self._ids)
        timing = Timing(self._clock, self._pause, report.started_at)
        caller = Caller(self._google, self._vault, timing, lambda: session.connection, session.keep)
        try:
            Pull(self._events, session, caller, report, self._clock, self._ids).run()
            Pushes(self._events, caller, report, session.connection.account).run()
        except OutOfTime:
            report.more = True
        except Unusable as error:
            session.release(error.reason, needs_reconnect=True)
            raise ReconnectRequired(log=error.reason) from error
        except (NoOAuthToken, SyncRunning):
            raise  # the hold was lost: nothing is left to release
        except ApiError as error:
            session.release(error.code)
            raise
        session.release()
        report.completed_at = self._clock()
        return report
