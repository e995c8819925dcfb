"""Shared field types of request and response models (GEN-10, GEN-11, D5, D13)."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
)

from tidegate_kit.clock import iso

ID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII
)
_ALLOWED_CONTROLS = {"\n", "\r", "\t"}
_BIDI = {chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def clean_text(value: str) -> str:
    """Trim; refuse control characters (line breaks and tabs are text) and lone surrogates."""
    if value.isprintable():  # the common case: no control, format or surrogate character
        return value.strip()
    for char in value:
        category = unicodedata.category(char)
        if category == "Cs" or char in _BIDI:
            raise ValueError("holds a character that is not text")
        if category == "Cc" and char not in _ALLOWED_CONTROLS:
            raise ValueError("holds a control character")
    return value.strip()


def clean_line(value: str) -> str:
    """As clean_text, on one line."""
    if "\n" in value or "\r" in value:
        raise ValueError("holds a line break")
    return clean_text(value)


def not_null(value: object) -> object:
    """Refuse null where the contract says "may be absent" and not "may be null" (D5)."""
    if value is None:
        raise ValueError("may be left out, but not null")
    return value


def read_instant(value: object) -> datetime:
    """ISO 8601 with offset or Z, or a date as its midnight UTC; in UTC (GEN-10).

    Raises ValueError for anything else: a number is no time, nor is one without a zone.
    """
    if isinstance(value, str) and _DATE.fullmatch(value):
        value = f"{value}T00:00:00Z"
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError("must be a date and time with offset or Z (ISO 8601)")


Text = Annotated[str, AfterValidator(clean_text)]
Line = Annotated[str, AfterValidator(clean_line)]
# For optional fields of requests: `name: Annotated[Text | None, NotNull] = None`.
NotNull = BeforeValidator(not_null)
Timestamp = Annotated[datetime, PlainSerializer(iso, return_type=str)]
# A time in a request, as a query parameter or in a body.
Instant = Annotated[
    datetime,
    BeforeValidator(read_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-02T09:00:00Z"]}),
]
# Other spellings of an id are 404, as for an absent one (GEN-10); the error mapper does that.
PathId = Annotated[str, Path(pattern=ID_PATTERN)]


class RequestModel(BaseModel):
    """Base of request bodies: unknown fields and lax conversions are refused (GEN-11, D5)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ApiModel(BaseModel):
    """Base of response bodies."""

    model_config = ConfigDict(extra="forbid", frozen=True)
