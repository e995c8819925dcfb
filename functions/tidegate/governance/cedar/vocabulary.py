"""What policies may name: actions, roles, attributes (GOV-1), and the schema made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

REVERSIBLE: Final = (
    "ec2.delete_volume", "ec2.modify_volume", "ec2.stop_instance", "ec2.create_tags",
    "rds.stop_instance", "rds.modify_storage", "lambda.set_memory", "dynamodb.set_capacity",
)  # fmt: skip
IRREVERSIBLE: Final = (
    "logs.put_retention", "s3.put_lifecycle", "s3.abort_multipart", "ec2.release_address",
    "ec2.delete_snapshot", "ec2.deregister_image", "ec2.delete_nat_gateway",
    "ec2.delete_vpc_endpoint", "elb.delete_load_balancer", "ecr.put_lifecycle",
)  # fmt: skip
AWS_ACTIONS: Final = (*REVERSIBLE, *IRREVERSIBLE)
OTHER_ACTIONS: Final = ("workflow.execute", "model.promote", "communication.send", "pipeline.run")
ACTIONS: Final = frozenset((*AWS_ACTIONS, *OTHER_ACTIONS))
ROLES: Final = ("user", "client", "admin", "owner", "system")
APPROVER_ROLES: Final = ("user", "client", "admin")  # the lowest first

# Groups of actions, usable as `action in Action::"aws"`.
ALL_AWS: Final = "aws"
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    ALL_AWS: (),
    "aws.reversible": (ALL_AWS,),
    "aws.irreversible": (ALL_AWS,),
}


def groups_of(action: str) -> tuple[str, ...]:
    """The groups that an action is in directly."""
    if action in REVERSIBLE:
        return ("aws.reversible",)
    return ("aws.irreversible",) if action in IRREVERSIBLE else ()


def schema(tag_names: Iterable[str]) -> str:
    """The Cedar schema as JSON.

    Cedar has no open record, and the tags of a customer's resources are any: each tag that a text
    reads is declared as optional, so that reading it without `has` is refused when it is written.
    """
    tags = {name: {"type": "String", "required": False} for name in tag_names}
    resource: dict[str, Any] = {
        **{name: {"type": "String"} for name in ("arn", "type", "region", "account")},
        "reversible": {"type": "Boolean"},
        "tags": {"type": "Record", "attributes": tags},
    }
    numbers = ("monthly_saving_cents", "item_count", "hour_utc", "weekday")
    context: dict[str, Any] = {
        **{name: {"type": "Long"} for name in numbers},
        "environment": {"type": "String"},
    }
    applies = {
        "principalTypes": ["User"],
        "resourceTypes": ["Resource"],
        "context": {"type": "Record", "attributes": context},
    }
    actions = {
        name: {"memberOf": [{"id": group} for group in groups_of(name)], "appliesTo": applies}
        for name in sorted(ACTIONS)
    }
    groups = {
        name: {"memberOf": [{"id": parent} for parent in parents]}
        for name, parents in GROUPS.items()
    }
    entities = {
        "Role": {"enum": list(ROLES)},
        "User": {
            "memberOfTypes": ["Role"],
            "shape": {
                "type": "Record",
                "attributes": {"email": {"type": "String", "required": False}},
            },
        },
        "Resource": {
            "shape": {"type": "Record", "attributes": resource},
            "tags": {"type": "String"},
        },
    }
    return json.dumps({"": {"entityTypes": entities, "actions": {**actions, **groups}}})
