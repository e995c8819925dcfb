"""CloudFormation templates as plain data: reading their YAML and walking their intrinsics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from infra.local.config import LocalCloudError

Document = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Safe YAML plus the short forms of intrinsic functions."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> Document:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise yaml.constructor.ConstructorError(None, None, f"cannot read !{suffix}")
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    return {name: value}


def _as_text(loader: _Loader, node: yaml.Node) -> str:
    return str(node.value)


_Loader.add_multi_constructor("!", _intrinsic)
# A date stays the text that was written ("Version: 2012-10-17").
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_text)


def read(path: Path) -> Document:
    """Read a template or a state machine; raise LocalCloudError naming file and line."""
    try:
        loaded = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise LocalCloudError(f"{path} does not exist") from None
    except yaml.YAMLError as error:
        raise LocalCloudError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise LocalCloudError(f"{path} holds no mapping")
    return loaded


def rewrite(node: Any, change: Callable[[Any], Any]) -> Any:
    """A copy of *node* with *change* applied to every dict and string, inner ones first."""
    if isinstance(node, dict):
        return change({key: rewrite(value, change) for key, value in node.items()})
    if isinstance(node, list):
        return [rewrite(value, change) for value in node]
    return change(node)


def resources_of_type(document: Document, *types: str) -> dict[str, Document]:
    """Logical id to resource, for the resources of *types*."""
    return {
        name: resource
        for name, resource in document.get("Resources", {}).items()
        if resource.get("Type") in types
    }


def properties(resource: Document) -> Document:
    """The properties of a resource, created when absent."""
    found: Document = resource.setdefault("Properties", {})
    return found
