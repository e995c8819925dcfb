"""What definitions of a tenant may mention: names are asked for when a definition has some."""

from __future__ import annotations

from collections.abc import Callable

from tidegate_kit.tenancy import TenantScope

from tidegate.integrations import public as integrations
from tidegate.workflows.service.definitions import TenantNames


class _Names:
    """A set of names that is read at the first question, so that most saves read nothing."""

    def __init__(self, read: Callable[[], frozenset[str]]) -> None:
        self._read = read
        self._known: frozenset[str] | None = None

    def __contains__(self, name: object) -> bool:
        if self._known is None:
            self._known = self._read()
        return name in self._known


def names_of(scope: TenantScope, user_id: str) -> TenantNames:
    """The tenant's secrets and the user's integration accounts."""
    return TenantNames(
        secrets=_Names(lambda: integrations.secret_names(scope)),
        accounts=_Names(lambda: integrations.account_ids(scope.user(user_id))),
    )
