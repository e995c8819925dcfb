"""Who holds which credentials: test keys, IAM users, and sessions of roles."""

from __future__ import annotations

import datetime as dt
import json
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from tests.fakes.strict_aws.call import Call
from tests.fakes.strict_aws.policy_eval import Caller, Document

Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """The current time, aware."""
    return dt.datetime.now(dt.UTC)


@dataclass
class Session:
    """Temporary credentials of an assumed role, and everything that limits them."""

    access_key: str
    secret_key: str
    session_token: str
    role_arn: str
    session_name: str
    issued_at: dt.datetime
    expires_at: dt.datetime
    session_policies: list[Document] = field(default_factory=list)
    session_tags: dict[str, str] = field(default_factory=dict)
    transitive: frozenset[str] = frozenset()
    external_id: str | None = None
    source_identity: str | None = None
    revoked: bool = False

    @property
    def account(self) -> str:
        """The account of the role."""
        return self.role_arn.split(":")[4]

    @property
    def role_name(self) -> str:
        """The last part of the role's path."""
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def arn(self) -> str:
        """The session's own ARN, as GetCallerIdentity tells it."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/{self.session_name}"


@dataclass(frozen=True)
class Identity:
    """The resolved caller of one call."""

    caller: Caller
    arn: str
    unrestricted: bool = False
    session: Session | None = None
    user_name: str | None = None


class InvalidCredentials(Exception):
    """The key is unknown, revoked or inactive, or its token or secret does not match."""


class ExpiredCredentials(Exception):
    """The session is over."""


class WrongSecret(Exception):
    """The key exists, but the request was signed with another secret."""


def iam(account: str) -> Any:
    """moto's IAM backend of an account."""
    return iam_backends[account]["aws"]


def find_role(role_arn: str) -> Any | None:
    """moto's role object, or None."""
    parts = role_arn.split(":")
    if len(parts) != 6 or not parts[4].isdigit():
        return None
    return next((role for role in iam(parts[4]).get_roles() if role.arn == role_arn), None)


def tag_map(tags: Any) -> dict[str, str]:
    """moto keeps tags as a list or a mapping; both become a plain mapping."""
    if isinstance(tags, Mapping):
        return {
            str(key): str(value["Value"]) if isinstance(value, Mapping) else str(value)
            for key, value in tags.items()
        }
    return {str(tag["Key"]): str(tag["Value"]) for tag in tags or []}


def parse_document(text: Any) -> Document:
    """A stored policy document: an object, JSON, or URL-quoted JSON."""
    if isinstance(text, Mapping):
        return text
    try:
        document = json.loads(text)
    except ValueError:
        document = json.loads(urllib.parse.unquote(text))
    assert isinstance(document, Mapping)
    return document


def managed_document(account: str, policy_arn: str) -> Document | None:
    """The default version of a managed policy, or None when there is no such policy."""
    policy = iam(account).managed_policies.get(policy_arn)
    if policy is None:
        return None
    for version in policy.versions:
        if version.is_default:
            return parse_document(version.document)
    return None


def _policies_of(owner: Any, account: str) -> list[Document]:
    documents = [parse_document(text) for text in owner.policies.values()]
    for policy_arn in owner.managed_policies:
        document = managed_document(account, policy_arn)
        if document is not None:
            documents.append(document)
    return documents


def role_policies(role: Any) -> list[Document]:
    """Inline and attached policies of a role, as they are now."""
    return _policies_of(role, role.account_id)


def user_policies(account: str, user_name: str) -> list[Document]:
    """Inline, attached and group policies of an IAM user, as they are now."""
    backend = iam(account)
    documents = _policies_of(backend.get_user(user_name), account)
    for group in backend.get_groups_for_user(user_name):
        documents += _policies_of(group, account)
    return documents


class Identities:
    """The register of every credential the double accepts."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sessions: dict[str, Session] = {}
        # Test keys stand for their account's root.  FOOBARKEY is moto's own ambient key, "ak"
        # what its Step Functions interpreter calls other services with.
        ambient = ("FOOBARKEY", "ak", "test", "testing")
        self.root_keys: dict[str, str] = dict.fromkeys(ambient, DEFAULT_ACCOUNT_ID)
        self.acting_as: dict[str, str] = {}

    def account_of(self, access_key: str | None) -> str:
        """The account a key belongs to (the platform's own when unknown)."""
        if access_key in self.root_keys:
            return self.root_keys[access_key]
        if access_key in self.sessions:
            return self.sessions[access_key].account
        for account in list(iam_backends):
            if access_key in iam(account).access_keys:
                return str(account)
        return DEFAULT_ACCOUNT_ID

    def resolve(self, call: Call) -> Identity:
        """The caller behind a call's credentials; raises when they are not good."""
        key = call.access_key
        if key in self.root_keys:
            return self._root(key)
        if key in self.sessions:
            return self._session(call, self.sessions[key])
        return self._user(call)

    def _root(self, key: str) -> Identity:
        account = self.root_keys[key]
        arn = self.acting_as.get(account, f"arn:aws:iam::{account}:root")
        return Identity(Caller(account, frozenset({arn})), arn, unrestricted=True)

    def _session(self, call: Call, session: Session) -> Identity:
        if session.revoked or call.session_token != session.session_token:
            raise InvalidCredentials
        if self.clock() >= session.expires_at:
            raise ExpiredCredentials
        if call.secret_key != session.secret_key:
            raise WrongSecret
        if find_role(session.role_arn) is None:
            raise InvalidCredentials
        caller = Caller(session.account, frozenset({session.role_arn, session.arn}))
        return Identity(caller, session.arn, session=session)

    def _user(self, call: Call) -> Identity:
        for account in list(iam_backends):
            key = iam(account).access_keys.get(call.access_key)
            if key is None or key.user_name is None:
                continue
            if key.status != "Active" or call.session_token:
                raise InvalidCredentials
            if key.secret_access_key != call.secret_key:
                raise WrongSecret
            user = iam(account).get_user(key.user_name)
            caller = Caller(str(account), frozenset({user.arn}))
            return Identity(caller, user.arn, user_name=user.name)
        raise InvalidCredentials
