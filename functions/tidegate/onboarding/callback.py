"""CloudFormation's call-back from a customer's stack (EVT-1 to EVT-3, G11, G12, G34).

The message is untrusted. What it says is compared with what we know, and believed only after the
role itself was probed. Nothing in it can connect or disconnect an account by itself.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, get_args

from tidegate_kit.clock import Clock
from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.ids import is_id
from tidegate_kit.observability import logger

from tidegate.onboarding.domain import Registration, Tier
from tidegate.onboarding.errors import (
    AccountAlreadyConnected,
    VerificationRefused,
    VerifyRunning,
)
from tidegate.onboarding.repository import GlobalRegistry, Outcome, Registrations, change
from tidegate.onboarding.role_arn import read_role_arn
from tidegate.onboarding.service import disconnect
from tidegate.onboarding.verification import (
    ACCESS_LEFT,
    Patience,
    StackFacts,
    Verifier,
)

RequestType = Literal["Create", "Update", "Delete"]
RESOURCE_TYPE = "Custom::TidegateConnection"
REJECTED = "Tidegate does not accept this message."
PATIENCE = timedelta(minutes=4)
ACTOR = "stack"

_STACK = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):cloudformation:[a-z0-9-]{1,32}:([0-9]{12}):stack/"
    r"[A-Za-z0-9-]{1,128}/[A-Za-z0-9-]{1,64}"
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,128}")
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}")
_PHYSICAL_ID = re.compile(r"[\x21-\x7e]{1,1024}")
_FAILED_PREFIX = "tidegate-failed-"
_MAX_ANSWER_BYTES = 4096


@dataclass(frozen=True)
class Message:
    """A call-back whose envelope is well formed; its properties are not checked yet."""

    request_type: RequestType
    response_url: str
    stack_id: str
    request_id: str
    logical_id: str
    physical_id: str | None
    resource_type: str
    properties: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A property as text; empty where absent or of another type."""
        value = self.properties.get(name)
        return value if isinstance(value, str) else ""


def read_message(text: str) -> Message | None:
    """The message of an SNS record, or None where it cannot even be answered."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    fields = {
        "RequestType": re.compile("|".join(get_args(RequestType))),
        "StackId": _STACK,
        "RequestId": _REQUEST_ID,
        "LogicalResourceId": _LOGICAL_ID,
        "ResponseURL": re.compile(r"[\x21-\x7e]{1,4096}"),
    }
    if not all(_holds(pattern, data.get(name)) for name, pattern in fields.items()):
        return None
    physical = data.get("PhysicalResourceId")
    properties = data.get("ResourceProperties")
    return Message(
        request_type=data["RequestType"],
        response_url=data["ResponseURL"],
        stack_id=data["StackId"],
        request_id=data["RequestId"],
        logical_id=data["LogicalResourceId"],
        physical_id=physical if _holds(_PHYSICAL_ID, physical) else None,
        resource_type=str(data.get("ResourceType")),
        properties=properties if isinstance(properties, dict) else {},
    )


def _holds(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def believable(message: Message, registration: Registration) -> bool:
    """Whether all that the message says agrees with the registration (EVT-1)."""
    partition = message.stack_id.split(":")[1]
    role = read_role_arn(message.text("RoleArn"), partition)
    external_id = registration.external_id
    return (
        message.resource_type == RESOURCE_TYPE
        and external_id is not None
        and hmac.compare_digest(message.text("ExternalId").encode(), external_id.encode())
        and message.text("AccountId") == registration.account_id
        and message.stack_id.split(":")[4] == registration.account_id
        and role is not None
        and role.account_id == registration.account_id
    )


def response_body(message: Message, outcome: Outcome) -> bytes:
    """The JSON that CloudFormation reads; it takes at most 4,096 bytes, so the reason is cut."""
    for length in (1000, 500, 100, 0):
        body = {
            "Status": outcome.status,
            "Reason": outcome.reason[:length],
            "PhysicalResourceId": outcome.physical_id,
            "StackId": message.stack_id,
            "RequestId": message.request_id,
            "LogicalResourceId": message.logical_id,
            "Data": {},
        }
        encoded = json.dumps(body).encode()
        if len(encoded) <= _MAX_ANSWER_BYTES:
            break
    return encoded


def failure(message: Message, reason: str) -> Outcome:
    """FAILED. A new resource gets an id of its own, so that a roll-back deletes nothing of ours."""
    if message.request_type == "Delete" and message.physical_id is not None:
        return Outcome("FAILED", reason, message.physical_id)
    return Outcome("FAILED", reason, f"{_FAILED_PREFIX}{message.request_id}")


class StackCallback:
    """Decides the outcome of call-backs of one tenant's registration."""

    def __init__(
        self,
        store: Registrations,
        verifier: Verifier,
        patience: Patience,
        clock: Clock,
    ) -> None:
        self._store = store
        self._verifier = verifier
        self._patience = patience
        self._clock = clock

    def outcome(self, message: Message, registration: Registration) -> Outcome:
        """The outcome of a believable message; the first one is kept for repetitions."""
        kept = self._store.outcome(registration.id, message.request_id, self._clock())
        if kept is not None:
            return kept
        decided = (
            Outcome("SUCCESS", "Tidegate has noted the deletion.", _physical(message, registration))
            if message.request_type == "Delete"
            else self._connect(message, registration)
        )
        return self._store.record_outcome(
            registration.id, message.request_id, decided, self._clock()
        )

    def _connect(self, message: Message, registration: Registration) -> Outcome:
        tier: Tier = "remediate" if message.text("Tier") == "remediate" else "read"
        facts = StackFacts(message.stack_id, tier)
        try:
            self._verify(registration.id, message.text("RoleArn"), facts)
        except VerificationRefused as refused:
            return failure(message, f"{refused.code}: {refused.fix}")
        except AccountAlreadyConnected as taken:
            return failure(message, f"{taken.code}: {taken.message}")
        except NotFound:
            return failure(message, "This request was disconnected. Create a new one in Tidegate.")
        except (VerifyRunning, ServiceUnavailable) as error:
            logger.warning("stack call-back not verified", code=error.code, cause=error.log)
            if not self._is_connected(registration.id):
                return failure(message, "AWS did not answer Tidegate. Deploy the stack again.")
        return Outcome("SUCCESS", "Connected.", f"tidegate-{registration.id}")

    def _verify(self, onboarding_id: str, role_arn: str, facts: StackFacts) -> None:
        """Verify; while time is left, wait for a running verification and outlast an outage."""
        began = self._clock()
        for wait in self._patience.waits():
            spent = self._clock() - began
            left = replace(self._patience, budget=self._patience.budget - spent)
            try:
                self._verifier.verify(onboarding_id, role_arn, ACTOR, patience=left, stack=facts)
            except (VerifyRunning, ServiceUnavailable):
                if self._clock() - began + timedelta(seconds=wait) > self._patience.budget:
                    raise
                self._patience.pause(wait)
            else:
                return

    def _is_connected(self, onboarding_id: str) -> bool:
        # The commit may have been made although its answer was lost.
        stored = self._store.get(onboarding_id)
        return stored is not None and stored.status == "connected"

    def after_delete(self, message: Message, registration: Registration) -> None:
        """Re-probe once CloudFormation has had time to delete the role (EVT-3).

        The resource goes before the role that it depends on, so the role is still there when the
        message comes. Gone: disconnected. Left: an alert, and the daily re-probe looks again.
        """
        if not self._owns(message, registration):
            return
        self._note_removal(registration.id)
        if self._wait_for_absence(registration):
            self._disconnect(registration.id)
        else:
            self._alert(registration.id)

    def _owns(self, message: Message, registration: Registration) -> bool:
        """Whether this stack made the connection; another one's end is not its end (G12)."""
        if registration.status == "disconnected":
            return False
        if _physical(message, registration) != f"tidegate-{registration.id}":
            return False
        return registration.stack_id in (None, message.stack_id)

    def _wait_for_absence(self, registration: Registration) -> bool:
        began = self._clock()
        for wait in self._patience.waits():
            try:
                if self._verifier.gone(registration):
                    return True
            except ServiceUnavailable as error:
                logger.warning("re-probe without answer", cause=error.log)
            if self._clock() - began + timedelta(seconds=wait) > self._patience.budget:
                return False
            self._patience.pause(wait)
        raise AssertionError("unreachable")  # waits() is endless

    def _note_removal(self, onboarding_id: str) -> None:
        now = self._clock()

        def step(old: Registration) -> Registration:
            if old.status == "disconnected" or old.stack_removed_at is not None:
                return old
            return replace(old, stack_removed_at=now, updated_at=now)

        change(self._store, onboarding_id, step)

    def _disconnect(self, onboarding_id: str) -> None:
        try:
            disconnect(self._store, onboarding_id, ACTOR, self._clock())
        except NotFound:
            return  # by somebody else, meanwhile

    def _alert(self, onboarding_id: str) -> None:
        now = self._clock()

        def step(old: Registration) -> Registration:
            if not old.holds_claim or old.stack_removed_at is None:
                return old  # connected anew, or never connected
            return replace(old, alert=ACCESS_LEFT, alert_at=now, updated_at=now)

        change(self._store, onboarding_id, step)


def _physical(message: Message, registration: Registration) -> str:
    return message.physical_id or f"tidegate-{registration.id}"


def deletes_a_failure(message: Message) -> bool:
    """The roll-back of a resource that we never accepted: there is nothing to do (G12)."""
    return message.request_type == "Delete" and (message.physical_id or "").startswith(
        _FAILED_PREFIX
    )


def named_registration(
    message: Message,
    registry: GlobalRegistry,
    store_of: Callable[[str], Registrations],
) -> Registration | None:
    """The registration that a message names and agrees with, else None (EVT-1)."""
    onboarding_id = message.text("OnboardingId")
    if not is_id(onboarding_id):
        return None
    tenant_id = registry.tenant_of(onboarding_id)
    found = None if tenant_id is None else store_of(tenant_id).get(onboarding_id)
    return found if found is not None and believable(message, found) else None
