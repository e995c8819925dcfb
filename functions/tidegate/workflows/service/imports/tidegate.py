"""Our own file format, without loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate_kit.errors import Detail

from tidegate.workflows.domain import RunSettings
from tidegate.workflows.errors import ImportInvalid
from tidegate.workflows.service.imports.report import Imported, Report

_MAX_NAME, _MAX_DESCRIPTION = 200, 2000
_RANGES = {"max_concurrency": (1, 100), "timeout_seconds": (1, 2_592_000)}


def from_tidegate(content: Mapping[str, Any]) -> Imported:
    """The workflow of an export. Raises ImportInvalid naming every bad place."""
    problems: list[Detail] = []
    if content.get("format") != "tidegate" or content.get("version") != 1:
        problems.append(Detail("content.format", "must be tidegate, version 1"))
    workflow = content.get("workflow")
    if not isinstance(workflow, Mapping):
        raise ImportInvalid(details=[*problems, Detail("content.workflow", "must be an object")])
    name = workflow.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= _MAX_NAME:
        problems.append(Detail("content.workflow.name", "must be text of 1 to 200 characters"))
    description = workflow.get("description", "")
    if not isinstance(description, str) or len(description) > _MAX_DESCRIPTION:
        problems.append(Detail("content.workflow.description", "must be text up to 2000"))
    definition = workflow.get("definition")
    if not isinstance(definition, Mapping):
        problems.append(Detail("content.workflow.definition", "must be an object"))
    settings = _settings(workflow.get("settings", {}), problems)
    if problems:
        raise ImportInvalid(details=problems)
    nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
    report = Report(mapped=len(nodes) if isinstance(nodes, list) else 0)
    return Imported(str(name).strip(), str(description), dict(definition or {}), settings, report)


def _settings(given: Any, problems: list[Detail]) -> RunSettings:
    where = "content.workflow.settings"
    if not isinstance(given, Mapping):
        problems.append(Detail(where, "must be an object"))
        return RunSettings()
    values: dict[str, Any] = {}
    for key, value in given.items():
        low, high = _RANGES.get(str(key), (0, 0))
        whole = isinstance(value, int) and not isinstance(value, bool)
        known = value in ("queue", "reject") if key == "on_limit" else key in _RANGES
        if known and (key == "on_limit" or (whole and low <= value <= high)):
            values[key] = value
        else:
            problems.append(Detail(f"{where}.{str(key)[:64]}", "is not a setting or out of range"))
    return RunSettings(**values)
