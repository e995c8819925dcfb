"""aws_action: one reversible action on one resource of a customer account (WF-16, FND-12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tidegate.workflows.nodes.base import Done, Effect, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.fields import JsonMap, ShortText, Text
from tidegate.workflows.nodes.ports import AwsCall, needed


@dataclass(frozen=True, slots=True)
class AwsActionSpec:
    """What an action may call, the ARN's service it acts on, and its required parameters."""

    iam_actions: frozenset[str]
    service: str
    parameters: frozenset[str] = frozenset()


def _spec(*iam_actions: str, service: str = "ec2", parameters: str = "") -> AwsActionSpec:
    return AwsActionSpec(frozenset(iam_actions), service, frozenset(parameters.split()))


# The reversible actions of FND-12 as findings carries them out (a test compares), and starting an
# instance, which is the way back of stopping one.
ACTIONS: Final[dict[str, AwsActionSpec]] = {
    "ec2.delete_volume": _spec(
        "ec2:CreateSnapshot", "ec2:CreateTags", "ec2:CreateVolume", "ec2:DeleteSnapshot",
        "ec2:DeleteTags", "ec2:DeleteVolume", "ec2:DescribeSnapshots", "ec2:DescribeVolumes",
    ),
    "ec2.modify_volume": _spec(
        "ec2:DescribeVolumes", "ec2:ModifyVolume", parameters="volume_type"
    ),
    "ec2.create_tags": _spec(
        "ec2:DescribeTags", "ec2:CreateTags", "ec2:DeleteTags", parameters="tags"
    ),
    "ec2.stop_instance": _spec("ec2:DescribeInstances", "ec2:StopInstances", "ec2:StartInstances"),
    "ec2.start_instance": _spec("ec2:DescribeInstances", "ec2:StartInstances", "ec2:StopInstances"),
    "rds.stop_instance": _spec(
        "rds:DescribeDBInstances", "rds:StopDBInstance", "rds:StartDBInstance", service="rds"
    ),
    "rds.modify_storage": _spec(
        "rds:DescribeDBInstances", "rds:ModifyDBInstance", service="rds",
        parameters="storage_type",
    ),
    "lambda.set_memory": _spec(
        "lambda:ListFunctions", "lambda:UpdateFunctionConfiguration", service="lambda",
        parameters="memory_mb",
    ),
    "dynamodb.set_capacity": _spec(
        "dynamodb:DescribeTable", "dynamodb:UpdateTable", service="dynamodb",
        parameters="billing_mode",
    ),
}  # fmt: skip


class AwsActionData(NodeData):
    """`action` is fixed at save, so that what a workflow may do can be read off it."""

    account_id: ShortText
    region: ShortText
    action: ShortText
    resource_arn: Text
    parameters: JsonMap | None = None


class AwsActionNode(NodeType[AwsActionData]):
    """An effect, decided by policy when it runs."""

    name = "aws_action"
    data_model = AwsActionData

    def effect(self, data: Mapping[str, Any]) -> Effect:
        """A customer's resource changes."""
        return Effect.EFFECT

    def iam_actions(self, data: Mapping[str, Any]) -> frozenset[str]:
        """Those of the named action."""
        spec = ACTIONS.get(str(data.get("action")))
        return spec.iam_actions if spec else frozenset()

    def check(self, data: AwsActionData) -> list[tuple[str, str]]:
        """A known action with its parameters, on an ARN of its service."""
        spec = ACTIONS.get(data.action)
        if spec is None:
            return [("action", f"One of {', '.join(sorted(ACTIONS))}.")]
        problems: list[tuple[str, str]] = []
        if not isinstance(data.parameters, str):
            missing = sorted(spec.parameters - set(data.parameters or {}))
            problems += [(f"parameters.{name}", "is required") for name in missing]
        arn = data.resource_arn
        if "{{" not in arn and (not arn.startswith("arn:") or f":{spec.service}:" not in arn):
            problems.append(("resource_arn", f"must be the ARN of an {spec.service} resource"))
        return problems

    def sample(self, data: AwsActionData) -> Done:
        """As done."""
        return Done({"action_id": "sample-action-id", "result": {}, "undo_until": None})

    def summary(self, data: AwsActionData) -> str:
        """What on which resource."""
        return f"{data.action} on {data.resource_arn[:200]}"

    def run(self, context: NodeContext[AwsActionData]) -> Done:
        """[action_id, result, undo_until]."""
        data = context.data
        call = AwsCall(
            account_id=data.account_id,
            region=data.region,
            action=data.action,
            resource_arn=data.resource_arn,
            parameters=data.parameters or {},
            iam_actions=ACTIONS[data.action].iam_actions,
        )
        done = needed(context.ports.aws, "AWS actions").act(call, effect_key=context.effect_key)
        return Done(
            {"action_id": done.action_id, "result": done.result, "undo_until": done.undo_until}
        )
