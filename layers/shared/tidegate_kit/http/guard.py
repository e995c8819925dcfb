"""The checks before a route runs, in the order of GEN-14."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from tidegate_kit.auth.authenticate import (
    ACCESS_COOKIE,
    CSRF_COOKIE,
    Authenticator,
    Member,
    credential_of,
)
from tidegate_kit.auth.permissions import ANY_USER, PUBLIC
from tidegate_kit.auth.principal import Principal
from tidegate_kit.auth.tokens import b64url_encode
from tidegate_kit.clock import Clock
from tidegate_kit.dynamo import current_store, scoped_store
from tidegate_kit.errors import Forbidden, ServiceUnavailable, Unauthenticated
from tidegate_kit.http.call import Call
from tidegate_kit.http.spec import RouteSpec
from tidegate_kit.idempotency import IdempotencyStore
from tidegate_kit.observability import logger
from tidegate_kit.ratelimit import UNAUTHENTICATED_LIMIT, RateLimiter, RateState
from tidegate_kit.settings import Settings
from tidegate_kit.tenant_store import TenantStores


class AccessCodeRequired(Forbidden):
    code = "ACCESS_CODE_REQUIRED"
    message = "This deployment asks for an access code. Send it in the configured header."


class CsrfFailed(Forbidden):
    code = "CSRF_FAILED"
    message = "Send X-CSRF-Token with the value of the CSRF cookie (GET /api/auth/csrf gives it)."


@dataclass(frozen=True)
class Platform:
    """What the guard needs; built once at cold start, replaced as a whole in tests."""

    settings: Settings
    clock: Clock
    authenticator: Authenticator
    limiter: RateLimiter
    idempotency: IdempotencyStore
    tenant_stores: TenantStores | None = None


def admit(platform: Platform, spec: RouteSpec, call: Call) -> None:
    """Raise unless the call may proceed to content type, schema and resource checks."""
    ip = f"IP#{call.client_ip}"
    by_ip = spec.rate == "A" or spec.public
    if by_ip and spec.rate != "NONE":
        call.rate = _count_address(platform, spec, ip)
    if spec.access_code:
        _check_access_code(platform.settings, call)
    if spec.permission == PUBLIC:
        return
    try:
        _authenticate(platform, call)
    except Unauthenticated:
        if not by_ip:
            call.rate = platform.limiter.check(ip, "UNAUTHENTICATED", UNAUTHENTICATED_LIMIT)
        raise
    principal = call.principal
    if not by_ip:
        call.rate = platform.limiter.check(principal.user.pk, spec.rate)
    if spec.state_changing and (
        principal.via == "cookie" or (spec.csrf_with_cookie and ACCESS_COOKIE in call.cookies)
    ):
        check_csrf(platform.settings, call, call.member)
    if spec.permission != ANY_USER and spec.permission not in principal.permissions:
        raise Forbidden


def signed_in(
    platform: Platform, call: Call, permission: str, otherwise: type[Unauthenticated]
) -> Principal:
    """The caller of a public route that takes a token as well as its own proof (GEN-15).

    Raises `otherwise` where there is no credential, Unauthenticated for a bad one, Forbidden.
    """
    if credential_of(call.headers.get("authorization"), call.cookies) is None:
        raise otherwise
    _authenticate(platform, call)
    if permission not in call.principal.permissions:
        raise Forbidden
    return call.principal


def _count_address(platform: Platform, spec: RouteSpec, ip: str) -> RateState | None:
    if not spec.outlives_store:
        return platform.limiter.check(ip, spec.rate)
    # Health must tell of the very outage that keeps this call from being counted (MON-1).
    try:
        with scoped_store(current_store().impatient()):
            return platform.limiter.check(ip, spec.rate)
    except ServiceUnavailable as error:
        logger.warning("call not counted", cause=error.log)
        return None


def _check_access_code(settings: Settings, call: Call) -> None:
    if settings.access_code is None:
        return
    given = call.headers.get(settings.access_code_header.lower(), "")
    if not hmac.compare_digest(given.encode(), settings.access_code.encode()):
        raise AccessCodeRequired


def _authenticate(platform: Platform, call: Call) -> None:
    credential = credential_of(call.headers.get("authorization"), call.cookies)
    if credential is None:
        raise Unauthenticated
    call.known_principal, call.member = platform.authenticator.authenticate(credential)


def csrf_token(csrf_key: bytes, session_id: str) -> str:
    """HMAC-SHA256 of the session id under the session's own key (AUTH-12)."""
    return b64url_encode(hmac.new(csrf_key, session_id.encode(), hashlib.sha256).digest())


def check_csrf(settings: Settings, call: Call, member: Member | None) -> None:
    """Raise CsrfFailed unless header = cookie = the session's token and the origin is ours."""
    origin = call.headers.get("origin")
    if origin is not None and origin not in (*settings.cors_origin_list, settings.public_base_url):
        raise CsrfFailed
    sent = call.headers.get("x-csrf-token", "")
    session = member.session if member is not None else None
    if session is None or not sent:
        raise CsrfFailed
    expected = csrf_token(bytes(session.csrf_key), session.id)
    in_cookie = call.cookies.get(CSRF_COOKIE, "")
    if not (
        hmac.compare_digest(sent.encode(), expected.encode())
        and hmac.compare_digest(in_cookie.encode(), expected.encode())
    ):
        raise CsrfFailed
