"""Irreversible actions on what is kept: log retention, lifecycles, unfinished uploads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, Literal, Self

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field, model_validator
from tidegate_kit.session_policy import Grant, literal

from tidegate.discovery.public import Found
from tidegate.findings.actions.base import (
    Account,
    Action,
    ActionRefused,
    Job,
    Parameters,
    Phase,
    is_gone,
)

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTIONS: Final = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)  # fmt: skip


class RetentionParameters(Parameters):
    """Days that CloudWatch Logs offers."""

    retention_days: int

    @model_validator(mode="after")
    def _offered(self) -> Self:
        if self.retention_days not in RETENTIONS:
            raise ValueError("not a retention that CloudWatch Logs offers")
        return self


class PutRetention(Action):
    """Keep log events for so many days; older ones are gone for good."""

    id = "logs.put_retention"
    title = "Set the log group's retention"
    service = "logs"
    types = ("logs:log-group",)
    reversible = False
    parameters = RetentionParameters
    acts = ("logs:PutRetentionPolicy",)

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """The retention, for the record."""
        return {"retention_days": found.attributes.get("retention_days")}

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By retention."""
        if found is None:
            return "other"
        now = found.attributes.get("retention_days")
        if now == job.parameters["retention_days"]:
            return "applied"
        return "before" if now == job.captured["retention_days"] else "other"

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Set it."""
        # IAM sees a log group as its streams: the ARN ends in ":*".
        grant = Grant(self.acts, patterns=(f"{literal(job.arn)}:*",))
        days = job.parameters["retention_days"]
        account.client("logs", [grant]).put_retention_policy(
            logGroupName=job.ref.rest, retentionInDays=days
        )
        return {"retention_days": days}


class Rule(BaseModel):
    """One lifecycle rule over a whole bucket or a prefix. Days count from creation, or from when a
    version became noncurrent."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: str = Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._-]+$")
    prefix: str = Field(default="", max_length=1024)
    abort_uploads_days: int | None = Field(default=None, ge=1, le=3650)
    expire_noncurrent_days: int | None = Field(default=None, ge=1, le=3650)
    transition_days: int | None = Field(default=None, ge=0, le=3650)
    transition_class: (
        Literal["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER",
                "DEEP_ARCHIVE"] | None
    ) = None  # fmt: skip

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if (self.transition_days is None) != (self.transition_class is None):
            raise ValueError("a transition has days and a class")
        days = (self.abort_uploads_days, self.expire_noncurrent_days, self.transition_days)
        if all(value is None for value in days):
            raise ValueError("the rule does nothing")
        return self


class LifecycleParameters(Parameters):
    """The rules to add."""

    rules: list[Rule] = Field(min_length=1, max_length=20)


def _as_s3(rule: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ID": rule["id"],
        "Status": "Enabled",
        "Filter": {"Prefix": rule.get("prefix", "")},
    }
    if rule.get("abort_uploads_days") is not None:
        days = rule["abort_uploads_days"]
        made["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    if rule.get("expire_noncurrent_days") is not None:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["expire_noncurrent_days"]}
    if rule.get("transition_days") is not None:
        step = {"Days": rule["transition_days"], "StorageClass": rule["transition_class"]}
        made["Transitions"] = [step]
    return made


class PutLifecycle(Action):
    """Add lifecycle rules to a bucket; its own rules stay. What rules delete is gone for good."""

    id = "s3.put_lifecycle"
    title = "Add lifecycle rules to the bucket"
    service = "s3"
    types = ("s3:bucket",)
    reversible = False
    parameters = LifecycleParameters
    acts = ("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration")

    def problem(self, found: Found, parameters: Mapping[str, Any]) -> str | None:
        """Rules with ids of their own, on a bucket whose rules could be read."""
        if "lifecycle" in found.unknown:
            return "The bucket's rules could not be read."
        taken = {rule.get("ID") for rule in found.attributes.get("lifecycle") or []}
        if taken & {rule["id"] for rule in parameters["rules"]}:
            return "The bucket has a rule of that name."
        return None

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By the ids of the rules."""
        if found is None or "lifecycle" in found.unknown:
            return "other"
        present = {rule.get("ID") for rule in found.attributes.get("lifecycle") or []}
        wanted = {rule["id"] for rule in job.parameters["rules"]}
        if wanted <= present:
            return "applied"
        return "other" if wanted & present else "before"

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Put the bucket's rules and ours: the call replaces all."""
        client = account.client("s3", [Grant(self.acts, (job.arn,))])
        place = {"Bucket": _bucket(job), "ExpectedBucketOwner": job.ref.account_id}
        old = _rules_now(client, place)
        wanted = [_as_s3(rule) for rule in job.parameters["rules"]]
        names = {rule["ID"] for rule in wanted}
        rules = [*(rule for rule in old.pop("Rules", []) if rule.get("ID") not in names), *wanted]
        client.put_bucket_lifecycle_configuration(
            **place, **old, LifecycleConfiguration={"Rules": rules}
        )
        return {"rules": sorted(names)}


def _rules_now(client: Any, place: Mapping[str, str]) -> dict[str, Any]:
    try:
        answer = client.get_bucket_lifecycle_configuration(**place)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchLifecycleConfiguration":
            return {}
        raise
    kept = ("Rules", "TransitionDefaultMinimumObjectSize")
    return {name: answer[name] for name in kept if name in answer}


def _bucket(job: Job) -> str:
    return job.ref.arn.split(":::", 1)[1]


class AbortParameters(Parameters):
    """How old an unfinished upload must be."""

    older_than_days: int = Field(default=7, ge=1, le=3650)


class AbortMultipart(Action):
    """Abort unfinished multipart uploads that were old when the plan was made.

    Uploads whose key IAM would read as a pattern are left and counted.
    """

    id = "s3.abort_multipart"
    title = "Abort unfinished uploads"
    service = "s3"
    types = ("s3:bucket",)
    reversible = False
    parameters = AbortParameters
    prepares = ("s3:ListBucketMultipartUploads",)
    acts = ("s3:AbortMultipartUpload",)
    several_calls = True
    batch: Final = 200  # uploads of one job; a bucket with more needs another plan

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """The uploads, noted down one by one: nothing that begins later is touched."""
        client = account.client("s3", [Grant(self.prepares, (job.arn,))])
        cut = job.at - timedelta(days=job.parameters["older_than_days"])
        uploads: list[dict[str, str]] = []
        skipped = 0
        request: dict[str, Any] = {
            "Bucket": _bucket(job), "ExpectedBucketOwner": job.ref.account_id, "MaxUploads": 1000,
        }  # fmt: skip
        while len(uploads) < self.batch:
            answer = client.list_multipart_uploads(**request)
            for upload in answer.get("Uploads", []):
                if upload["Initiated"] > cut or len(uploads) == self.batch:
                    continue
                if _plain(f"{job.arn}/{upload['Key']}"):
                    uploads.append({"key": upload["Key"], "upload_id": upload["UploadId"]})
                else:
                    skipped += 1
            if not answer.get("IsTruncated"):
                break
            request["KeyMarker"] = answer["NextKeyMarker"]
            request["UploadIdMarker"] = answer["NextUploadIdMarker"]
        return {"uploads": uploads, "skipped": skipped}

    def phase(self, found: Found | None, job: Job) -> Phase:
        """Uploads are no part of a bucket's settings: only acting tells."""
        return "other" if found is None else "applied"

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Abort them, in sessions that name so many keys as fit."""
        for keys in _fitting(job.arn, sorted({one["key"] for one in job.captured["uploads"]})):
            grant = Grant(self.acts, tuple(f"{job.arn}/{key}" for key in keys))
            client = account.client("s3", [grant])
            for upload in job.captured["uploads"]:
                if upload["key"] in keys:
                    _abort(client, job, upload)
        return {
            "aborted": len(job.captured["uploads"]),
            "left_for_their_names": job.captured["skipped"],
        }


def _plain(arn: str) -> bool:
    try:
        literal(arn)
    except ValueError:
        return False
    return True


def _fitting(arn: str, keys: list[str]) -> list[frozenset[str]]:
    """Keys in groups whose ARNs fit in one session policy."""
    groups: list[frozenset[str]] = []
    room, group = 0, set[str]()
    for key in keys:
        size = len(json.dumps(f"{arn}/{key}")) + 1
        if group and size > room:
            groups.append(frozenset(group))
            group = set()
        if not group:
            room = _ROOM
        group.add(key)
        room -= size
    return [*groups, frozenset(group)] if group else groups


_ROOM: Final = 1600  # characters for the ARNs of one policy; the rest is its frame


def _abort(client: Any, job: Job, upload: Mapping[str, str]) -> None:
    try:
        client.abort_multipart_upload(
            Bucket=_bucket(job),
            Key=upload["key"],
            UploadId=upload["upload_id"],
            ExpectedBucketOwner=job.ref.account_id,
        )
    except ClientError as error:
        if not is_gone(error):
            raise


class EcrLifecycleParameters(Parameters):
    """Days after which untagged images expire."""

    untagged_days: int = Field(ge=1, le=3650)


class PutEcrLifecycle(Action):
    """Let untagged images expire, in a repository that has no lifecycle policy."""

    id = "ecr.put_lifecycle"
    title = "Let untagged images expire"
    service = "ecr"
    types = ("ecr:repository",)
    reversible = False
    parameters = EcrLifecycleParameters
    acts = ("ecr:PutLifecyclePolicy",)

    def problem(self, found: Found, parameters: Mapping[str, Any]) -> str | None:
        """A policy of the customer's own is not overwritten."""
        if "lifecycle_policy" in found.unknown:
            return "The repository's policy could not be read."
        if found.attributes.get("lifecycle_policy"):
            return "The repository has a lifecycle policy."
        return None

    def phase(self, found: Found | None, job: Job) -> Phase:
        """By the policy's text."""
        if found is None or "lifecycle_policy" in found.unknown:
            return "other"
        text = found.attributes.get("lifecycle_policy")
        if not text:
            return "before"
        return "applied" if json.loads(text) == _expiring(job) else "other"

    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Put the policy."""
        if not job.arn.startswith("arn:"):
            raise ActionRefused("INVALID_RESOURCE", "The repository has no ARN.")
        client = account.client("ecr", [Grant(self.acts, (job.arn,))])
        client.put_lifecycle_policy(
            registryId=job.ref.account_id,
            repositoryName=job.ref.rest,
            lifecyclePolicyText=json.dumps(_expiring(job), sort_keys=True),
        )
        return {"untagged_days": job.parameters["untagged_days"]}


def _expiring(job: Job) -> dict[str, Any]:
    return {
        "rules": [
            {
                "rulePriority": 1,
                "description": "Untagged images expire",
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": job.parameters["untagged_days"],
                },
                "action": {"type": "expire"},
            }
        ]
    }
