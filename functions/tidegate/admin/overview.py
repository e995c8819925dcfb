"""Numbers that the domains tell, put together for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tidegate_kit.tenancy import TenantScope

from tidegate.admin import schemas
from tidegate.identity.public.administration import TenantItem
from tidegate.monitoring import public as monitoring
from tidegate.onboarding.public import connections

# The tables whose identity GET /admin/health proves, by logical name; a test compares this list
# with template.yaml.
TABLES = (
    "identity", "platform", "onboarding", "discovery", "workflows", "profile", "calendar",
    "templates", "integrations", "realtime", "metrics", "pipelines", "ai", "governance", "findings",
    "lab",
)  # fmt: skip
_DOLLAR = 1_000_000_000  # in nano-dollars


def accounts_of(tenant_id: str) -> int:
    """How many AWS accounts a tenant has connected."""
    found = connections(TenantScope(tenant_id))
    return sum(one.status == "connected" for one in found)


def dashboard(tenants: Sequence[TenantItem], now: datetime) -> schemas.Dashboard:
    """GET /admin/dashboard. Money is US dollars as decimal text."""
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    day = monitoring.platform_sum("execution", now - timedelta(days=1), now)
    ai = monitoring.platform_sum("ai", month, now)
    return schemas.Dashboard(
        tenants=len(tenants),
        users=sum(int(one.user_count) for one in tenants),
        accounts_connected=sum(accounts_of(one.id) for one in tenants),
        executions_24h=schemas.ExecutionCounts(total=day.count, failed=day.failed),
        ai_cost_month=f"{ai.cost_nanos / _DOLLAR:.6f}",
        alerts=len(monitoring.open_alerts()),
        generated_at=now,
    )
