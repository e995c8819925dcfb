"""The incident command: every token and session of everybody ends now.

Access tokens end with their keys, which are marked compromised (no process accepts one from its
next look at the ring on, at most a minute later). Refresh tokens and sessions end with
`tokens_valid_from` of each user. Then new signing keys are made. Nobody's password changes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.operate.target import OperationError, Target

_STAMP = "%Y-%m-%dT%H:%M:%S.%f+0000"  # as PynamoDB stores an instant


@dataclass(frozen=True)
class Revoked:
    """How many keys and users it was about."""

    keys: int
    users: int


def revoke_everything(target: Target, now: datetime | None = None) -> Revoked:
    """May be repeated. Raises OperationError when new keys cannot be made."""
    moment = {"S": (now or datetime.now(UTC)).strftime(_STAMP)}
    dynamodb, table = target.client("dynamodb"), target.table("identity")
    keys = users = 0
    for page in dynamodb.get_paginator("scan").paginate(
        TableName=table, ProjectionExpression="pk, sk", ConsistentRead=True
    ):
        for row in page["Items"]:
            pk, sk = row["pk"]["S"], row["sk"]["S"]
            if pk == "SIGNING_KEYS":
                dynamodb.update_item(
                    TableName=table, Key=row, UpdateExpression="SET #s = :s, updated_at = :n",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeNames={"#s": "status"},
                    ExpressionAttributeValues={":s": {"S": "compromised"}, ":n": moment},
                )  # fmt: skip
                keys += 1
            elif pk.startswith("T#") and sk.startswith("USER#") and sk.count("#") == 1:
                dynamodb.update_item(
                    TableName=table, Key=row, UpdateExpression="SET tokens_valid_from = :n",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues={":n": moment},
                )  # fmt: skip
                users += 1
    target.say(f"{keys} keys marked compromised, sessions of {users} users ended")
    function = target.output("SigningKeysFunctionName")
    answer = target.client("lambda").invoke(FunctionName=function, Payload=json.dumps({}).encode())
    if "FunctionError" in answer:
        raise OperationError(f"{function} failed: nobody can sign in until it makes new keys")
    target.say("new signing keys are made; people sign in again")
    return Revoked(keys, users)
