"""Attacks a customer's role and reads its trust policy (ONB-4, hazards G1 to G3).

A positive call proves nothing, because STS accepts a superfluous External ID in silence. So the
same role must refuse us without an id and with a random one, and its trust policy must say why.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.aws_session import (
    AccessDeniedByAccount,
    CustomerSession,
    Purpose,
    is_denied,
    session_policy,
)
from tidegate_kit.clock import Clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.ids import IdFactory

from tidegate.onboarding.domain import Check, Refusal, RefusalCode, Verdict
from tidegate.onboarding.role_arn import RoleArn
from tidegate.onboarding.trust_policy import judge, refusal

_DETAILS = {
    ("role_assumable", True): "The role can be assumed with the External ID of this request.",
    ("role_assumable", False): "AWS denies assuming the role with the External ID.",
    ("external_id_required", True): "AWS denies assuming the role without an External ID.",
    ("external_id_required", False): "The role can be assumed without an External ID.",
    ("external_id_checked", True): "AWS denies assuming the role with a random External ID.",
    ("external_id_checked", False): "The role can be assumed with a random External ID.",
    ("account_match", True): "The role belongs to the declared account.",
    ("account_match", False): "The role belongs to another account than the declared one.",
    ("trust_policy", True): "The trust policy lets in Tidegate with this External ID alone.",
    ("trust_policy", False): "The trust policy cannot be read, or lets in more than it may.",
}


class RoleAccess(Protocol):
    """What a probe needs of `tidegate_kit.aws_session.CustomerAccess`."""

    def assume(
        self,
        role_arn: str,
        external_id: str | None,
        *,
        purpose: Purpose,
        policy: str | None,
        tagged: bool = True,
    ) -> CustomerSession:
        """A session. Raises AccessDeniedByAccount, or ServiceUnavailable for all else."""


Access = Callable[[str], RoleAccess]  # by tenant id
_LONGEST = timedelta(seconds=12)


class Prober:
    """Runs the probes. One per process."""

    def __init__(
        self,
        access: Access,
        platform_role_arn: str,
        region: str,
        new_id: IdFactory,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._access = access
        self._platform_role_arn = platform_role_arn
        self._region = region
        self._new_id = new_id

    def probe(self, tenant_id: str, account_id: str, role: RoleArn, external_id: str) -> Verdict:
        """Judge one role. Raises ServiceUnavailable when an answer proves nothing (ONB-4)."""
        checks: list[Check] = []
        fault = self._probe(checks, self._access(tenant_id), account_id, role, external_id)
        return Verdict(role.text, tuple(checks), fault)

    def _probe(
        self,
        checks: list[Check],
        access: RoleAccess,
        account_id: str,
        role: RoleArn,
        external_id: str,
    ) -> Refusal | None:
        def record(name: str, passed: bool, code: RefusalCode) -> Refusal | None:
            checks.append(Check(name, passed, _DETAILS[name, passed]))
            return None if passed else refusal(code)

        if role.account_id != account_id:
            return record("account_match", False, "ACCOUNT_MISMATCH")
        end = self._clock() + _LONGEST
        session = self._enter(access, role, external_id)
        self._in_time(end)
        fault = record("role_assumable", session is not None, "ROLE_NOT_ASSUMABLE")
        if session is None:
            return fault
        required = self._refuses(access, role, None)
        self._in_time(end)
        fault = record("external_id_required", required, "EXTERNAL_ID_NOT_ENFORCED")
        if fault is not None:
            return fault
        checked = self._refuses(access, role, self._new_id())
        self._in_time(end)
        fault = record("external_id_checked", checked, "EXTERNAL_ID_NOT_CHECKED")
        if fault is not None:
            return fault
        match = self._account(session) == account_id
        self._in_time(end)
        fault = record("account_match", match, "ACCOUNT_MISMATCH")
        if fault is not None:
            return fault
        fault = self._judge_trust(session, role, external_id)
        checks.append(Check("trust_policy", fault is None, _DETAILS["trust_policy", fault is None]))
        return fault

    def _in_time(self, end: datetime) -> None:
        # An HTTP call may take 29 s; what is left must suffice for the next call to hang (H14).
        if self._clock() >= end:
            raise ServiceUnavailable(log="the probes took too long")

    def _enter(self, access: RoleAccess, role: RoleArn, external_id: str) -> CustomerSession | None:
        policy = session_policy(["iam:GetRole"], [role.text])
        try:
            return access.assume(role.text, external_id, purpose="probe", policy=policy)
        except AccessDeniedByAccount:
            return None

    def _refuses(self, access: RoleAccess, role: RoleArn, external_id: str | None) -> bool:
        # Untagged: a policy that guards only sts:TagSession must not look like one that guards
        # the role. A session got here could do nothing but ask who it is.
        policy = session_policy(["sts:GetCallerIdentity"])
        try:
            access.assume(role.text, external_id, purpose="probe", policy=policy, tagged=False)
        except AccessDeniedByAccount:
            return True
        return False

    def _account(self, session: CustomerSession) -> str:
        try:
            identity = session.client("sts", self._region).get_caller_identity()
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"sts: {error}") from error
        return str(identity["Account"])

    def _judge_trust(
        self, session: CustomerSession, role: RoleArn, external_id: str
    ) -> Refusal | None:
        try:
            answer = session.client("iam", self._region).get_role(RoleName=role.name)
        except ClientError as error:
            if is_denied(error):
                return refusal("TRUST_UNREADABLE")
            raise ServiceUnavailable(log=f"iam: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"iam: {error}") from error
        document = _parsed(answer["Role"].get("AssumeRolePolicyDocument"))
        return judge(document, self._platform_role_arn, external_id)


def _parsed(document: Any) -> object:
    """The policy as data; botocore decodes it unless the service sent it in another spelling."""
    if not isinstance(document, str):
        return document
    try:
        return json.loads(document if document.lstrip().startswith("{") else unquote(document))
    except ValueError:
        return None
