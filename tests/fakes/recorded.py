"""Reads recorded AWS answers: ``<scenario>/<service>.<Operation>_<n>.json``.

The recordings are foreign test data kept beside the project (``../shared/vectors``); tests
skip, saying so, where they are absent.

    for recording in recordings("aws-recorded", operation="DescribeVolumes"):
        inventory(recording.data)                 # datetimes decoded

    with scenario("aws-recorded", "test_ebs_snapshot").playing():
        boto3.client("ec2").describe_volumes()    # answered from the recording
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"
_FILE = re.compile(r"(?P<service>[\w.-]+)\.(?P<operation>\w+)_(?P<n>\d+)\.json")
_FIELDS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def vectors(name: str) -> Path:
    """The path of a set of foreign vectors; skips the test where it is absent."""
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"foreign test data {name!r} is not beside this checkout")
    return path


def decode(node: Any) -> Any:
    """Recorded JSON with its encoded datetimes turned into aware ones."""
    if isinstance(node, list):
        return [decode(item) for item in node]
    if not isinstance(node, dict):
        return node
    kind = node.get("__class__")
    if kind is None:
        return {key: decode(value) for key, value in node.items()}
    if kind != "datetime":
        raise ValueError(f"unknown recorded class {kind!r}")
    return dt.datetime(*(int(node.get(name, 0)) for name in _FIELDS), tzinfo=dt.UTC)  # type: ignore[misc,arg-type]


@functools.cache
def _models() -> tuple[Any, dict[str, list[str]]]:
    """A session's loader, and endpoint prefix -> names of the services that use it."""
    loader = botocore.session.Session().get_component("data_loader")
    prefixes: dict[str, list[str]] = defaultdict(list)
    for name in loader.list_available_services("service-2"):
        prefixes[name].append(name)
    # Recordings are named by endpoint prefix, which is not always the service's name.
    for prefix, names in {
        "access-analyzer": ["accessanalyzer"],
        "api.ecr": ["ecr"],
        "elasticloadbalancing": ["elbv2", "elb"],
        "elasticfilesystem": ["efs"],
        "elasticmapreduce": ["emr"],
        "email": ["ses", "sesv2"],
        "memory-db": ["memorydb"],
        "monitoring": ["cloudwatch"],
        "s3-control": ["s3control"],
        "states": ["stepfunctions"],
        "streams.dynamodb": ["dynamodbstreams"],
        "tagging": ["resourcegroupstaggingapi"],
    }.items():
        prefixes[prefix] += names
    return loader, prefixes


@functools.cache
def _service_model(name: str) -> Any:
    from botocore.model import ServiceModel

    return ServiceModel(_models()[0].load_service_model(name, "service-2"), service_name=name)


def _timestamps(shape: Any, value: Any) -> Any:
    """Text in the place of a timestamp becomes a datetime, as botocore returns it."""
    if shape is None or value is None:
        return value
    if shape.type_name == "structure" and isinstance(value, dict):
        members = shape.members
        return {key: _timestamps(members.get(key), item) for key, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_timestamps(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _timestamps(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp" and isinstance(value, str):
        with contextlib.suppress(ValueError):
            moment = dt.datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return value


@dataclass(frozen=True)
class Recording:
    """One recorded answer."""

    scenario: str
    service: str
    operation: str
    n: int
    path: Path

    @functools.cached_property
    def raw(self) -> Mapping[str, Any]:
        """The file's content."""
        content = json.loads(self.path.read_text(encoding="utf-8"))
        assert isinstance(content, dict)
        return content

    @property
    def status_code(self) -> int:
        """The HTTP status of the answer."""
        return int(self.raw["status_code"])

    @property
    def client_name(self) -> str | None:
        """The boto3 client that this answer belongs to; None when botocore has no such one."""
        fitting = [
            name
            for name in _models()[1].get(self.service, [])
            if self.operation in _service_model(name).operation_names
        ]
        keys = set(self.raw.get("data") or {}) - {"ResponseMetadata", "Error"}
        for name in fitting:
            shape = _service_model(name).operation_model(self.operation).output_shape
            if keys <= set(shape.members if shape is not None else ()):
                return name
        return fitting[0] if fitting else None

    @property
    def data(self) -> dict[str, Any]:
        """The answer as botocore would return it: datetimes decoded, timestamps parsed."""
        plain: dict[str, Any] = decode(self.raw.get("data") or {})
        name = self.client_name
        if name is None:
            return plain
        shape = _service_model(name).operation_model(self.operation).output_shape
        decoded: dict[str, Any] = _timestamps(shape, plain)
        return decoded

    @property
    def error_code(self) -> str | None:
        """The error's code, or None for a success."""
        if self.status_code < 300:
            return None
        return str((self.raw["data"].get("Error") or {}).get("Code", self.status_code))

    def result(self) -> dict[str, Any]:
        """The data, or the recorded error raised as ClientError."""
        data = self.data
        data.setdefault("ResponseMetadata", {})
        data["ResponseMetadata"] = {**data["ResponseMetadata"], "HTTPStatusCode": self.status_code}
        if self.status_code >= 300:
            raise ClientError(data, self.operation)  # type: ignore[arg-type]
        return data


@dataclass(frozen=True)
class Scenario:
    """The answers recorded for one scenario."""

    name: str
    recordings: tuple[Recording, ...]

    @contextlib.contextmanager
    def playing(self) -> Iterator[Counter[str]]:
        """Every client call is answered in recorded order; after the last comes the first.

        Yields a counter of the calls by ``service.Operation``.  A call that was never
        recorded raises LookupError.
        """
        queues: dict[str, list[Recording]] = defaultdict(list)
        for recording in sorted(self.recordings, key=lambda item: item.n):
            queues[f"{recording.service}.{recording.operation}"].append(recording)
        calls: Counter[str] = Counter()

        def answer(client: Any, operation: str, params: Any) -> dict[str, Any]:
            model = client.meta.service_model
            for prefix in (model.endpoint_prefix, model.service_name, model.signing_name):
                queue = queues.get(f"{prefix}.{operation}")
                if queue:
                    name = f"{prefix}.{operation}"
                    calls[name] += 1
                    return queue[(calls[name] - 1) % len(queue)].result()
            raise LookupError(f"{self.name}: no recording of {model.service_name}.{operation}")

        with patch.object(BaseClient, "_make_api_call", answer):
            yield calls


def scenarios(folder: str = "aws-recorded") -> list[Scenario]:
    """Every scenario of a set, by name."""
    found: list[Scenario] = []
    for directory in sorted(path for path in vectors(folder).iterdir() if path.is_dir()):
        recordings = []
        for path in sorted(directory.iterdir()):
            match = _FILE.fullmatch(path.name)
            if match:
                service, operation, number = match.group("service", "operation", "n")
                recordings.append(Recording(directory.name, service, operation, int(number), path))
        if recordings:
            found.append(Scenario(directory.name, tuple(recordings)))
    return found


def scenario(folder: str, name: str) -> Scenario:
    """One scenario by name."""
    return next(item for item in scenarios(folder) if item.name == name)


def recordings(
    folder: str = "aws-recorded",
    *,
    service: str | None = None,
    operation: str | None = None,
    errors: bool | None = None,
) -> Iterator[Recording]:
    """Every recording of a set; ``errors`` keeps only failures (or only successes)."""
    for item in scenarios(folder):
        for recording in item.recordings:
            if service is not None and recording.service != service:
                continue
            if operation is not None and recording.operation != operation:
                continue
            if errors is not None and (recording.status_code >= 300) is not errors:
                continue
            yield recording
