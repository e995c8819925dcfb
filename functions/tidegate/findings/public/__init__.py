"""What other domains may use of findings, plans and savings."""

from tidegate.findings.public.leaving import drop_open_plans, open_plans
from tidegate.findings.public.needs import (
    action_needs,
    advice_needs,
    check_needs,
    conditional_needs,
)
from tidegate.findings.public.remediation import (
    ActionOutcome,
    ActionRequest,
    InvalidAction,
    TryAgain,
    execute_action,
    measure_savings,
    plan_executing,
    realised_to_date,
    type_of,
)
from tidegate.findings.public.results import (
    OpenSummary,
    delete_account,
    finding_view,
    findings,
    forget_tenant,
    open_of_account,
    open_summary,
    refresh,
    refresh_state,
)

__all__ = [
    "ActionOutcome",
    "ActionRequest",
    "InvalidAction",
    "OpenSummary",
    "TryAgain",
    "action_needs",
    "advice_needs",
    "check_needs",
    "conditional_needs",
    "delete_account",
    "drop_open_plans",
    "execute_action",
    "finding_view",
    "findings",
    "forget_tenant",
    "measure_savings",
    "open_of_account",
    "open_plans",
    "open_summary",
    "plan_executing",
    "realised_to_date",
    "refresh",
    "refresh_state",
    "type_of",
]
