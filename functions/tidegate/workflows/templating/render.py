"""Fills templates. A whole-string template keeps the value's type; values are never re-read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tidegate.workflows.templating.errors import ExpansionError, MissingValueError, TemplateError
from tidegate.workflows.templating.paths import MISSING, BadTemplateError, Path, lookup, parse_path
from tidegate.workflows.templating.scan import TEMPLATE, rooted

# All that one step's templates may bring in together, in characters of JSON (E6).
MAX_EXPANSION: Final = 8 * 1024 * 1024


def _no_secrets(name: str) -> str:
    raise TemplateError(f"There is no secret '{name}'.", "UNKNOWN_REFERENCE")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a step may see. `nodes` maps a node id to {"output": ...} or {"error": ...}.

    `loop` is {"item", "index"} inside a foreach, else None. `secret` gives a secret's value or
    raises TemplateError.
    """

    input: Any = field(default_factory=dict)
    nodes: Mapping[str, Any] = field(default_factory=dict)
    trigger: Any = field(default_factory=dict)
    secret: Callable[[str], str] = _no_secrets
    loop: Mapping[str, Any] | None = None


class Renderer:
    """Fills the templates of one step and remembers the secrets it used."""

    def __init__(self, scope: Scope, limit: int = MAX_EXPANSION) -> None:
        self._scope = scope
        self._left = limit
        self._limit = limit
        self.secrets: set[str] = set()

    def find(self, path: Path) -> Any:
        """The value at a path, or MISSING. Raises TemplateError for an unknown secret."""
        scope = self._scope
        root, *rest = rooted(path, in_loop=scope.loop is not None)
        if root == "input":
            return lookup(scope.input, tuple(rest))
        if root == "nodes":
            if not rest or rest[0] not in scope.nodes:
                return MISSING
            return lookup(scope.nodes[rest[0]], tuple(rest[1:]))
        if root == "trigger":
            return lookup(scope.trigger, tuple(rest))
        if root == "secrets":
            if len(rest) != 1:
                return MISSING
            value = scope.secret(rest[0])
            self.secrets.add(value)
            return value
        loop = scope.loop or {}
        return lookup(loop.get(root, MISSING), tuple(rest)) if root in loop else MISSING

    def render(self, value: Any) -> Any:
        """JSON data with its templates filled. Raises MissingValueError, ExpansionError."""
        if isinstance(value, str):
            return self._text(value) if "{{" in value else value
        if isinstance(value, dict):
            return {key: self.render(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.render(item) for item in value]
        return value

    def _text(self, text: str) -> Any:
        whole = TEMPLATE.fullmatch(text)
        if whole is not None:
            path = _path(whole.group(1))
            if path is None:
                return text
            value = self._value(path)
            self._spend(_size(value, self._left))
            return value
        parts: list[str] = []
        end = 0
        for match in TEMPLATE.finditer(text):
            path = _path(match.group(1))
            if path is None:
                continue
            filled = _as_text(self._value(path))
            self._spend(len(filled))
            parts += (text[end : match.start()], filled)
            end = match.end()
        parts.append(text[end:])
        return "".join(parts)

    def _value(self, path: Path) -> Any:
        value = self.find(path)
        if value is MISSING:
            raise MissingValueError(".".join(path))
        return value

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ExpansionError(f"The filled templates pass {self._limit} characters.")


def _path(text: str) -> Path | None:
    # Saved definitions hold no bad template; one that turns up all the same is plain text.
    try:
        return parse_path(text)
    except BadTemplateError:
        return None


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _size(value: Any, enough: int) -> int:
    """Characters of a value as JSON, roughly; stops counting past `enough`."""
    total = 0
    stack = [value]
    while stack and total <= enough:
        item = stack.pop()
        if isinstance(item, str):
            total += len(item) + 2
        elif isinstance(item, dict):
            total += 2 + sum(len(key) + 4 for key in item)
            stack.extend(item.values())
        elif isinstance(item, list):
            total += 2 + len(item)
            stack.extend(item)
        else:
            total += 8
    return total
