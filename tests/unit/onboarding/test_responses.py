"""Where stack call-backs are answered, and where not."""

from __future__ import annotations

import pytest
from tidegate.onboarding.responses import HttpResponseSender
from tidegate.onboarding.settings import OnboardingSettings
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.outbound import OutboundAnswer, OutboundClient, OutboundPolicy
from tidegate_kit.settings import SettingsError

from tests.builders.settings import settings

BUCKET = "cloudformation-custom-resource-response-euwest1"


def sender(region: str = "eu-west-1", *, development: bool = False) -> HttpResponseSender:
    policy = OutboundPolicy(development=development)
    return HttpResponseSender(OutboundClient(policy), policy, region, ("127.0.0.1:4566",))


@pytest.mark.parametrize(
    "url",
    [
        f"https://{BUCKET}.s3.amazonaws.com/arn%3Aaws%7Cx?X-Amz-Signature=1&x=2",
        f"https://{BUCKET}.s3-eu-west-1.amazonaws.com/x?y",
        f"https://{BUCKET}.s3.eu-west-1.amazonaws.com/x?y",
        f"https://{BUCKET}.s3.eu-west-1.amazonaws.com:443/x",
    ],
)
def test_cloudformations_own_hosts_are_answered(url: str) -> None:
    assert sender().allowed(url)


REFUSED = [
    f"http://{BUCKET}.s3.amazonaws.com/x",
    f"https://{BUCKET}.s3.amazonaws.com.evil.example/x",
    f"https://evil.example/{BUCKET}.s3.amazonaws.com",
    f"https://{BUCKET}.s3.amazonaws.com@evil.example/x",
    f"https://user@{BUCKET}.s3.amazonaws.com/x",
    f"https://{BUCKET}.s3.amazonaws.com:8443/x",
    f"https://{BUCKET}.s3.amazonaws.com\\@evil.example/x",
    f"https://{BUCKET}.s3.amazonaws.com#@evil.example/x",
    f"https://x{BUCKET}.s3.amazonaws.com/x",
    f"https://{BUCKET}x.s3.amazonaws.com/x",
    f"https://{BUCKET}.s3.us-east-1.amazonaws.com/x",
    "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/x",
    "https://cloudformation-custom-resource-response-evil.s3.amazonaws.com/x",
    "https://evil.s3.amazonaws.com/cloudformation-custom-resource-response-euwest1",
    f"https://s3.amazonaws.com/{BUCKET}/x",
    f"https://{BUCKET}.s3.amazonaws.com./x",
    f"https://{BUCKET}.S3.amazonaws.com%2eevil.example/x",
    "https://169.254.169.254/latest/meta-data",
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1:4566/x",
    "http://localhost:4566/x",
    "file:///etc/passwd",
    "gopher://127.0.0.1/x",
    "",
    "x",
]


@pytest.mark.parametrize("url", REFUSED, ids=range(len(REFUSED)))
def test_everything_else_is_not(url: str) -> None:
    assert not sender().allowed(url)


def test_a_local_cloud_is_answered_in_development_only() -> None:
    assert sender(development=True).allowed("http://127.0.0.1:4566/_response/1")
    assert not sender(development=True).allowed("http://127.0.0.1:4567/_response/1")
    assert not sender(development=True).allowed("http://127.0.0.2:4566/_response/1")


@pytest.mark.parametrize("status", [301, 302, 307, 403, 500])
def test_an_answer_that_does_not_arrive_is_an_error(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    from tidegate_kit.outbound import OutboundFailed

    def answering(*args: object, **options: object) -> OutboundAnswer:
        if status < 400:
            raise OutboundFailed("redirect", status=status)
        return OutboundAnswer(status, {}, b"")

    monkeypatch.setattr(OutboundClient, "request", answering)
    with pytest.raises(ServiceUnavailable):
        sender().send(f"https://{BUCKET}.s3.amazonaws.com/x", b"{}")


def test_extra_hosts_stop_a_production_start() -> None:
    given = {"data_bucket": "bucket", "discovery_machine_arn": "arn:aws:states:x"}
    hosts = {"callback_response_hosts": "127.0.0.1:4566, localhost:1"}
    found = settings(OnboardingSettings, **given, **hosts)
    assert found.extra_response_hosts == ("127.0.0.1:4566", "localhost:1")
    assert (
        settings(OnboardingSettings, **given, tidegate_env="production").extra_response_hosts == ()
    )
    with pytest.raises(SettingsError):
        settings(OnboardingSettings, **given, **hosts, tidegate_env="production")
