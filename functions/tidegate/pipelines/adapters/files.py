"""Uploaded cost files: objects under focus/<tenant>/ in the data bucket, CSV, also gzipped."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clients import platform_client
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.tenancy import TenantScope

from tidegate.pipelines.errors import FocusInvalid
from tidegate.pipelines.service.ports import CostFile

MAX_CHARS: Final = 2 * 1024**3  # unpacked
MAX_LINE: Final = 1_000_000


def prefix_of(scope: TenantScope) -> str:
    """Where a tenant's files lie."""
    return f"focus/{scope.tenant_id}/"


@dataclass(frozen=True)
class S3CostFiles:
    """CostFiles of one tenant."""

    scope: TenantScope
    bucket: str
    region: str

    def all(self) -> list[CostFile]:
        """See ports.CostFiles."""
        prefix = prefix_of(self.scope)
        try:
            pages = self._client().get_paginator("list_objects_v2")
            found = [
                CostFile(one["Key"].removeprefix(prefix), one["ETag"].strip('"'), int(one["Size"]))
                for page in pages.paginate(Bucket=self.bucket, Prefix=prefix)
                for one in page.get("Contents", [])
                if not one["Key"].endswith("/")
            ]
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"cost files: {error}") from error
        return sorted(found, key=lambda file: file.name)

    def lines(self, name: str) -> Iterator[str]:
        """See ports.CostFiles."""
        try:
            key = prefix_of(self.scope) + name
            body = self._client().get_object(Bucket=self.bucket, Key=key)["Body"]
            yield from text_lines(body, packed=name.endswith(".gz"))
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"cost file: {error}") from error

    def _client(self) -> Any:
        return platform_client("s3", self.region)


def text_lines(body: IO[bytes], *, packed: bool) -> Iterator[str]:
    """The lines of a CSV body, bounded. Raises FocusInvalid."""
    raw: Any = gzip.GzipFile(fileobj=body) if packed else body
    left = MAX_CHARS
    with io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        while line := _line(text):
            left -= len(line)
            if left < 0:
                raise FocusInvalid("the file is too large when unpacked")
            if len(line) >= MAX_LINE:
                raise FocusInvalid(f"a line has more than {MAX_LINE} characters")
            yield line


def _line(text: io.TextIOWrapper) -> str:
    try:
        return text.readline(MAX_LINE)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FocusInvalid("it is not a whole gzip file") from error
