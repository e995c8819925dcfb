"""Whether an account works, and how it has been (contract 2.4, test and health)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail
from tidegate_kit.outbound import OutboundClient, OutboundFailed, OutboundRefused

from tidegate.integrations.channels import Adapter, ChannelError
from tidegate.integrations.domain import Account, AccountType, Health, health_after
from tidegate.integrations.errors import ChangedMeanwhile, IntegrationTestFailed
from tidegate.integrations.repository import Records
from tidegate.integrations.service.accounts import AccountService

_CALL_SECONDS = 10.0
_MAX_ANSWER = 64 * 1024


@dataclass(frozen=True)
class Passed:
    """A test that passed; `latency_ms` of the provider's answer."""

    account_id: str
    latency_ms: int
    checked_at: datetime


class Probes(Protocol):
    """How accounts of each type are tested. Methods raise ChannelError."""

    def adapter(self, kind: AccountType, configuration: Mapping[str, Any]) -> Adapter | None:
        """The channel that the account is, if it is one."""

    def crm(self, configuration: Mapping[str, Any]) -> None:
        """Call the API with its key."""

    def calendar(self) -> None:
        """Ask the user's calendar provider."""


class CheckService:
    """Tests of the caller's accounts."""

    def __init__(
        self,
        accounts: AccountService,
        health: Records[Health],
        probes: Probes,
        clock: Clock,
        timer: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._health = health
        self._probes = probes
        self._clock = clock
        self._timer = timer

    def test(self, account_id: str) -> Passed:
        """Ask the provider now and note what it said. Raises NotFound, IntegrationTestFailed."""
        account = self._accounts.get(account_id)
        configuration = self._accounts.plain(account)
        began = self._timer()
        problem: ChannelError | None = None
        try:
            self._probe(account, configuration)
        except ChannelError as error:
            problem = error
        latency = int((self._timer() - began) * 1000)
        now = self._clock()
        self._note(account_id, None if problem is None else problem.message, now)
        if problem is not None:
            raise IntegrationTestFailed(
                problem.message, details=[Detail("configuration", problem.code)]
            ) from problem
        return Passed(account_id, latency, now)

    def health(self, account_id: str) -> Health | None:
        """What the last checks found; None before the first. Raises NotFound."""
        account = self._accounts.get(account_id)
        (found,) = self._health.get([account_id])
        # An account that was deleted and made again starts anew.
        return None if found is None or found.created_at < account.created_at else found

    def _probe(self, account: Account, configuration: Mapping[str, Any]) -> None:
        if account.account_type == "crm":
            return self._probes.crm(configuration)
        if account.account_type == "calendar":
            return self._probes.calendar()
        adapter = self._probes.adapter(account.account_type, configuration)
        if adapter is None:
            text = "The account names no provider that can be tested, or has no access_token."
            raise ChannelError("UNKNOWN_PROVIDER", text)
        return adapter.check()

    def _note(self, account_id: str, error: str | None, now: datetime) -> None:
        (old,) = self._health.get([account_id])
        known = self.health(account_id)
        new = health_after(account_id, known, error, now)
        if old is not None and known is None:
            new = health_after(account_id, None, error, now).following(old)
        try:
            self._health.save([new])
        except ChangedMeanwhile:
            return  # another check at this moment has noted what it saw


def probe_crm(client: OutboundClient, configuration: Mapping[str, Any]) -> None:
    """GET of a CRM's base_url with its key. Raises ChannelError."""
    key = str(configuration["api_key"])
    if not (key.isascii() and key.isprintable()):
        raise ChannelError("ACCOUNT_REFUSED", "The api_key cannot be sent in a header.")
    try:
        answer = client.request(
            "GET",
            str(configuration["base_url"]),
            headers={"Accept": "application/json"},
            secret_headers={"Authorization": f"Bearer {key}"},
            timeout=_CALL_SECONDS,
            max_bytes=_MAX_ANSWER,
            excess="cut",
            allow_local=True,
        )
    except OutboundRefused as error:
        raise ChannelError("ADDRESS_REFUSED", "The base_url may not be called.") from error
    except OutboundFailed as error:
        text = f"The base_url gave no usable answer: {error.reason}."
        raise ChannelError("PROVIDER_UNAVAILABLE", text, retryable=True) from error
    if answer.status in (401, 403):
        raise ChannelError("ACCOUNT_REFUSED", "The provider refuses the api_key.")
    if answer.status >= 400:
        text = f"The base_url answered with status {answer.status}."
        raise ChannelError("PROVIDER_UNAVAILABLE", text)
