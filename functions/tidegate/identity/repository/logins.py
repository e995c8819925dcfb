"""Failed logins, attempt counters and password-reset requests (AUTH-2, AUTH-17, C2, C3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tidegate_kit.clock import epoch
from tidegate_kit.dynamo import ConditionFailed, store_errors
from tidegate_kit.tenancy import TenantScope

from tidegate.identity.models import LoginAttemptsItem, LoginFailureItem, ResetRequestItem

_FAILURE_KEPT_SECONDS = 90 * 86400
_REQUEST_KEPT_SECONDS = 3600


@dataclass(frozen=True)
class Failure:
    """A refused login. `tenant_id` and `user_id` are None for an unknown account."""

    id: str
    at: datetime
    ip: str
    path: str
    status: int
    code: str
    tenant_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True)
class Attempts:
    """One counter: attempts of an IP at an account (a hash of its login name) in one window."""

    account: str
    ip: str
    window: int
    ends: datetime


class Logins(Protocol):
    """What is kept of attempts to get in."""

    def take(self, attempts: Attempts, limit: int, now: datetime) -> bool:
        """Count one attempt; False where the limit is reached.

        Atomic: never more than `limit` are counted, however many come at once (C6).
        """

    def clear(self, attempts: Attempts) -> None:
        """Forget the attempts after a success."""

    def record(self, failure: Failure) -> None:
        """Keep a refused login for the audit log."""

    def request_reset(self, request_id: str, email: str, now: datetime) -> None:
        """Keep a wish to reset a password; the mail task decides whether anybody gets a mail."""


class GlobalLogins:
    """Logins on DynamoDB."""

    def take(self, attempts: Attempts, limit: int, now: datetime) -> bool:
        try:
            with store_errors():
                _item(attempts).update(
                    actions=[
                        LoginAttemptsItem.attempts.add(1),
                        LoginAttemptsItem.expires.set(epoch(attempts.ends) + 60),
                        LoginAttemptsItem.schema_version.set(1),
                        LoginAttemptsItem.created_at.set(LoginAttemptsItem.created_at | now),
                        LoginAttemptsItem.updated_at.set(now),
                    ],
                    condition=LoginAttemptsItem.attempts.does_not_exist()
                    | (LoginAttemptsItem.attempts < limit),
                )
        except ConditionFailed:
            return False
        return True

    def clear(self, attempts: Attempts) -> None:
        with store_errors():
            _item(attempts).delete()

    def record(self, failure: Failure) -> None:
        day = failure.at.strftime("%Y-%m-%d")
        pk = TenantScope(failure.tenant_id).pk if failure.tenant_id else f"LOGIN_FAILURES#{day}"
        with store_errors():
            LoginFailureItem(
                pk,
                f"FAILURE#{failure.at.isoformat(timespec='microseconds')}#{failure.id}",
                at=failure.at,
                ip=failure.ip,
                path=failure.path,
                status=failure.status,
                code=failure.code,
                user_id=failure.user_id,
                expires=epoch(failure.at) + _FAILURE_KEPT_SECONDS,
                created_at=failure.at,
                updated_at=failure.at,
            ).save()

    def request_reset(self, request_id: str, email: str, now: datetime) -> None:
        with store_errors():
            ResetRequestItem(
                f"RESET#{request_id}",
                "REQUEST",
                email=email,
                expires=epoch(now) + _REQUEST_KEPT_SECONDS,
                created_at=now,
                updated_at=now,
            ).save()


def _item(attempts: Attempts) -> LoginAttemptsItem:
    return LoginAttemptsItem(f"LOGIN#{attempts.account}", f"IP#{attempts.ip}#{attempts.window}")
