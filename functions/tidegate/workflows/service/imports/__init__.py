"""Workflows from files: our own format and n8n's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tidegate_kit.errors import Detail

from tidegate.workflows.domain import RunSettings
from tidegate.workflows.errors import DefinitionInvalid, ImportInvalid
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.service.imports.n8n import from_n8n
from tidegate.workflows.service.imports.report import Report
from tidegate.workflows.service.imports.tidegate import from_tidegate
from tidegate.workflows.service.workflows import Draft, Whole, WorkflowService

__all__ = ["Imports", "Report"]


class Imports:
    """Imports for one tenant."""

    def __init__(self, workflows: WorkflowService, definitions: Definitions) -> None:
        self._workflows = workflows
        self._definitions = definitions

    def run(
        self,
        kind: Literal["tidegate", "n8n"],
        content: Mapping[str, Any],
        name: str | None,
        *,
        workflow_id: str | None = None,
    ) -> tuple[Whole, Report]:
        """Make a workflow of a file's content; inactive where it is not complete.

        Raises ImportInvalid naming each place that cannot be read.
        """
        read = from_tidegate(content) if kind == "tidegate" else from_n8n(content)
        complete = (
            not read.report.unmapped and self._definitions.report(read.definition, None).valid
        )
        draft = Draft(
            name or read.name,
            read.description,
            read.definition,
            complete,
            read.settings or RunSettings(),
        )
        try:
            return self._workflows.create(draft, workflow_id=workflow_id), read.report
        except DefinitionInvalid as error:
            details = [
                Detail(f"content.{detail.field}", detail.message) for detail in error.details
            ]
            raise ImportInvalid(details=details) from error
