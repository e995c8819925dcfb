"""The customer's account of an item, through onboarding's connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidegate_kit.aws_session import AccessDeniedByAccount, CustomerSession
from tidegate_kit.session_policy import Grant, policy_of, reading
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery.public import Found, ResourceRef, read_again, reread_actions
from tidegate.findings.plans.domain import PlanItem
from tidegate.onboarding import public as onboarding
from tidegate.onboarding.public import Connection

OpenSession = Callable[[str], CustomerSession]


@dataclass(frozen=True)
class SessionWorkshop:
    """Enters the account anew for each set of rights, cut down to exactly these (FND-8)."""

    region: str
    open_session: OpenSession

    def read(self, ref: ResourceRef, now: datetime) -> Found | None:
        """See executor.Workshop."""
        session = self._session([reading(reread_actions(ref.type))])
        return read_again(session, ref, now)

    def client(self, service: str, grants: Sequence[Grant]) -> Any:
        """See executor.Workshop."""
        return self._session(grants).client(service, self.region)

    def _session(self, grants: Sequence[Grant]) -> CustomerSession:
        return self.open_session(policy_of(grants))


def may_remediate(connection: Connection | None) -> bool:
    """True for a connected role of the tier for changes.

    Long-lived keys cannot be cut down by a session policy, so they are never used to act.
    """
    return (
        connection is not None
        and connection.status == "connected"
        and connection.tier == "remediate"
        and connection.method == "role"
    )


class ConnectedAccounts:
    """Opens the accounts of items. Implements executor.Open.

    Sessions are kept for as long as the object: one task, or one call. Each has one set of rights.
    """

    def __init__(self, settings: Settings, scope: TenantScope) -> None:
        self._settings = settings
        self._scope = scope
        self._connections: dict[str, Connection | None] = {}
        self._sessions: dict[tuple[str, str], CustomerSession] = {}

    def connection(self, onboarding_id: str) -> Connection | None:
        """The connection as it was when it was first asked for."""
        if onboarding_id not in self._connections:
            found = onboarding.connection(self._scope, onboarding_id)
            self._connections[onboarding_id] = found
        return self._connections[onboarding_id]

    def allows(self, item: PlanItem) -> bool:
        """True while the item's account is connected for remediation."""
        found = self.connection(item.onboarding_id)
        # Never with one account's approval into another (G21).
        return may_remediate(found) and found is not None and found.account_id == item.account_id

    def present(self, item: PlanItem) -> bool:
        """See ports.Accounts."""
        return self.connection(item.onboarding_id) is not None

    def __call__(self, item: PlanItem) -> SessionWorkshop:
        """Raises AccessDeniedByAccount where the account is not connected for that any more."""
        connection = self.connection(item.onboarding_id)
        if connection is None or not self.allows(item):
            raise AccessDeniedByAccount

        def open_session(policy: str) -> CustomerSession:
            kept = (connection.id, policy)
            if kept not in self._sessions:
                self._sessions[kept] = onboarding.open_session(
                    self._settings, connection, purpose="plan", policy=policy
                )
            return self._sessions[kept]

        return SessionWorkshop(item.region, open_session)
