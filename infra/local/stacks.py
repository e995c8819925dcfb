"""Create or update a stack and say what failed and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.local import processes
from infra.local.config import LocalCloudError

DEPLOY_SECONDS = 300.0
_BUSY = "_IN_PROGRESS"


@dataclass(frozen=True)
class Outcome:
    """A finished deployment."""

    changed: bool
    outputs: dict[str, str]
    resources: dict[str, str]
    """Logical to physical resource id."""


def deploy(
    cloudformation: Any, name: str, template_url: str, parameters: dict[str, str]
) -> Outcome:
    """Deploy the template at *template_url* as stack *name*.

    Raises LocalCloudError with the reasons when the stack does not reach a good state.
    """
    existing = _describe(cloudformation, name)
    if existing is not None and existing["StackStatus"] in _UNUSABLE:
        cloudformation.delete_stack(StackName=name)
        _settled(cloudformation, name)
        existing = None
    since = _last_event(cloudformation, name) if existing else None
    arguments = {
        "StackName": name,
        "TemplateURL": template_url,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    changed = True
    try:
        if existing is None:
            cloudformation.create_stack(**arguments)
        else:
            cloudformation.update_stack(**arguments)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise LocalCloudError(f"the stack {name} was refused: {error}") from error
        changed = False
    stack = _settled(cloudformation, name)
    if stack is None or stack["StackStatus"] not in _GOOD:
        status = "gone" if stack is None else stack["StackStatus"]
        raise LocalCloudError(
            f"stack {name} is {status}:\n" + _reasons(cloudformation, name, since)
        )
    return Outcome(changed, outputs_of(stack), resources_of(cloudformation, name))


_GOOD = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
_UNUSABLE = {"ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"}


def outputs_of(stack: dict[str, Any]) -> dict[str, str]:
    """A described stack's outputs by key."""
    return {item["OutputKey"]: str(item["OutputValue"]) for item in stack.get("Outputs", [])}


def resources_of(cloudformation: Any, name: str) -> dict[str, str]:
    """Logical to physical id of a stack's resources."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    return {
        item["LogicalResourceId"]: item.get("PhysicalResourceId", "")
        for page in pages
        for item in page["StackResourceSummaries"]
    }


def _describe(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if found["StackStatus"] == "DELETE_COMPLETE" else found


def _settled(cloudformation: Any, name: str) -> dict[str, Any] | None:
    latest: dict[str, Any] | None = None

    def done() -> bool:
        nonlocal latest
        latest = _describe(cloudformation, name)
        return latest is None or not latest["StackStatus"].endswith(_BUSY)

    if not processes.wait_until(done, DEPLOY_SECONDS):
        raise LocalCloudError(f"stack {name} did not settle within {DEPLOY_SECONDS:.0f} s")
    return latest


def _last_event(cloudformation: Any, name: str) -> datetime | None:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return max((event["Timestamp"] for event in events), default=None)


def _reasons(cloudformation: Any, name: str, since: datetime | None) -> str:
    try:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    except ClientError:
        return "  (no events)"
    lines = [
        f"  {event['LogicalResourceId']} ({event.get('ResourceType', '')}): "
        f"{event.get('ResourceStatusReason', 'no reason given')}"
        for event in sorted(events, key=lambda event: event["Timestamp"])
        if event["ResourceStatus"].endswith("FAILED")
        and (since is None or event["Timestamp"] > since)
    ]
    return "\n".join(lines) or "  (no failed resource)"
