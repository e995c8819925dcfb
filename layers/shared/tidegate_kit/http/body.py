"""Strict JSON: parsed once, and what was parsed is what everybody uses (D2-D4)."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from urllib.parse import parse_qsl

from tidegate_kit.errors import BadRequest, Detail, Unprocessable

_MAX_DEPTH = 64
_MAX_DIGITS = 38  # what a DynamoDB number holds
_MAX_FORM_FIELDS = 50
_SURROGATE = re.compile("[\ud800-\udfff]")


def _refuse(message: str) -> Unprocessable:
    return Unprocessable(details=[Detail("body", message)])


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise BadRequest("The JSON body repeats a key in one object.")
    return result


def _integer(text: str) -> int:
    if text == "-0":
        raise _refuse("holds -0, which is not a number we can keep")
    if len(text.lstrip("-")) > _MAX_DIGITS:
        raise _refuse("holds a number with more than 38 digits")
    return int(text)


def _number(text: str) -> float:
    value = float(text) if len(text) <= 400 else math.inf
    if not math.isfinite(value):
        raise _refuse("holds a number out of range")
    if value == 0 and text.startswith("-"):
        raise _refuse("holds -0, which is not a number we can keep")
    return value


def _constant(name: str) -> Any:
    raise _refuse("holds NaN or Infinity")


_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=_constant,
)


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of an application/x-www-form-urlencoded body, blank ones kept.

    Raises BadRequest for another syntax, bytes that are not UTF-8, repeated or too many fields.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True,
            errors="strict", max_num_fields=_MAX_FORM_FIELDS,
        )  # fmt: skip
    except ValueError:
        raise BadRequest("The body is not a valid form in UTF-8.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadRequest("The form repeats a field.")
    return fields


def parse_json(body: bytes) -> Any:
    """The value of a JSON body.

    Raises BadRequest (400) for what is not JSON: syntax, bytes that are not UTF-8, a BOM, repeated
    keys, nesting beyond 64. Raises Unprocessable (422) for NaN, Infinity, numbers beyond 38 digits
    or the double range, and lone surrogates.
    """
    try:
        text = body.decode("utf-8")
        value = _decoder.decode(text)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise BadRequest("The body is not valid JSON in UTF-8.") from None
    _check_depth(text, value)
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _check_depth(text: str, value: Any) -> None:
    # Cheap upper bound first: only a text with that many brackets can be that deep.
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(_MAX_DEPTH):
        if not level:
            return
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
    if level:
        raise BadRequest("The JSON body is nested more than 64 deep.")


def _check_surrogates(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if _SURROGATE.search(item):
                raise _refuse("holds a lone surrogate, which is not text")
        elif isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
