"""Sessions in the tenant's connected AWS accounts."""

from __future__ import annotations

from tidegate_kit.aws_session import CustomerSession
from tidegate_kit.errors import NotFound
from tidegate_kit.tenancy import TenantScope

from tidegate.onboarding import public as onboarding
from tidegate.workflows.ports.aws import OpenSession
from tidegate.workflows.settings import WorkflowsSettings


def session_opener(settings: WorkflowsSettings, scope: TenantScope) -> OpenSession:
    """A function that opens a session cut down to a policy, in an account tiered for changes."""

    def open_session(account_id: str, policy: str) -> CustomerSession:
        for connection in onboarding.connections(scope):
            # Long-lived keys cannot be cut down by a policy, so they are never used to act.
            if (
                connection.account_id == account_id
                and connection.status == "connected"
                and connection.tier == "remediate"
                and connection.method == "role"
            ):
                return onboarding.open_session(settings, connection, purpose="plan", policy=policy)
        raise NotFound

    return open_session
