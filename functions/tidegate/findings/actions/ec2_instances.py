"""Actions on EC2 instances, and tags of any EC2 resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator
from tidegate_kit.session_policy import Grant

from tidegate.discovery.public import Found
from tidegate.findings.actions.base import Account, Action, Job, Parameters, Phase, tag_list
from tidegate.findings.actions.encryption import CREATE_GRANT, starting


class StopInstance(Action):
    """Stop a running instance; the undo starts it.

    Data of instance store volumes and a public address that is no Elastic IP do not survive.
    """

    id = "ec2.stop_instance"
    title = "Stop the instance"
    service = "ec2"
    types = ("ec2:instance",)
    reversible = True
    acts = ("ec2:StopInstances",)
    undoes = ("ec2:StartInstances",)
    through = (CREATE_GRANT,)

    def problem(self, found: Found, parameters: Mapping[str, Any]) -> str | None:
        """Running instances only."""
        return None if found.state == "running" else "The instance is not running."

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By state."""
        if found is None:
            return "other"
        states: dict[str | None, Phase] = {
            "running": "before",
            "pending": "moving",
            "stopping": "moving",
            "stopped": "applied",
        }
        return states.get(found.state, "other")

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Stop it."""
        client = account.client("ec2", [Grant(self.acts, (job.arn,))])
        change = client.stop_instances(InstanceIds=[job.ref.short_id])["StoppingInstances"][0]
        return _change(change)

    def undo(self, account: Account, job: Job) -> Mapping[str, Any] | None:
        """Start it."""
        client = account.client("ec2", [Grant(self.undoes, (job.arn,)), *starting(job)])
        change = client.start_instances(InstanceIds=[job.ref.short_id])["StartingInstances"][0]
        return _change(change)


def _change(change: Mapping[str, Any]) -> dict[str, str]:
    return {"before": change["PreviousState"]["Name"], "after": change["CurrentState"]["Name"]}


class TagParameters(Parameters):
    """1 to 45 tags to set."""

    tags: dict[
        Annotated[str, Field(min_length=1, max_length=128)],
        Annotated[str, Field(max_length=256)],
    ] = Field(min_length=1, max_length=45)

    @field_validator("tags")
    @classmethod
    def _not_of_aws(cls, tags: dict[str, str]) -> dict[str, str]:
        if any(name.lower().startswith("aws:") for name in tags):
            raise ValueError("names beginning with aws: belong to AWS")
        return tags


class CreateTags(Action):
    """Set tags; the undo gives each its old value or takes it away."""

    id = "ec2.create_tags"
    title = "Set tags"
    service = "ec2"
    types = (
        "ec2:elastic-ip",
        "ec2:image",
        "ec2:instance",
        "ec2:nat-gateway",
        "ec2:network-interface",
        "ec2:snapshot",
        "ec2:volume",
        "ec2:vpc-endpoint",
    )
    reversible = True
    parameters = TagParameters
    acts = ("ec2:CreateTags",)
    undoes = ("ec2:CreateTags", "ec2:DeleteTags")

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """The values that the tags have now; None where there is none."""
        return {"tags": {name: found.tags.get(name) for name in job.parameters["tags"]}}

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By the values of the tags in question."""
        if found is None:
            return "other"
        wanted: Mapping[str, str] = job.parameters["tags"]
        old: Mapping[str, str | None] = job.captured.get("tags", {})
        now = {name: found.tags.get(name) for name in wanted}
        if now == dict(wanted):
            return "applied"
        if now == dict(old):
            return "before"
        known = all(now[name] in (wanted[name], old.get(name)) for name in wanted)
        return "between" if known else "other"

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Set them."""
        client = account.client("ec2", [Grant(self.acts, (job.arn,))])
        client.create_tags(Resources=[job.ref.short_id], Tags=tag_list(job.parameters["tags"]))
        return {"tags": dict(job.parameters["tags"])}

    def undo(self, account: Account, job: Job) -> Mapping[str, Any] | None:
        """Old values back, new names away."""
        client = account.client("ec2", [Grant(self.undoes, (job.arn,))])
        old: Mapping[str, str | None] = job.captured["tags"]
        changed = {name: value for name, value in old.items() if value is not None}
        if changed:
            client.create_tags(Resources=[job.ref.short_id], Tags=tag_list(changed))
        added = [name for name, value in old.items() if value is None]
        if added:
            # With the value that we set: a tag that somebody has changed meanwhile stays.
            mine = {name: job.parameters["tags"][name] for name in added}
            client.delete_tags(Resources=[job.ref.short_id], Tags=tag_list(mine))
        return {"restored": sorted(old)}
