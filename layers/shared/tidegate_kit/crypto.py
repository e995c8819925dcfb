"""Envelope encryption of stored secrets: KMS data key + AES-256-GCM (GEN-7, H31).

The KMS encryption context and the GCM associated data are both {tenant, record, field}, so a
ciphertext moved to another place is refused twice. Text form: `v1.<key>.<nonce>.<ciphertext>`,
base64url; the data key's ciphertext names the KMS key version.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tidegate_kit.auth.tokens import b64url_decode, b64url_encode
from tidegate_kit.errors import ServiceUnavailable

_VERSION = "v1"


class SealBroken(Exception):
    """The ciphertext was altered, moved, or its key destroyed. Never a reason for plain text."""


@dataclass(frozen=True)
class SealContext:
    """Where a secret belongs."""

    tenant: str
    record: str
    field: str

    def as_dict(self) -> dict[str, str]:
        """The KMS encryption context."""
        return {"tenant": self.tenant, "record": self.record, "field": self.field}

    def as_bytes(self) -> bytes:
        """The GCM associated data."""
        return json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":")).encode()


class Sealer(Protocol):
    """Seals and opens secrets."""

    def seal(self, plain: str, context: SealContext) -> str:
        """Ciphertext text. Raises ServiceUnavailable when KMS does not answer (H11)."""

    def open(self, sealed: str, context: SealContext) -> str:
        """Plain text. Raises SealBroken for anything altered, ServiceUnavailable for KMS."""


def _fresh_nonce() -> bytes:
    return os.urandom(12)


class KmsSealer:
    """Sealer on a KMS key. `kms` is a boto3 KMS client."""

    def __init__(self, kms: Any, key_arn: str) -> None:
        self._kms = kms
        self._key_arn = key_arn

    def seal(self, plain: str, context: SealContext) -> str:
        try:
            answer = self._kms.generate_data_key(
                KeyId=self._key_arn, KeySpec="AES_256", EncryptionContext=context.as_dict()
            )
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"kms: {error}") from error
        nonce = _fresh_nonce()
        body = AESGCM(answer["Plaintext"]).encrypt(nonce, plain.encode(), context.as_bytes())
        parts = (answer["CiphertextBlob"], nonce, body)
        return ".".join([_VERSION, *(b64url_encode(part) for part in parts)])

    def open(self, sealed: str, context: SealContext) -> str:
        try:
            version, *parts = sealed.split(".")
            wrapped, nonce, body = (b64url_decode(part) for part in parts)
        except ValueError as error:
            raise SealBroken("malformed") from error
        if version != _VERSION:
            raise SealBroken("unknown version")
        key = self._unwrap(wrapped, context)
        try:
            return AESGCM(key).decrypt(nonce, body, context.as_bytes()).decode()
        except (InvalidTag, ValueError) as error:
            raise SealBroken("altered") from error

    def _unwrap(self, wrapped: bytes, context: SealContext) -> bytes:
        try:
            answer = self._kms.decrypt(
                CiphertextBlob=wrapped, EncryptionContext=context.as_dict(), KeyId=self._key_arn
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in {"InvalidCiphertextException", "IncorrectKeyException"}:
                raise SealBroken(code) from error
            raise ServiceUnavailable(log=f"kms: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"kms: {error}") from error
        return bytes(answer["Plaintext"])
