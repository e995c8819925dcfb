"""The session gate: authenticates every call and asks its policies first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.fakes.strict_aws.actions import authorizations
from tests.fakes.strict_aws.call import BaseRule, Call
from tests.fakes.strict_aws.identity import (
    ExpiredCredentials,
    Identities,
    Identity,
    InvalidCredentials,
    WrongSecret,
    find_role,
    managed_document,
    role_policies,
    tag_map,
    user_policies,
)
from tests.fakes.strict_aws.policy_eval import Decision, Document, Request, evaluate

# https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
_ALWAYS_ALLOWED = {("sts", "GetCallerIdentity")}


@dataclass(frozen=True)
class Denied:
    """Why a request was denied; the text is part of AWS's message."""

    reason: str


def identity_context(
    identity: Identity, region: str, now: dt.datetime
) -> dict[str, str | list[str]]:
    """The global condition keys of a caller."""
    context: dict[str, str | list[str]] = {
        "aws:PrincipalAccount": identity.caller.account,
        "aws:PrincipalArn": identity.arn,
        "aws:PrincipalType": "Account",
        "aws:RequestedRegion": region,
        "aws:CurrentTime": now.isoformat(),
        "aws:EpochTime": str(int(now.timestamp())),
        "aws:SecureTransport": "true",
        "aws:SourceIp": "203.0.113.10",
    }
    session = identity.session
    if session is not None:
        role = find_role(session.role_arn)
        tags = {**tag_map(role.tags if role is not None else None), **session.session_tags}
        context.update({f"aws:PrincipalTag/{key}": value for key, value in tags.items()})
        context["aws:PrincipalArn"] = session.role_arn
        context["aws:PrincipalType"] = "AssumedRole"
        context["aws:TokenIssueTime"] = session.issued_at.isoformat()
        context["aws:userid"] = f"{getattr(role, 'id', 'AROA')}:{session.session_name}"
        if session.source_identity:
            context["aws:SourceIdentity"] = session.source_identity
    elif identity.user_name is not None:
        context["aws:PrincipalType"] = "User"
        context["aws:username"] = identity.user_name
    return context


class SessionGate(BaseRule):
    """Evaluates action and resource of each call made with a user's or a role's keys."""

    def __init__(self, identities: Identities) -> None:
        self.identities = identities
        self.organization: dict[str, list[Document]] = {}
        self.denials: list[tuple[str, str, str]] = []

    # -------------------------------------------------------- authentication

    def authenticate(self, call: Call) -> Identity:
        """The caller, or the service's own error for bad credentials."""
        try:
            return self.identities.resolve(call)
        except ExpiredCredentials:
            raise self._expired(call) from None
        except WrongSecret:
            raise self._wrong_secret(call) from None
        except InvalidCredentials:
            raise self._invalid(call) from None

    def _invalid(self, call: Call) -> ClientError:
        message = "The security token included in the request is invalid."
        if call.service == "s3":
            message = "The AWS Access Key Id you provided does not exist in our records."
            return call.error("InvalidAccessKeyId", message, 403)
        if call.protocol == "ec2":
            message = "AWS was not able to validate the provided access credentials"
            return call.error("AuthFailure", message, 401)
        if call.protocol == "query":
            return call.error("InvalidClientTokenId", message, 403)
        return call.error("UnrecognizedClientException", message)

    def _expired(self, call: Call) -> ClientError:
        if call.protocol == "ec2":
            return call.error("RequestExpired", "Request has expired.")
        message = "The security token included in the request is expired"
        if call.protocol == "query":
            return call.error("ExpiredToken", message, 403)
        if call.service == "s3":
            return call.error("ExpiredToken", "The provided token has expired.")
        return call.error("ExpiredTokenException", message)

    def _wrong_secret(self, call: Call) -> ClientError:
        message = (
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method."
        )
        if call.protocol == "ec2":
            return call.error("AuthFailure", message, 401)
        if call.service == "s3" or call.protocol == "query":
            return call.error("SignatureDoesNotMatch", message, 403)
        return call.error("InvalidSignatureException", message)

    # --------------------------------------------------------- authorisation

    def before(self, call: Call) -> Mapping[str, Any] | None:
        """Denies what the caller's policies do not allow."""
        if not call.signed or call.access_key is None:
            return None
        identity = self.authenticate(call)
        if (call.service, call.operation) in _ALWAYS_ALLOWED:
            return None
        if call.is_("sts", "AssumeRole"):
            return None  # the trust gate decides
        if identity.unrestricted and not self.organization.get(identity.caller.account):
            return None
        now = self.identities.clock()
        base = identity_context(identity, call.region, now)
        for wanted in authorizations(call):
            request = Request(
                wanted.action, wanted.resource, {**base, **wanted.context}, identity.caller
            )
            denied = self.explain(identity, request)
            if denied is not None:
                self.denials.append((identity.arn, wanted.action, wanted.resource))
                raise self._denied(call, identity, request, denied)
        return None

    def decide(self, identity: Identity, request: Request) -> Decision:
        """The caller's own policies on one request (no resource policy involved)."""
        denied = self.explain(identity, request)
        if denied is None:
            return Decision.ALLOW
        explicit = denied.reason.startswith("with an explicit deny")
        return Decision.EXPLICIT_DENY if explicit else Decision.IMPLICIT_DENY

    def explain(self, identity: Identity, request: Request) -> Denied | None:
        """None when allowed, else which kind of policy refuses.

        Order of https://docs.aws.amazon.com/IAM/latest/UserGuide/\
reference_policies_evaluation-logic.html: any explicit deny, then the organisation's
        policies, then the permissions boundary, session policies and identity policies.
        """
        layers: list[tuple[str, list[Document]]] = []
        if self.organization.get(identity.caller.account):
            layers.append(("service control policy", self.organization[identity.caller.account]))
        if not identity.unrestricted:
            layers += self._own_layers(identity)
        decisions = [(name, evaluate(documents, request)) for name, documents in layers]
        for name, decision in decisions:
            if decision is Decision.EXPLICIT_DENY:
                return Denied(f"with an explicit deny in {_article(name)}")
        for name, decision in decisions:
            if decision is not Decision.ALLOW:
                return Denied(f"because no {name} allows the {request.action} action")
        return None

    def _own_layers(self, identity: Identity) -> list[tuple[str, list[Document]]]:
        session = identity.session
        if session is None:
            assert identity.user_name is not None
            documents = user_policies(identity.caller.account, identity.user_name)
            return [("identity-based policy", documents)]
        role = find_role(session.role_arn)
        layers: list[tuple[str, list[Document]]] = []
        boundary = getattr(role, "permissions_boundary_arn", None)
        if boundary:
            document = managed_document(session.account, boundary)
            layers.append(("permissions boundary", [document] if document else []))
        if session.session_policies:
            layers.append(("session policy", session.session_policies))
        layers.append(("identity-based policy", role_policies(role) if role else []))
        return layers

    def _denied(
        self, call: Call, identity: Identity, request: Request, denied: Denied
    ) -> ClientError:
        message = (
            f"User: {identity.arn} is not authorized to perform: {request.action} "
            f"on resource: {request.resource} {denied.reason}"
        )
        if call.protocol == "ec2":
            prefix = "You are not authorized to perform this operation. "
            return call.error("UnauthorizedOperation", prefix + message, 403)
        if call.service == "s3" or call.protocol in ("query", "rest-xml"):
            return call.error("AccessDenied", message, 403)
        return call.error("AccessDeniedException", message)


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
