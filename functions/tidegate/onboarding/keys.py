"""Whose access keys are these? Asks AWS itself (ONB-7, G20, G24)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.aws_session import CLOCK_SKEWED, CustomerSession, is_clock_skew, is_denied
from tidegate_kit.errors import ServiceUnavailable

from tidegate.onboarding.errors import InvalidAwsCredentials, RootKeysRefused

# STS codes that say something about the keys; everything else proves nothing about them.
_WRONG_KEYS = frozenset(
    {
        "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "AuthFailure",
        "UnrecognizedClientException", "InvalidAccessKeyId", "IncompleteSignature",
        "MissingAuthenticationToken", "AccessDenied", "InvalidSignatureException",
    }
)  # fmt: skip
_BROAD_POLICIES = frozenset({"AdministratorAccess", "PowerUserAccess", "IAMFullAccess"})


@dataclass(frozen=True)
class KeyOwner:
    """The user behind a pair of access keys."""

    account_id: str
    arn: str


class KeySession(Protocol):
    """Makes a session of long-lived keys; `CustomerAccess.with_keys` does."""

    def __call__(self, access_key_id: str, secret_access_key: str) -> CustomerSession:
        """A session on the keys."""


class KeyReader:
    """Reads the owner of access keys, and whether they may do far more than read."""

    def __init__(self, session: KeySession, region: str) -> None:
        self._session = session
        self._region = region

    def owner(self, access_key_id: str, secret_access_key: str) -> KeyOwner:
        """The keys' owner. Raises InvalidAwsCredentials, RootKeysRefused, ServiceUnavailable."""
        session = self._session(access_key_id, secret_access_key)
        try:
            identity = session.client("sts", self._region).get_caller_identity()
        except ClientError as error:
            raise _as_refusal(error) from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"sts: {error}") from error
        arn, account_id = str(identity["Arn"]), str(identity["Account"])
        if arn.endswith(":root"):
            raise RootKeysRefused
        return KeyOwner(account_id, arn)

    def over_privileged(self, owner: KeyOwner, access_key_id: str, secret: str) -> bool:
        """True if a policy of the user or of its groups lets the keys do nearly everything.

        Keys that may not read their own policies are taken for modest ones.
        """
        kind, _, path = owner.arn.rpartition(":")[2].partition("/")
        if kind != "user":
            return False
        iam = self._session(access_key_id, secret).client("iam", self._region)
        try:
            return _broad_user(iam, path.rpartition("/")[2])
        except ClientError as error:
            if is_denied(error):
                return False
            raise ServiceUnavailable(log=f"iam: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"iam: {error}") from error


def _as_refusal(error: ClientError) -> Exception:
    if is_clock_skew(error):
        return ServiceUnavailable(CLOCK_SKEWED, log="sts: clock skew")
    code = error.response.get("Error", {}).get("Code", "")
    # AWS quotes the key in its message, so only the code is logged (G20).
    if code in _WRONG_KEYS:
        return InvalidAwsCredentials(log=f"sts: {code}")
    return ServiceUnavailable(log=f"sts: {code}")


def _broad_user(iam: Any, user: str) -> bool:
    if _broad_managed(iam.list_attached_user_policies(UserName=user)):
        return True
    for name in iam.list_user_policies(UserName=user)["PolicyNames"]:
        if _broad_document(iam.get_user_policy(UserName=user, PolicyName=name)["PolicyDocument"]):
            return True
    groups = iam.list_groups_for_user(UserName=user)["Groups"]
    return any(
        _broad_managed(iam.list_attached_group_policies(GroupName=group["GroupName"]))
        for group in groups
    )


def _broad_managed(answer: Any) -> bool:
    return any(policy["PolicyName"] in _BROAD_POLICIES for policy in answer["AttachedPolicies"])


def _broad_document(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    listed = document.get("Statement", [])
    for statement in listed if isinstance(listed, list) else [listed]:
        actions = statement.get("Action", [])
        everything = "*" in (actions if isinstance(actions, list) else [actions])
        if statement.get("Effect") == "Allow" and everything:
            return True
    return False
