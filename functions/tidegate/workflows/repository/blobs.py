"""Large JSON data: inline while it is small, else an S3 object named by its hash (E9, E25)."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope

from tidegate.workflows.domain import Blob, digest, json_text

# A step's record and its transaction stay far below DynamoDB's 400 KB and 4 MB.
INLINE_OCTETS: Final = 300 * 1024
SMALL_OCTETS: Final = 64 * 1024  # for items that hold several blobs


class BlobBroken(Exception):
    """The object is absent, differs from its pointer, or is another tenant's. `reason` says which.

    Whoever reads it fails closed with that reason.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Blobs(Protocol):
    """Keeps JSON data of one tenant. `place` is where it belongs, e.g. `execution/<id>`."""

    def put(self, place: str, value: Any, *, inline: int = INLINE_OCTETS) -> Blob:
        """Store data; inline up to so many bytes of JSON text."""

    def get(self, place: str, blob: Blob) -> Any:
        """The data. Raises BlobBroken, ServiceUnavailable."""


def pack(blob: Blob | None) -> dict[str, Any] | None:
    """A blob as it is stored in an item: {text} or {key, size, sha256}."""
    if blob is None:
        return None
    if blob.text is not None:
        return {"text": blob.text}
    return {"key": blob.key, "size": blob.size, "sha256": blob.sha256}


def unpack(stored: Any) -> Blob | None:
    """The blob of a stored item."""
    if stored is None:
        return None
    if "text" in stored:
        text = stored["text"]
        return Blob(len(text.encode()), digest(text), text=text)
    return Blob(int(stored["size"]), stored["sha256"], key=stored["key"])


def required(stored: Any) -> Blob:
    """The blob of an attribute that is always there."""
    blob = unpack(stored)
    if blob is None:
        raise ValueError("the stored item lacks its data")
    return blob


def inline_blob(value: Any) -> Blob:
    """Data that stays in its item, whatever its size."""
    text = json_text(value)
    return Blob(len(text.encode()), digest(text), text=text)


class S3Blobs:
    """Blobs in one bucket under `workflows/<tenant>/`. `s3` is a boto3 client."""

    def __init__(self, scope: TenantScope, s3: Any, bucket: str) -> None:
        self._scope = scope
        self._s3 = s3
        self._bucket = bucket

    def _key(self, place: str, sha256: str) -> str:
        return f"workflows/{self._scope.tenant_id}/{place}/{sha256}.json"

    def put(self, place: str, value: Any, *, inline: int = INLINE_OCTETS) -> Blob:
        text = json_text(value)
        octets = text.encode()
        sha256 = digest(text)
        if len(octets) <= inline:
            return Blob(len(octets), sha256, text=text)
        key = self._key(place, sha256)
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=octets, ContentType="application/json"
            )
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"s3: {error}") from error
        return Blob(len(octets), sha256, key=key)

    def get(self, place: str, blob: Blob) -> Any:
        if blob.text is not None:
            return json.loads(blob.text)
        check_place(blob, self._key(place, blob.sha256))
        try:
            octets = self._s3.get_object(Bucket=self._bucket, Key=blob.key)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
                raise BlobBroken("The stored data is missing.") from error
            raise ServiceUnavailable(log=f"s3: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"s3: {error}") from error
        return read_checked(blob, octets)


def check_place(blob: Blob, expected: str) -> None:
    """Raise BlobBroken for a pointer to another tenant's or another run's object."""
    if blob.key != expected:
        raise BlobBroken("The stored data belongs to another run.")


def read_checked(blob: Blob, octets: bytes) -> Any:
    """The JSON data of bytes that must be what the pointer says. Raises BlobBroken."""
    if len(octets) != blob.size:
        raise BlobBroken("The stored data has another size than recorded.")
    text = octets.decode("utf-8", "replace")
    if digest(text) != blob.sha256:
        raise BlobBroken("The stored data has another hash than recorded.")
    return json.loads(text)
