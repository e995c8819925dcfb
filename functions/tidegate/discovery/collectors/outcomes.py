"""What a failed AWS read means: one pure function from the error to its kind (G14-G18, G32)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

Kind = Literal[
    "denied",  # no permission: the action is missing
    "throttled",  # try again later
    "gone",  # the thing asked for does not exist (any more)
    "expired",  # the session ended: assume the role again
    "credentials",  # keys refused: access lost, or a region that is not enabled
    "skipped",  # the service is not offered to this account or region
    "token",  # the pagination token is no longer accepted
    "unavailable",  # 5xx, time-out, no connection
    "refused",  # anything else
]

_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AuthorizationError",
    "AuthorizationErrorException",
    "AuthorizationFailure",
    "ForbiddenException",
    "NotAuthorized",
    "NotAuthorizedException",
    "UnauthorizedAccess",
    "UnauthorizedException",
    "UnauthorizedOperation",
}
_THROTTLED = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_CREDENTIALS = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotSignedUp",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_SKIPPED = {
    "IllegalLocationConstraintException",
    "OptInRequired",
    "RegionDisabledException",
    "SubscriptionRequiredException",
    "UnsupportedOperation",
    "UnsupportedOperationException",
}
_PAGE_TOKEN = {
    "ExpiredNextToken",
    "ExpiredNextTokenException",
    "ExpiredPaginationToken",
    "InvalidMarker",
    "InvalidNextToken",
    "InvalidNextTokenException",
    "InvalidPaginationToken",
    "InvalidPaginationTokenException",
}
_UNAVAILABLE = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceError",
    "InternalServiceException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServerException",
    "ServiceException",
    "ServiceFailure",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
}
_GONE = re.compile(r"NotFound|NoSuch|DoesNotExist|Nonexistent|NotExist", re.IGNORECASE)
_ACTION = re.compile(r"not authorized to perform:? ([A-Za-z0-9-]+:[A-Za-z0-9*]+)")
_NOT_OFFERED = re.compile(r"no longer available|not available to|not subscribed", re.IGNORECASE)
_TOKEN_TEXT = re.compile(r"(next|pagination|page|continuation) ?token|marker", re.IGNORECASE)


@dataclass(frozen=True)
class Failure:
    """The meaning of one failed call.

    `action` is the missing IAM action (kind denied only), from AWS's message where it says so.
    `reason` is a fixed phrase that may be shown; AWS's own text stays in the log.
    """

    kind: Kind
    code: str
    reason: str
    action: str | None = None

    @property
    def retryable(self) -> bool:
        """True when the same call may succeed later."""
        return self.kind in ("throttled", "unavailable")


def classify(error: Exception, declared_action: str) -> Failure:
    """The meaning of `error`, raised by a call that needs `declared_action`."""
    if isinstance(error, ClientError):
        return _of_answer(error, declared_action)
    if isinstance(error, BotoCoreError):
        return Failure("unavailable", type(error).__name__, "the service did not answer")
    return Failure("refused", type(error).__name__, "the answer could not be read")


def _of_answer(error: ClientError, declared_action: str) -> Failure:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    message = str(answer.get("Error", {}).get("Message", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    short = code.removeprefix("Client.").removeprefix("Server.").rsplit("#", 1)[-1]
    kind = _kind(short, message, status)
    if kind == "denied":
        found = _ACTION.search(message)
        action = found.group(1) if found else declared_action
        return Failure(kind, code, denied_by(message), action)
    return Failure(kind, code, _REASONS[kind])


def _kind(code: str, message: str, status: int) -> Kind:
    if code in _DENIED:
        return "skipped" if _NOT_OFFERED.search(message) else "denied"
    for codes, kind in _BY_CODE:
        if code in codes:
            return kind
    if _GONE.search(code):
        return "gone"
    if code in ("InvalidParameterValue", "ValidationError", "ValidationException") and (
        _TOKEN_TEXT.search(message)
    ):
        return "token"
    if "Throttl" in code or status == 429:
        return "throttled"
    if status >= 500:
        return "unavailable"
    # S3 answers a refused HEAD and some refused reads with the bare status as the code.
    if status == 403 or code == "403":
        return "denied"
    if code == "404":
        return "gone"
    return "refused"


_BY_CODE: tuple[tuple[set[str], Kind], ...] = (
    (_THROTTLED, "throttled"),
    (_EXPIRED, "expired"),
    (_CREDENTIALS, "credentials"),
    (_SKIPPED, "skipped"),
    (_PAGE_TOKEN, "token"),
    (_UNAVAILABLE, "unavailable"),
)
_REASONS: dict[Kind, str] = {
    "throttled": "throttled by the service",
    "gone": "no longer there",
    "expired": "the session ended",
    "credentials": "the credentials were refused",
    "skipped": "not available to this account in this region",
    "token": "the pagination token was refused",
    "unavailable": "the service is not available",
    "refused": "the service refused the call",
}


def denied_by(message: str) -> str:
    """The shown reason of a denial: who denied it, as far as AWS's message tells."""
    if "service control policy" in message or "resource control policy" in message:
        return "denied by an organisation policy (SCP)"
    if "permissions boundary" in message:
        return "denied by a permissions boundary"
    if "explicit deny" in message:
        return "denied by an explicit deny in a policy"
    return "the role has no permission"
