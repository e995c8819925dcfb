"""Entry points without HTTP: key rotation, the first admin, mails."""

from __future__ import annotations

from typing import Any

from tidegate_kit.clock import system_clock
from tidegate_kit.observability import logger

from tidegate.identity import wiring
from tidegate.identity.addresses import canonical_email
from tidegate.identity.mail import reset_mail
from tidegate.identity.service.bootstrap import admin_of


def rotate_keys(event: dict[str, Any], context: object) -> dict[str, object]:
    """Hourly: create, publish, activate and retire signing keys as due (AUTH-10)."""
    wiring.start_task()
    return wiring.key_rotation().run()


def bootstrap_admin(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Make the first admin; {"email", "password"} in, {"user_id", "tenant_id", "created"} out.

    Repeating it changes nothing: an address that exists keeps its password. Also makes the first
    signing key. Raises ValueError for an unusable event, without the password.
    """
    wiring.start_task()
    email, password = canonical_email(str(event["email"])), event["password"]
    wiring.key_rotation().run()
    return admin_of(wiring.bootstrap(), email, password).as_dict()


def send_mail(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Stream consumer: a mail for each new reset request; names the records to bring again."""
    settings = wiring.start_task()
    recovery, mailer = wiring.identity(system_clock).recovery, wiring.mailer()
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        email = _asked_for(record)
        if email is None:
            continue
        try:
            offered = recovery.offer(email)
            if offered is not None:
                mailer.send(reset_mail(offered, settings.public_base_url))
        except Exception:
            # One bad record must not repeat the mails of the others (EVT-5).
            logger.exception("a reset mail was not sent")
            failed.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failed}


def _asked_for(record: dict[str, Any]) -> str | None:
    """The address of a new reset request; None for every other change."""
    image = record.get("dynamodb", {}).get("NewImage", {})
    if record.get("eventName") != "INSERT" or image.get("sk", {}).get("S") != "REQUEST":
        return None
    if not image["pk"]["S"].startswith("RESET#"):
        return None
    return str(image["email"]["S"])
