"""The strict layer: moto, serialised, with the facts it lacks put in front."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest.mock import patch

import boto3
from botocore import UNSIGNED
from botocore.client import BaseClient
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from tests.fakes.strict_aws.call import Call, Rule
from tests.fakes.strict_aws.customer import Account
from tests.fakes.strict_aws.dynamodb import DynamoDb
from tests.fakes.strict_aws.identity import (
    Clock,
    Identities,
    Session,
    find_role,
    role_policies,
    utc_now,
)
from tests.fakes.strict_aws.loader import shared_loader
from tests.fakes.strict_aws.lock import LOCK, locked_dispatch
from tests.fakes.strict_aws.policy_eval import Decision, Document, Request, evaluate
from tests.fakes.strict_aws.services import Services
from tests.fakes.strict_aws.session_gate import SessionGate
from tests.fakes.strict_aws.snapshots import cheap_snapshots
from tests.fakes.strict_aws.stepfunctions import StepFunctions
from tests.fakes.strict_aws.trust_gate import TrustGate
from tests.fakes.strict_aws.websocket import WebSockets

REGION = "us-east-1"
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
}
_REMOVED = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL")

LambdaHandler = Callable[[Any, Any], Any]


class StrictAws:
    """Handle of the running double; see :func:`strict_aws`."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self.identities = Identities(self.now)
        self.gate = SessionGate(self.identities)
        self.trust = TrustGate(self.identities, self.gate)
        self.dynamodb = DynamoDb(self.now)
        self.stepfunctions = StepFunctions()
        self.websocket = WebSockets()
        self.rules: list[Rule] = [
            self.gate,
            self.trust,
            self.dynamodb,
            self.stepfunctions,
            self.websocket,
            Services(),
        ]
        self.functions: dict[str, LambdaHandler] = {}
        self.calls: list[tuple[str, str, str]] = []
        self._accounts: dict[str, Account] = {}
        self._local = threading.local()

    def now(self) -> dt.datetime:
        """The double's time (sessions, tokens); set with :meth:`set_clock`."""
        return self._clock()

    def set_clock(self, clock: Clock) -> None:
        """Replaces the clock of sessions and replay tokens."""
        self._clock = clock

    # -------------------------------------------------------------- accounts

    @property
    def platform(self) -> Account:
        """The platform's own account (the one the ambient test credentials belong to)."""
        return self.account(DEFAULT_ACCOUNT_ID)

    def account(self, account_id: str) -> Account:
        """An account with root-like credentials; created at first use."""
        if account_id not in self._accounts:
            key = iam_backends[account_id]["aws"].create_temp_access_key()
            self.identities.root_keys[key.access_key_id] = account_id
            session = boto3.Session(
                aws_access_key_id=key.access_key_id,
                aws_secret_access_key=key.secret_access_key,
                region_name=REGION,
            )
            self._accounts[account_id] = Account(account_id, session)
        return self._accounts[account_id]

    def act_as(self, principal_arn: str) -> None:
        """Makes the account's test credentials appear as this principal in trust policies.

        They stay unrestricted; use :meth:`session_of` for credentials that a role limits.
        """
        self.identities.acting_as[principal_arn.split(":")[4]] = principal_arn

    def session_of(
        self, role_arn: str, session_name: str = "function", **tags: str
    ) -> boto3.Session:
        """Credentials of a role as a service hands them out (a Lambda's own role).

        The trust policy is not asked; every call is limited by the role's policies.
        """
        if find_role(role_arn) is None:
            raise LookupError(f"no such role: {role_arn}")
        key = iam_backends[role_arn.split(":")[4]]["aws"].create_temp_access_key()
        token = f"service-session-{key.access_key_id}"
        self.identities.sessions[key.access_key_id] = Session(
            access_key=key.access_key_id,
            secret_key=key.secret_access_key,
            session_token=token,
            role_arn=role_arn,
            session_name=session_name,
            issued_at=self.now(),
            expires_at=self.now() + dt.timedelta(hours=12),
            session_tags=dict(tags),
        )
        return boto3.Session(
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            aws_session_token=token,
            region_name=REGION,
        )

    def organization_policy(self, account_id: str, *documents: Document) -> None:
        """Sets the service control policies of an account (none: all is allowed again)."""
        allow_all = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        }
        self.gate.organization[account_id] = [allow_all, *documents] if documents else []

    # -------------------------------------------------------------- sessions

    @property
    def sessions(self) -> list[Session]:
        """Every session handed out, in order: names, tags and policies can be asserted."""
        return list(self.identities.sessions.values())

    def expire_sessions(self) -> None:
        """Ends every session at once (ExpiredToken from now on)."""
        for session in self.sessions:
            session.expires_at = self.now()

    def revoke(self, access_key: str) -> None:
        """Makes one session's credentials invalid (InvalidClientTokenId from now on)."""
        self.identities.sessions[access_key].revoked = True

    def simulate(self, role_arn: str, action: str, resource: str = "*", **context: str) -> Decision:
        """What a role's own policies say to one request."""
        role = find_role(role_arn)
        if role is None:
            raise LookupError(f"no such role: {role_arn}")
        return evaluate(role_policies(role), Request(action, resource, context))

    # -------------------------------------------------------------- functions

    def register_function(self, name: str, handler: LambdaHandler) -> None:
        """Lets invocations of a Lambda function run ``handler(event, context)``."""
        self.functions[name] = handler

    def invoke(self, name: str, body: Any) -> tuple[bytes, str | None]:
        """Runs a registered function; returns its payload and the FunctionError header."""
        plain = name.split(":function:", 1)[-1].split(":", 1)[0]
        event = json.loads(body) if body else {}
        try:
            return json.dumps(self.functions[plain](event, None)).encode(), None
        except Exception as error:
            failure = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return json.dumps(failure).encode(), "Unhandled"

    # --------------------------------------------------------------- plumbing

    def index_lag(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, DynamoDB index reads see the past."""
        return self.dynamodb.index_lag()

    def describe(self, client: Any, operation: str, params: dict[str, Any]) -> Call:
        """The call as the rules see it."""
        signed = client.meta.config.signature_version is not UNSIGNED
        credentials = client._request_signer._credentials
        frozen = credentials.get_frozen_credentials() if credentials is not None else None
        access_key = frozen.access_key if frozen is not None else None
        model = client.meta.service_model
        return Call(
            service=str(model.service_name),
            operation=operation,
            params=params,
            region=client.meta.region_name,
            access_key=access_key,
            secret_key=frozen.secret_key if frozen is not None else None,
            session_token=frozen.token if frozen is not None else None,
            signed=signed,
            protocol=str(model.metadata.get("protocol", "json")),
            account=self.identities.account_of(access_key),
            client=client,
        )


class _Answered(Exception):
    """A rule answered the call; moto is not asked."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        super().__init__("answered by the strict layer")
        self.response = response


@contextlib.contextmanager
def _rules_in_front(strict: StrictAws) -> Iterator[None]:
    base: Any = BaseClient
    make_call, emit = base._make_api_call, base._emit_api_params
    current = strict._local

    def emitting(self: Any, api_params: Any, operation_model: Any, context: Any) -> Any:
        params = emit(self, api_params=api_params, operation_model=operation_model, context=context)
        if getattr(current, "client", None) is self and isinstance(params, dict):
            call = strict.describe(self, operation_model.name, params)
            current.call = call
            strict.calls.append((call.service, call.operation, call.account))
            for rule in strict.rules:
                answer = rule.before(call)
                if answer is not None:
                    raise _Answered(answer)
        return params

    def calling(self: Any, operation_name: str, api_params: Any) -> Any:
        outer = getattr(current, "client", None), getattr(current, "call", None)
        invocation = operation_name.startswith("Invoke")
        with contextlib.nullcontext() if invocation else LOCK:
            current.client, current.call = self, None
            try:
                try:
                    preview = Call("", operation_name, api_params, "")
                    if isinstance(api_params, dict) and api_params.get("IndexName"):
                        preview = strict.describe(self, operation_name, api_params)
                    with strict.dynamodb.reading(preview):
                        response = make_call(self, operation_name, api_params)
                except _Answered as answered:
                    return answered.response
                if current.call is not None:
                    for rule in strict.rules:
                        rule.after(current.call, response)
                return response
            finally:
                current.client, current.call = outer

    def invoke(
        self: Any, function_name: str, qualifier: Any, body: Any, headers: Any, answer: Any
    ) -> Any:
        name = function_name.split(":function:", 1)[-1].split(":", 1)[0]
        if name not in strict.functions:
            return original_invoke(self, function_name, qualifier, body, headers, answer)
        payload, failure = strict.invoke(name, body)
        if failure:
            answer["x-amz-function-error"] = failure
        return payload

    original_invoke = LambdaSimpleBackend.invoke
    with (
        patch.object(BaseClient, "_make_api_call", calling),
        patch.object(BaseClient, "_emit_api_params", emitting),
        patch.object(LambdaSimpleBackend, "invoke", invoke),
    ):
        yield


@contextlib.contextmanager
def strict_aws(
    *,
    execute_state_machines: bool = False,
    aws_managed_policies: bool = False,
    clock: Clock = utc_now,
) -> Iterator[StrictAws]:
    """Runs moto with the strict layer in region us-east-1 and dummy credentials.

    ``execute_state_machines`` lets moto interpret Step Functions in this process (functions
    registered with :meth:`StrictAws.register_function`); ``aws_managed_policies`` loads the
    AWS-managed policies (slow).
    """
    strict = StrictAws(clock)
    config: Any = {
        "lambda": {"use_docker": False},
        "stepfunctions": {"execute_state_machine": execute_state_machines},
        "iam": {"load_aws_managed_policies": aws_managed_policies},
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, ENVIRONMENT))
        for name in _REMOVED:
            os.environ.pop(name, None)
        stack.enter_context(shared_loader())
        stack.enter_context(cheap_snapshots())
        stack.enter_context(mock_aws(config=config))
        stack.enter_context(locked_dispatch())
        stack.enter_context(_rules_in_front(strict))
        yield strict
