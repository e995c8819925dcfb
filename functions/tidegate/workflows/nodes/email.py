"""email: sends a mail from one of our templates or from subject and body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tidegate.workflows.nodes.base import Done, Effect, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import Addresses, JsonMap, LongText, ShortText, Text
from tidegate.workflows.nodes.ports import Mail, needed

MAIL_TEMPLATES: Final = frozenset(
    {"follow_up_template", "notification_template", "approval_template"}
)


class EmailData(NodeData):
    """`to`, `cc`, `bcc`: an address or a list; `template` or `subject` with `body`."""

    to: Addresses
    template: ShortText | None = None
    subject: Text | None = None
    body: LongText | None = None
    cc: Addresses | None = None
    bcc: Addresses | None = None
    variables: JsonMap | None = None
    account_id: ShortText | None = None


class EmailNode(NodeType[EmailData]):
    """An effect; the mailer sends once per effect key."""

    name = "email"
    data_model = EmailData

    def effect(self, data: Mapping[str, Any]) -> Effect:
        """Mail leaves the house."""
        return Effect.EFFECT

    def check(self, data: EmailData) -> list[tuple[str, str]]:
        """One of the two forms."""
        own_text = data.subject is not None and data.body is not None
        if (data.template is not None) == own_text:
            return [("template", "Give either template, or subject and body.")]
        return []

    def sample(self, data: EmailData) -> Done:
        """As sent."""
        return Done({"email_sent": True, "email_id": "sample-email-id"})

    def summary(self, data: EmailData) -> str:
        """To whom."""
        return f"send an e-mail to {', '.join(_several(data.to))[:200]}"

    def run(self, context: NodeContext[EmailData]) -> Done:
        """[email_sent, email_id]."""
        data = context.data
        mail = Mail(
            to=_several(data.to),
            cc=_several(data.cc),
            bcc=_several(data.bcc),
            template=data.template,
            subject=data.subject,
            body=data.body,
            variables=data.variables or {},
            account_id=data.account_id,
        )
        mailer = needed(context.ports.mailer, "mailer")
        return Done(
            {"email_sent": True, "email_id": mailer.send(mail, effect_key=context.effect_key)}
        )


def _several(value: str | list[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
