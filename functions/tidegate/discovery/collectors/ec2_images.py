"""Machine images that the account owns, disabled ones too: their snapshots cost all the same."""

from __future__ import annotations

from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, pick, tag_map
from tidegate.discovery.domain import Found

DESCRIBE = Read("ec2", "describe_images", "ec2:DescribeImages")
_PAGE_SIZE = 100


class Ec2Images(Collector):
    """ec2:image."""

    service = "ec2-images"
    types = ("ec2:image",)
    reads = (DESCRIBE,)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of own images."""
        answer = reader.call(
            DESCRIBE,
            Owners=["self"],
            IncludeDisabled=True,
            MaxResults=_PAGE_SIZE,
            NextToken=token,
        )
        found = [_found(reader, image) for image in answer.get("Images", [])]
        return reader.page(found, answer.get("NextToken"))


def _found(reader: Reader, image: dict[str, Any]) -> Found:
    attributes = pick(
        image,
        created_at="CreationDate",
        last_launched_at="LastLaunchedTime",
        deprecated_at="DeprecationTime",
        public="Public",
        platform="PlatformDetails",
        architecture="Architecture",
        root_device_type="RootDeviceType",
        source_instance_id="SourceInstanceId",
        description="Description",
    )
    attributes["snapshot_ids"] = sorted(
        mapping["Ebs"]["SnapshotId"]
        for mapping in image.get("BlockDeviceMappings", [])
        if "SnapshotId" in mapping.get("Ebs", {})
    )
    return Draft(
        arn=reader.target.arn("ec2", f"image/{image['ImageId']}"),
        type="ec2:image",
        region=reader.target.region,
        name=image.get("Name"),
        state=image.get("State"),
        tags=tag_map(image.get("Tags")),
        attributes=attributes,
    ).found()
