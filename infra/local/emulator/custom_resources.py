"""CloudFormation custom resources whose ServiceToken is an SNS topic.

CloudFormation publishes the request to the topic, as the account of the stack, and waits
for somebody to PUT the answer to ResponseURL. MiniStack knows Lambda tokens only.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("cloudformation")

SUBJECT = "AWS CloudFormation custom resource request"
Answer = dict[str, Any]


def install(base_url: str, longest_wait: float) -> None:
    """Teach MiniStack SNS tokens.

    *base_url* is where a ResponseURL points (loopback); *longest_wait* bounds the wait for
    an answer in seconds, where AWS would wait for an hour.
    """
    from ministack.services.cloudformation import custom_resource

    lambda_only: Callable[..., tuple[str, Answer]] = custom_resource.invoke_custom_resource
    custom_resource._gateway_url = lambda: base_url

    def invoke(
        request_type: str,
        logical_id: str,
        props: dict[str, Any],
        stack_name: str,
        stack_id: str,
        resource_type: str,
        physical_id: str | None = None,
        old_props: dict[str, Any] | None = None,
    ) -> tuple[str, Answer]:
        if not str(props.get("ServiceToken", "")).startswith("arn:aws:sns:"):
            return lambda_only(
                request_type,
                logical_id,
                props,
                stack_name,
                stack_id,
                resource_type,
                physical_id,
                old_props,
            )
        event = _event(request_type, logical_id, props, stack_id, resource_type)
        if physical_id is not None:
            event["PhysicalResourceId"] = physical_id
        if old_props is not None:
            event["OldResourceProperties"] = custom_resource._normalise_resource_properties(
                old_props
            )
        return _ask(event, _wait_of(props, longest_wait))

    custom_resource.invoke_custom_resource = invoke
    _close_new_topics()


def _close_new_topics() -> None:
    """Give stacks' topics the default policy of AWS: it names the owner's account only.

    MiniStack leaves the condition out, so a forgotten topic policy would go unnoticed.
    """
    from ministack.core.responses import get_account_id
    from ministack.services import sns
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
    create: Callable[..., tuple[str, Answer]] = handlers["create"]

    def create_closed(*arguments: Any) -> tuple[str, Answer]:
        arn, attributes = create(*arguments)
        settings = sns._topics[arn]["attributes"]
        policy = json.loads(settings["Policy"])
        for statement in policy["Statement"]:
            statement["Condition"] = {"StringEquals": {"AWS:SourceOwner": get_account_id()}}
        settings["Policy"] = json.dumps(policy)
        return arn, attributes

    handlers["create"] = create_closed


def _wait_of(props: dict[str, Any], longest: float) -> float:
    try:
        return min(float(props.get("ServiceTimeout", longest)), longest)
    except (TypeError, ValueError):
        return longest


def _event(
    request_type: str, logical_id: str, props: dict[str, Any], stack_id: str, resource_type: str
) -> dict[str, Any]:
    from ministack.core.responses import new_uuid
    from ministack.services.cloudformation import custom_resource

    return {
        "RequestType": request_type,
        "ServiceToken": props["ServiceToken"],
        "StackId": stack_id,
        "RequestId": new_uuid(),
        "LogicalResourceId": logical_id,
        "ResourceType": resource_type,
        "ResourceProperties": custom_resource._normalise_resource_properties(props),
    }


def _ask(event: dict[str, Any], wait: float) -> tuple[str, Answer]:
    """Publish *event*, wait for its answer; raise what CloudFormation would report."""
    answer = _exchange(event, wait)
    physical_id = answer.get("PhysicalResourceId") or event.get("PhysicalResourceId")
    if answer.get("Status") == "SUCCESS":
        return str(physical_id or event["RequestId"]), answer.get("Data") or {}
    reason = str(answer.get("Reason") or "the custom resource answered FAILED without a reason")
    if event["RequestType"] == "Create" and physical_id:
        # AWS rolls a failed creation back with a Delete for the id that the failure named;
        # MiniStack forgets resources that never came to be.
        undo = {**event, "RequestType": "Delete", "PhysicalResourceId": physical_id}
        undo["RequestId"] = f"{event['RequestId'][:-4]}dead"
        try:
            _exchange(undo, min(wait, 60.0))
        except Exception as error:  # a roll-back goes on whatever its parts do
            logger.warning("roll-back of %s: %s", event["LogicalResourceId"], error)
    raise RuntimeError(
        f"Received response status [FAILED] from custom resource. Message returned: {reason}"
    )


def _exchange(event: dict[str, Any], wait: float) -> Answer:
    from ministack.core.responses import new_uuid
    from ministack.services.cloudformation import custom_resource

    token = new_uuid()
    arrived = custom_resource.register_token(token)
    try:
        _publish(
            event["ServiceToken"],
            {**event, "ResponseURL": custom_resource._response_url(token)},
        )
        if not arrived.wait(timeout=wait):
            raise TimeoutError(
                "CloudFormation did not receive a response from your Custom Resource "
                f"{event['LogicalResourceId']} within {wait:.0f} s. Please check that a "
                f"subscriber of {event['ServiceToken']} answers RequestId {event['RequestId']}"
            )
        with custom_resource._lock:
            return dict(custom_resource._pending[token]["result"] or {})
    finally:
        with custom_resource._lock:
            custom_resource._pending.pop(token, None)


def _publish(topic_arn: str, event: dict[str, Any]) -> None:
    """Publish as the stack's account, under the topic's policy, as CloudFormation does."""
    from ministack.services import sns

    topic, refusal = sns._get_topic(topic_arn, "sns:Publish")
    if topic is None:
        raise ValueError(f"Invalid ServiceToken {topic_arn}: {_text_of(refusal)}")
    sns.publish_internal(topic["arn"], json.dumps(event), SUBJECT)


def _text_of(refusal: Any) -> str:
    body = refusal[2] if isinstance(refusal, tuple) else b""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    return text.partition("<Message>")[2].partition("</Message>")[0] or text
