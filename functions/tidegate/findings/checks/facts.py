"""What checks need to know of other resources of the same region; small on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Types looked through before any check runs in a region, in this order: instances say which
# volumes matter.
INDEXED = ("ec2:instance", "ec2:elastic-ip", "ec2:image", "ec2:volume")


@dataclass
class Facts:
    """Relations of one region: ids, and the few numbers that prices need."""

    volume_ids: set[str] = field(default_factory=set)
    volumes: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # of stopped instances
    addresses_of: dict[str, int] = field(default_factory=dict)  # instance id -> Elastic IPs
    used_images: set[str] = field(default_factory=set)
    image_snapshots: set[str] = field(default_factory=set)
    snapshots: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # of images
    _wanted: set[str] = field(default_factory=set)

    def learn(self, line: Mapping[str, Any]) -> None:
        """Take what matters of one resource of an indexed type."""
        attributes = line["attributes"]
        id_ = line["arn"].rsplit("/", 1)[-1]
        match line["type"]:
            case "ec2:instance":
                self.used_images.add(attributes.get("image_id") or "")
                if line["state"] == "stopped":
                    self._wanted.update(attributes.get("volume_ids", ()))
            case "ec2:elastic-ip":
                instance = attributes.get("instance_id")
                if instance:
                    self.addresses_of[instance] = self.addresses_of.get(instance, 0) + 1
            case "ec2:image":
                self.image_snapshots.update(attributes.get("snapshot_ids", ()))
            case "ec2:volume":
                self.volume_ids.add(id_)
                if id_ in self._wanted:
                    self.volumes[id_] = attributes

    def meet(self, line: Mapping[str, Any]) -> None:
        """Remember a snapshot that an image is made of; snapshots come before images."""
        id_ = line["arn"].rsplit("/", 1)[-1]
        if id_ in self.image_snapshots:
            self.snapshots[id_] = line["attributes"]
