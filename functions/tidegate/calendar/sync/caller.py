"""Calls to Google within the time of one sync: one refresh, back-off, then an error of ours."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from tidegate_kit.clock import Clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import logger
from tidegate_kit.outbound import OutboundFailed, OutboundRefused

from tidegate.calendar.domain import Connection
from tidegate.calendar.errors import ProviderRateLimited, ProviderUnavailable
from tidegate.calendar.sync.google import GoogleClient, Refused
from tidegate.calendar.sync.tokens import RENEW_BEFORE, TokenVault, Unusable

T = TypeVar("T")


class OutOfTime(Exception):
    """The time of this call is over; what was done so far is kept."""


BUDGET = timedelta(seconds=25)  # of one call of sync/auto (CAL-2)
_START_NOTHING_AFTER = timedelta(seconds=19)
_CALL_SECONDS = 5.0  # so that what was started at the last moment still ends in time
_ATTEMPTS = 4
_MAX_WAIT = 4.0


@dataclass(frozen=True)
class Timing:
    """When a sync began, and how it waits."""

    clock: Clock
    pause: Callable[[float], None]
    started: datetime

    def left(self) -> float:
        """Seconds until the last call must have been started."""
        return (self.started + _START_NOTHING_AFTER - self.clock()).total_seconds()


class Caller:
    """Makes calls with a valid access token. `save` stores a changed connection at once."""

    def __init__(
        self,
        google: GoogleClient,
        vault: TokenVault,
        timing: Timing,
        connection: Callable[[], Connection],
        save: Callable[[Connection], None],
    ) -> None:
        self.google = google
        self._vault = vault
        self._timing = timing
        self._connection = connection
        self._save = save
        self._token: str | None = None
        self._refreshed = False

    def call(self, make: Callable[[str, float], T]) -> T:
        """`make(access token, seconds)`, repeated while Google is only busy.

        Raises Refused where Google refuses the call itself, Unusable where the user must connect
        again, ProviderRateLimited or ProviderUnavailable with Retry-After, OutOfTime.
        """
        try:
            return self._tried(lambda seconds: make(self._access_token(), seconds))
        except Refused as refused:
            if refused.status != 401 or self._refreshed:
                raise self._final(refused) from refused
        self._refresh()
        try:
            return self._tried(lambda seconds: make(self._access_token(), seconds))
        except Refused as refused:
            raise self._final(refused) from refused

    def _access_token(self) -> str:
        if self._token is None:
            if self._connection().expires_at - self._timing.clock() <= RENEW_BEFORE:
                self._refresh()
            else:
                self._token = self._vault.access_token(self._connection())
        if self._token is None:
            raise Unusable("there is no access token")
        return self._token

    def _refresh(self) -> None:
        """Renew the access token; what Google answers is stored before it is used."""
        if self._refreshed:
            raise Unusable("Google did not accept a token that it had just given")
        self._refreshed = True
        refresh_token = self._vault.refresh_token(self._connection())
        try:
            tokens = self._tried(lambda seconds: self.google.refresh(seconds, refresh_token))
        except Refused as refused:
            if refused.reason == "invalid_grant":
                raise Unusable("Google has ended or revoked the authorisation") from refused
            raise ProviderUnavailable(log=f"token endpoint: {refused}") from refused
        self._save(self._vault.renewed(self._connection(), tokens, self._timing.clock()))
        self._token = tokens.access_token

    @staticmethod
    def _final(refused: Refused) -> Exception:
        if refused.status == 401:
            return Unusable("Google does not accept the renewed token")
        if refused.consent:
            return Unusable("the authorisation does not reach the calendar")
        return refused

    def _tried(self, make: Callable[[float], T]) -> T:
        attempt = 0
        while True:
            if self._timing.left() <= 0:
                raise OutOfTime
            try:
                return make(_CALL_SECONDS)
            except Refused as refused:
                if not refused.passing:
                    raise
                wait = _wait(attempt, refused.retry_after)
                failure = _failure(refused, wait)
            except OutboundRefused as error:
                raise ProviderUnavailable(log=f"GOOGLE_*_URL {error.reason}") from error
            except OutboundFailed as failed:
                wait = _wait(attempt, None)
                failure = ProviderUnavailable(headers=_after(wait), log=f"google: {failed.reason}")
            attempt += 1
            if attempt >= _ATTEMPTS or wait > min(_MAX_WAIT, self._timing.left()):
                raise failure
            logger.info("google call repeated", attempt=attempt, wait=wait)
            self._timing.pause(wait)


def _wait(attempt: int, asked: float | None) -> float:
    backoff = 0.5 * 2.0**attempt * random.uniform(0.75, 1.25)  # noqa: S311
    return max(backoff, asked or 0.0)


def _failure(refused: Refused, wait: float) -> ServiceUnavailable:
    kind = ProviderRateLimited if refused.limited else ProviderUnavailable
    return kind(headers=_after(wait), log=f"google: {refused}")


def _after(wait: float) -> dict[str, str]:
    return {"Retry-After": str(max(5, math.ceil(wait)))}
