"""Entry points without HTTP: stack call-backs, the daily re-probe, the table's stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import iso
from tidegate_kit.observability import logger
from tidegate_kit.streams import follow_each

from tidegate.onboarding import inventory, wiring
from tidegate.onboarding.callback import (
    REJECTED,
    Message,
    deletes_a_failure,
    failure,
    named_registration,
    read_message,
    response_body,
)
from tidegate.onboarding.records import ConnectedRef
from tidegate.onboarding.repository import Outcome
from tidegate.onboarding.settings import OnboardingSettings

_MARGIN_MILLIS = 120_000  # one probe with every retry


def stack_callback(event: Mapping[str, Any], context: object) -> None:
    """SNS: answer CloudFormation about a customer's stack (EVT-1 to EVT-3).

    Raises when an answer could not be sent, so that the message comes again.
    """
    settings = wiring.start_task()
    for record in event["Records"]:
        sns = record.get("Sns", {})
        message = read_message(str(sns.get("Message", "")))
        if sns.get("TopicArn") != settings.callback_topic_arn or message is None:
            logger.warning("not a call-back of a stack; dropped")
            continue
        _answer(settings, message)


def _answer(settings: OnboardingSettings, message: Message) -> None:
    sender = wiring.response_sender(settings)
    if not sender.allowed(message.response_url):
        logger.warning("call-back with a foreign response address; dropped")
        return
    registration = named_registration(message, wiring.registry, wiring.store_of)
    if deletes_a_failure(message):
        kept = Outcome("SUCCESS", "There is nothing to remove.", message.physical_id or "")
        sender.send(message.response_url, response_body(message, kept))
        return
    if registration is None:
        logger.warning("call-back that agrees with no registration; refused")
        sender.send(message.response_url, response_body(message, failure(message, REJECTED)))
        return
    logger.append_keys(tenant_id=registration.tenant_id)
    decider = wiring.stack_callback(settings, registration.tenant_id, wiring.patience())
    outcome = decider.outcome(message, registration)
    sender.send(message.response_url, response_body(message, outcome))
    _follow_up(settings, message, registration.tenant_id, registration.id)
    if message.request_type == "Delete":
        decider.after_delete(message, registration)
        _clean_up_if_gone(registration.tenant_id, registration.id)


def _follow_up(
    settings: OnboardingSettings, message: Message, tenant_id: str, onboarding_id: str
) -> None:
    now_stored = wiring.store_of(tenant_id).get(onboarding_id)
    if message.request_type != "Delete" and now_stored and now_stored.status == "connected":
        inventory.start_first(settings, now_stored, wiring.clock)


def reprobe_accounts(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Daily: probe every connected account; {"started_at", "after"} continue a sweep.

    This is account-reprobe and key-age-check of EVT-6: keys are rechecked with their age (ONB-7).
    When the time is nearly up, the function invokes itself for the rest.
    """
    settings = wiring.start_task()
    started_at = _instant(event.get("started_at"))
    after = event.get("after")
    tally = wiring.reprobe(settings).sweep(
        started_at, None if after is None else ConnectedRef(*after), _time_left(context)
    )
    if tally.next is not None:
        _continue(settings, context, started_at, tally.next)
    counts = {name: value for name, value in vars(tally).items() if name != "next"}
    logger.info("accounts re-probed", **counts)
    return counts


def _instant(text: object) -> datetime:
    """The sweep's start; now, if the caller named none."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return wiring.clock()


def _time_left(context: Any) -> Callable[[], bool]:
    if not hasattr(context, "get_remaining_time_in_millis"):
        return lambda: True
    return lambda: context.get_remaining_time_in_millis() > _MARGIN_MILLIS


def _continue(
    settings: OnboardingSettings, context: Any, started_at: datetime, after: ConnectedRef
) -> None:
    payload = {"started_at": iso(started_at), "after": [after.tenant_id, after.onboarding_id]}
    platform_client("lambda", settings.aws_region).invoke(
        FunctionName=context.invoked_function_arn,
        InvocationType="Event",
        Payload=json.dumps(payload).encode(),
    )


def follow_registrations(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Stream of the table: start the run of a new connection, clear away a disconnected account.

    Both are idempotent, so a record may come again. Names the records to bring again.
    """
    settings = wiring.start_task()
    return follow_each(
        event,
        lambda change: _follow(settings, change),
        "a change of a registration was not followed",
    )


def _follow(settings: OnboardingSettings, change: Mapping[str, Any]) -> None:
    new, old = change.get("NewImage", {}), change.get("OldImage", {})
    if not _text(new, "sk").startswith("ACCOUNT#"):
        return
    tenant_id, onboarding_id = _text(new, "tenant_id"), _text(new, "id")
    status, run_id = _text(new, "status"), _text(new, "discovery_run_id")
    if status == "connected" and run_id and run_id != _text(old, "discovery_run_id"):
        stored = wiring.store_of(tenant_id).get(onboarding_id)
        if stored is not None and stored.holds_claim and stored.discovery_run_id == run_id:
            inventory.start(settings, stored, run_id, wiring.clock)
    if status == "disconnected" and _text(old, "status") != "disconnected":
        _clean_up_if_gone(tenant_id, onboarding_id)


def _clean_up_if_gone(tenant_id: str, onboarding_id: str) -> None:
    store = wiring.store_of(tenant_id)
    stored = store.get(onboarding_id)
    if stored is None or stored.status != "disconnected" or stored.connected_at is None:
        return
    inventory.drop_plans(tenant_id, onboarding_id)
    living = store.of_account(stored.account_id)
    if living is not None and living.holds_claim:
        return  # connected anew: its own run replaces the old inventory
    inventory.clean_up(tenant_id, stored.account_id)


def _text(image: Mapping[str, Any], name: str) -> str:
    return str(image.get(name, {}).get("S", ""))
