"""Pages and cursors of collections (PAGE-1, PAGE-2, B10, B17)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Query
from pydantic import Field

from tidegate_kit.auth.tokens import b64url_decode, b64url_encode
from tidegate_kit.clock import epoch, from_epoch
from tidegate_kit.errors import BadRequest, Detail, Unprocessable
from tidegate_kit.http.call import Call
from tidegate_kit.http.schema import ApiModel

R = TypeVar("R")

_CURSOR_LIFE_SECONDS = 24 * 3600
_MAX_CURSOR_CHARS = 2048
_ANCHORS = 12  # rows that a cursor over a whole list remembers


class InvalidCursor(BadRequest):
    code = "INVALID_CURSOR"
    message = "The cursor is not valid here. Start again without it."


@dataclass
class PageParams:
    """Query parameters of a list: page or cursor, and page_size."""

    page: Annotated[int, Query(ge=1, le=10**9)] = 1
    page_size: Annotated[int, Query(ge=1, le=100)] = 10
    cursor: Annotated[str | None, Query()] = None


class PageFields(ApiModel):
    """The +Page part of every list answer."""

    total: int
    page: int
    page_size: int
    total_pages: int
    # A model serializer would say the same at twice the cost of the whole answer.
    next_cursor: str | None = Field(
        default=None, description="Absent on the last page.", exclude_if=lambda value: value is None
    )


def _row_id(row: Any) -> str:
    return str(row.id)


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _resume(start: Mapping[str, Any], marks: list[str]) -> int:
    """The index after the last row seen that is still there."""
    for mark in start.get("seen", ()):
        if mark in marks:
            return marks.index(mark) + 1
    return int(start.get("offset", 0))


@dataclass(frozen=True)
class Paging:
    """One list call: where to start, how much, and how to seal the next position.

    Repositories get `skip`, `page_size` and `start` (the opaque key mapping of the last row seen,
    or None), and give back the rows and the next key mapping; `fields` makes the answer's part.
    """

    call: Call
    params: PageParams
    filters: Mapping[str, Any]

    @property
    def page_size(self) -> int:
        """Rows wanted."""
        return self.params.page_size

    @property
    def skip(self) -> int:
        """Rows before the page (0 with a cursor)."""
        if self.params.cursor is not None:
            return 0
        return (self.params.page - 1) * self.params.page_size

    @property
    def start(self) -> dict[str, Any] | None:
        """The key of the last row of the page before. Raises InvalidCursor."""
        if self.params.cursor is None:
            return None
        return open_cursor(self.params.cursor, self._key(), self._binding(), epoch(self.call.now))

    def fields(self, total: int, next_key: Mapping[str, Any] | None) -> dict[str, Any]:
        """Keyword arguments for PageFields."""
        size = self.params.page_size
        cursor = None
        if next_key is not None:
            expires = epoch(self.call.now) + _CURSOR_LIFE_SECONDS
            cursor = seal_cursor(next_key, self._key(), self._binding(), expires)
        return {
            "total": total,
            "page": self.params.page,
            "page_size": size,
            "total_pages": -(-total // size),
            "next_cursor": cursor,
        }

    def slice(
        self, rows: list[R], key: Callable[[R], str] = _row_id
    ) -> tuple[list[R], dict[str, Any]]:
        """Page a small list held whole: the rows of this page and the page fields.

        `key` names a row among the others (its `id` unless given). The cursor remembers the last
        rows seen, so rows added or deleted meanwhile neither repeat nor hide another (B17).
        """
        start = self.start
        offset = self.skip if start is None else _resume(start, [_mark(key(row)) for row in rows])
        end = offset + self.page_size
        next_key = None
        if end < len(rows):
            seen = [_mark(key(row)) for row in rows[max(0, end - _ANCHORS) : end]]
            next_key = {"offset": end, "seen": seen[::-1]}
        return rows[offset:end], self.fields(len(rows), next_key)

    def _key(self) -> bytes:
        return self.call.principal.list_key

    def _binding(self) -> bytes:
        text = json.dumps(
            [self.call.principal.user.pk, self.call.route, sorted(self.filters.items())],
            default=str,
        )
        return hashlib.sha256(text.encode()).digest()


def seal_cursor(key: Mapping[str, Any], secret: bytes, binding: bytes, expires: int) -> str:
    """Encrypt a list position: AES-256-GCM, bound to tenant, route and filters."""
    nonce = os.urandom(12)
    plain = json.dumps({"k": dict(key), "e": expires}, separators=(",", ":")).encode()
    return b64url_encode(b"\x01" + nonce + AESGCM(secret).encrypt(nonce, plain, binding))


def open_cursor(text: str, secret: bytes, binding: bytes, now: int) -> dict[str, Any]:
    """The list position of a cursor. Raises InvalidCursor for anything not sealed for this list."""
    if len(text) > _MAX_CURSOR_CHARS:
        raise InvalidCursor
    try:
        raw = b64url_decode(text)
        if raw[:1] != b"\x01" or len(raw) < 30:
            raise InvalidCursor
        plain = json.loads(AESGCM(secret).decrypt(raw[1:13], raw[13:], binding))
    except (ValueError, InvalidTag):
        raise InvalidCursor from None
    if from_epoch(plain["e"]) <= from_epoch(now):
        raise InvalidCursor
    key: dict[str, Any] = plain["k"]
    return key


def unknown_fields(names: list[str]) -> Unprocessable:
    """The 422 of GEN-17."""
    return Unprocessable(
        details=[Detail("fields", "names a field that these items do not have") for _ in names]
    )
