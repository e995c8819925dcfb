"""Errors of the onboarding domain."""

from __future__ import annotations

from tidegate_kit.errors import Conflict, Detail, Unauthenticated, Unprocessable


class AccountAlreadyConnected(Conflict):
    """The caller's own account, or one that another tenant holds: the same body for all (ONB-6)."""

    code = "ACCOUNT_ALREADY_CONNECTED"
    message = "This AWS account is already connected."


class VerifyRunning(Conflict):
    code = "VERIFY_RUNNING"
    message = "A verification of this account is running."


class NotConnected(Conflict):
    code = "NOT_CONNECTED"
    message = "This account is not connected."


class InvalidSignature(Unauthenticated):
    code = "INVALID_SIGNATURE"
    message = "This link is not valid or has expired. Read the onboarding request for a fresh one."


class InvalidAwsCredentials(Unprocessable):
    code = "INVALID_AWS_CREDENTIALS"
    message = "AWS does not accept these access keys."


class RootKeysRefused(Unprocessable):
    code = "ROOT_KEYS_REFUSED"
    message = "These are keys of the account's root user. Make keys of an IAM user that only reads."


class AccountMismatch(Unprocessable):
    code = "ACCOUNT_MISMATCH"
    message = "The AWS account is not the declared one."


class VerificationRefused(Unprocessable):
    """The role did not pass (ONB-5): `code` says which rule, the detail how to mend it."""

    code = "VERIFICATION_REFUSED"
    message = "The role does not pass the verification. The detail says how to mend it."

    def __init__(self, code: str, fix: str) -> None:
        self.fix = fix
        super().__init__(code=code, details=[Detail("role_arn", fix)])
