"""ECR repositories, with lifecycle policy and untagged images (ecr-no-lifecycle)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.discovery.collectors.base import Collector, Draft, Page, Read, Reader, each, pick
from tidegate.discovery.domain import Found

DESCRIBE = Read("ecr", "describe_repositories", "ecr:DescribeRepositories")
LIFECYCLE = Read("ecr", "get_lifecycle_policy", "ecr:GetLifecyclePolicy")
IMAGES = Read("ecr", "describe_images", "ecr:DescribeImages")
TAGS = Read("ecr", "list_tags_for_resource", "ecr:ListTagsForResource")
_PAGE_SIZE = 50
_SAMPLE = 1000  # untagged images added up in one repository; `complete` says if that was all


class EcrRepositories(Collector):
    """ecr:repository."""

    service = "ecr"
    types = ("ecr:repository",)
    reads = (DESCRIBE, LIFECYCLE, IMAGES, TAGS)

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of repositories."""
        answer = reader.call(DESCRIBE, maxResults=_PAGE_SIZE, nextToken=token)
        found = each(answer.get("repositories", []), lambda one: _found(reader, one))
        return reader.page(found, answer.get("nextToken"))


def _found(reader: Reader, repository: dict[str, Any]) -> Found:
    name = repository["repositoryName"]
    draft = Draft(
        arn=repository.get("repositoryArn") or reader.target.arn("ecr", f"repository/{name}"),
        type="ecr:repository",
        region=reader.target.region,
        name=name,
        attributes=pick(repository, created_at="createdAt", tag_mutability="imageTagMutability"),
    )
    draft.take(
        "lifecycle_policy",
        reader.nested(LIFECYCLE, absent=("LifecyclePolicyNotFoundException",), repositoryName=name),
        lambda data: data.get("lifecyclePolicyText"),
    )
    images = reader.nested(
        IMAGES, repositoryName=name, filter={"tagStatus": "UNTAGGED"}, maxResults=_SAMPLE
    )
    draft.measure("untagged_images", _untagged(images.data), known=images.data is not None)
    draft.take_tags(reader.nested(TAGS, resourceArn=draft.arn), lambda data: data.get("tags"))
    return draft.found()


def _untagged(answer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    images = answer.get("imageDetails", [])
    return {
        "count": len(images),
        "bytes": sum(int(image.get("imageSizeInBytes", 0)) for image in images),
        "complete": not answer.get("nextToken"),
    }
