"""Connection test and health of an account."""

from __future__ import annotations

from tidegate_kit.http import CurrentCall

from tidegate.integrations.errors import IntegrationTestFailed
from tidegate.integrations.probing import checks_of
from tidegate.integrations.routes.router import router
from tidegate.integrations.schemas import AccountHealth, ConnectionTest, PathAccountId

_PATH = "/user/integrations/accounts/{account_id}"


@router.post(f"{_PATH}/test", permission="integration:write", errors=[IntegrationTestFailed])
def test_integration_account(account_id: PathAccountId, call: CurrentCall) -> ConnectionTest:
    """Ask the account's provider whether address and credentials work; sends nothing."""
    passed = checks_of(call.principal.user).test(account_id)
    return ConnectionTest(
        account_id=passed.account_id, latency_ms=passed.latency_ms, checked_at=passed.checked_at
    )


@router.get(f"{_PATH}/health", permission="integration:read")
def get_integration_health(account_id: PathAccountId, call: CurrentCall) -> AccountHealth:
    """What the last checks found; `unknown` before the first."""
    found = checks_of(call.principal.user).health(account_id)
    return AccountHealth(
        account_id=account_id,
        status="unknown" if found is None else found.status,
        last_checked_at=None if found is None else found.last_checked_at,
        last_success_at=None if found is None else found.last_success_at,
        last_error=None if found is None else found.last_error,
    )
