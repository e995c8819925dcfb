"""Errors of the identity domain (contract 2.1, ERR-4)."""

from __future__ import annotations

from tidegate_kit.errors import (
    BadRequest,
    Conflict,
    Detail,
    Forbidden,
    ServiceUnavailable,
    Unauthenticated,
    Unprocessable,
)


class EmailAlreadyRegistered(BadRequest):
    code = "EMAIL_ALREADY_REGISTERED"
    message = "This registration is not possible. If you have an account, sign in or reset it."

    def __init__(self) -> None:
        super().__init__(details=[Detail("email", "cannot be registered")])


class UsernameTaken(BadRequest):
    code = "CONSTRAINT_VIOLATION"
    message = "This registration is not possible."

    def __init__(self) -> None:
        super().__init__(details=[Detail("username", "is taken")])


class InvitationInvalid(Unprocessable):
    """The same for an unknown, used, expired or foreign invitation and another e-mail (B8)."""

    def __init__(self) -> None:
        super().__init__(
            details=[
                Detail("invitation_token", "is not valid for this e-mail, was used or has expired")
            ]
        )


class InactiveAccount(BadRequest):
    code = "INACTIVE_ACCOUNT"
    message = "This account is not active. Ask the owner of your organisation."


class InvalidCredentials(Unauthenticated):
    code = "INVALID_CREDENTIALS"
    message = "The name or the password is wrong."


class RefreshReused(Unauthenticated):
    code = "REFRESH_REUSED"
    message = "This refresh token was used before, so its session has ended. Sign in again."


class ScopeExceeded(Forbidden):
    code = "SCOPE_EXCEEDED"
    message = "You cannot give a permission that you do not hold or the target may not have."


class ResetInvalid(BadRequest):
    code = "RESET_INVALID"
    message = "This reset link was used, replaced or has expired. Ask for a new one."


class LastOwner(Conflict):
    code = "LAST_OWNER"
    message = "An organisation keeps at least one active owner."


class LastAdmin(Conflict):
    code = "LAST_ADMIN"
    message = "The platform keeps at least one active administrator."


class AlreadyMember(Conflict):
    code = "ALREADY_MEMBER"
    message = "This person is a member already."

    def __init__(self) -> None:
        super().__init__(details=[Detail("email", "belongs to a member")])


class KeyRingUnusable(ServiceUnavailable):
    """The signing ring is empty or wrong: nothing is signed until it is repaired (A23)."""
