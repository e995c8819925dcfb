"""aws_action: one action on one resource of a customer's account, if it was decided (WF-16)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.aws_session import (
    AccessDeniedByAccount,
    CustomerSession,
    is_denied,
    session_policy,
)
from tidegate_kit.errors import NotFound, ServiceUnavailable

from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import AwsCall, AwsResult
from tidegate.workflows.ports.journal import Journal

# What the executor's session may do for each action: the acting call, nothing else (FND-8).
ACTING: Final[Mapping[str, str]] = {
    "ec2.create_tags": "ec2:CreateTags",
    "ec2.stop_instance": "ec2:StopInstances",
    "ec2.start_instance": "ec2:StartInstances",
}
_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):ec2:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):"
    r"(?P<kind>instance|volume|snapshot)/(?P<id>[a-z]+-[0-9a-f]{8,32})"
)
_THROTTLED: Final = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException"})

# Gives a session in the account, cut down to a policy. Raises NotFound where none is connected.
OpenSession = Callable[[str, str], CustomerSession]


class StepAwsActions:
    """AwsActions of one step. `decide` raises StepError unless policy lets the action happen."""

    def __init__(
        self, journal: Journal, decide: Callable[[AwsCall], None], open_session: OpenSession
    ) -> None:
        self._journal = journal
        self._decide = decide
        self._open_session = open_session

    def act(self, call: AwsCall, *, effect_key: str) -> AwsResult:
        """Decide, open the narrowest session, act once."""
        resource = self._resource(call)
        self._decide(call)
        policy = session_policy([ACTING[call.action]], [call.resource_arn])
        try:
            session = self._open_session(call.account_id, policy)
        except NotFound as error:
            text = "The account is not connected for remediation."
            raise StepError("ACCOUNT_NOT_CONNECTED", text) from error
        except AccessDeniedByAccount as error:
            raise StepError("ACCESS_LOST", "The account refuses our role.") from error
        except ServiceUnavailable as error:
            text = "The account could not be reached."
            raise StepError("ACCOUNT_UNREACHABLE", text, retryable=True) from error
        result = self._journal.once(lambda: _call(session, call, resource))
        return AwsResult(effect_key, result, None)

    @staticmethod
    def _resource(call: AwsCall) -> str:
        match = _ARN.fullmatch(call.resource_arn)
        if match is None or call.action not in ACTING:
            raise StepError("INVALID_DATA", "The resource is not one that this action acts on.")
        if match["account"] != call.account_id or match["region"] != call.region:
            raise StepError("INVALID_DATA", "The resource lies in another account or region.")
        if call.action != "ec2.create_tags" and match["kind"] != "instance":
            raise StepError("INVALID_DATA", "The resource is not an instance.")
        return match["id"]


def _call(session: CustomerSession, call: AwsCall, resource: str) -> dict[str, Any]:
    ec2 = session.client("ec2", call.region)
    try:
        if call.action == "ec2.create_tags":
            tags = _tags(call.parameters.get("tags"))
            ec2.create_tags(Resources=[resource], Tags=tags)
            return {"resource": resource, "tags": {tag["Key"]: tag["Value"] for tag in tags}}
        stop = call.action == "ec2.stop_instance"
        if stop:
            changes = ec2.stop_instances(InstanceIds=[resource])["StoppingInstances"]
        else:
            changes = ec2.start_instances(InstanceIds=[resource])["StartingInstances"]
    except ClientError as error:
        raise _refused(error) from error
    except BotoCoreError as error:
        text = "The account did not answer."
        raise StepError("ACCOUNT_UNREACHABLE", text, retryable=True) from error
    change = changes[0]
    return {
        "resource": resource,
        "before": change["PreviousState"]["Name"],
        "after": change["CurrentState"]["Name"],
    }


def _tags(given: Any) -> list[dict[str, str]]:
    if not isinstance(given, dict) or not 1 <= len(given) <= 50:
        raise StepError("INVALID_DATA", "parameters.tags is an object of 1 to 50 tags.")
    for name, value in given.items():
        if not 1 <= len(name) <= 128 or name.lower().startswith("aws:"):
            raise StepError("INVALID_DATA", "A tag's name is 1 to 128 characters, not aws:.")
        if not isinstance(value, str) or len(value) > 256:
            raise StepError("INVALID_DATA", "A tag's value is text up to 256 characters.")
    return [{"Key": name, "Value": value} for name, value in given.items()]


def _refused(error: ClientError) -> StepError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if is_denied(error):
        return StepError("ACCESS_DENIED", "The account's role does not allow the action.")
    if code in _THROTTLED:
        return StepError("THROTTLED", "AWS asks for patience.", retryable=True)
    return StepError("AWS_REFUSED", f"AWS refused the action: {code[:64]}.")
