"""Routes of contract 2.1."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from tidegate_kit.auth.authenticate import load_public_keys
from tidegate_kit.auth.permissions import ANY_USER, PUBLIC
from tidegate_kit.http import Call, CurrentCall, PageParams, Paging, PathId, Router
from tidegate_kit.http.guard import AccessCodeRequired, CsrfFailed, Platform

from tidegate.identity import answers, errors, schemas, wiring
from tidegate.identity.cookies import cleared_cookies
from tidegate.identity.service.credentials import Registration
from tidegate.identity.service.membership import Change

router = Router("identity")
_MANAGE = "member:manage"
_LOGIN_ERRORS = [errors.InactiveAccount, errors.InvalidCredentials, AccessCodeRequired]


def _services(call: Call) -> wiring.Identity:
    return wiring.identity(lambda: call.now)


@router.post(
    "/auth/register", permission=PUBLIC, status=201, rate="A", idempotent=True, access_code=True,
    errors=[errors.EmailAlreadyRegistered, AccessCodeRequired],
)  # fmt: skip
def register(body: schemas.Register, call: CurrentCall) -> schemas.Registered:
    """Register a user: owner of a new organisation, or member of the one that invited him."""
    token = body.invitation_token
    user = _services(call).credentials.register(
        Registration(
            email=body.email,
            password=body.password.get_secret_value(),
            first_name=body.first_name,
            last_name=body.last_name,
            company=body.company,
            username=body.username,
            invitation_token=token.get_secret_value() if token else None,
            effect_key=call.effect_key,
        )
    )
    return schemas.Registered.of(user)


@router.post(
    "/auth/login", permission=PUBLIC, rate="A", access_code=True, secret=True, errors=_LOGIN_ERRORS
)
def login(
    body: schemas.Login,
    call: CurrentCall,
    session: Annotated[Literal["cookie"] | None, Query()] = None,
) -> schemas.BearerTokens | schemas.CookieTokens:
    """Sign in by e-mail or username; with ?session=cookie the tokens come as cookies."""
    services, source = _services(call), answers.source_of(call)
    proved = services.credentials.prove(body.name, body.password.get_secret_value(), source)
    issued = services.sessions.open(proved, source)
    if session == "cookie":
        return answers.in_cookies(issued, services.access_seconds, call)
    return answers.in_body(issued, services.access_seconds)


@router.post(
    "/token", permission=PUBLIC, rate="A", access_code=True, secret=True, body="form",
    errors=_LOGIN_ERRORS,
)  # fmt: skip
def token(body: schemas.TokenForm, call: CurrentCall) -> schemas.BearerTokens:
    """Sign in by an OAuth 2.0 password form."""
    services, source = _services(call), answers.source_of(call)
    password = body.password.get_secret_value()
    proved = services.credentials.prove(body.username, password, source)
    return answers.in_body(services.sessions.open(proved, source), services.access_seconds)


@router.post(
    "/auth/refresh", permission=PUBLIC, rate="A", secret=True,
    errors=[errors.RefreshReused, CsrfFailed],
)  # fmt: skip
def refresh(
    call: CurrentCall, request: Request, body: schemas.Refresh | None = None
) -> schemas.BearerTokens | schemas.RenewedToken | schemas.CookieTokens:
    """Exchange a refresh token for a new pair, or an access token for one new access token."""
    platform: Platform = request.app.state.platform
    given = body.refresh_token if body is not None else None
    services = _services(call)
    return answers.refreshed(
        call,
        given.get_secret_value() if given is not None else None,
        platform.authenticator,
        services.sessions,
        services.access_seconds,
    )


@router.post("/auth/logout", permission=ANY_USER, body="none")
def logout(
    call: CurrentCall, everywhere: Annotated[bool, Query(alias="all")] = False
) -> schemas.LoggedOut:
    """End this session, or with ?all=true every session of the caller."""
    count = _services(call).sessions.log_out(call.principal, everywhere=everywhere)
    call.cookies_out += cleared_cookies()
    return schemas.LoggedOut(message="Signed out.", sessions_revoked=count)


@router.get("/auth/me", permission=ANY_USER)
def me(call: CurrentCall) -> schemas.Me:
    """The caller, with every permission he holds now."""
    assert call.member is not None  # noqa: S101 - set by the guard on every protected route
    user = call.member.user
    return schemas.Me(
        id=user.id, email=user.email, username=user.username, first_name=user.first_name,
        last_name=user.last_name, company=user.company, is_active=user.is_active,
        roles=schemas.sorted_roles(user.roles), permissions=sorted(call.principal.permissions),
        tenant_id=user.tenant_id, is_owner=user.is_owner,
    )  # fmt: skip


@router.get("/auth/csrf", permission=ANY_USER, secret=True)
def csrf(call: CurrentCall) -> schemas.Csrf:
    """The CSRF token of this session, for the header X-CSRF-Token."""
    return schemas.Csrf(csrf_token=answers.csrf_of(call))


@router.post(
    "/auth/cross-system-token", permission=ANY_USER, rate="A", secret=True,
    errors=[errors.ScopeExceeded],
)  # fmt: skip
def cross_system_token(
    body: schemas.CrossSystemRequest, call: CurrentCall
) -> schemas.CrossSystemToken:
    """A token for another system, with permissions that the caller holds."""
    session = call.member.session if call.member is not None else None
    granted = _services(call).cross_system.grant(
        call.principal, session, body.target_system, body.permissions
    )
    return schemas.CrossSystemToken(
        token=granted.token, expires_at=granted.expires_at, permissions=granted.permissions
    )


@router.post("/auth/password", permission=ANY_USER, rate="A", errors=[errors.InvalidCredentials])
def change_password(body: schemas.ChangePassword, call: CurrentCall) -> schemas.Message:
    """Change the password; every session ends, this one too."""
    _services(call).recovery.change(
        call.principal,
        body.current_password.get_secret_value(),
        body.new_password.get_secret_value(),
        answers.source_of(call),
    )
    call.cookies_out += cleared_cookies()
    return schemas.Message(message="The password was changed. Sign in again.")


@router.post("/auth/password/forgot", permission=PUBLIC, status=202, rate="A")
def forgot_password(body: schemas.Forgot, call: CurrentCall) -> schemas.Message:
    """Ask for a reset link; the answer is the same for every address."""
    _services(call).recovery.ask(body.email)
    return schemas.Message(message="If this address has an account, a reset link is on its way.")


@router.post("/auth/password/reset", permission=PUBLIC, rate="A", errors=[errors.ResetInvalid])
def reset_password(body: schemas.Reset, call: CurrentCall) -> schemas.Message:
    """Set a new password by a mailed token; every session ends."""
    _services(call).recovery.reset(
        body.token.get_secret_value(), body.new_password.get_secret_value()
    )
    call.cookies_out += cleared_cookies()
    return schemas.Message(message="The password was changed. Sign in.")


@router.get("/auth/sessions", permission=ANY_USER)
def sessions(call: CurrentCall, page: Annotated[PageParams, Depends()]) -> schemas.Sessions:
    """The caller's living sessions, newest first."""
    paging = Paging(call, page, {})
    rows, fields = paging.slice(_services(call).sessions.living(call.principal.user))
    return schemas.Sessions(
        sessions=[
            schemas.Session(
                id=one.id, created_at=one.created_at, last_used_at=one.last_used_at, ip=one.ip,
                user_agent=one.user_agent, current=one.id == call.principal.session_id,
            )
            for one in rows
        ],
        **fields,
    )  # fmt: skip


@router.delete("/auth/sessions/{session_id}", permission=ANY_USER)
def end_session(session_id: PathId, call: CurrentCall) -> schemas.Deleted:
    """End one of the caller's sessions."""
    _services(call).sessions.end(call.principal.user, session_id)
    return schemas.Deleted(id=session_id)


@router.get("/.well-known/jwks.json", permission=PUBLIC)
def jwks(call: CurrentCall) -> schemas.Jwks:
    """The public keys that verify tokens now (RFC 7517)."""
    verifying = [key for key in load_public_keys().values() if key.verifies_at(call.now)]
    return schemas.Jwks(keys=[schemas.Jwk.model_validate(key.jwk()) for key in verifying])


@router.get("/members", permission=ANY_USER)
def members(call: CurrentCall, page: Annotated[PageParams, Depends()]) -> schemas.Members:
    """The members of the caller's organisation, newest first."""
    paging = Paging(call, page, {})
    found = _services(call).membership.page(call.principal.tenant, paging)
    return schemas.Members(
        members=[schemas.Member.of(user) for user in found.members],
        **paging.fields(found.total, found.next_key),
    )


@router.patch("/members/{user_id}", permission=_MANAGE, errors=[errors.LastOwner, errors.LastAdmin])
def change_member(user_id: PathId, body: schemas.MemberChange, call: CurrentCall) -> schemas.Member:
    """Change roles, activity or ownership; the member's sessions end."""
    wish = Change(
        frozenset(body.roles) if body.roles is not None else None, body.is_active, body.is_owner
    )
    user = _services(call).membership.change(call.principal, user_id, wish)
    return schemas.Member.of(user)


@router.delete(
    "/members/{user_id}", permission=_MANAGE, errors=[errors.LastOwner, errors.LastAdmin]
)
def remove_member(user_id: PathId, call: CurrentCall) -> schemas.Deleted:
    """Remove a member; his sessions end and his e-mail is free again."""
    _services(call).membership.remove(call.principal.tenant, user_id)
    return schemas.Deleted(id=user_id)


@router.get("/members/invitations", permission=_MANAGE)
def invitations(call: CurrentCall, page: Annotated[PageParams, Depends()]) -> schemas.Invitations:
    """Pending invitations, newest first."""
    pending = _services(call).membership.invitations(call.principal.tenant)
    rows, fields = Paging(call, page, {}).slice(pending)
    return schemas.Invitations(invitations=[schemas.Invitation.of(item) for item in rows], **fields)


@router.post(
    "/members/invitations", permission=_MANAGE, status=201, idempotent=True, secret=True,
    errors=[errors.AlreadyMember],
)  # fmt: skip
def invite(body: schemas.Invite, call: CurrentCall) -> schemas.NewInvitation:
    """Invite an address; the answer holds the invitation's token, this once."""
    made = _services(call).membership.invite(
        call.principal, body.email, frozenset(body.roles), call.effect_key
    )
    shown = schemas.Invitation.of(made.invitation)
    return schemas.NewInvitation(**shown.model_dump(), invitation_token=made.token)


@router.delete("/members/invitations/{invitation_id}", permission=_MANAGE)
def withdraw_invitation(invitation_id: PathId, call: CurrentCall) -> schemas.Deleted:
    """Withdraw a pending invitation."""
    _services(call).membership.withdraw(call.principal.tenant, invitation_id)
    return schemas.Deleted(id=invitation_id)
