"""Reading role ARNs: only an ordinary role of one account in our own partition (G6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ROLE = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):iam::([0-9]{12}):role/"
    r"((?:[A-Za-z0-9_+=,.@-]{1,64}/){0,8})([A-Za-z0-9_+=,.@-]{1,64})"
)
# Roles that AWS owns: nobody can put our External ID into their trust policy.
_RESERVED_PATHS = ("aws-service-role/", "aws-reserved/")
_RESERVED_NAME = "AWSServiceRoleFor"


@dataclass(frozen=True)
class RoleArn:
    """A role's ARN in parts; `path` ends with a slash, or is empty for the root path."""

    text: str
    partition: str
    account_id: str
    path: str
    name: str


def read_role_arn(text: str, partition: str) -> RoleArn | None:
    """The ARN in parts, or None for anything but an ordinary role of this partition."""
    found = _ROLE.fullmatch(text)
    if found is None or found[1] != partition:
        return None
    path, name = found[3], found[4]
    if path.startswith(_RESERVED_PATHS) or name.startswith(_RESERVED_NAME):
        return None
    if any(part in {".", ".."} for part in (*path.split("/"), name)):
        return None
    return RoleArn(text, found[1], found[2], path, name)


def default_role_arn(partition: str, account_id: str, role_name: str) -> str:
    """The ARN of the role that the template makes (verify without role_arn)."""
    return f"arn:{partition}:iam::{account_id}:role/{role_name}"
