"""fields=a,b on every GET (GEN-17)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args, get_origin

from fastapi import Response
from pydantic import BaseModel

from tidegate_kit.errors import Detail, Unprocessable


def _items_of(model: type[BaseModel]) -> tuple[str, type[BaseModel]] | None:
    """(name, item model) of a list answer."""
    if "page_size" not in model.model_fields and len(model.model_fields) != 1:
        return None
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is list:
            (item,) = get_args(field.annotation)
            if isinstance(item, type) and issubclass(item, BaseModel):
                return name, item
    return None


def selectable_fields(model: Any) -> frozenset[str] | None:
    """Names that `fields` may hold, in lists prefixed by `<list>/`; None: no model."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return None
    items = _items_of(model)
    if items is None:
        return frozenset(_names(model))
    name, item = items
    return frozenset({*(f"{name}/{field}" for field in _names(item))})


def _names(model: type[BaseModel]) -> list[str]:
    """The names that the answer has: `from` where the model must call it otherwise."""
    return [field.serialization_alias or name for name, field in model.model_fields.items()]


def select_fields(
    text: str | None, known: frozenset[str] | None
) -> Callable[[Response], Response] | None:
    """A function that cuts an answer down, or None. Raises Unprocessable for unknown names."""
    if text is None:
        return None
    wanted = {part.strip() for part in text.split(",") if part.strip()}
    known = known or frozenset()
    list_name = next((name.partition("/")[0] for name in known if "/" in name), None)
    names = {name.partition("/")[2] or name for name in known}
    if not wanted or wanted - names:
        raise Unprocessable(details=[Detail("fields", "names a field that is not in this answer")])
    wanted.add("id")

    def cut(response: Response) -> Response:
        if response.status_code != 200:
            return response
        data = json.loads(bytes(response.body))
        if list_name is None:
            data = {name: value for name, value in data.items() if name in wanted}
        else:
            data[list_name] = [
                {name: value for name, value in item.items() if name in wanted}
                for item in data[list_name]
            ]
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        kept = {k: v for k, v in response.headers.items() if k.lower() != "content-length"}
        return Response(body, status_code=200, headers=kept)

    return cut
