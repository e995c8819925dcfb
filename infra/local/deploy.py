"""The localizer: deploy the project's own template to the emulator and close its silent gaps."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.local import artefacts, emulator_process, stacks
from infra.local.aws import client
from infra.local.config import LocalCloud, LocalCloudError
from infra.local.documents import Document, properties, read, resources_of_type
from infra.local.environments import python_of
from infra.local.localize import Localized, Preparation, localize, template_text
from infra.local.progress import note, step


@dataclass(frozen=True)
class Deployment:
    """What runs after a deploy; the checks and the front door work from it."""

    document: Document
    routes: dict[str, list[str]]
    outputs: dict[str, str]
    resources: dict[str, str]
    changed: bool

    def physical(self, *types: str) -> dict[str, str]:
        """Logical to physical id of the deployed resources of *types*."""
        return {
            name: self.resources[name]
            for name in resources_of_type(self.document, *types)
            if name in self.resources
        }


def deploy(cloud: LocalCloud) -> Deployment:
    """Deploy ``cloud.template``; only what changed is touched when it is already there."""
    if not cloud.template.is_file():
        raise LocalCloudError(f"{cloud.template} does not exist: nothing to deploy")
    source = read(cloud.template)
    parameters = parameters_for(cloud, source)
    bucket = f"local-artefacts-{cloud.platform_account}"
    supported = emulator_process.ask(cloud, "types")
    with step("preparing the template") as shown:
        made = _localized(cloud, cloud.template, source, parameters, bucket, supported)
        shown.detail = f"{len(made.document['Resources'])} resources"
    for text in made.notes:
        note(text)
    with step("uploading what changed") as shown:
        shown.detail = f"{_upload(cloud, bucket, made)} objects"
    with step(f"deploying stack {cloud.stack_name}") as shown:
        outcome = stacks.deploy(
            client(cloud, "cloudformation"),
            cloud.stack_name,
            f"{cloud.aws_endpoint}/{bucket}/{_template_key(made)}",
            parameters,
        )
        shown.detail = "changed" if outcome.changed else "nothing to change"
    deployment = Deployment(
        made.document, made.routes, outcome.outputs, outcome.resources, outcome.changed
    )
    with step("applying table settings that the emulator drops"):
        _finish_tables(cloud, deployment)
    if parameters.get("MailFrom"):
        with step("verifying the sender of e-mails") as shown:
            shown.detail = parameters["MailFrom"]
            _verify_sender(cloud, parameters["MailFrom"])
    return deployment


def _verify_sender(cloud: LocalCloud, address: str) -> None:
    """What its owner does on AWS: SES takes mail from verified senders alone."""
    ses = client(cloud, "sesv2")
    with contextlib.suppress(ses.exceptions.AlreadyExistsException):
        ses.create_email_identity(EmailIdentity=address)


def parameters_for(cloud: LocalCloud, document: Document) -> dict[str, str]:
    """Values for the parameters that the template declares and the local cloud knows.

    Raises LocalCloudError naming parameters that nobody gives a value.
    """
    declared = document.get("Parameters", {})
    arch = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    known = {
        "Arch": arch,
        "AwsEndpointUrl": cloud.aws_endpoint,
        "CallbackResponseHosts": cloud.aws_endpoint.removeprefix("http://"),
        "ConsoleUrl": "",
        "CorsOrigins": cloud.cors_origins,
        "Environment": "development",
        "JwtIssuer": cloud.api_url,
        "MailEvents": "false",
        "MailFrom": "noreply@tidegate.local",
        "PublicBaseUrl": cloud.api_url,
        "PublicWsUrl": cloud.ws_url,
        "Stage": "local",
        "WsUrl": cloud.ws_url,
    } | cloud.parameters
    missing = [name for name, how in declared.items() if "Default" not in how and name not in known]
    if missing:
        raise LocalCloudError(
            f"the template's parameters {', '.join(sorted(missing))} have no default and the "
            "local cloud does not know them: add them to infra/local/deploy.py"
        )
    return {name: value for name, value in known.items() if name in declared}


def defaults_of(document: Document) -> dict[str, str]:
    """The defaults of a template's parameters."""
    declared = document.get("Parameters", {})
    return {name: str(how["Default"]) for name, how in declared.items() if "Default" in how}


def _localized(
    cloud: LocalCloud,
    path: Path,
    document: Document,
    parameters: dict[str, str],
    bucket: str,
    supported: list[str],
) -> Localized:
    document = copy.deepcopy(document)
    preparation = Preparation(cloud, bucket)
    nested = preparation.prepare(document, path.parent)
    for name in nested:
        # The translator only lets stacks pass that name a URL.
        properties(document["Resources"][name])["TemplateURL"] = f"{cloud.aws_endpoint}/{name}"
    translated = _translate(cloud, document, parameters)
    folders = {
        key: artefacts.layer_path(cloud, folder) for key, folder in preparation.layers.items()
    }
    made = localize(translated, folders, supported, cloud)
    made.archives = preparation.archives
    for name, child in nested.items():
        source = read(child)
        inner = _localized(cloud, child, source, {}, bucket, supported)
        if inner.routes:
            raise LocalCloudError(f"nested stack {name} declares an HTTP API; move it to the root")
        made.nested[name] = inner
        made.notes += [f"{name}: {text}" for text in inner.notes]
        properties(made.document["Resources"][name])["TemplateURL"] = (
            f"{cloud.aws_endpoint}/{bucket}/{_template_key(inner)}"
        )
    return made


def _translate(cloud: LocalCloud, document: Document, parameters: dict[str, str]) -> Document:
    if "Transform" not in document:
        return document
    asked = json.dumps(
        {"template": document, "parameters": parameters, "region": cloud.region}, default=str
    )
    kept = cloud.home / "cache" / f"{hashlib.sha256(asked.encode()).hexdigest()[:24]}.json"
    if not kept.is_file():
        done = subprocess.run(
            [str(python_of(cloud.emulator_env)), "-m", "infra.local.emulator.translate"],
            input=asked,
            capture_output=True,
            text=True,
            cwd=cloud.root,
            check=False,
        )
        if done.returncode != 0:
            raise LocalCloudError(f"SAM refuses the template:\n{done.stderr[-4000:]}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        for old in sorted(kept.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-8]:
            old.unlink(missing_ok=True)
        kept.write_text(done.stdout)
    translated: Document = json.loads(kept.read_text())
    translated.pop("Transform", None)
    return translated


def _template_key(made: Localized) -> str:
    digest = hashlib.sha256(template_text(made.document).encode()).hexdigest()[:24]
    return f"templates/{digest}.json"


def _upload(cloud: LocalCloud, bucket: str, made: Localized) -> int:
    """Store archives and templates; content-addressed objects that are there stay."""
    s3 = client(cloud, "s3")
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        s3.create_bucket(Bucket=bucket)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    there = {item["Key"] for page in pages for item in page.get("Contents", [])}
    sent = 0
    for key, body in _objects(made).items():
        if key not in there:
            s3.put_object(Bucket=bucket, Key=key, Body=body)
            sent += 1
    return sent


def _objects(made: Localized) -> dict[str, bytes]:
    found = {archive.key: archive.body for archive in made.archives}
    found[_template_key(made)] = template_text(made.document).encode()
    for inner in made.nested.values():
        found |= _objects(inner)
    return found


def _finish_tables(cloud: LocalCloud, deployment: Deployment) -> None:
    """Switch TTL and point-in-time recovery on as declared; the emulator drops both."""
    dynamodb = client(cloud, "dynamodb")
    for name, physical in deployment.physical("AWS::DynamoDB::Table").items():
        declared = properties(deployment.document["Resources"][name])
        attribute = ttl_attribute(declared)
        if attribute and not ttl_is_on(dynamodb, physical, attribute):
            dynamodb.update_time_to_live(
                TableName=physical,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
            )
        recovery = declared.get("PointInTimeRecoverySpecification", {})
        if recovery.get("PointInTimeRecoveryEnabled") in (True, "true"):
            dynamodb.update_continuous_backups(
                TableName=physical,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )


def ttl_attribute(declared: Document) -> str:
    """The TTL attribute that a table declares, or an empty text."""
    ttl = declared.get("TimeToLiveSpecification", {})
    return str(ttl.get("AttributeName", "")) if ttl.get("Enabled") in (True, "true") else ""


def ttl_is_on(dynamodb: Any, table: str, attribute: str) -> bool:
    """Whether the deployed table expires items by *attribute*."""
    shown = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    enabled = shown.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return bool(enabled and shown.get("AttributeName") == attribute)
