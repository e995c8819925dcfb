"""S3 buckets: lifecycle, versioning, unfinished uploads, old versions, sizes and traffic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tidegate.discovery.collectors.base import (
    Answer,
    Collector,
    Draft,
    Page,
    Read,
    Reader,
    each,
    plain,
)
from tidegate.discovery.collectors.metrics import GET_METRIC_DATA, Series, Wanted, measure
from tidegate.discovery.domain import Found

LIST = Read("s3", "list_buckets", "s3:ListAllMyBuckets")
LOCATION = Read("s3", "get_bucket_location", "s3:GetBucketLocation")
TAGGING = Read("s3", "get_bucket_tagging", "s3:GetBucketTagging")
VERSIONING = Read("s3", "get_bucket_versioning", "s3:GetBucketVersioning")
LIFECYCLE = Read("s3", "get_bucket_lifecycle_configuration", "s3:GetLifecycleConfiguration")
UPLOADS = Read("s3", "list_multipart_uploads", "s3:ListBucketMultipartUploads")
PARTS = Read("s3", "list_parts", "s3:ListMultipartUploadParts")
VERSIONS = Read("s3", "list_object_versions", "s3:ListBucketVersions")
METRICS = Read("s3", "list_bucket_metrics_configurations", "s3:GetMetricsConfiguration")

_PAGE_SIZE = 25
_SAMPLE = 1000  # versions and uploads looked at in one bucket; `complete` says if that was all
_MPU_AGE = timedelta(days=7)
_MPU_SIZED = 25  # unfinished uploads whose parts are added up
_VERSION_AGE = timedelta(days=30)
# Storage classes as CloudWatch names them (BucketSizeBytes, dimension StorageType).
_CLASSES = (
    "StandardStorage",
    "StandardIAStorage",
    "OneZoneIAStorage",
    "ReducedRedundancyStorage",
    "IntelligentTieringFAStorage",
    "IntelligentTieringIAStorage",
    "GlacierInstantRetrievalStorage",
    "GlacierStorage",
    "DeepArchiveStorage",
)
_SIZES = tuple(
    Series(f"bytes_{name}", "AWS/S3", "BucketSizeBytes", "Average", 3) for name in _CLASSES
)
_OBJECTS = Series("objects", "AWS/S3", "NumberOfObjects", "Average", 3)
_TRAFFIC = (
    Series("bytes_downloaded", "AWS/S3", "BytesDownloaded", "Sum", 30),
    Series("bytes_uploaded", "AWS/S3", "BytesUploaded", "Sum", 30),
)


class S3Buckets(Collector):
    """s3:bucket. One listing for the account; each bucket is asked in its own region."""

    service = "s3"
    types = ("s3:bucket",)
    is_global = True
    reads = (
        LIST,
        LOCATION,
        TAGGING,
        VERSIONING,
        LIFECYCLE,
        UPLOADS,
        PARTS,
        VERSIONS,
        METRICS,
        GET_METRIC_DATA,
    )

    def read_page(self, reader: Reader, token: str | None) -> Page:
        """One page of buckets."""
        answer = reader.call(LIST, MaxBuckets=_PAGE_SIZE, ContinuationToken=token)
        found = each(answer.get("Buckets", []), lambda bucket: _bucket(reader, bucket))
        return reader.page(found, answer.get("ContinuationToken"))


def _bucket(reader: Reader, bucket: Mapping[str, Any]) -> Found:
    name = bucket["Name"]
    draft = Draft(
        arn=f"arn:{reader.target.partition}:s3:::{name}",
        type="s3:bucket",
        region=reader.target.region,
        name=name,
    )
    if "CreationDate" in bucket:
        draft.attributes["created_at"] = plain(bucket["CreationDate"])
    region = _region(reader, bucket)
    if region is None:
        # Asking in the wrong region would be refused: everything else stays unknown.
        draft.region = "unknown"
        draft.unknown.update(("region", "tags", "versioning", "lifecycle"))
        draft.unknown.update(f"metrics.{name}" for name in _ALL_MEASURES)
        return draft.found()
    draft.region = region
    _settings(reader, draft, name, region)
    _uploads(reader, draft, name, region)
    _versions(reader, draft, name, region)
    _sizes(reader, draft, name, region)
    return draft.found()


def _region(reader: Reader, bucket: Mapping[str, Any]) -> str | None:
    if bucket.get("BucketRegion"):
        return str(bucket["BucketRegion"])
    answer = reader.nested(LOCATION, Bucket=bucket["Name"])
    if answer.data is None:
        return None
    # us-east-1 has no constraint, and eu-west-1 may still carry its old name.
    constraint = answer.data.get("LocationConstraint") or "us-east-1"
    return "eu-west-1" if constraint == "EU" else str(constraint)


def _settings(reader: Reader, draft: Draft, name: str, region: str) -> None:
    draft.take_tags(
        reader.nested(TAGGING, absent=("NoSuchTagSet",), region=region, Bucket=name),
        lambda data: data.get("TagSet"),
    )
    draft.take(
        "versioning",
        reader.nested(VERSIONING, region=region, Bucket=name),
        # An answer without Status is S3's way to say "never switched on".
        lambda data: data.get("Status", "Disabled"),
    )
    draft.take(
        "lifecycle",
        reader.nested(
            LIFECYCLE, absent=("NoSuchLifecycleConfiguration",), region=region, Bucket=name
        ),
        lambda data: data.get("Rules", []),
    )


def _uploads(reader: Reader, draft: Draft, name: str, region: str) -> None:
    answer = reader.nested(UPLOADS, region=region, Bucket=name, MaxUploads=_SAMPLE)
    if answer.data is None:
        draft.measure("incomplete_uploads", None, known=False)
        return
    cut = reader.target.now - _MPU_AGE
    old = [upload for upload in answer.data.get("Uploads", []) if upload["Initiated"] <= cut]
    sizes = [_parts(reader, name, region, upload) for upload in old[:_MPU_SIZED]]
    complete = not answer.data.get("IsTruncated", False) and len(old) <= _MPU_SIZED
    known = [size for size in sizes if size is not None]
    draft.measure(
        "incomplete_uploads",
        {
            "older_than_days": _MPU_AGE.days,
            "count": len(old),
            "bytes": sum(known) if len(known) == len(sizes) else None,
            "complete": complete,
        },
    )
    if len(known) != len(sizes):
        draft.unknown.add("metrics.incomplete_uploads.bytes")


def _parts(reader: Reader, bucket: str, region: str, upload: Mapping[str, Any]) -> int | None:
    answer = reader.nested(
        PARTS,
        absent=("NoSuchUpload",),
        region=region,
        Bucket=bucket,
        Key=upload["Key"],
        UploadId=upload["UploadId"],
        MaxParts=_SAMPLE,
    )
    if not answer.known or (answer.data or {}).get("IsTruncated"):
        return None
    return sum(int(part.get("Size", 0)) for part in (answer.data or {}).get("Parts", []))


def _versions(reader: Reader, draft: Draft, name: str, region: str) -> None:
    if draft.attributes.get("versioning") == "Disabled":
        return  # a bucket that was never versioned has no old versions
    answer: Answer = reader.nested(VERSIONS, region=region, Bucket=name, MaxKeys=_SAMPLE)
    if answer.data is None:
        draft.measure("noncurrent_versions", None, known=False)
        return
    sizes = _noncurrent(answer.data.get("Versions", []), reader.target.now - _VERSION_AGE)
    draft.measure(
        "noncurrent_versions",
        {
            "older_than_days": _VERSION_AGE.days,
            "count": len(sizes),
            "bytes": sum(sizes),
            "complete": not answer.data.get("IsTruncated", False),
        },
    )


def _noncurrent(versions: list[dict[str, Any]], cut: datetime) -> list[int]:
    # A version is noncurrent from the moment its successor was written, and S3 lists the
    # versions of a key newest first.
    sizes: list[int] = []
    newer: Mapping[str, Any] | None = None
    for version in versions:
        successor = newer if newer is not None and newer["Key"] == version["Key"] else None
        newer = version
        if version.get("IsLatest"):
            continue
        since = (successor or version)["LastModified"]
        if since <= cut:
            sizes.append(int(version.get("Size", 0)))
    return sizes


def _sizes(reader: Reader, draft: Draft, name: str, region: str) -> None:
    wanted = [
        Wanted(draft, series, {"BucketName": name, "StorageType": storage})
        for series, storage in zip(_SIZES, _CLASSES, strict=True)
    ]
    wanted.append(Wanted(draft, _OBJECTS, {"BucketName": name, "StorageType": "AllStorageTypes"}))
    answer = reader.nested(METRICS, region=region, Bucket=name)
    if answer.data is None:
        draft.unknown.update(f"metrics.{series.name}" for series in _TRAFFIC)
    else:
        whole = [
            item["Id"]
            for item in answer.data.get("MetricsConfigurationList", [])
            if not item.get("Filter")
        ]
        if whole:
            place = {"BucketName": name, "FilterId": whole[0]}
            wanted += [Wanted(draft, series, place) for series in _TRAFFIC]
        else:
            # S3 counts requests only where the customer switched that on: not measured.
            draft.unknown.update(f"metrics.{series.name}" for series in _TRAFFIC)
    measure(reader, wanted, region=region)


_ALL_MEASURES = (
    "incomplete_uploads",
    "noncurrent_versions",
    _OBJECTS.name,
    *(series.name for series in (*_SIZES, *_TRAFFIC)),
)
