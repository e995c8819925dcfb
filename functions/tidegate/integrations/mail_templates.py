"""Mail bodies written by us, as plain text; variables are listed, never interpreted (WF-1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_TEMPLATES: Final = {
    "follow_up_template": ("Following up", "Hello,\n\nwe would like to follow up with you.\n"),
    "notification_template": ("Notification", "Hello,\n\nthere is news from your workflow.\n"),
    "approval_template": ("Approval needed", "Hello,\n\na workflow waits for your decision.\n"),
}


def mail_text(name: str, variables: Mapping[str, Any]) -> tuple[str, str] | None:
    """(subject, body) of a template with its variables; None where there is no such template."""
    found = _TEMPLATES.get(name)
    if found is None:
        return None
    subject, body = found
    return subject, body + _listing(variables)


def _listing(variables: Mapping[str, Any]) -> str:
    if not variables:
        return ""
    lines = [
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in variables.items()
    ]
    return "\n" + "\n".join(lines) + "\n"
