"""The state machine of plan runs (infra/statemachines/plan-execution.asl.yaml)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.clients import platform_client
from tidegate_kit.errors import ServiceUnavailable

from tidegate.findings.plans.domain import Plan


@dataclass(frozen=True)
class StepFunctions:
    """Machines on Step Functions. An execution is named after its run, so once is enough."""

    machine_arn: str
    region: str
    tenant_id: str

    def start(self, plan: Plan) -> None:
        """See ports.Machines."""
        given = {"tenant_id": self.tenant_id, "plan_id": plan.id, "run_id": plan.run_id}
        try:
            self._client().start_execution(
                stateMachineArn=self.machine_arn, name=str(plan.run_id), input=json.dumps(given)
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
                raise ServiceUnavailable(log=f"stepfunctions: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"stepfunctions: {error}") from error

    def ended(self, run_id: str) -> bool:
        """See ports.Machines. An execution that was never started has not ended."""
        arn = f"{self.machine_arn.replace(':stateMachine:', ':execution:')}:{run_id}"
        try:
            status = self._client().describe_execution(executionArn=arn)["status"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ExecutionDoesNotExist":
                return False
            raise ServiceUnavailable(log=f"stepfunctions: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"stepfunctions: {error}") from error
        return bool(status != "RUNNING")

    def _client(self) -> Any:
        return platform_client("stepfunctions", self.region)
