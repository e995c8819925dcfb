"""Between HTTP and the services: where credentials come from, and how tokens go back."""

from __future__ import annotations

from tidegate_kit.auth.authenticate import REFRESH_COOKIE, Authenticator, credential_of
from tidegate_kit.errors import Forbidden, Unauthenticated
from tidegate_kit.http import Call
from tidegate_kit.http.guard import check_csrf, csrf_token

from tidegate.identity.cookies import csrf_cookie, session_cookies
from tidegate.identity.schemas import BearerTokens, CookieTokens, RenewedToken
from tidegate.identity.service.credentials import Source
from tidegate.identity.service.sessions import Issued, SessionService


def source_of(call: Call) -> Source:
    """Where this call comes from."""
    return Source(call.client_ip, call.user_agent, call.route)


def in_body(issued: Issued, seconds: int) -> BearerTokens:
    """Tokens for a client that keeps them itself."""
    return BearerTokens(
        access_token=issued.access_token, expires_in=seconds, refresh_token=issued.refresh_token
    )


def in_cookies(issued: Issued, seconds: int, call: Call) -> CookieTokens:
    """Tokens for a browser: in cookies that scripts cannot read (AUTH-11)."""
    csrf = csrf_token(bytes(issued.session.csrf_key), issued.session.id)
    call.cookies_out += session_cookies(issued.access_token, issued.refresh_token, csrf, seconds)
    return CookieTokens(expires_in=seconds, csrf_token=csrf)


def refreshed(
    call: Call,
    in_json: str | None,
    authenticator: Authenticator,
    sessions: SessionService,
    seconds: int,
) -> BearerTokens | RenewedToken | CookieTokens:
    """Refresh by Bearer, body or cookie, in this order (AUTH-9).

    Raises the errors of SessionService.rotate and renew; CsrfFailed by cookie.
    """
    header = call.headers.get("authorization")
    bearer = credential_of(header, {})
    if header is not None and bearer is None:
        raise Unauthenticated
    if bearer is not None and "." in bearer.token:
        principal, member = authenticator.authenticate(bearer)
        renewed = sessions.renew(principal, member)
        return RenewedToken(access_token=renewed, expires_in=seconds)
    token = bearer.token if bearer is not None else in_json
    if token is not None:
        return in_body(sessions.rotate(sessions.present(token)), seconds)
    cookie = call.cookies.get(REFRESH_COOKIE)
    if not cookie:
        raise Unauthenticated("Send a refresh token as Bearer, in the body or as cookie.")
    presented = sessions.present(cookie)
    check_csrf(call.settings, call, presented.member)
    return in_cookies(sessions.rotate(presented), seconds, call)


def csrf_of(call: Call) -> str:
    """The CSRF token of the caller's session. Raises Forbidden for a token without one."""
    session = call.member.session if call.member is not None else None
    if session is None:
        raise Forbidden("This token belongs to no session, so it needs no CSRF token.")
    token = csrf_token(bytes(session.csrf_key), session.id)
    if call.principal.via == "cookie":
        call.cookies_out.append(csrf_cookie(token))
    return token
