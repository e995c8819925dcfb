"""Actions on the capacity of serverless services: Lambda memory, DynamoDB throughput."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from tidegate_kit.session_policy import Grant

from tidegate.discovery.public import Found
from tidegate.findings.actions.base import Account, Action, Job, Parameters, Phase


class MemoryParameters(Parameters):
    """The new memory in MB."""

    memory_mb: int = Field(ge=128, le=10240)


class SetMemory(Action):
    """Set a function's memory; the undo sets the old value."""

    id = "lambda.set_memory"
    title = "Set the function's memory"
    service = "lambda"
    types = ("lambda:function",)
    reversible = True
    parameters = MemoryParameters
    acts = ("lambda:UpdateFunctionConfiguration",)
    undoes = ("lambda:UpdateFunctionConfiguration",)

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """The memory noted down."""
        return {"memory_mb": found.attributes["memory_mb"]}

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By memory."""
        memory = None if found is None else found.attributes.get("memory_mb")
        if memory == job.parameters["memory_mb"]:
            return "applied"
        return "before" if memory == job.captured["memory_mb"] else "other"

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Set the new memory."""
        return self._set(account, job, job.parameters["memory_mb"])

    def undo(self, account: Account, job: Job) -> Mapping[str, Any] | None:
        """Set the old one."""
        return self._set(account, job, job.captured["memory_mb"])

    def _set(self, account: Account, job: Job, memory: int) -> Mapping[str, Any]:
        client = account.client("lambda", [Grant(self.acts, (job.arn,))])
        client.update_function_configuration(FunctionName=job.arn, MemorySize=memory)
        return {"memory_mb": memory}


class CapacityParameters(Parameters):
    """On demand, or provisioned with both units."""

    billing_mode: Literal["PAY_PER_REQUEST", "PROVISIONED"]
    read_units: int | None = Field(default=None, ge=1, le=1_000_000)
    write_units: int | None = Field(default=None, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _units_with_provisioned(self) -> Self:
        units = (self.read_units, self.write_units)
        if (self.billing_mode == "PROVISIONED") != all(unit is not None for unit in units):
            raise ValueError("both units with PROVISIONED, none with PAY_PER_REQUEST")
        return self


class SetCapacity(Action):
    """Set a table's capacity; the undo sets mode and units, also those of its indexes.

    AWS limits how often a day a table is switched or lowered; an undo that it refuses for that can
    be tried again until its deadline.
    """

    id = "dynamodb.set_capacity"
    title = "Set the table's capacity"
    service = "dynamodb"
    types = ("dynamodb:table",)
    reversible = True
    parameters = CapacityParameters
    acts = ("dynamodb:UpdateTable",)
    undoes = ("dynamodb:UpdateTable",)

    def problem(self, found: Found, parameters: Mapping[str, Any]) -> str | None:
        """Active tables."""
        return None if found.state == "ACTIVE" else "The table is not active."

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """Mode and units noted down."""
        units = found.attributes.get("provisioned") or {}
        return {
            "billing_mode": found.attributes["billing_mode"],
            "read_units": units.get("read_units") or None,
            "write_units": units.get("write_units") or None,
            "indexes": list(found.attributes.get("indexes") or []),
        }

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By mode and units."""
        if found is None:
            return "other"
        if found.state != "ACTIVE":
            return "moving"
        if _has(found, job.parameters):
            return "applied"
        return "before" if _has(found, job.captured) else "other"

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Set the new capacity."""
        wanted = job.parameters
        self._update(account, job, _throughput(wanted), [])
        return dict(wanted)

    def undo(self, account: Account, job: Job) -> Mapping[str, Any] | None:
        """Set the old one."""
        captured = job.captured
        switched = captured["billing_mode"] != job.parameters["billing_mode"]
        indexes = captured["indexes"] if switched else []
        self._update(account, job, _throughput(captured), indexes)
        return {name: captured[name] for name in ("billing_mode", "read_units", "write_units")}

    def _update(
        self, account: Account, job: Job, wanted: dict[str, Any], indexes: list[Mapping[str, Any]]
    ) -> None:
        if wanted["BillingMode"] == "PROVISIONED" and indexes:
            wanted["GlobalSecondaryIndexUpdates"] = [
                {"Update": {"IndexName": index["name"], **_units(index["provisioned"])}}
                for index in indexes
            ]
        client = account.client("dynamodb", [Grant(self.acts, (job.arn,))])
        client.update_table(TableName=job.ref.short_id, **wanted)


def _throughput(wanted: Mapping[str, Any]) -> dict[str, Any]:
    if wanted["billing_mode"] == "PAY_PER_REQUEST":
        return {"BillingMode": "PAY_PER_REQUEST"}
    return {"BillingMode": "PROVISIONED", **_units(wanted)}


def _units(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ProvisionedThroughput": {
            "ReadCapacityUnits": wanted["read_units"],
            "WriteCapacityUnits": wanted["write_units"],
        }
    }


def _has(found: Found, wanted: Mapping[str, Any]) -> bool:
    if found.attributes.get("billing_mode") != wanted["billing_mode"]:
        return False
    if wanted["billing_mode"] == "PAY_PER_REQUEST":
        return True
    units = found.attributes.get("provisioned") or {}
    return all(units.get(name) == wanted.get(name) for name in ("read_units", "write_units"))
