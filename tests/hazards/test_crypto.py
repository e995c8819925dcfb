"""Sealed secrets: bound to their place, unreadable elsewhere, closed when KMS is (H11, H31)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tidegate_kit.auth.tokens import b64url_encode
from tidegate_kit.crypto import KmsSealer, SealBroken, SealContext
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.settings import Settings

from tests.builders.settings import REGION
from tests.fakes.recorded import vectors

HERE = SealContext("tenant-1", "webhook-1", "secret")
ELSEWHERE = [
    SealContext("tenant-2", "webhook-1", "secret"),
    SealContext("tenant-1", "webhook-2", "secret"),
    SealContext("tenant-1", "webhook-1", "config"),
    SealContext("webhook-1", "tenant-1", "secret"),
    SealContext("tenant-1", "webhook-1secret", ""),
    SealContext('tenant-1","record":"webhook-1', "", "secret"),
]


@pytest.fixture
def kms(platform: Settings) -> Any:
    return boto3.client("kms", region_name=REGION)


@pytest.fixture
def sealer(kms: Any, platform: Settings) -> KmsSealer:
    return KmsSealer(kms, platform.kms_key_arn)


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _same_everywhere(self: SealContext) -> dict[str, str]:
    return {"field": "x"}


@pytest.mark.hazard("H31")
@pytest.mark.bite("tidegate_kit.crypto.SealContext.as_dict", replacement=_same_everywhere)
def test_a_secret_opens_only_where_it_was_sealed(sealer: KmsSealer) -> None:
    """H31: moved to another tenant, record or field, a ciphertext is refused."""
    for plain in ("s3cret", "", "\u00e9\U0001f511\x00", "x" * 100_000):
        assert sealer.open(sealer.seal(plain, HERE), HERE) == plain
    sealed = sealer.seal("s3cret", HERE)
    assert "s3cret" not in sealed
    for other in ELSEWHERE:
        with pytest.raises(SealBroken):
            sealer.open(sealed, other)


@pytest.mark.hazard("H31")
@pytest.mark.bite(
    "tidegate_kit.crypto.AESGCM",
    replacement=lambda key: SimpleNamespace(
        decrypt=lambda nonce, data, aad: b"opened", encrypt=AESGCM(key).encrypt
    ),
)
def test_every_changed_byte_is_noticed(sealer: KmsSealer) -> None:
    """H31: each byte of key, nonce and ciphertext flipped, cut or swapped is refused."""
    sealed = sealer.seal("s3cret", HERE)
    other = sealer.seal("other", HERE)
    version, *parts = sealed.split(".")
    for index, part in enumerate(parts):
        raw = _decode(part)
        for position in range(len(raw)):
            changed = bytearray(raw)
            changed[position] ^= 0x80
            parted = [*parts]
            parted[index] = b64url_encode(bytes(changed))
            with pytest.raises(SealBroken):
                sealer.open(".".join([version, *parted]), HERE)
        mixed = [*parts]
        mixed[index] = other.split(".")[index + 1]
        with pytest.raises(SealBroken):
            sealer.open(".".join([version, *mixed]), HERE)
    for text in ("", "v1", "v1...", sealed[:-1], sealed + "A", sealed + ".AA", sealed + "=",
                 sealed.replace("v1", "v2"), sealed.upper(), "s3cret", f" {sealed}"):  # fmt: skip
        with pytest.raises(SealBroken):
            sealer.open(text, HERE)


@pytest.mark.hazard("H31")
def test_a_rotated_key_still_opens_old_secrets(kms: Any, sealer: KmsSealer) -> None:
    """H31: after rotation of the KMS key old ciphertexts open; another key's do not."""
    sealed = sealer.seal("s3cret", HERE)
    kms.enable_key_rotation(KeyId=sealer._key_arn)
    assert sealer.open(sealed, HERE) == "s3cret"
    other = KmsSealer(kms, kms.create_key()["KeyMetadata"]["Arn"])
    with pytest.raises((SealBroken, ServiceUnavailable)):
        other.open(sealed, HERE)


@pytest.mark.hazard("H31")
@pytest.mark.bite("tidegate_kit.crypto._fresh_nonce", returns=b"\x00" * 12)
def test_no_key_and_nonce_meet_twice(sealer: KmsSealer) -> None:
    """H31: every sealing has its own data key and its own random nonce."""
    sealed = [sealer.seal("same", HERE).split(".") for _ in range(100)]
    assert len({parts[1] for parts in sealed}) == 100
    assert len({parts[2] for parts in sealed}) == 100
    assert len({parts[3] for parts in sealed}) == 100


@dataclass(frozen=True)
class VectorContext(SealContext):
    """Associated data as a test vector gives it."""

    aad: bytes = b""

    def as_bytes(self) -> bytes:
        return self.aad


@pytest.mark.hazard("H31")
def test_foreign_aes_gcm_vectors(record_property: Any) -> None:
    """H31: Wycheproof AES-GCM (256-bit key, 96-bit nonce): valid opens, invalid is refused."""
    document = json.loads((vectors("wycheproof") / "aes_gcm_test.json").read_text())
    seen = {"valid": 0, "invalid": 0}
    for group in document["testGroups"]:
        for test in group["tests"]:
            if group["keySize"] != 256 or group["tagSize"] != 128:
                continue
            # Sealing always takes a nonce of 96 bits; others are refused like an altered one.
            result = test["result"] if group["ivSize"] == 96 else "skip"
            key = bytes.fromhex(test["key"])
            kms = SimpleNamespace(decrypt=lambda key=key, **_: {"Plaintext": key})
            parts = (b"wrapped", bytes.fromhex(test["iv"]),
                     bytes.fromhex(test["ct"] + test["tag"]))  # fmt: skip
            sealed = ".".join(["v1", *(b64url_encode(part) for part in parts)])
            context = VectorContext("t", "r", "f", bytes.fromhex(test["aad"]))
            plain = bytes.fromhex(test["msg"])
            try:
                opened: bytes | None = KmsSealer(kms, "key").open(sealed, context).encode()
            except SealBroken as error:
                # Secrets are text: a vector's message that is none opens, then fails to decode.
                binary = isinstance(error.__cause__, UnicodeDecodeError)
                opened = plain if binary else None
            if result == "valid":
                assert opened == plain, test["tcId"]
            elif result == "invalid":
                assert opened is None, test["tcId"]
            seen[result] = seen.get(result, 0) + 1
    assert seen["valid"] >= 30
    assert seen["invalid"] >= 20


def _plaintext_fallback(self: Any, plain: str, context: SealContext) -> str:
    return plain


@pytest.mark.hazard("H11")
@pytest.mark.bite("tidegate_kit.crypto.KmsSealer.seal", replacement=_plaintext_fallback)
def test_without_kms_nothing_is_sealed_or_opened(kms: Any, sealer: KmsSealer) -> None:
    """H11: key disabled, access denied, throttled, unreachable: 503, never plain text."""
    kept = sealer.seal("s3cret", HERE)
    kms.disable_key(KeyId=sealer._key_arn.rpartition("/")[2])
    _assert_unavailable(sealer, kept)

    def failing(error: Exception) -> Any:
        def fail(**_: Any) -> Any:
            raise error

        return SimpleNamespace(generate_data_key=fail, decrypt=fail)

    def refused(code: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": "arn:aws:kms:secret"}}, "Decrypt")

    for error in (
        refused("AccessDeniedException"), refused("ThrottlingException"),
        refused("KMSInvalidStateException"), refused("KMSInternalException"),
        EndpointConnectionError(endpoint_url="https://kms.example"),
    ):  # fmt: skip
        _assert_unavailable(KmsSealer(failing(error), sealer._key_arn), kept)


def _assert_unavailable(sealer: KmsSealer, sealed: str) -> None:
    with pytest.raises(ServiceUnavailable) as closed:
        sealer.seal("s3cret", HERE)
    assert "arn:" not in closed.value.message
    with pytest.raises(ServiceUnavailable) as closed:
        sealer.open(sealed, HERE)
    assert "arn:" not in closed.value.message
