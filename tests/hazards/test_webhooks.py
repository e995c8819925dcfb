"""Standard Webhooks against two foreign implementations (F14, F18, F19, F22)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tidegate_kit import webhooks
from tidegate_kit.clock import epoch
from tidegate_kit.webhooks import (
    InvalidSignature,
    WebhookSecrets,
    event_body,
    new_webhook_secret,
    secret_key,
    signed_headers,
    verify_webhook,
)

from tests.fakes.recorded import vectors

SECRET = new_webhook_secret(lambda size: bytes(range(size)))
OTHER = new_webhook_secret()
BODY = '{"type":"execution.completed","data":{"name":"é","n":1.0}}'.encode()
Headers = dict[str, str]


def now() -> datetime:
    """The system's time: the foreign verifiers read it themselves."""
    return datetime.now(UTC)


def ours(headers: Headers, body: bytes, secret: str = SECRET) -> bool:
    try:
        verify_webhook([secret], headers, body, now())
    except InvalidSignature:
        return False
    return True


def foreign(library: Any) -> Callable[..., bool]:
    def verify(headers: Headers, body: bytes, secret: str = SECRET) -> bool:
        try:
            library.Webhook(secret).verify(body, headers)
        except Exception:
            return False
        return True

    return verify


VERIFIERS = {
    "ours": ours,
    "standardwebhooks": foreign(standardwebhooks),
    "svix": foreign(svix.webhooks),
}


def signature(headers: Headers, change: Callable[[bytes], bytes]) -> Headers:
    raw = base64.b64decode(headers["webhook-signature"].partition(",")[2])
    changed = base64.b64encode(change(raw)).decode()
    return {**headers, "webhook-signature": f"v1,{changed}"}


def moved(headers: Headers, seconds: int) -> tuple[Headers, bytes]:
    """A message honestly signed at another time."""
    moment = now() + timedelta(seconds=seconds)
    return signed_headers([SECRET], headers["webhook-id"], moment, BODY), BODY


def without(headers: Headers, name: str) -> Headers:
    return {key: value for key, value in headers.items() if key != name}


Tamper = Callable[[Headers], tuple[Headers, bytes]]
TAMPERS: dict[str, Tamper] = {
    "body-byte": lambda h: (h, BODY.replace(b"1.0", b"2.0")),
    "body-space": lambda h: (h, BODY + b" "),
    "body-cut": lambda h: (h, BODY[:-1]),
    "body-empty": lambda h: (h, b""),
    "body-reserialised": lambda h: (h, json.dumps(json.loads(BODY)).encode()),
    "id-changed": lambda h: ({**h, "webhook-id": "msg_2"}, BODY),
    "id-missing": lambda h: (without(h, "webhook-id"), BODY),
    "id-empty": lambda h: ({**h, "webhook-id": ""}, BODY),
    "timestamp-plus-1": lambda h: ({**h, "webhook-timestamp": str(epoch(now()) + 1)}, BODY),
    "timestamp-missing": lambda h: (without(h, "webhook-timestamp"), BODY),
    "timestamp-text": lambda h: ({**h, "webhook-timestamp": "now"}, BODY),
    "old-400": lambda h: moved(h, -400),
    "future-400": lambda h: moved(h, 400),
    "signature-missing": lambda h: (without(h, "webhook-signature"), BODY),
    "signature-empty": lambda h: ({**h, "webhook-signature": ""}, BODY),
    "signature-v2": lambda h: (
        {**h, "webhook-signature": h["webhook-signature"].replace("v1,", "v2,")}, BODY
    ),
    "signature-no-version": lambda h: (
        {**h, "webhook-signature": h["webhook-signature"][3:]}, BODY
    ),
    "signature-byte": lambda h: (signature(h, lambda raw: bytes([raw[0] ^ 1]) + raw[1:]), BODY),
    "signature-cut": lambda h: (signature(h, lambda raw: raw[:-1]), BODY),
    "signature-none": lambda h: (signature(h, lambda raw: b""), BODY),
    "other-secret": lambda h: (signed_headers([OTHER], h["webhook-id"], now(), BODY), BODY),
    "signed-as-one": lambda h: (
        signature(h, lambda raw: hmac.new(secret_key(SECRET), BODY, hashlib.sha256).digest()), BODY
    ),
}  # fmt: skip


@pytest.mark.hazard("F14")
@pytest.mark.bite(
    "tidegate_kit.webhooks.hmac.compare_digest",
    returns=True,
    cases=["ours-body-byte", "ours-id-changed", "ours-other-secret", "ours-signature-byte"],
)
@pytest.mark.parametrize("tamper", TAMPERS)
@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_tampered_message_is_refused(verifier: str, tamper: str) -> None:
    """F14: body, id, timestamp or signature tampered: refused by ours and two foreign verifiers."""
    assert len(TAMPERS) >= 20
    headers = signed_headers([SECRET], "msg_1", now(), BODY)
    verify = VERIFIERS[verifier]
    assert verify(headers, BODY), "the message as signed must pass"
    changed, body = TAMPERS[tamper](headers)
    assert not verify(changed, body)


@pytest.mark.hazard("F14")
@pytest.mark.bite("tidegate_kit.webhooks._mac", replacement=lambda key, *_: b"m" * 32)
def test_foreign_signatures_verify_and_ours_verify_abroad() -> None:
    """F14: what foreign libraries sign we accept, what we sign they accept, byte for byte."""
    for library in (standardwebhooks, svix.webhooks):
        moment = now()
        theirs = library.Webhook(SECRET).sign("msg_1", moment, BODY.decode())
        mine = signed_headers([SECRET], "msg_1", moment, BODY)
        assert mine["webhook-signature"] == theirs
        library.Webhook(SECRET).verify(BODY, mine)
    received = verify_webhook([SECRET], mine, BODY, moment)
    assert (received.id, epoch(received.sent_at)) == ("msg_1", epoch(moment))


@pytest.mark.hazard("F14")
@pytest.mark.bite("tidegate_kit.webhooks.TOLERANCE_SECONDS", replacement=10**9)
def test_the_tolerance_is_300_seconds_both_ways() -> None:
    """F14: 300 s old or early passes, 301 s is refused."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    headers = signed_headers([SECRET], "msg_1", moment, BODY)
    for seconds in (-300, 0, 300):
        verify_webhook([SECRET], headers, BODY, moment + timedelta(seconds=seconds))
    for seconds in (-301, 301):
        with pytest.raises(InvalidSignature):
            verify_webhook([SECRET], headers, BODY, moment + timedelta(seconds=seconds))


@pytest.mark.hazard("F14")
def test_the_mac_is_hmac_sha256(record_property: Any) -> None:
    """F14: Wycheproof HMAC-SHA256 vectors agree with the MAC in use."""
    document = json.loads((vectors("wycheproof") / "hmac_sha256_test.json").read_text())
    count = 0
    for group in document["testGroups"]:
        for test in group["tests"]:
            message = b"msg_1.1." + bytes.fromhex(test["msg"])
            tag = hmac.new(bytes.fromhex(test["key"]), message, hashlib.sha256).digest()
            assert webhooks._mac(bytes.fromhex(test["key"]), "msg_1", "1", message[8:]) == tag
            if group["tagSize"] == 256 and test["result"] == "valid":
                plain = hmac.new(
                    bytes.fromhex(test["key"]), bytes.fromhex(test["msg"]), hashlib.sha256
                )
                assert plain.hexdigest() == test["tag"]
                count += 1
    assert count >= 30


def _always_both(self: WebhookSecrets, moment: datetime) -> tuple[str, ...]:
    return (self.current, self.previous) if self.previous else (self.current,)


@pytest.mark.hazard("F18")
@pytest.mark.bite("tidegate_kit.webhooks.WebhookSecrets.at", replacement=_always_both)
def test_both_secrets_sign_for_a_day_then_only_the_new() -> None:
    """F18: after rotation old and new verify for 24 h; then only the new."""
    rotated_at = now() - timedelta(hours=23)
    secrets = WebhookSecrets(SECRET).rotated(OTHER, rotated_at)
    during = signed_headers(secrets.at(now()), "msg_1", now(), BODY)
    assert len(during["webhook-signature"].split(" ")) == 2
    for verify in VERIFIERS.values():
        assert verify(during, BODY, SECRET)
        assert verify(during, BODY, OTHER)
    end = rotated_at + timedelta(hours=24)
    assert secrets.at(end - timedelta(microseconds=1)) == (OTHER, SECRET)
    assert secrets.at(end) == (OTHER,)
    after = signed_headers(secrets.at(end), "msg_1", now(), BODY)
    for verify in VERIFIERS.values():
        assert verify(after, BODY, OTHER)
        assert not verify(after, BODY, SECRET)
    # A second rotation ends the first secret at once.
    assert SECRET not in secrets.rotated(new_webhook_secret(), now()).at(now())
    assert "whsec_" not in repr(secrets)


@pytest.mark.hazard("F22")
@pytest.mark.bite("tidegate_kit.webhooks.MAX_SIGNATURES", replacement=10**6)
@pytest.mark.bite("tidegate_kit.webhooks._MAX_SIGNATURE_CHARS", replacement=10**6)
def test_a_header_of_a_thousand_signatures_is_not_searched() -> None:
    """F22: ten signatures are read; more, or an overlong header, is refused unread."""
    moment = now()
    headers = signed_headers([SECRET], "msg_1", moment, BODY)
    good = headers["webhook-signature"]
    wrong = "v1," + base64.b64encode(b"x" * 32).decode()

    def accepted(value: str) -> bool:
        return ours({**headers, "webhook-signature": value}, BODY)

    assert accepted(" ".join([wrong] * 9 + [good]))
    short_but_many = " ".join(["v1,x"] * 10 + [good])
    long_but_few = f"v1,{'x' * 1000} {good}"
    assert not accepted(short_but_many)
    assert not accepted(long_but_few)
    assert not accepted(" ".join([wrong] * 999 + [good]))


@pytest.mark.hazard("F22")
def test_an_unknown_endpoint_looks_like_a_bad_signature() -> None:
    """F22: without a secret, with a wrong one and with a stale time: one and the same 401."""
    headers = signed_headers([SECRET], "msg_1", now(), BODY)
    zeros = "whsec_" + base64.b64encode(b"\x00" * 32).decode()
    forged = signed_headers([zeros], "msg_1", now(), BODY)
    answers = set()
    for secrets, given_headers in (
        ([], headers), ([], forged), ([], {}), ([OTHER], headers), ([SECRET], {}),
        ([SECRET], {**headers, "webhook-timestamp": "1"}),
    ):  # fmt: skip
        with pytest.raises(InvalidSignature) as refused:
            verify_webhook(secrets, given_headers, BODY, now())
        error = refused.value
        answers.add((error.status, error.code, error.message, error.details, str(error.headers)))
    assert answers == {(401, "INVALID_SIGNATURE", InvalidSignature.message, (), "{}")}


@pytest.mark.hazard("F22")
@pytest.mark.parametrize(
    "timestamp",
    ["", "-1", "1e9", "0x5", " 1", "NaN", "Infinity", "1.5", "١٧", "ms", "9" * 12, "9" * 400],
)
def test_odd_timestamps_are_refused(timestamp: str) -> None:
    """F22: milliseconds, floats, signs and other digits are refused, though honestly signed."""
    moment = now()
    value = str(epoch(moment) * 1000) if timestamp == "ms" else timestamp
    mac = webhooks._mac(secret_key(SECRET), "msg_1", value, BODY)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": value,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
    assert not ours(headers, BODY)


@pytest.mark.hazard("F22")
@hypothesis_settings(max_examples=300, deadline=None)
@given(headers=st.dictionaries(
    st.sampled_from(["webhook-id", "Webhook-Timestamp", "WEBHOOK-SIGNATURE"]),
    st.text(max_size=200) | st.sampled_from(["v1,", "v1,AAAA", "v1,\u0661", "v1 v1,a,b"]),
), body=st.binary(max_size=100))  # fmt: skip
def test_no_header_is_an_error_of_ours(headers: Headers, body: bytes) -> None:
    """F22: any header text is refused as InvalidSignature, never as another error."""
    with pytest.raises(InvalidSignature):
        verify_webhook([SECRET], headers, body, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.hazard("F22")
def test_the_mac_covers_bytes_that_are_no_text() -> None:
    """F22: the signature is over raw bytes, so a body that is not UTF-8 verifies as sent."""
    moment = now()
    for body in (b"\xff\xfe\x00", b"", b"{\r\n}", b"a.b.c"):
        assert ours(signed_headers([SECRET], "msg_1", moment, body), body)
    # No body can pretend that part of it was the timestamp.
    for identifier in ("msg.1", "a b", "", "x" * 129, "é", "a\n"):
        with pytest.raises(ValueError):
            signed_headers([SECRET], identifier, moment, BODY)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_AAAA", "whsec_" + base64.b64encode(b"x" * 23).decode(),
     "whsec_" + base64.b64encode(b"x" * 65).decode(), base64.b64encode(b"x" * 32).decode(),
     "whsec_" + "!" * 44, "WHSEC_" + base64.b64encode(b"x" * 32).decode()],
)  # fmt: skip
def test_a_secret_is_24_to_64_bytes(secret: str) -> None:
    with pytest.raises(ValueError):
        secret_key(secret)
    with pytest.raises(ValueError):
        signed_headers([secret], "msg_1", now(), BODY)
    for size in (24, 32, 64):
        assert len(secret_key("whsec_" + base64.b64encode(b"x" * size).decode())) == size
    assert len({new_webhook_secret() for _ in range(100)}) == 100


def test_an_event_has_type_timestamp_and_data() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 7000, tzinfo=UTC)
    body = event_body("workflow.execution.completed", moment, {"name": "é"})
    assert json.loads(body) == {
        "type": "workflow.execution.completed",
        "timestamp": "2026-01-02T03:04:05.007Z",
        "data": {"name": "é"},
    }
    with pytest.raises(ValueError):
        signed_headers([], "msg_1", moment, body)
