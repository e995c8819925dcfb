"""Irreversible actions that remove a thing: addresses, gateways, endpoints, balancers, images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from tidegate_kit.session_policy import Grant

from tidegate.discovery.public import Found
from tidegate.findings.actions.base import (
    Account,
    Action,
    ActionRefused,
    Job,
    Phase,
    gone_phase,
    is_gone,
)


class _Removal(Action, ABC):
    """Deletes the resource; applied when it is gone."""

    reversible = False

    def phase(self, found: Found | None, job: Job) -> Phase:
        """Gone is applied."""
        return gone_phase(found)

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Delete it; gone already is good."""
        client = account.client(self.service, [Grant(self.acts, (job.arn,))])
        try:
            self.remove(client, job)
        except ClientError as error:
            if not is_gone(error):
                raise
        return {"removed": job.ref.arn}

    @abstractmethod
    def remove(self, client: Any, job: Job) -> None:
        """The one call."""


class ReleaseAddress(_Removal):
    """Give an unassociated Elastic IP back; the same address cannot be had again."""

    id = "ec2.release_address"
    title = "Release the Elastic IP"
    service = "ec2"
    types = ("ec2:elastic-ip",)
    acts = ("ec2:ReleaseAddress",)

    def problem(self, found: Found, parameters: Mapping[str, Any]) -> str | None:
        """Unassociated addresses."""
        return None if found.state == "unassociated" else "The address is in use."

    def remove(self, client: Any, job: Job) -> None:
        """ReleaseAddress."""
        client.release_address(AllocationId=job.ref.short_id)


class DeleteSnapshot(_Removal):
    """Delete an EBS snapshot. AWS refuses while an image uses it."""

    id = "ec2.delete_snapshot"
    title = "Delete the snapshot"
    service = "ec2"
    types = ("ec2:snapshot",)
    acts = ("ec2:DeleteSnapshot",)

    def remove(self, client: Any, job: Job) -> None:
        """DeleteSnapshot."""
        client.delete_snapshot(SnapshotId=job.ref.short_id)


class DeleteNatGateway(_Removal):
    """Delete a NAT gateway; its Elastic IP stays and is paid for until it is released."""

    id = "ec2.delete_nat_gateway"
    title = "Delete the NAT gateway"
    service = "ec2"
    types = ("ec2:nat-gateway",)
    acts = ("ec2:DeleteNatGateway",)

    def remove(self, client: Any, job: Job) -> None:
        """DeleteNatGateway."""
        client.delete_nat_gateway(NatGatewayId=job.ref.short_id)


class DeleteVpcEndpoint(_Removal):
    """Delete a VPC endpoint."""

    id = "ec2.delete_vpc_endpoint"
    title = "Delete the VPC endpoint"
    service = "ec2"
    types = ("ec2:vpc-endpoint",)
    acts = ("ec2:DeleteVpcEndpoints",)

    def remove(self, client: Any, job: Job) -> None:
        """DeleteVpcEndpoints, which answers 200 and lists what it did not delete."""
        answer = client.delete_vpc_endpoints(VpcEndpointIds=[job.ref.short_id])
        for failed in answer.get("Unsuccessful", []):
            code = str(failed.get("Error", {}).get("Code", ""))
            if "NotFound" not in code:
                raise ActionRefused("AWS_REFUSED", f"AWS refused the action: {code[:64]}.")


class DeleteLoadBalancer(Action):
    """Delete a load balancer of either generation; target groups and instances stay."""

    id = "elb.delete_load_balancer"
    title = "Delete the load balancer"
    service = "elbv2"
    types = ("elb:load-balancer", "elbv2:load-balancer")
    reversible = False
    acts = ("elasticloadbalancing:DeleteLoadBalancer",)

    def phase(self, found: Found | None, job: Job) -> Phase:
        """Gone is applied."""
        return gone_phase(found)

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """DeleteLoadBalancer: both services call it so, and take it twice."""
        grants = [Grant(self.acts, (job.arn,))]
        if job.ref.type == "elb:load-balancer":
            client = account.client("elb", grants)
            client.delete_load_balancer(LoadBalancerName=job.ref.short_id)
        else:
            account.client("elbv2", grants).delete_load_balancer(LoadBalancerArn=job.ref.arn)
        return {"removed": job.ref.arn}


class DeregisterImage(Action):
    """Deregister an image, then delete its snapshots: those are what costs."""

    id = "ec2.deregister_image"
    title = "Deregister the image and delete its snapshots"
    service = "ec2"
    types = ("ec2:image",)
    reversible = False
    acts = ("ec2:DeregisterImage", "ec2:DeleteSnapshot")
    several_calls = True

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """The snapshots, which nothing names once the image is gone."""
        return {"snapshot_ids": list(found.attributes.get("snapshot_ids") or [])}

    def phase(self, found: Found | None, job: Job) -> Phase:
        """Gone is applied, as far as the image goes."""
        return gone_phase(found)

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """DeregisterImage, then DeleteSnapshot for each; those in use elsewhere stay."""
        snapshots = [str(one) for one in job.captured["snapshot_ids"]]
        grants = [Grant(("ec2:DeregisterImage",), (job.arn,))]
        if snapshots:
            arns = tuple(job.sibling("snapshot", one) for one in snapshots)
            grants.append(Grant(("ec2:DeleteSnapshot",), arns))
        client = account.client("ec2", grants)
        try:
            client.deregister_image(ImageId=job.ref.short_id)
        except ClientError as error:
            if not is_gone(error) and not _unavailable(error):
                raise
        kept = [one for one in snapshots if not _deleted(client, one)]
        return {"removed": job.ref.arn, "snapshots_in_use": kept}


def _unavailable(error: ClientError) -> bool:
    # What AWS says of an image that was deregistered just before.
    return error.response.get("Error", {}).get("Code") == "InvalidAMIID.Unavailable"


def _deleted(client: Any, snapshot: str) -> bool:
    try:
        client.delete_snapshot(SnapshotId=snapshot)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "InvalidSnapshot.InUse":
            return False
        if not is_gone(error):
            raise
    return True
