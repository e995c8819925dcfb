"""Customer accounts: roles, users and policies in accounts other than the platform's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3


def allow(
    actions: str | list[str], resources: str | list[str] = "*", **condition: Any
) -> dict[str, Any]:
    """One Allow statement as a policy document; ``condition`` is the Condition element."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def deny(
    actions: str | list[str], resources: str | list[str] = "*", **condition: Any
) -> dict[str, Any]:
    """One Deny statement as a policy document."""
    document = allow(actions, resources, **condition)
    document["Statement"][0]["Effect"] = "Deny"
    return document


def trust(
    principal: str | list[str] | Mapping[str, Any],
    external_id: str | list[str] | None = None,
    *,
    condition: Mapping[str, Any] | None = None,
    actions: str | list[str] = "sts:AssumeRole",
) -> dict[str, Any]:
    """A trust policy; ``external_id`` adds the StringEquals condition on sts:ExternalId."""
    named = principal if principal == "*" or isinstance(principal, Mapping) else {"AWS": principal}
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": named, "Action": actions}
    if condition is not None:
        statement["Condition"] = dict(condition)
    elif external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": "2012-10-17", "Statement": [statement]}


@dataclass(frozen=True)
class Account:
    """One AWS account of the double, with root-like test credentials."""

    account_id: str
    session: boto3.Session

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A client of this account."""
        return self.session.client(service, region_name=region)  # type: ignore[call-overload]

    def create_role(
        self,
        name: str,
        trust_policy: Mapping[str, Any],
        policies: Mapping[str, Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> str:
        """Creates a role with inline policies; returns its ARN."""
        iam = self.client("iam")
        document = json.dumps(trust_policy)
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **options)
        for policy_name, policy in (policies or {}).items():
            self.put_role_policy(name, policy_name, policy)
        return str(role["Role"]["Arn"])

    def put_role_policy(self, role: str, name: str, policy: Mapping[str, Any]) -> None:
        """Adds or replaces an inline policy of a role."""
        self.client("iam").put_role_policy(
            RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy)
        )

    def set_trust(self, role: str, trust_policy: Mapping[str, Any]) -> None:
        """Replaces the trust policy of a role."""
        self.client("iam").update_assume_role_policy(
            RoleName=role, PolicyDocument=json.dumps(trust_policy)
        )

    def delete_role(self, role: str) -> None:
        """Deletes a role with its inline policies, as a customer does to cut us off."""
        iam = self.client("iam")
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
        for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=role)

    def create_user(
        self, name: str, policies: Mapping[str, Mapping[str, Any]] | None = None
    ) -> tuple[str, str]:
        """Creates a user with inline policies; returns access key id and secret."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        for policy_name, policy in (policies or {}).items():
            iam.put_user_policy(
                UserName=name, PolicyName=policy_name, PolicyDocument=json.dumps(policy)
            )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return str(key["AccessKeyId"]), str(key["SecretAccessKey"])
