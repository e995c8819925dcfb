"""Single facts of KMS, Secrets Manager, Scheduler, EventBridge and SQS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.kms.models import kms_backends

from tests.fakes.strict_aws.call import BaseRule, Call
from tests.fakes.strict_aws.schedules import expression_ok, zone_ok

MAX_SECRET = 65_536
MAX_KMS_PLAINTEXT = 4_096
_KMS_CRYPTO = frozenset(
    {
        "Encrypt",
        "Decrypt",
        "ReEncrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateMac",
        "VerifyMac",
        "Sign",
        "Verify",
    }
)


class Services(BaseRule):
    """Dispatches to one check per service."""

    def before(self, call: Call) -> Mapping[str, Any] | None:
        """Raises what the service raises."""
        check = getattr(self, f"_{call.service}", None)
        if check is not None:
            check(call)
        return None

    def _kms(self, call: Call) -> None:
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
        if call.operation not in _KMS_CRYPTO:
            return
        plaintext = call.params.get("Plaintext")
        if (
            call.operation == "Encrypt"
            and isinstance(plaintext, bytes | bytearray)
            and not 1 <= len(plaintext) <= MAX_KMS_PLAINTEXT
        ):
            raise call.validation_error(
                "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_KMS_PLAINTEXT}"
            )
        backend = kms_backends[call.account][call.region]
        blob = call.params.get("CiphertextBlob")
        identifiers = [call.params.get("KeyId"), call.params.get("DestinationKeyId")]
        if isinstance(blob, bytes):
            identifiers.append(blob[:36].decode("latin-1"))  # where moto keeps the key's id
        for identifier in identifiers:
            if not isinstance(identifier, str):
                continue
            key = backend.keys.get(backend.any_id_to_key_id(identifier))
            if key is None:
                continue
            if key.key_state == "PendingDeletion":
                raise call.error("KMSInvalidStateException", f"{key.arn} is pending deletion.")
            if not key.enabled or key.key_state == "Disabled":
                raise call.error("DisabledException", f"{key.arn} is disabled.")

    def _secretsmanager(self, call: Call) -> None:
        # https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
        for name in ("SecretString", "SecretBinary"):
            value = call.params.get(name)
            if not isinstance(value, str | bytes | bytearray):
                continue
            data = value.encode() if isinstance(value, str) else value
            if len(data) > MAX_SECRET:
                raise call.validation_error(
                    f"1 validation error detected: Value at '{name}' failed to satisfy "
                    f"constraint: Member must have length less than or equal to {MAX_SECRET}"
                )

    def _scheduler(self, call: Call) -> None:
        if call.operation not in ("CreateSchedule", "UpdateSchedule"):
            return
        expression = call.params.get("ScheduleExpression")
        if isinstance(expression, str) and not expression_ok(expression, scheduler=True):
            raise call.validation_error(f"Invalid Schedule Expression {expression}.")
        zone = call.params.get("ScheduleExpressionTimezone")
        if isinstance(zone, str) and not zone_ok(zone):
            raise call.validation_error(f"Invalid ScheduleExpressionTimezone {zone}.")

    def _events(self, call: Call) -> None:
        expression = call.params.get("ScheduleExpression")
        if (
            call.operation == "PutRule"
            and isinstance(expression, str)
            and not expression_ok(expression, scheduler=False)
        ):
            raise call.validation_error("Parameter ScheduleExpression is not valid.")

    def _sqs(self, call: Call) -> None:
        # A long poll would hold the double's lock while nobody can send.
        if call.operation == "ReceiveMessage" and call.params.get("WaitTimeSeconds"):
            call.params["WaitTimeSeconds"] = 0


def is_json_object(text: str) -> bool:
    """Whether the text is a JSON object (what EventBridge demands of ``Detail``)."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
