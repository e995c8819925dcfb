"""Integration accounts of one user (INT-1 to INT-3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, NotFound, Unprocessable

from tidegate.integrations.domain import (
    Account,
    AccountType,
    Tool,
    configuration_problems,
    tool_of,
)
from tidegate.integrations.masking import masked, unmasked
from tidegate.integrations.repository import Records
from tidegate.integrations.vault import Vault


@dataclass(frozen=True)
class Upsert:
    """An account as sent."""

    account_id: str
    account_type: AccountType
    configuration: dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """An account as shown: secrets masked. `created` says whether this call made it."""

    account: Account
    configuration: dict[str, Any]
    created: bool = False


class AccountService:
    """Accounts of the caller. `check_url` refuses addresses that may not be called (INT-7)."""

    def __init__(
        self,
        accounts: Records[Account],
        vault: Vault,
        check_url: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._vault = vault
        self._check_url = check_url
        self._clock = clock

    def find(self, account_type: AccountType | None) -> list[Account]:
        """Newest first."""
        found = self._accounts.all()
        return [one for one in found if account_type in (None, one.account_type)]

    def show(self, account: Account) -> Shown:
        """With its configuration masked. Raises SealBroken, ServiceUnavailable."""
        return Shown(account, masked(self.plain(account)))

    def get(self, account_id: str) -> Account:
        """Raises NotFound."""
        (found,) = self._accounts.get([account_id])
        if found is None:
            raise NotFound
        return found

    def tools(self) -> list[Tool]:
        """What workflows can do with the accounts."""
        return [tool_of(account) for account in self._accounts.all()]

    def delete(self, account_id: str) -> None:
        """Remove the account and with it its configuration. Raises NotFound, ChangedMeanwhile."""
        self._accounts.delete(self.get(account_id))

    def put(self, sent: Sequence[Upsert], place: Callable[[int], str]) -> list[Shown]:
        """Create or replace accounts by id, all or none, in the order sent.

        `place` prefixes the field names of problems. Raises Unprocessable with every problem of
        every account, ChangedMeanwhile when another writer was faster.
        """
        stored = self._accounts.get([one.account_id for one in sent])
        problems: list[Detail] = []
        plain: list[dict[str, Any]] = []
        for index, (one, old) in enumerate(zip(sent, stored, strict=True)):
            configuration, own = self._checked(one, old)
            plain.append(configuration)
            problems += [Detail(place(index) + each.field, each.message) for each in own]
        if problems:
            raise Unprocessable(details=problems)
        records = [
            self._record(one, old, configuration)
            for one, old, configuration in zip(sent, stored, plain, strict=True)
        ]
        self._accounts.save(records)
        return [
            Shown(record, masked(configuration), old is None)
            for record, old, configuration in zip(records, stored, plain, strict=True)
        ]

    def _checked(self, one: Upsert, old: Account | None) -> tuple[dict[str, Any], list[Detail]]:
        stored = None if old is None else self.plain(old)
        configuration, problems = unmasked(one.configuration, stored)
        problems += configuration_problems(one.account_type, configuration)
        if not problems and one.account_type == "crm":
            problems += self._address_problems(configuration["base_url"])
        return configuration, problems

    def _address_problems(self, url: str) -> list[Detail]:
        try:
            self._check_url(url)
        except Unprocessable as refused:
            return [Detail("configuration.base_url", each.message) for each in refused.details]
        return []

    def _record(self, one: Upsert, old: Account | None, configuration: dict[str, Any]) -> Account:
        now = self._clock()
        return Account(
            id=one.account_id,
            account_type=one.account_type,
            configuration=self._vault.seal_data(
                configuration, f"ACCOUNT#{one.account_id}", "configuration"
            ),
            created_at=now if old is None else old.created_at,
            updated_at=now,
            version=1 if old is None else old.version + 1,
        )

    def plain(self, account: Account) -> dict[str, Any]:
        """The opened configuration; no route shows it. Raises SealBroken, ServiceUnavailable."""
        data: dict[str, Any] = self._vault.open_data(
            account.configuration, f"ACCOUNT#{account.id}", "configuration"
        )
        return data
