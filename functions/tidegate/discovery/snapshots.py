"""Content-addressed inventory snapshots and diffs in S3.

A snapshot is a manifest (JSON) that names chunks (gzip JSON lines, one resource a line). Every
object is named after the SHA-256 of what it holds, so writing twice changes nothing, an unchanged
inventory has the same manifest, and unchanged parts are shared between days. Checks can be re-run
on a snapshot: it also says what could not be read.

    inventory/<tenant>/<account>/<generation>/chunks/<sha256>.jsonl.gz
    inventory/<tenant>/<account>/<generation>/snapshots/<sha256>.json
    inventory/<tenant>/<account>/<generation>/diffs/<sha256>.jsonl.gz | .json
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clients import platform_client
from tidegate_kit.clock import iso
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery.domain import Chunk, Row, Run, Unit, canonical

Folder = Literal["chunks", "snapshots", "diffs"]
SCHEMA = 1


class ObjectStore(Protocol):
    """Where snapshots lie."""

    def put(self, name: str, body: bytes) -> None:
        """Store an object under a name that its content determines."""

    def get(self, name: str) -> bytes | None:
        """The object, or None."""

    def delete_prefix(self, prefix: str, limit: int) -> int:
        """Delete up to `limit` objects; the number deleted, 0 when none is left."""


class S3Objects:
    """ObjectStore in the data bucket."""

    def __init__(self, bucket: str, region: str) -> None:
        self._bucket = bucket
        self._region = region

    @property
    def _s3(self) -> Any:
        return platform_client("s3", self._region)

    def put(self, name: str, body: bytes) -> None:
        self._call("put_object", Bucket=self._bucket, Key=name, Body=body)

    def get(self, name: str) -> bytes | None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=name)
            body: bytes = answer["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return None
            raise ServiceUnavailable(log=f"s3: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"s3: {error}") from error
        return body

    def delete_prefix(self, prefix: str, limit: int) -> int:
        listed = self._call(
            "list_objects_v2", Bucket=self._bucket, Prefix=prefix, MaxKeys=min(limit, 1000)
        )
        keys = [{"Key": item["Key"]} for item in listed.get("Contents", [])]
        if not keys:
            return 0
        answer = self._call(
            "delete_objects", Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
        )
        if answer.get("Errors"):
            raise ServiceUnavailable(log=f"s3: {len(answer['Errors'])} objects not deleted")
        return len(keys)

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._s3, operation)(**parameters)
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"s3.{operation}: {error}") from error
        return answer


class Snapshots:
    """Writes and reads snapshots of one tenant."""

    def __init__(self, scope: TenantScope, objects: ObjectStore) -> None:
        self._scope = scope
        self._objects = objects

    def write_rows(self, run: Run, rows: Sequence[Row]) -> str | None:
        """Store living rows as a chunk; its SHA-256, None when there is none."""
        lines = [canonical(_line(row)) for row in rows if row.living]
        return self._lines(run, "chunks", lines) if lines else None

    def write_diff(self, run: Run, rows: Sequence[Row]) -> str | None:
        """Store what this run added, changed and saw vanish; its SHA-256, None when nothing."""
        lines = [
            canonical(
                {
                    "change": change,
                    "arn": row.resource.arn,
                    "type": row.resource.type,
                    "region": row.resource.region,
                    "fingerprint": row.resource.fingerprint,
                }
            )
            for row in rows
            if (change := change_of(row, run.id)) is not None
        ]
        return self._lines(run, "diffs", lines) if lines else None

    def write_manifest(self, run: Run, chunks: Sequence[Chunk], units: Sequence[Unit]) -> str:
        """Store the manifest of the whole inventory; its SHA-256 names the snapshot."""
        manifest = {
            "schema": SCHEMA,
            "account_id": run.account_id,
            "chunks": [
                {"region": c.region, "type": c.type, "sha256": c.sha256, "count": c.count}
                for c in chunks
                if c.sha256 is not None
            ],
            "coverage": [
                {
                    "region": unit.region,
                    "service": unit.service,
                    "status": unit.status,
                    "listed": unit.listed,
                    "reason": unit.reason,
                    "missing_actions": list(unit.missing_actions),
                }
                for unit in units
            ],
        }
        return self._put(run, "snapshots", canonical(manifest), "json")

    def write_diff_manifest(self, run: Run, chunks: Sequence[Chunk]) -> str:
        """Store the run's diff: totals and the pieces with the lines."""
        return self._put(run, "diffs", canonical(diff_of(run, chunks)), "json")

    def manifest(self, account_id: str, generation: int, sha256: str) -> dict[str, Any] | None:
        """A stored manifest, or None."""
        body = self._objects.get(self._name(account_id, generation, "snapshots", sha256, "json"))
        return None if body is None else json.loads(body)

    def lines(self, account_id: str, generation: int, sha256: str) -> Iterable[dict[str, Any]]:
        """The resources of one chunk, one at a time. Raises LookupError when it is not there."""
        name = self._name(account_id, generation, "chunks", sha256, "jsonl.gz")
        body = self._objects.get(name)
        if body is None:
            raise LookupError(name)
        for line in gzip.decompress(body).splitlines():
            yield json.loads(line)

    def delete_some(self, account_id: str, generation: int, limit: int) -> int:
        """Delete objects of an ended generation; 0 when none is left."""
        prefix = self._prefix(account_id, generation)
        return self._objects.delete_prefix(prefix, limit)

    def _lines(self, run: Run, folder: Folder, lines: Sequence[bytes]) -> str:
        text = b"\n".join(lines) + b"\n"
        # No time and no name in the header: equal lines give equal bytes.
        packed = gzip.compress(text, compresslevel=6, mtime=0)
        digest = hashlib.sha256(text).hexdigest()
        self._objects.put(
            self._name(run.account_id, run.generation, folder, digest, "jsonl.gz"), packed
        )
        return digest

    def _put(self, run: Run, folder: Folder, body: bytes, suffix: str) -> str:
        digest = hashlib.sha256(body).hexdigest()
        self._objects.put(self._name(run.account_id, run.generation, folder, digest, suffix), body)
        return digest

    def _prefix(self, account_id: str, generation: int) -> str:
        return f"inventory/{self._scope.tenant_id}/{account_id}/{generation}/"

    def _name(
        self, account_id: str, generation: int, folder: Folder, digest: str, suffix: str
    ) -> str:
        return f"{self._prefix(account_id, generation)}{folder}/{digest}.{suffix}"


def change_of(row: Row, run_id: str) -> Literal["added", "changed", "vanished"] | None:
    """What a run did to a row, read from the row's marks."""
    if row.vanished_run == run_id:
        return "vanished"
    if not row.living:
        return None
    if row.first_run == run_id:
        return "added"
    return "changed" if row.changed_run == run_id else None


def diff_of(run: Run, chunks: Sequence[Chunk]) -> dict[str, Any]:
    """Totals of a run's changes and the names of the pieces that list them."""
    return {
        "schema": SCHEMA,
        "account_id": run.account_id,
        "run_id": run.id,
        "added": sum(chunk.added for chunk in chunks),
        "changed": sum(chunk.changed for chunk in chunks),
        "vanished": sum(chunk.vanished for chunk in chunks),
        "pieces": [chunk.diff_sha256 for chunk in chunks if chunk.diff_sha256 is not None],
    }


def _line(row: Row) -> Mapping[str, Any]:
    # No last_seen_at: it changes with every run, and the run's own row has its date.
    resource = row.resource
    return {
        "id": resource.id,
        "arn": resource.arn,
        "type": resource.type,
        "name": resource.name,
        "account_id": resource.account_id,
        "region": resource.region,
        "state": resource.state,
        "tags": dict(resource.tags),
        "attributes": dict(resource.attributes),
        "metrics": dict(resource.metrics),
        "unknown": list(resource.unknown),
        "fingerprint": resource.fingerprint,
        "service": row.service,
        "first_seen_at": iso(resource.first_seen_at),
        "unchanged_since": iso(resource.unchanged_since),
    }
