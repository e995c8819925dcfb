"""Publishes versions lazily: one state machine per workflow, one of its versions per version."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.workflows.compiler import CompileOptions, compile_definition
from tidegate.workflows.domain import Version
from tidegate.workflows.errors import DefinitionInvalid
from tidegate.workflows.repository.workflows import Workflows
from tidegate.workflows.service.definitions import Definitions, as_issue
from tidegate.workflows.service.machines import Machines

# Where a version's plan keeps the time-out that its machine was published with; no scope of a
# definition has this name.
TIMEOUT_KEY = "timeout_seconds"


@dataclass(frozen=True)
class MachineTarget:
    """What machines call, and how they are named."""

    function_arn: str
    partition: str
    name_prefix: str

    def name(self, workflow_id: str) -> str:
        """The name of a workflow's state machine."""
        return f"{self.name_prefix}{workflow_id}"


class Publisher:
    """Publishes the versions of one tenant."""

    def __init__(
        self,
        workflows: Workflows,
        definitions: Definitions,
        machines: Machines,
        target: MachineTarget,
    ) -> None:
        self._workflows = workflows
        self._definitions = definitions
        self._machines = machines
        self._target = target

    def publish(self, workflow_id: str, number: int, timeout_seconds: int) -> Version:
        """The version with its machine, published with this time-out at first or anew.

        Raises NotFound, DefinitionInvalid, ServiceUnavailable.
        """
        version = self._workflows.version(workflow_id, number)
        if version.machine_version_arn and (version.plan or {}).get(TIMEOUT_KEY) == timeout_seconds:
            return version
        loaded = self._definitions.load(workflow_id, number)
        if loaded.parsed is None:
            raise DefinitionInvalid([as_issue(issue) for issue in version.issues])
        options = CompileOptions(self._target.function_arn, self._target.partition, timeout_seconds)
        compiled = compile_definition(loaded.parsed, options)
        arn = self._machines.publish(self._target.name(workflow_id), compiled.machine)
        plan = {"gates": compiled.plan.as_dict(), TIMEOUT_KEY: timeout_seconds}
        return self._workflows.publish(version, arn, plan)
