"""Where the accounts of all tenants lie: the global list that the hourly checks walk (EVT-6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from tidegate_kit.dynamo import store_errors
from tidegate_kit.tenancy import UserScope, key

from tidegate.integrations.models import AccountItem

ALL_ACCOUNTS: Final = "ACCOUNTS"


@dataclass(frozen=True)
class AccountRef:
    """Where an account lies."""

    scope: UserScope
    account_id: str


class GlobalAccounts(Protocol):
    """The accounts of every tenant. The list may lag behind the accounts by moments."""

    def after(self, place: AccountRef | None, limit: int) -> list[AccountRef]:
        """Up to `limit` accounts behind `place`, in the order of `place_of`."""


class DynamoGlobalAccounts:
    """The list as an index of the table `integrations`."""

    def after(self, place: AccountRef | None, limit: int) -> list[AccountRef]:
        behind = None if place is None else AccountItem.gsi1sk > place_of(place)
        with store_errors():
            # Sealed configurations are left where they are.
            found = list(
                AccountItem.everywhere.query(
                    ALL_ACCOUNTS, behind, limit=limit, attributes_to_get=["gsi1sk"]
                )
            )
        return [_ref(str(item.gsi1sk)) for item in found]


def place_of(ref: AccountRef) -> str:
    """The account's place in the list: a tenant's accounts are neighbours."""
    return key(ref.scope.tenant_id, ref.scope.user_id, ref.account_id)


def _ref(place: str) -> AccountRef:
    tenant_id, user_id, account_id = place.split("#")
    return AccountRef(UserScope(tenant_id, user_id), account_id)
