"""What other domains may use of findings, plans and savings."""

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
    "OpenSummary",
    "delete_account",
    "finding_view",
    "findings",
    "forget_tenant",
    "open_of_account",
    "open_summary",
    "refresh",
    "refresh_state",
]
