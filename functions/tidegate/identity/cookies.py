"""The session's cookies (AUTH-11, C12): __Host- prefix, so Secure, Path=/ and no Domain."""

from __future__ import annotations

from tidegate_kit.auth.authenticate import ACCESS_COOKIE, CSRF_COOKIE, REFRESH_COOKIE

SESSION_SECONDS = 30 * 86400


def session_cookies(
    access_token: str, refresh_token: str, csrf: str, access_seconds: int
) -> list[str]:
    """Set-Cookie values of a session."""
    return [
        _cookie(ACCESS_COOKIE, access_token, access_seconds, http_only=True),
        _cookie(REFRESH_COOKIE, refresh_token, SESSION_SECONDS, http_only=True),
        csrf_cookie(csrf),
    ]


def csrf_cookie(csrf: str) -> str:
    """The Set-Cookie value of the CSRF token, which the page's own script reads."""
    return _cookie(CSRF_COOKIE, csrf, SESSION_SECONDS, http_only=False)


def cleared_cookies() -> list[str]:
    """Set-Cookie values that remove all three."""
    return [
        _cookie(ACCESS_COOKIE, "", 0, http_only=True),
        _cookie(REFRESH_COOKIE, "", 0, http_only=True),
        _cookie(CSRF_COOKIE, "", 0, http_only=False),
    ]


def _cookie(name: str, value: str, max_age: int, *, http_only: bool) -> str:
    tail = "; HttpOnly" if http_only else ""
    return f"{name}={value}; Max-Age={max_age}; Path=/; Secure; SameSite=Lax{tail}"
