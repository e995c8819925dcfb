"""Step Functions, stream, SNS and schedule entry points."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any

import boto3


class Flaky(Exception):
    """Raised until the third attempt."""


class Broken(Exception):
    """Raised always."""


def _table() -> Any:
    return boto3.resource("dynamodb").Table(os.environ["TABLE"])


def step(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Count attempts; fail by name."""
    if event.get("tidegate_ping"):
        return {"ok": True}
    if event["mode"] == "broken":
        raise Broken("always")
    answer = _table().update_item(
        Key={"pk": event["run"], "sk": "attempts"},
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    attempts = int(answer["Attributes"]["n"])
    if attempts < 3:
        raise Flaky(f"attempt {attempts}")
    return {"attempts": attempts}


def stream(event: dict[str, Any], context: Any) -> None:
    """Mark every new order as seen."""
    for record in event.get("Records", []):
        keys = record["dynamodb"]["Keys"]
        if keys["sk"]["S"] == "order":
            _table().put_item(Item={"pk": keys["pk"]["S"], "sk": "seen"})


def callback(event: dict[str, Any], context: Any) -> None:
    """Answer a CloudFormation request that came through SNS."""
    for record in event.get("Records", []):
        request = json.loads(record["Sns"]["Message"])
        print(json.dumps(request))
        refused = request["ResourceProperties"].get("Secret") == "wrong"
        answer = {
            "Status": "FAILED" if refused and request["RequestType"] != "Delete" else "SUCCESS",
            "Reason": "the secret is wrong",
            "PhysicalResourceId": request.get("PhysicalResourceId", "connection-1"),
            "StackId": request["StackId"],
            "RequestId": request["RequestId"],
            "LogicalResourceId": request["LogicalResourceId"],
            "Data": {"Greeting": "hello"},
        }
        _table().put_item(Item={"pk": request["StackId"], "sk": f"{request['RequestType']}"})
        put = urllib.request.Request(  # noqa: S310
            request["ResponseURL"], data=json.dumps(answer).encode(), method="PUT"
        )
        urllib.request.urlopen(put, timeout=10)  # noqa: S310


def assume(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Assume a customer's role; say who one is then."""
    if event.get("tidegate_ping"):
        return {"ok": True}
    arguments = {"RoleArn": event["role"], "RoleSessionName": "probe"}
    if event.get("external_id"):
        arguments["ExternalId"] = event["external_id"]
    try:
        granted = boto3.client("sts").assume_role(**arguments)["Credentials"]
    except Exception as error:
        return {"refused": type(error).__name__, "why": str(error)}
    session = boto3.session.Session(
        aws_access_key_id=granted["AccessKeyId"],
        aws_secret_access_key=granted["SecretAccessKey"],
        aws_session_token=granted["SessionToken"],
    )
    return {"arn": session.client("sts").get_caller_identity()["Arn"]}


def scheduled(event: dict[str, Any], context: Any) -> None:
    """Nothing to do."""
