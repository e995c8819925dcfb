"""Entry points without HTTP: sent mails, and the hourly check of accounts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import iso, system_clock
from tidegate_kit.dynamo import Store, configure_store
from tidegate_kit.observability import identify, logger
from tidegate_kit.settings import settings_of
from tidegate_kit.tenancy import UserScope

from tidegate.integrations.channels import Channel
from tidegate.integrations.probing import health_sweep
from tidegate.integrations.repository import AccountRef, DynamoMessages, Slot
from tidegate.integrations.settings import ChannelSettings

_TAGS = ("tidegate-tenant", "tidegate-user", "tidegate-target", "tidegate-message")
_EMAIL: Channel = "email"
_MARGIN_MILLIS = 120_000  # one check with all its calls


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


def check_accounts(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Hourly: check every connected account; {"started_at", "after"} continue a sweep (EVT-6).

    `after` is [tenant id, user id, account id]. When the time is nearly up, the function invokes
    itself for the rest. Gives the counts of `Tally`.
    """
    settings = start_task()
    started_at = _instant(event.get("started_at"))
    tally = health_sweep().run(started_at, _place(event.get("after")), _time_left(context))
    if tally.next is not None:
        _continue(settings, context, started_at, tally.next)
    counts = {name: value for name, value in vars(tally).items() if name != "next"}
    logger.info("accounts checked", **counts)
    return counts


def _place(after: Any) -> AccountRef | None:
    if after is None:
        return None
    tenant_id, user_id, account_id = after
    return AccountRef(UserScope(tenant_id, user_id), account_id)


def _instant(text: object) -> datetime:
    """The sweep's start; now, if the caller named none."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return system_clock()


def _time_left(context: Any) -> Callable[[], bool]:
    if not hasattr(context, "get_remaining_time_in_millis"):
        return lambda: True
    return lambda: context.get_remaining_time_in_millis() > _MARGIN_MILLIS


def _continue(
    settings: ChannelSettings, context: Any, started_at: datetime, after: AccountRef
) -> None:
    place = [after.scope.tenant_id, after.scope.user_id, after.account_id]
    platform_client("lambda", settings.aws_region).invoke(
        FunctionName=context.invoked_function_arn,
        InvocationType="Event",
        Payload=json.dumps({"started_at": iso(started_at), "after": place}).encode(),
    )
