"""The only module that assumes roles in customer accounts or builds clients for them.

Every session goes through one platform role (ONBOARDING_ROLE_ARN), is named after the tenant,
carries the tenant as session tag, lasts as short as STS allows and is cut down by a session policy
no wider than the job (G22, design section 7).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tidegate_kit.clients import platform_client
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import record_aws_call
from tidegate_kit.settings import Settings

Purpose = Literal["probe", "read", "plan"]
CLOCK_SKEWED = "The clock of this platform differs from that of AWS. Try again shortly."
SHORTEST_SECONDS = 900  # STS minimum for AssumeRole
_RENEW_BEFORE = timedelta(minutes=2)
MAX_POLICY_CHARS = 2048  # STS limit for an inline session policy
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_SKEWED = ("Signature expired", "Signature not yet current")
_CUSTOMER_CONFIG = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "adaptive", "total_max_attempts": 6},
    user_agent_extra="tidegate",
)
# While a person waits for the answer, a call that hangs is given up within seconds (H14).
IMPATIENT = Config(
    connect_timeout=2,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 2},
    user_agent_extra="tidegate",
)


class AccessDeniedByAccount(Exception):
    """STS refused the role: the one outcome that counts as "not assumable" (ONB-4)."""


class SessionPolicyTooLarge(ValueError):
    """The policy passes STS's 2,048 characters: split the job, never widen the policy (G28)."""


@dataclass(frozen=True)
class Keys:
    """Temporary or long-lived credentials. Never printed."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    # Whose account they open, and which, so that calls are counted for them (contract 2.7, usage).
    tenant_id: str | None = None
    account_id: str | None = None


@dataclass
class CustomerSession:
    """Credentials for one customer account, and clients made from them."""

    keys: Keys
    config: Config = field(default=_CUSTOMER_CONFIG, repr=False)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    def client(self, service: str, region: str) -> Any:
        """A boto3 client with adaptive retry (G17), kept for the session."""
        if (service, region) not in self._clients:
            made = boto3.client(  # type: ignore[call-overload]
                service,
                region_name=region,
                aws_access_key_id=self.keys.access_key_id,
                aws_secret_access_key=self.keys.secret_access_key,
                aws_session_token=self.keys.session_token,
                config=self.config,
            )
            self._count_calls(made, service)
            self._clients[service, region] = made
        return self._clients[service, region]

    def _count_calls(self, client: Any, service: str) -> None:
        """Log each call: botocore emits one of these events at its end, after all its retries."""
        tenant_id, account_id = self.keys.tenant_id, self.keys.account_id
        if tenant_id is None:
            return  # the platform's own roles

        def ended(model: Any, http_response: Any, **_: Any) -> None:
            status = int(http_response.status_code)
            record_aws_call(tenant_id, account_id, service, str(model.name), status)

        def unanswered(event_name: str, **_: Any) -> None:
            operation = event_name.rpartition(".")[2]  # after-call-error.<service>.<operation>
            record_aws_call(tenant_id, account_id, service, operation, None)

        client.meta.events.register("after-call", ended)
        client.meta.events.register("after-call-error", unanswered)

    def expired(self, now: datetime) -> bool:
        """True when the keys end within two minutes."""
        return self.keys.expires_at is not None and now >= self.keys.expires_at - _RENEW_BEFORE


def session_policy(actions: Sequence[str], resources: Sequence[str] = ("*",)) -> str:
    """An inline policy that allows exactly these actions on these resources.

    Raises SessionPolicyTooLarge beyond 2,048 characters, ValueError for wildcards or policy
    variables in a resource (G28); `*` alone is allowed, for reads.
    """
    if not actions:
        raise ValueError("a session policy needs an action")
    if tuple(resources) != ("*",):
        for arn in resources:
            if any(mark in arn for mark in ("*", "?", "${")):
                raise ValueError("wildcards and variables are refused in a planned resource")
    statement = {"Effect": "Allow", "Action": sorted(set(actions)), "Resource": list(resources)}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
    if len(text) > MAX_POLICY_CHARS:
        raise SessionPolicyTooLarge(f"{len(text)} characters")
    return text


def is_denied(error: ClientError) -> bool:
    """True for the error codes that mean "no permission", and for nothing else."""
    return error.response.get("Error", {}).get("Code") in _DENIED


def is_clock_skew(error: ClientError) -> bool:
    """True when AWS refuses a signature for its time: our clock is wrong, not the key (G24)."""
    problem = error.response.get("Error", {})
    if problem.get("Code") == "RequestTimeTooSkewed":
        return True
    return str(problem.get("Message", "")).startswith(_SKEWED)


class CustomerAccess:
    """Assumes customer roles for one tenant; keeps sessions until two minutes before their end."""

    def __init__(
        self,
        settings: Settings,
        tenant_id: str,
        clock: Clock = system_clock,
        config: Config = _CUSTOMER_CONFIG,
    ) -> None:
        """config: time-outs and retries of every call; IMPATIENT where a person waits."""
        self._config = config
        self._settings = settings
        self._tenant_id = tenant_id
        self._clock = clock
        self._hub: CustomerSession | None = None
        self._sessions: dict[tuple[str, str | None, str | None], CustomerSession] = {}

    def assume(
        self,
        role_arn: str,
        external_id: str | None,
        *,
        purpose: Purpose,
        policy: str | None,
        tagged: bool = True,
    ) -> CustomerSession:
        """A session of `role_arn`. `external_id` None sends none (a probe).

        Raises AccessDeniedByAccount when STS says access denied, ServiceUnavailable for anything
        else (time-outs, throttling, our own role missing): those prove nothing about the role.
        """
        key = (role_arn, external_id, policy)
        kept = self._sessions.get(key)
        if kept is not None and purpose != "probe" and not kept.expired(self._clock()):
            return kept
        request: dict[str, Any] = {
            "RoleArn": role_arn,
            "RoleSessionName": f"tidegate-{self._tenant_id}",
            "DurationSeconds": SHORTEST_SECONDS,
        }
        if external_id is not None:
            request["ExternalId"] = external_id
        if policy is not None:
            request["Policy"] = policy
        if tagged:
            request["Tags"] = self._tags(purpose)
        sts = self._hub_session().client("sts", self._region)
        keys = replace(
            _assume(sts, request), tenant_id=self._tenant_id, account_id=role_arn.split(":")[4]
        )
        session = CustomerSession(keys, self._config)
        if purpose != "probe":
            self._sessions[key] = session
        return session

    def with_keys(
        self, access_key_id: str, secret_access_key: str, account_id: str | None = None
    ) -> CustomerSession:
        """A session on a customer's own long-lived keys (credentials accounts, ONB-7)."""
        keys = Keys(
            access_key_id, secret_access_key, tenant_id=self._tenant_id, account_id=account_id
        )
        return CustomerSession(keys, self._config)

    @property
    def _region(self) -> str:
        return self._settings.aws_region

    def _tags(self, purpose: Purpose) -> list[dict[str, str]]:
        return [
            {"Key": "tidegate:tenant", "Value": self._tenant_id},
            {"Key": "tidegate:purpose", "Value": purpose},
        ]

    def _hub_session(self) -> CustomerSession:
        if self._hub is None or self._hub.expired(self._clock()):
            request = {
                "RoleArn": self._settings.onboarding_role_arn,
                "RoleSessionName": f"tidegate-{self._tenant_id}",
                "DurationSeconds": SHORTEST_SECONDS,
                "Tags": [{"Key": "tidegate:tenant", "Value": self._tenant_id}],
            }
            try:
                keys = _assume(platform_client("sts", self._region), request)
                self._hub = CustomerSession(keys, self._config)
            except AccessDeniedByAccount as error:
                raise ServiceUnavailable(
                    log="the platform's own onboarding role refused"
                ) from error
        return self._hub


def _assume(sts: Any, request: dict[str, Any]) -> Keys:
    try:
        given = sts.assume_role(**request)["Credentials"]
    except ClientError as error:
        if is_denied(error):
            raise AccessDeniedByAccount from error
        if is_clock_skew(error):
            raise ServiceUnavailable(CLOCK_SKEWED, log=f"sts: {error}") from error
        if error.response.get("Error", {}).get("Code") == "PackedPolicyTooLarge":
            raise SessionPolicyTooLarge("too large when packed") from error
        raise ServiceUnavailable(log=f"sts: {error}") from error
    except BotoCoreError as error:
        raise ServiceUnavailable(log=f"sts: {error}") from error
    return Keys(
        given["AccessKeyId"],
        given["SecretAccessKey"],
        given["SessionToken"],
        given["Expiration"],
    )
