"""The trust-policy gate: what STS checks when a role is assumed.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.strict_aws.call import BaseRule, Call
from tests.fakes.strict_aws.identity import (
    Identities,
    Identity,
    Session,
    find_role,
    managed_document,
    parse_document,
    tag_map,
)
from tests.fakes.strict_aws.policy_eval import (
    Decision,
    Document,
    MalformedPolicy,
    Request,
    evaluate,
    names_principal_exactly,
    parse_policy,
    statement_applies,
    statements,
)
from tests.fakes.strict_aws.session_gate import SessionGate, identity_context

MIN_DURATION, MAX_DURATION, CHAINED_DURATION = 900, 43_200, 3_600
MAX_SESSION_POLICY = 2_048
MAX_TAGS = 50
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")
_POLICY_CHARACTERS = re.compile(r"[\t\n\r\x20-\xff]+")


class TrustGate(BaseRule):
    """Decides every AssumeRole and remembers the sessions it grants."""

    def __init__(self, identities: Identities, gate: SessionGate) -> None:
        self.identities = identities
        self.gate = gate

    def before(self, call: Call) -> Mapping[str, Any] | None:
        """Refuses what STS refuses: parameters, identity policy, then trust policy."""
        if not call.is_("sts", "AssumeRole"):
            return None
        identity = self.gate.authenticate(call)
        role_arn, session_name = call.params.get("RoleArn"), call.params.get("RoleSessionName")
        if not isinstance(role_arn, str) or not isinstance(session_name, str):
            return None  # botocore names the missing or mistyped parameter
        self._check_parameters(call, identity)
        if not self.allowed(call, identity, role_arn):
            raise call.error(
                "AccessDenied",
                f"User: {identity.arn} is not authorized to perform: sts:AssumeRole "
                f"on resource: {role_arn}",
                403,
            )
        return None

    def allowed(self, call: Call, identity: Identity, role_arn: str) -> bool:
        """Whether the trust policy and the caller's own policies let the role be assumed."""
        role = find_role(role_arn)
        if role is None:
            return False
        trust = parse_document(role.assume_role_policy_document)
        context = self._context(call, identity)
        actions = ["sts:AssumeRole"]
        if call.params.get("Tags"):
            actions.append("sts:TagSession")
        if call.params.get("SourceIdentity"):
            actions.append("sts:SetSourceIdentity")
        for action in actions:
            request = Request(action, role_arn, context, identity.caller)
            if evaluate([trust], request) is not Decision.ALLOW:
                return False
            own = self.gate.decide(identity, request)
            exact = role_arn.split(":")[4] == identity.caller.account and any(
                statement["Effect"] == "Allow"
                and names_principal_exactly(statement.get("Principal"), identity.caller)
                and statement_applies(statement, request)
                for statement in statements(trust)
            )
            # Another account always needs its own permission too; in the same account a
            # trust policy that names this very principal is enough.
            if own is Decision.EXPLICIT_DENY or (own is not Decision.ALLOW and not exact):
                return False
        return True

    def _context(self, call: Call, identity: Identity) -> dict[str, str | list[str]]:
        params = call.params
        context = identity_context(identity, call.region, self.identities.clock())
        context["sts:RoleSessionName"] = str(params.get("RoleSessionName"))
        if params.get("ExternalId") is not None:
            context["sts:ExternalId"] = str(params["ExternalId"])
        if params.get("SourceIdentity") is not None:
            context["sts:SourceIdentity"] = str(params["SourceIdentity"])
        tags = tag_map(params.get("Tags"))
        context.update({f"aws:RequestTag/{key}": value for key, value in tags.items()})
        if tags:
            context["aws:TagKeys"] = sorted(tags)
        if params.get("TransitiveTagKeys"):
            context["sts:TransitiveTagKeys"] = [str(k) for k in params["TransitiveTagKeys"]]
        return context

    def _check_parameters(self, call: Call, identity: Identity) -> None:
        params = call.params
        if not _SESSION_NAME.fullmatch(str(params["RoleSessionName"])):
            raise self._constraint(call, "roleSessionName", r"[\w+=,.@-]*, 2 to 64 characters")
        external_id = params.get("ExternalId")
        if external_id is not None and not _EXTERNAL_ID.fullmatch(str(external_id)):
            raise self._constraint(call, "externalId", r"[\w+=,.@:\/-]*, 2 to 1224 characters")
        self._check_duration(call, identity)
        self._session_policies(call)
        tags = params.get("Tags") or []
        keys = [str(tag.get("Key", "")).lower() for tag in tags]
        if len(tags) > MAX_TAGS:
            raise self._constraint(call, "tags", "at most 50 members")
        if len(set(keys)) != len(keys):
            raise call.error("InvalidParameterValue", "Duplicate tag keys found.")
        if identity.session is not None:
            kept = {key.lower() for key in identity.session.transitive}
            clash = kept & set(keys)
            if clash:
                raise call.error(
                    "InvalidParameterValue",
                    f"Transitive tags cannot be overridden: {sorted(clash)}",
                )

    def _constraint(self, call: Call, name: str, rule: str) -> Exception:
        return call.error(
            "ValidationError",
            f"1 validation error detected: Value at '{name}' failed to satisfy constraint: {rule}",
        )

    def _check_duration(self, call: Call, identity: Identity) -> None:
        duration = call.params.get("DurationSeconds", 3_600)
        if not isinstance(duration, int):
            return
        if not MIN_DURATION <= duration <= MAX_DURATION:
            raise self._constraint(
                call, "durationSeconds", f"between {MIN_DURATION} and {MAX_DURATION}"
            )
        role = find_role(str(call.params["RoleArn"]))
        if role is not None and duration > int(role.max_session_duration or 3_600):
            raise call.error(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )
        if identity.session is not None and duration > CHAINED_DURATION:
            raise call.error(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit "
                "for roles assumed by role chaining",
            )

    def _session_policies(self, call: Call) -> list[Document]:
        documents: list[Document] = []
        text = call.params.get("Policy")
        arns = [str(item.get("arn")) for item in call.params.get("PolicyArns") or []]
        if text is not None:
            if not isinstance(text, str):
                return []
            if not 1 <= len(text) <= MAX_SESSION_POLICY:
                raise self._constraint(call, "policy", f"length between 1 and {MAX_SESSION_POLICY}")
            if not _POLICY_CHARACTERS.fullmatch(text):
                raise self._constraint(call, "policy", "characters U+0020 to U+00FF")
            try:
                documents.append(parse_policy(text))
            except MalformedPolicy as error:
                raise call.error("MalformedPolicyDocument", str(error)) from error
        if len(arns) > 10:
            raise self._constraint(call, "policyArns", "at most 10 members")
        account = str(call.params["RoleArn"]).split(":")[4:5]
        for policy_arn in arns:
            document = managed_document(account[0], policy_arn) if account else None
            if document is None:
                raise call.error("InvalidParameterValue", f"No such policy: {policy_arn}")
            documents.append(document)
        return documents

    def after(self, call: Call, response: Any) -> None:
        """Remembers the granted session with all its limits."""
        if not call.is_("sts", "AssumeRole"):
            return
        parent = self.gate.authenticate(call).session
        tags = tag_map(call.params.get("Tags"))
        transitive = frozenset(str(key) for key in call.params.get("TransitiveTagKeys") or [])
        if parent is not None:
            inherited = {
                key: value
                for key, value in parent.session_tags.items()
                if key.lower() in {name.lower() for name in parent.transitive}
            }
            tags = {**tags, **inherited}
            transitive |= parent.transitive
        now = self.identities.clock()
        duration = int(call.params.get("DurationSeconds", 3_600))
        credentials = response["Credentials"]
        expires_at = now + dt.timedelta(seconds=duration)
        credentials["Expiration"] = expires_at.replace(microsecond=0)
        self.identities.sessions[credentials["AccessKeyId"]] = Session(
            access_key=credentials["AccessKeyId"],
            secret_key=credentials["SecretAccessKey"],
            session_token=credentials["SessionToken"],
            role_arn=str(call.params["RoleArn"]),
            session_name=str(call.params["RoleSessionName"]),
            issued_at=now,
            expires_at=expires_at,
            session_policies=self._session_policies(call),
            session_tags=tags,
            transitive=transitive,
            external_id=call.params.get("ExternalId"),
            source_identity=call.params.get("SourceIdentity"),
        )
