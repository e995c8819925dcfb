"""What an exception does to a finding (FND-4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tidegate.findings.domain import Finding, FindingException


def seen(finding: Finding, now: datetime) -> Finding:
    """A stored finding as of `now`: when its exception has expired it is open again."""
    if finding.status != "excepted":
        return finding
    if finding.exception is not None and finding.exception.expires_at > now:
        return finding
    return replace(finding, status="open", exception=None)


def under(finding: Finding, exception: FindingException | None, now: datetime) -> Finding:
    """An open or excepted finding with the exception that is in force now."""
    if finding.status not in ("open", "excepted"):
        return finding
    if exception is None or not exception.active(now):
        return replace(finding, status="open", exception=None)
    return replace(finding, status="excepted", exception=exception.mark)
