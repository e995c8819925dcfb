"""Reads the policies of a customer's role through a session of that role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.aws_session import (
    IMPATIENT,
    AccessDeniedByAccount,
    CustomerSession,
    session_policy,
)
from tidegate_kit.errors import NotFound, ServiceUnavailable
from tidegate_kit.observability import logger
from tidegate_kit.settings import Settings

from tidegate.accounts.grants import RoleGrants
from tidegate.onboarding import public as onboarding
from tidegate.onboarding.public import Connection

READS = (
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
)


def role_grants(settings: Settings, connection: Connection) -> RoleGrants | None:
    """What the connection's role grants; None where that cannot be read completely.

    None also for access keys, for an account that is not connected, and for a role with a
    permissions boundary: what such a boundary leaves is not worked out here.
    """
    if connection.role_arn is None or connection.status != "connected":
        return None
    name = connection.role_arn.rpartition("/")[2]
    try:
        opened = onboarding.open_session(
            settings, connection, purpose="read", policy=session_policy(READS)
        )
        iam = CustomerSession(opened.keys, IMPATIENT).client("iam", settings.aws_region)
        if "PermissionsBoundary" in iam.get_role(RoleName=name)["Role"]:
            return None
        return RoleGrants([*_inline(iam, name), *_attached(iam, name)])
    except (AccessDeniedByAccount, NotFound, ServiceUnavailable) as error:
        logger.info("the role was not entered", extra={"problem": type(error).__name__})
    except (ClientError, BotoCoreError) as error:
        logger.info("the role's policies were not read", extra={"problem": str(error)})
    return None


def _inline(iam: Any, role: str) -> Iterator[Mapping[str, Any]]:
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for policy in page["PolicyNames"]:
            yield iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]


def _attached(iam: Any, role: str) -> Iterator[Mapping[str, Any]]:
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for policy in page["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            found = iam.get_policy_version(PolicyArn=arn, VersionId=version)
            yield found["PolicyVersion"]["Document"]
