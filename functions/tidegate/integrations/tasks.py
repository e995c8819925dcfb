"""Entry points without HTTP: what the mail service tells of sent mails."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tidegate_kit.clock import system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.observability import identify, logger
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import UserScope

from tidegate.integrations.channels import Channel
from tidegate.integrations.repository import DynamoMessages, Slot
from tidegate.integrations.settings import ChannelSettings

_TAGS = ("tidegate-tenant", "tidegate-user", "tidegate-target", "tidegate-message")
_EMAIL: Channel = "email"


def start_task() -> ChannelSettings:
    """What a function without HTTP needs before its first read; once per process."""
    settings: ChannelSettings = settings_of(ChannelSettings)
    _configure(settings)
    return settings


@cache
def _configure(settings: ChannelSettings) -> None:
    configure_store(Store(settings.table_prefix, settings.aws_region))
    identify(settings, "integrations")


def mail_sent(event: Mapping[str, Any], context: object) -> dict[str, bool]:
    """EventBridge, source aws.ses, "Email Sent": complete the message's record.

    So a try that died after the mail service had taken the mail is not repeated. The record of
    any other try is complete already, and stays as it is.
    """
    start_task()
    mail = event["detail"]["mail"]
    tags = {name: (mail.get("tags", {}).get(name) or [""])[0] for name in _TAGS}
    if not all(tags.values()):
        logger.info("a mail without a record was sent")
        return {"known": False}
    tenant, user, target, digest = (tags[name] for name in _TAGS)
    messages = DynamoMessages(UserScope(tenant, user))
    messages.sent(Slot(target, _EMAIL, "", digest), str(mail["messageId"]), system_clock())
    return {"known": True}
