"""S3 buckets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tidegate.findings.checks.base import METRICS, Check, Hit, Thresholds, days, number
from tidegate.findings.checks.facts import Facts
from tidegate.findings.checks.money import gib, quantity, saving
from tidegate.findings.checks.subject import Subject
from tidegate.findings.domain import Confidence
from tidegate.findings.prices.book import PriceBook

BUCKETS = "s3:ListAllMyBuckets"
LOCATION = "s3:GetBucketLocation"
LIFECYCLE = "s3:GetLifecycleConfiguration"
VERSIONING = "s3:GetBucketVersioning"
UPLOADS = "s3:ListBucketMultipartUploads"
PARTS = "s3:ListMultipartUploadParts"
VERSIONS = "s3:ListBucketVersions"
REQUEST_METRICS = "s3:GetMetricsConfiguration"
# Storage classes as CloudWatch and the price book name them.
CLASSES = (
    "StandardStorage",
    "StandardIAStorage",
    "OneZoneIAStorage",
    "IntelligentTieringFAStorage",
    "IntelligentTieringIAStorage",
    "GlacierInstantRetrievalStorage",
    "GlacierStorage",
    "DeepArchiveStorage",
    "ReducedRedundancyStorage",
)
_SIZES = {f"metrics.bytes_{name}": METRICS for name in CLASSES}


class _BucketCheck(Check):
    """What the checks of buckets share: one listing for the account, the bucket's own region."""

    type = "s3:bucket"
    services = ("s3",)
    is_global = True
    lists = (BUCKETS, LOCATION)


class S3NoLifecycle(_BucketCheck):
    """A bucket whose objects stay in Standard for ever.

    The first month's transitions are taken off. Objects under 128 KiB are not worth moving, which
    the inventory does not tell: an estimate.
    """

    check_id = "s3-no-lifecycle"
    group = "storage"
    title = "S3 bucket without lifecycle rules"
    reads = {
        "lifecycle": LIFECYCLE,
        "metrics.bytes_StandardStorage": METRICS,
        "metrics.objects": METRICS,
    }
    action = "s3.put_lifecycle"
    formula = "size * (standard_price - infrequent_price) - objects / 1000 * transition_price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found without any rule when moving Standard to Standard-IA saves something."""
        if subject.attr("lifecycle"):
            return None
        octets = subject.counted("bytes_StandardStorage")
        objects = subject.counted("objects")
        if octets == 0:
            return None
        used = [
            prices.price("s3/StandardStorage", subject.region, "GiB-month", "standard_price"),
            prices.price("s3/StandardIAStorage", subject.region, "GiB-month", "infrequent_price"),
            prices.price(
                "s3/transition/StandardIAStorage",
                subject.region,
                "1000 requests",
                "transition_price",
            ),
        ]
        quantities = [
            quantity("size", gib(octets), "GiB"),
            quantity("objects", objects, "object"),
        ]
        priced = saving(self.formula, quantities, used, "estimate")
        if priced.monthly is not None and priced.monthly <= 0:
            return None
        rule = {
            "id": "tidegate-infrequent-access",
            "transition_days": 30,
            "transition_class": "STANDARD_IA",
        }
        return Hit(
            priced,
            {"standard_bytes": str(octets), "objects": str(objects)},
            {"rules": [rule]},
        )


class S3MpuIncomplete(_BucketCheck):
    """Parts of uploads that were never finished are stored, and shown nowhere."""

    check_id = "s3-mpu-incomplete"
    group = "storage"
    title = "Incomplete multipart uploads"
    reads = {"metrics.incomplete_uploads": UPLOADS, "metrics.incomplete_uploads.bytes": PARTS}
    limits = {"days": days(7, high=7)}
    action = "s3.abort_multipart"
    formula = "size * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found with uploads begun more than 7 days ago."""
        uploads = subject.metric("incomplete_uploads")
        if uploads["count"] == 0:
            return None
        octets = subject.part("incomplete_uploads", "bytes")
        return _stored(
            subject, prices, uploads, octets,
            {"older_than_days": uploads["older_than_days"]},
        )  # fmt: skip


class S3NoncurrentVersions(_BucketCheck):
    """Old versions of objects that no rule deletes."""

    check_id = "s3-noncurrent-versions"
    group = "storage"
    title = "Old noncurrent object versions"
    reads = {"versioning": VERSIONING, "metrics.noncurrent_versions": VERSIONS}
    limits = {"days": days(30, high=30)}
    action = "s3.put_lifecycle"
    formula = "size * price"

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found with versions that were replaced more than 30 days ago."""
        if subject.attr("versioning") == "Disabled":
            return None
        versions = subject.metric("noncurrent_versions")
        if versions["count"] == 0:
            return None
        rule = {
            "id": "tidegate-noncurrent-versions",
            "expire_noncurrent_days": versions["older_than_days"],
        }
        return _stored(subject, prices, versions, versions["bytes"], {"rules": [rule]})


def _stored(
    subject: Subject,
    prices: PriceBook,
    measured: dict[str, Any],
    octets: int,
    parameters: dict[str, Any],
) -> Hit:
    # Their class is not told: Standard, where nearly all of them are.
    confidence: Confidence = "estimate"
    price = prices.price("s3/StandardStorage", subject.region, "GiB-month")
    return Hit(
        saving("size * price", [quantity("size", gib(octets), "GiB")], [price], confidence),
        dict(measured),
        parameters,
    )


class S3Abandoned(_BucketCheck):
    """A bucket that nobody reads or writes."""

    check_id = "s3-abandoned"
    group = "storage"
    title = "Abandoned S3 bucket"
    reads = {
        "created_at": BUCKETS,
        # Both need both: the metrics of requests, and which filter has them.
        "metrics.bytes_downloaded": METRICS,
        "metrics.bytes_uploaded": REQUEST_METRICS,
        **_SIZES,
    }
    limits = {"days": days(30, high=30), "traffic_bytes": number(1024, "bytes")}
    formula = "size_1 * price_1 + ..."

    def examine(
        self, subject: Subject, facts: Facts, prices: PriceBook, limits: Thresholds
    ) -> Hit | None:
        """Found when not empty, old enough, under `traffic_bytes` in 30 days.

        S3 counts traffic only where request metrics are on; elsewhere the outcome is unknown.
        """
        traffic = subject.counted("bytes_downloaded") + subject.counted("bytes_uploaded")
        if traffic >= limits["traffic_bytes"]:
            return None
        if subject.days_since(subject.attr("created_at")) < limits["days"]:
            return None
        terms: list[str] = []
        quantities, used = [], []
        total = Decimal(0)
        for name in CLASSES:
            octets = subject.counted(f"bytes_{name}")
            if octets:
                number_ = len(terms) + 1
                total += octets
                terms.append(f"size_{number_} * price_{number_}")
                quantities.append(quantity(f"size_{number_}", gib(octets), f"GiB of {name}"))
                used.append(
                    prices.price(f"s3/{name}", subject.region, "GiB-month", f"price_{number_}")
                )
        if not terms:
            return None
        return Hit(
            saving(" + ".join(terms), quantities, used),
            {"traffic_bytes": str(traffic), "bytes": str(total)},
        )
