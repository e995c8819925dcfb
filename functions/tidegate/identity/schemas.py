"""Requests and answers of contract 2.1."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator
from tidegate_kit.auth.models import UserItem
from tidegate_kit.http import ApiModel, PageFields, RequestModel, Timestamp
from tidegate_kit.http.schema import Line, NotNull

from tidegate.identity.addresses import canonical_email, canonical_username
from tidegate.identity.models import InvitationItem
from tidegate.identity.service.passwords import MAX_CHARS, MIN_CHARS, normal

_RANK = ("user", "client", "admin")


def _text_only(value: str) -> str:
    # Not trimmed: spaces belong to a password.
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in value):
        raise ValueError("holds a control character")
    return value


def _typed(value: SecretStr) -> SecretStr:
    _text_only(value.get_secret_value())
    return value


def _chosen(value: SecretStr) -> SecretStr:
    if not MIN_CHARS <= len(normal(_text_only(value.get_secret_value()))) <= MAX_CHARS:
        raise ValueError(f"must have {MIN_CHARS} to {MAX_CHARS} characters")
    return value


def _username(value: str) -> str:
    canonical_username(value)
    return unicodedata.normalize("NFKC", value.strip())


Email = Annotated[str, Field(max_length=254), AfterValidator(canonical_email)]
Username = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_username)]
NewPassword = Annotated[
    SecretStr,
    Field(min_length=1, max_length=4 * MAX_CHARS, description="8 to 128 characters"),
    AfterValidator(_chosen),
]
TypedPassword = Annotated[SecretStr, Field(min_length=1, max_length=2000), AfterValidator(_typed)]
LoginName = Annotated[str, Field(min_length=1, max_length=254), AfterValidator(_text_only)]
Name = Annotated[Line, Field(min_length=1, max_length=200)]
Token = Annotated[SecretStr, Field(min_length=1, max_length=2000)]
GivenRoles = Annotated[list[Literal["user", "client"]], Field(min_length=1, max_length=2)]
InvitedRoles = Annotated[
    list[Literal["user", "client", "admin"]], Field(min_length=1, max_length=3)
]


class Register(RequestModel):
    """A registration."""

    email: Email
    password: NewPassword
    first_name: Name
    last_name: Name
    company: Name
    username: Annotated[Username | None, NotNull] = None
    invitation_token: Annotated[Token | None, NotNull] = None


class Registered(ApiModel):
    """A new user."""

    id: str
    email: str
    first_name: str
    last_name: str
    company: str
    is_active: bool
    created_at: Timestamp
    roles: list[str]

    @classmethod
    def of(cls, user: UserItem) -> Registered:
        """The answer for a stored user."""
        return cls(
            id=user.id, email=user.email, first_name=user.first_name, last_name=user.last_name,
            company=user.company, is_active=user.is_active, created_at=user.created_at,
            roles=sorted_roles(user.roles),
        )  # fmt: skip


class Login(RequestModel):
    """Exactly one of e-mail and username."""

    email: Annotated[LoginName | None, NotNull] = None
    username: Annotated[LoginName | None, NotNull] = None
    password: TypedPassword

    @model_validator(mode="after")
    def _one_name(self) -> Login:
        if (self.email is None) == (self.username is None):
            raise ValueError("give either email or username")
        return self

    @property
    def name(self) -> str:
        """The login name, whichever it is."""
        return self.email or self.username or ""


class TokenForm(RequestModel):
    """OAuth 2.0 password form (RFC 6749 section 4.3); scope and client fields are ignored."""

    username: LoginName
    password: TypedPassword
    grant_type: Literal["password"] = "password"
    scope: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None


class Refresh(RequestModel):
    """A refresh token, where it does not come as Bearer or cookie."""

    refresh_token: Annotated[Token | None, NotNull] = None


class BearerTokens(ApiModel):
    """Tokens in the body."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a token type (RFC 6750)
    expires_in: int
    refresh_token: str


class RenewedToken(ApiModel):
    """An access token renewed by an access token: no refresh_token key (AUTH-9)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a token type (RFC 6750)
    expires_in: int


class CookieTokens(ApiModel):
    """Tokens in cookies; only the CSRF token is readable."""

    token_type: Literal["cookie"] = "cookie"  # noqa: S105 - a token type
    expires_in: int
    csrf_token: str


class Message(ApiModel):
    """A sentence."""

    message: str


class LoggedOut(ApiModel):
    """How many sessions ended."""

    message: str
    sessions_revoked: int


class Csrf(ApiModel):
    """The CSRF token of this session."""

    csrf_token: str


class ChangePassword(RequestModel):
    """The current password and the new one."""

    current_password: TypedPassword
    new_password: NewPassword


class Forgot(RequestModel):
    """The address to mail a reset link to."""

    email: Email


class Reset(RequestModel):
    """A mailed token and the new password."""

    token: Token
    new_password: NewPassword


class Session(ApiModel):
    """One of the caller's sessions."""

    id: str
    created_at: Timestamp
    last_used_at: Timestamp
    ip: str
    user_agent: str
    current: bool


class Sessions(PageFields):
    """The caller's sessions, newest first."""

    sessions: list[Session]


class Me(ApiModel):
    """The caller, as stored now."""

    id: str
    email: str
    username: str | None
    first_name: str
    last_name: str
    company: str
    is_active: bool
    roles: list[str]
    permissions: list[str]
    tenant_id: str
    is_owner: bool


class CrossSystemRequest(RequestModel):
    """Which system, and what for."""

    target_system: Name
    permissions: Annotated[list[Name], Field(min_length=1, max_length=20)]


class CrossSystemToken(ApiModel):
    """A token of another system."""

    token: str
    expires_at: Timestamp
    permissions: list[str]


class Jwk(ApiModel):
    """A public key (RFC 7517)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    use: Literal["sig"]
    alg: Literal["ES256"]


class Jwks(ApiModel):
    """Every key that verifies tokens now."""

    keys: list[Jwk]


class Member(ApiModel):
    """A member of the caller's tenant."""

    id: str
    email: str
    first_name: str
    last_name: str
    roles: list[str]
    is_owner: bool
    is_active: bool
    created_at: Timestamp

    @classmethod
    def of(cls, user: UserItem) -> Member:
        """The answer for a stored user."""
        return cls(
            id=user.id, email=user.email, first_name=user.first_name, last_name=user.last_name,
            roles=sorted_roles(user.roles), is_owner=user.is_owner, is_active=user.is_active,
            created_at=user.created_at,
        )  # fmt: skip


class Members(PageFields):
    """The members, newest first."""

    members: list[Member]


class MemberChange(RequestModel):
    """What to change of a member."""

    roles: Annotated[GivenRoles | None, NotNull] = None
    is_active: Annotated[bool | None, NotNull] = None
    is_owner: Annotated[bool | None, NotNull] = None


class Invite(RequestModel):
    """Whom to invite, and as what."""

    email: Email
    roles: InvitedRoles = ["user"]


class Invitation(ApiModel):
    """A pending invitation."""

    id: str
    email: str
    roles: list[str]
    status: str
    expires_at: Timestamp
    created_at: Timestamp

    @classmethod
    def of(cls, item: InvitationItem) -> Invitation:
        """The answer for a stored invitation."""
        return cls(
            id=item.id, email=item.email, roles=sorted_roles(item.roles), status=item.status,
            expires_at=item.expires_at, created_at=item.created_at,
        )  # fmt: skip


class NewInvitation(Invitation):
    """An invitation with its token, shown this once."""

    invitation_token: str


class Invitations(PageFields):
    """Pending invitations, newest first."""

    invitations: list[Invitation]


class Deleted(ApiModel):
    """What was deleted."""

    id: str
    deleted: Literal[True] = True


def sorted_roles(roles: set[str] | None) -> list[str]:
    """Roles in rising rank; an old record without any is a user's."""
    return sorted(roles or {"user"}, key=lambda role: _RANK.index(role) if role in _RANK else 9)
