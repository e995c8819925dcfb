"""A workflow's graph and machine, for people to look at."""

from __future__ import annotations

import json

from tidegate_kit.errors import NotFound

from tidegate.workflows.compiler import CompileOptions, compile_definition
from tidegate.workflows.errors import DefinitionInvalid
from tidegate.workflows.graph import Graph, IssueLog, parse_definition
from tidegate.workflows.repository.executions import Executions
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.repository.workflows import Workflows
from tidegate.workflows.service.definitions import Definitions, as_issue


class Pictures:
    """Diagrams and machines of one tenant's workflows."""

    def __init__(
        self,
        workflows: Workflows,
        executions: Executions,
        ledger: Ledger,
        definitions: Definitions,
        partition: str,
    ) -> None:
        self._workflows = workflows
        self._executions = executions
        self._ledger = ledger
        self._definitions = definitions
        self._partition = partition

    def of(self, workflow_id: str, execution_id: str | None) -> tuple[Graph, dict[str, str]]:
        """The graph and, with an execution, each node's status. Raises NotFound."""
        version = self._workflows.get(workflow_id).version
        status: dict[str, str] = {}
        if execution_id is not None:
            execution = self._executions.get(execution_id)
            if execution.workflow_id != workflow_id:
                raise NotFound
            version = execution.workflow_version
            status = {
                step.node_id: step.status
                for step in self._ledger.steps(execution_id)
                if step.step_id == step.node_id
            }
        raw = self._definitions.load(workflow_id, version).raw
        graph = parse_definition(raw, IssueLog(), octets=0).graph
        if graph is None:
            raise NotFound
        return graph, status

    def machine_text(self, workflow_id: str) -> str:
        """The compiled machine as JSON text. Raises NotFound, DefinitionInvalid.

        The function's ARN stays a placeholder: nobody outside needs it.
        """
        workflow = self._workflows.get(workflow_id)
        loaded = self._definitions.load(workflow_id, workflow.version)
        if loaded.parsed is None:
            raise DefinitionInvalid([as_issue(issue) for issue in loaded.version.issues])
        options = CompileOptions(
            partition=self._partition, timeout_seconds=workflow.settings.timeout_seconds
        )
        return json.dumps(compile_definition(loaded.parsed, options).machine, indent=1)
