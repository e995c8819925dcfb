"""From the project's SAM template to what the emulator can deploy.

Two halves: ``prepare`` works on the SAM template (local folders and files become archives),
``localize`` on its CloudFormation translation (what the emulator would drop or misread).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local import apis, artefacts
from infra.local.artefacts import Archive
from infra.local.config import LOOPBACK, LocalCloud, LocalCloudError
from infra.local.documents import Document, properties, read, resources_of_type, rewrite

LOG_NAME_VARIABLE = "LOCAL_LOG_NAME"
MISSING = "not-supported-locally"
_EXECUTE_API = re.compile(
    r"(https|wss)://\$\{(?P<api>\w+)\}\.execute-api\.\$\{AWS::Region\}\."
    r"(?:amazonaws\.com|\$\{AWS::URLSuffix\})"
)


@dataclass
class Localized:
    """A template for the emulator and what must be true once it is deployed."""

    document: Document
    routes: dict[str, list[str]] = field(default_factory=dict)
    archives: list[Archive] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    nested: dict[str, Localized] = field(default_factory=dict)


class Preparation:
    """Turns the local paths of one SAM template into objects of *bucket*."""

    def __init__(self, cloud: LocalCloud, bucket: str) -> None:
        self._cloud = cloud
        self._bucket = bucket
        self._code: dict[Path, Archive] = {}
        self.archives: list[Archive] = []
        self.layers: dict[str, Path] = {}
        """Archive key of a layer to its folder on this machine."""

    def prepare(self, document: Document, base: Path) -> dict[str, Path]:
        """Rewrite *document* (in place); return the templates of its nested stacks."""
        shared = document.get("Globals", {}).get("Function", {})
        default = shared.pop("CodeUri", None)
        for ignored in ("Runtime", "Architectures", "SnapStart"):
            shared.pop(ignored, None)
        for name, resource in resources_of_type(document, "AWS::Serverless::Function").items():
            self._function(name, properties(resource), default, base)
        for name, resource in resources_of_type(document, "AWS::Serverless::LayerVersion").items():
            self._layer(name, resource, base)
        machines = resources_of_type(document, "AWS::Serverless::StateMachine")
        for resource in machines.values():
            _inline_definition(properties(resource), base)
        return _nested_stacks(document, base)

    def _function(self, name: str, props: Document, default: Any, base: Path) -> None:
        if "InlineCode" in props:
            raise LocalCloudError(f"function {name} has InlineCode; give it a CodeUri folder")
        code = props.get("CodeUri", default)
        if not isinstance(code, str):
            raise LocalCloudError(f"function {name} has no local CodeUri folder")
        folder = (base / code).resolve()
        if folder not in self._code:
            self._code[folder] = artefacts.code_archive(self._cloud, folder)
            self.archives.append(self._code[folder])
        props["CodeUri"] = {"Bucket": self._bucket, "Key": self._code[folder].key}
        props["Runtime"] = "provided.al2023"
        for ignored in ("Architectures", "SnapStart"):
            props.pop(ignored, None)

    def _layer(self, name: str, resource: Document, base: Path) -> None:
        props = properties(resource)
        content = props.get("ContentUri")
        if not isinstance(content, str):
            raise LocalCloudError(f"layer {name} has no local ContentUri folder")
        folder = (base / content).resolve()
        key = f"layers/{name}.zip"
        self.layers[key] = folder
        self.archives.append(Archive(key, _PLACEHOLDER))
        props["ContentUri"] = {"Bucket": self._bucket, "Key": key}
        props.pop("CompatibleArchitectures", None)
        resource.pop("Metadata", None)


# A layer's content is put on the path from its folder; the emulator only needs something to keep.
_PLACEHOLDER = b"PK\x05\x06" + b"\0" * 18


def _inline_definition(props: Document, base: Path) -> None:
    uri = props.pop("DefinitionUri", None)
    if isinstance(uri, str):
        props["Definition"] = read(base / uri)
    elif uri is not None:
        props["DefinitionUri"] = uri


def _nested_stacks(document: Document, base: Path) -> dict[str, Path]:
    found = {}
    for name, resource in document.get("Resources", {}).items():
        props = resource.get("Properties", {})
        if resource.get("Type") == "AWS::Serverless::Application":
            location = props.pop("Location", None)
            resource["Type"] = "AWS::CloudFormation::Stack"
        elif resource.get("Type") == "AWS::CloudFormation::Stack":
            location = props.get("TemplateURL")
        else:
            continue
        if not isinstance(location, str) or "://" in location:
            raise LocalCloudError(f"nested stack {name} does not name a local template file")
        found[name] = (base / location).resolve()
    return found


def localize(
    document: Document, layers: dict[str, Path], supported: Iterable[str], cloud: LocalCloud
) -> Localized:
    """Close the emulator's gaps in a translated template.

    *layers* maps layer archive keys to ``python`` folders. *supported* are the resource
    types that the emulator knows; others are left out with a note.
    """
    notes = _leave_out(document, set(supported))
    _run_on_this_machine(document, layers)
    apis.expand(document)
    _take_every_log_line(document)
    document = _speak_the_emulators_tongue(document, cloud)
    return Localized(document, apis.declared_routes(document), notes=notes)


def _leave_out(document: Document, supported: set[str]) -> list[str]:
    resources = document.get("Resources", {})
    gone = {
        name: str(resource.get("Type"))
        for name, resource in resources.items()
        if resource.get("Type") not in supported
        and not str(resource.get("Type")).startswith("Custom::")
    }
    if not gone:
        return []
    for name in gone:
        del resources[name]

    def change(node: Any) -> Any:
        if isinstance(node, dict) and len(node) == 1:
            target = node.get("Ref") or node.get("Fn::GetAtt")
            if (target[0] if isinstance(target, list) else target) in gone:
                return MISSING
        if isinstance(node, str):
            return _SUBSTITUTED.sub(lambda m: MISSING if m["id"] in gone else m[0], node)
        if isinstance(node, dict) and "DependsOn" in node and "Type" in node:
            wanted = node["DependsOn"]
            wanted = [wanted] if isinstance(wanted, str) else wanted
            node["DependsOn"] = [name for name in wanted if name not in gone]
        return node

    document["Resources"] = rewrite(resources, change)
    document["Outputs"] = rewrite(document.get("Outputs", {}), change)
    return [f"{name} ({kind}) is not emulated and was left out" for name, kind in gone.items()]


_SUBSTITUTED = re.compile(r"\$\{(?P<id>\w+)(?:\.\w+)*\}")


def _run_on_this_machine(document: Document, layers: dict[str, Path]) -> None:
    by_id = {
        name: layers.get(str(properties(resource).get("Content", {}).get("S3Key")))
        for name, resource in resources_of_type(document, "AWS::Lambda::LayerVersion").items()
    }
    for name, resource in resources_of_type(document, "AWS::Lambda::Function").items():
        props = properties(resource)
        folders = []
        for layer in props.pop("Layers", []):
            folder = by_id.get(layer.get("Ref", "")) if isinstance(layer, dict) else None
            if folder is None:
                raise LocalCloudError(f"function {name} uses layer {layer}, which is not local")
            folders.append(str(folder))
        variables = props.setdefault("Environment", {}).setdefault("Variables", {})
        # On AWS a later layer overwrites files of an earlier one.
        variables[artefacts.LAYER_PATH_VARIABLE] = ":".join(reversed(folders))
        variables[LOG_NAME_VARIABLE] = name


def _take_every_log_line(document: Document) -> None:
    """The emulator knows no JSON patterns for log subscriptions; subscribers look again."""
    for resource in resources_of_type(document, "AWS::Logs::SubscriptionFilter").values():
        properties(resource)["FilterPattern"] = ""


def _speak_the_emulators_tongue(document: Document, cloud: LocalCloud) -> Document:
    secrets = set(resources_of_type(document, "AWS::SecretsManager::Secret"))

    def change(node: Any) -> Any:
        if isinstance(node, dict) and node.keys() == {"Ref"} and node["Ref"] in secrets:
            return {"Fn::GetAtt": [node["Ref"], "Id"]}  # a Ref gives the name there, not the ARN
        if isinstance(node, dict) and node.keys() == {"Fn::Sub"}:
            return {"Fn::Sub": _substitution(node["Fn::Sub"], secrets, cloud)}
        return node

    changed: Document = rewrite(document, change)
    return changed


def _substitution(value: Any, secrets: set[str], cloud: LocalCloud) -> Any:
    if isinstance(value, list):
        return [_substitution(value[0], secrets, cloud), *value[1:]]

    def endpoint(match: re.Match[str]) -> str:
        if match[1] == "wss":
            return cloud.ws_url
        return f"http://{LOOPBACK}:{cloud.aws_port}/_aws/execute-api/${{{match['api']}}}"

    text = _EXECUTE_API.sub(endpoint, str(value))
    if text.startswith(cloud.ws_url):
        text = cloud.ws_url  # the front door knows the stage
    for name in secrets:
        text = text.replace(f"${{{name}}}", f"${{{name}.Id}}")
    return text


def template_text(document: Document) -> str:
    """The template as the emulator receives it."""
    return json.dumps(document, indent=1, default=str)
