"""E-mail of email and notify nodes through SES."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import Mail
from tidegate.workflows.ports.journal import Journal

_ADDRESS: Final = re.compile(r"[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]{1,255}")
_THROTTLED: Final = frozenset(
    {"TooManyRequestsException", "LimitExceededException", "ThrottlingException"}
)
# Mail bodies written by us; variables are listed, never interpreted.
_TEMPLATES: Final = {
    "follow_up_template": ("Following up", "Hello,\n\nwe would like to follow up with you.\n"),
    "notification_template": ("Notification", "Hello,\n\nthere is news from your workflow.\n"),
    "approval_template": ("Approval needed", "Hello,\n\na workflow waits for your decision.\n"),
}


class SesMail:
    """Mailer of one step. `ses` is a boto3 sesv2 client, `sender` a verified address."""

    def __init__(self, ses: Any, sender: str | None, journal: Journal) -> None:
        self._ses = ses
        self._sender = sender
        self._journal = journal

    def send(self, mail: Mail, *, effect_key: str) -> str:
        """Send once and give SES's message id."""
        if self._sender is None:
            raise StepError("NODE_UNAVAILABLE", "This installation has no sender for e-mail.")
        if mail.account_id is not None:
            raise StepError("NODE_UNAVAILABLE", "Integration accounts cannot be used here yet.")
        subject, body = _text(mail)
        for address in (*mail.to, *mail.cc, *mail.bcc):
            if _ADDRESS.fullmatch(address) is None:
                raise StepError("INVALID_DATA", "A recipient is not an e-mail address.")
        answer: str = self._journal.once(lambda: self._send(mail, subject, body))
        return answer

    def _send(self, mail: Mail, subject: str, body: str) -> str:
        try:
            answer = self._ses.send_email(
                FromEmailAddress=self._sender,
                Destination={
                    "ToAddresses": list(mail.to),
                    "CcAddresses": list(mail.cc),
                    "BccAddresses": list(mail.bcc),
                },
                Content={
                    "Simple": {
                        "Subject": {"Data": subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": body, "Charset": "UTF-8"}},
                    }
                },
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise StepError(
                "EMAIL_REFUSED", "The mail service did not take the e-mail.",
                retryable=code in _THROTTLED,
            ) from error  # fmt: skip
        except BotoCoreError as error:
            text = "The mail service did not answer."
            raise StepError("EMAIL_FAILED", text, retryable=True) from error
        return str(answer["MessageId"])


def _text(mail: Mail) -> tuple[str, str]:
    if mail.template is None:
        return " ".join((mail.subject or "").split()), mail.body or ""
    found = _TEMPLATES.get(mail.template)
    if found is None:
        raise StepError("UNKNOWN_MAIL_TEMPLATE", "There is no such mail template.")
    subject, body = found
    return subject, body + _listing(mail.variables)


def _listing(variables: Mapping[str, Any]) -> str:
    if not variables:
        return ""
    lines = [
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in variables.items()
    ]
    return "\n" + "\n".join(lines) + "\n"
