"""The meaning of failed reads."""

from __future__ import annotations

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from tidegate.discovery.collectors.outcomes import Failure, classify

from tests.fakes.discovery import aws_error
from tests.fakes.faults import THROTTLE_CODES

USER = "User: arn:aws:sts::222222222222:assumed-role/r/s is not authorized to perform: "


@pytest.mark.parametrize(
    ("code", "message", "status", "kind"),
    [
        (
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
            403,
            "denied",
        ),
        ("AccessDenied", "Access Denied", 403, "denied"),
        ("AccessDeniedException", "", 400, "denied"),
        ("Client.UnauthorizedOperation", "", 403, "denied"),
        ("AuthorizationError", "", 403, "denied"),
        ("403", "Forbidden", 403, "denied"),
        ("RequestLimitExceeded", "", 503, "throttled"),
        ("Throttling", "Rate exceeded", 400, "throttled"),
        ("ThrottlingException", "", 400, "throttled"),
        ("SlowDown", "", 503, "throttled"),
        ("LimitExceededException", "", 400, "throttled"),
        ("SomeThrottledThing", "", 429, "throttled"),
        ("ExpiredToken", "", 400, "expired"),
        ("ExpiredTokenException", "", 400, "expired"),
        ("RequestExpired", "Request has expired.", 400, "expired"),
        ("AuthFailure", "", 401, "credentials"),
        ("InvalidClientTokenId", "", 403, "credentials"),
        ("UnrecognizedClientException", "", 400, "credentials"),
        ("OptInRequired", "", 401, "skipped"),
        ("SubscriptionRequiredException", "", 400, "skipped"),
        ("AccessDeniedException", "X is no longer available to new customers.", 403, "skipped"),
        ("InvalidNextToken", "", 400, "token"),
        ("InvalidParameterValue", "Value for nextToken is invalid", 400, "token"),
        ("ValidationError", "Invalid Marker", 400, "token"),
        ("InvalidParameterValue", "size out of range", 400, "refused"),
        ("InternalError", "", 500, "unavailable"),
        ("ServiceUnavailable", "", 503, "unavailable"),
        ("Whatever", "", 502, "unavailable"),
        ("NoSuchBucket", "", 404, "gone"),
        ("InvalidSnapshot.NotFound", "", 400, "gone"),
        ("ResourceNotFoundException", "", 400, "gone"),
        ("OperationNotPermitted", "", 400, "refused"),
    ],
)
def test_kinds(code: str, message: str, status: int, kind: str) -> None:
    assert classify(aws_error(code, message, status), "x:Y").kind == kind


@pytest.mark.parametrize("service", sorted(THROTTLE_CODES))
def test_every_services_own_throttle_is_throttled(service: str) -> None:
    code, status = THROTTLE_CODES[service]
    failure = classify(aws_error(code, "Rate exceeded", status), "x:Y")
    assert (failure.kind, failure.retryable) == ("throttled", True)


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://ec2.example"),
        ReadTimeoutError(endpoint_url="https://ec2.example"),
        ConnectTimeoutError(endpoint_url="https://ec2.example"),
    ],
)
def test_no_answer_is_unavailable(error: Exception) -> None:
    assert classify(error, "x:Y").kind == "unavailable"


@pytest.mark.parametrize(
    ("message", "action", "reason"),
    [
        (
            USER + "ec2:DescribeVolumes because no identity-based policy allows the action",
            "ec2:DescribeVolumes",
            "the role has no permission",
        ),
        (
            USER + "ec2:DescribeVolumes with an explicit deny in a service control policy",
            "ec2:DescribeVolumes",
            "denied by an organisation policy (SCP)",
        ),
        (
            USER + "s3:ListAllMyBuckets because no permissions boundary allows it",
            "s3:ListAllMyBuckets",
            "denied by a permissions boundary",
        ),
        ("Access Denied", "ec2:Declared", "the role has no permission"),
    ],
)
def test_a_denial_names_the_action_and_who_denied(message: str, action: str, reason: str) -> None:
    failure = classify(aws_error("AccessDenied", message, 403), "ec2:Declared")
    assert failure == Failure("denied", "AccessDenied", reason, action)


@given(st.text(max_size=40), st.text(max_size=200), st.integers(0, 599))
def test_any_answer_has_a_meaning_and_a_shown_reason_of_ours(
    code: str, message: str, status: int
) -> None:
    failure = classify(aws_error(code, message, status), "x:Y")
    assert failure.reason
    # AWS's text is never the reason: it may hold names of the customer's things.
    assert len(message) < 4 or failure.reason != message
    assert (failure.action is not None) == (failure.kind == "denied")
