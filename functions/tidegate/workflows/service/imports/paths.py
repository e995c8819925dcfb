"""n8n expressions as our templates: `={{ $json.a.b }}` is a path, anything else is not mapped."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_TEMPLATE: Final = re.compile(r"\{\{(.{0,500}?)\}\}", re.DOTALL)
_STEPS: Final = r"((?:\.[\w-]{1,128}|\[\d{1,9}\]|\[\"[\w-]{1,128}\"\]|\['[\w-]{1,128}'\]){0,32})"
_JSON: Final = re.compile(r"\s*\$json" + _STEPS + r"\s*")
_NODE: Final = re.compile(
    r"\s*\$(?:node\[\"([^\"]{1,200})\"\]|\(\s*['\"]([^'\"]{1,200})['\"]\s*\)"
    r"(?:\.(?:item|first\(\)|last\(\)))?)\.json" + _STEPS + r"\s*"
)
_STEP: Final = re.compile(r"[\w-]+")


class NoEquivalent(Exception):
    """Something of a node has no equivalent; `reason` is shown to the user."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Names:
    """Our node ids by n8n name, which nodes are triggers, and who precedes whom."""

    ids: Mapping[str, str]
    triggers: set[str]
    sources: Mapping[str, list[str]]

    def reader(self, name: str) -> Callable[[Any], Any]:
        """A function that turns a node's parameter values into ours. Raises NoEquivalent."""

        def read(value: Any) -> Any:
            if isinstance(value, str):
                return self._text(name, value)
            if isinstance(value, dict):
                return {key: read(item) for key, item in value.items()}
            if isinstance(value, list):
                return [read(item) for item in value]
            return value

        return read

    def _text(self, name: str, text: str) -> str:
        if not text.startswith("="):
            if "{{" in text:
                raise NoEquivalent("A text holds braces that would be a template here.")
            return text
        return _TEMPLATE.sub(lambda match: f"{{{{{self._path(name, match.group(1))}}}}}", text[1:])

    def _path(self, name: str, expression: str) -> str:
        own = _JSON.fullmatch(expression)
        if own is not None:
            sources = self.sources.get(name, [])
            if len(set(sources)) != 1:
                raise NoEquivalent("$json is ambiguous: the node has not exactly one predecessor.")
            return self._of(sources[0], own.group(1))
        other = _NODE.fullmatch(expression)
        if other is None:
            raise NoEquivalent("An expression is not a plain path.")
        source = other.group(1) or other.group(2)
        if source not in self.ids:
            raise NoEquivalent("An expression names a node that is not there.")
        return self._of(source, other.group(3))

    def _of(self, source: str, steps: str) -> str:
        path = _STEP.findall(steps)
        root = ["input"] if source in self.triggers else ["nodes", self.ids[source], "output"]
        return ".".join([*root, *path])
