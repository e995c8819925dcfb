"""Dry runs: the reference interpreter on a stored or a given definition (WF-15)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate_kit.clock import Clock

from tidegate.workflows.errors import DefinitionInvalid, InputInvalid, MissingInput
from tidegate.workflows.interpreter import DryRun, dry_run
from tidegate.workflows.repository.workflows import Workflows
from tidegate.workflows.service.definitions import Definitions
from tidegate.workflows.validation import prepare_input


class Rehearsals:
    """Dry runs of one tenant's workflows. Nothing is stored, counted or called."""

    def __init__(self, workflows: Workflows, definitions: Definitions, clock: Clock) -> None:
        self._workflows = workflows
        self._definitions = definitions
        self._clock = clock

    def run(
        self,
        workflow_id: str,
        input_data: Mapping[str, Any],
        definition: Mapping[str, Any] | None,
        mocks: Mapping[str, Mapping[str, Any]],
    ) -> DryRun:
        """Rehearse. Raises NotFound, DefinitionInvalid, MissingInput, InputInvalid."""
        workflow = self._workflows.get(workflow_id)
        raw = definition
        if raw is None:
            raw = self._definitions.load(workflow_id, workflow.version).raw
        report = self._definitions.report(raw, workflow_id)
        if not report.valid or report.definition is None:
            raise DefinitionInvalid(report.errors)
        prepared = prepare_input(report.definition, report.required_inputs, input_data)
        if prepared.missing:
            raise MissingInput(prepared.missing)
        if prepared.invalid:
            raise InputInvalid([(problem.path, problem.message) for problem in prepared.invalid])
        return dry_run(
            report.definition,
            prepared.data,
            now=self._clock(),
            mocks=mocks,
            trigger={"type": "api"},
        )
