"""Reads a CloudFormation/SAM template and resolves its intrinsics for tests.

Only what the tests need: parameters, conditions, mappings, ``Ref``, ``Sub``, ``Join``,
``Select``, ``Split``, ``If`` and ``FindInMap``.  ``GetAtt`` and references to resources
become readable placeholders (``${Logical.Arn}``), unless ``attributes`` gives their value.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

NO_VALUE = object()
_SUB = re.compile(r"\$\{(!?)([^}]+)\}")


class TemplateError(ValueError):
    """The template refers to something that is not there."""


class _Loader(yaml.SafeLoader):
    """Safe YAML loader that knows CloudFormation's short-form tags."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:  # pragma: no cover - yaml has no further node kinds
        raise TemplateError(f"unexpected YAML node for !{suffix}")
    return {name: value}


_Loader.add_multi_constructor("!", _short_form)
# CloudFormation keeps dates such as 2010-09-09 as text.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_template(text: str) -> dict[str, Any]:
    """Parses template text; every short-form tag becomes its long form."""
    document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    if not isinstance(document, dict):
        raise TemplateError("the template is not a mapping")
    return document


@functools.lru_cache(maxsize=16)
def _read(path: str, _mtime: int) -> dict[str, Any]:
    return parse_template(Path(path).read_text(encoding="utf-8"))


def load_template(path: Path) -> dict[str, Any]:
    """Parses the template at ``path`` (cached until the file changes).  Do not modify it."""
    return _read(str(path), path.stat().st_mtime_ns)


class Resolver:
    """Resolves intrinsics of one template for one set of parameter values."""

    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, str] | None = None,
        *,
        attributes: Mapping[str, str] | None = None,
        region: str = "us-east-1",
        account_id: str = "123456789012",
        stack_name: str = "tidegate-test",
    ) -> None:
        self.template = template
        self.attributes = dict(attributes or {})
        self.values: dict[str, Any] = {
            "AWS::Region": region,
            "AWS::AccountId": account_id,
            "AWS::StackName": stack_name,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{account_id}:stack/{stack_name}/0",
            "AWS::NoValue": NO_VALUE,
        }
        declared: Mapping[str, Any] = template.get("Parameters") or {}
        for name, spec in declared.items():
            if "Default" in spec:
                self.values[name] = spec["Default"]
        for name, value in (parameters or {}).items():
            if name not in declared:
                raise TemplateError(f"the template has no parameter {name!r}")
            self.values[name] = value

    def condition(self, name: str) -> bool:
        """The truth of a named entry of ``Conditions``."""
        conditions: Mapping[str, Any] = self.template.get("Conditions") or {}
        if name not in conditions:
            raise TemplateError(f"the template has no condition {name!r}")
        return self._truth(conditions[name])

    def _truth(self, expression: Any) -> bool:
        if isinstance(expression, dict) and len(expression) == 1:
            (key, value), *_ = expression.items()
            if key == "Condition":
                return self.condition(value)
            if key == "Fn::Equals":
                left, right = (self.resolve(part) for part in value)
                return str(left) == str(right)
            if key == "Fn::Not":
                return not self._truth(value[0])
            if key == "Fn::And":
                return all(self._truth(part) for part in value)
            if key == "Fn::Or":
                return any(self._truth(part) for part in value)
        raise TemplateError(f"not a condition: {expression!r}")

    def resolve(self, node: Any) -> Any:
        """The plain value of ``node``; entries that are ``AWS::NoValue`` disappear."""
        if isinstance(node, list):
            items = (self.resolve(item) for item in node)
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (key, value), *_ = node.items()
            if key == "Ref":
                return self._ref(value)
            if isinstance(key, str) and key.startswith("Fn::"):
                return self._function(key[4:], value)
        resolved = ((key, self.resolve(value)) for key, value in node.items())
        return {key: value for key, value in resolved if value is not NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        if name in self.attributes:
            return self.attributes[name]
        if name in (self.template.get("Resources") or {}):
            return f"${{{name}}}"
        raise TemplateError(f"unresolved reference {name!r}")

    def _get_att(self, dotted: str) -> str:
        if dotted in self.attributes:
            return self.attributes[dotted]
        if dotted.split(".", 1)[0] not in (self.template.get("Resources") or {}):
            raise TemplateError(f"unresolved attribute {dotted!r}")
        return f"${{{dotted}}}"

    def _function(self, name: str, value: Any) -> Any:
        if name == "Sub":
            return self._sub(value)
        if name == "GetAtt":
            return self._get_att(".".join(str(self.resolve(part)) for part in value))
        if name == "If":
            return self.resolve(value[1] if self.condition(value[0]) else value[2])
        if name == "Join":
            return str(value[0]).join(str(part) for part in self.resolve(value[1]))
        if name == "Select":
            return self.resolve(value[1])[int(self.resolve(value[0]))]
        if name == "Split":
            return str(self.resolve(value[1])).split(str(value[0]))
        if name == "FindInMap":
            node: Any = self.template.get("Mappings") or {}
            for part in value:
                node = node[self.resolve(part)]
            return self.resolve(node)
        if name == "GetAZs":
            return [f"{self.values['AWS::Region']}{letter}" for letter in "abc"]
        return {f"Fn::{name}": self.resolve(value)}

    def _sub(self, value: Any) -> str:
        local: dict[str, Any] = {}
        if isinstance(value, list):
            local = {key: self.resolve(item) for key, item in value[1].items()}
            value = value[0]

        def replace(match: re.Match[str]) -> str:
            literal, name = match.group(1), match.group(2).strip()
            if literal:
                return f"${{{name}}}"
            if name in local:
                return str(local[name])
            if "." in name:
                return self._get_att(name)
            return str(self._ref(name))

        return _SUB.sub(replace, str(value))

    def resources(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """Logical id -> resolved properties, for every live resource of the type."""
        found: dict[str, dict[str, Any]] = {}
        for logical_id, resource in (self.template.get("Resources") or {}).items():
            if resource.get("Type") != resource_type:
                continue
            if "Condition" in resource and not self.condition(resource["Condition"]):
                continue
            found[logical_id] = self.resolve(resource.get("Properties") or {})
        return found
