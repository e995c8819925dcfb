"""PynamoDB models of the `findings` table (plans have theirs in `plans`).

    pk        sk                                              kind
    T#<t>     FINDING#<id>                                    FindingItem
    T#<t>     ACTIVE#<account>#<gen>#<region>#<check>#<id>    PointerItem, while not resolved
    T#<t>     GONE#<account>#<gen>#<resolved at>#<id>         PointerItem, once resolved
    T#<t>     COUNT#<account>#<gen>#<region>#<check>          CountItem
    T#<t>     STATES#<account>#<gen>#<region>                 StatesItem
    T#<t>     EXCEPTION#<id>                                  ExceptionItem
    T#<t>     THRESHOLDS                                      ThresholdsItem
    T#<t>     REFRESH#<id>, REFRESHLEASE                      RefreshItem, LeaseItem

`gen` is discovery's generation of the account: what belongs to an ended one is out of every read.
"""

from __future__ import annotations

from pynamodb.attributes import (
    JSONAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from tidegate_kit.dynamo import Table


class ByStatus(GlobalSecondaryIndex["FindingItem"]):  # type: ignore[no-untyped-call]
    """Findings of one group and status, by first sighting."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class FindingItem(Table):
    """One finding. `body`: title, severity, evidence, saving, action; `mark`: its exception."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    by_status = ByStatus()
    gsi1pk = UnicodeAttribute()
    gsi1sk = UnicodeAttribute()
    id = UnicodeAttribute()
    group = UnicodeAttribute()
    check_id = UnicodeAttribute()
    account_id = UnicodeAttribute()
    onboarding_id = UnicodeAttribute()
    generation = NumberAttribute()
    region = UnicodeAttribute()
    unit_region = UnicodeAttribute()
    resource = JSONAttribute()
    status = UnicodeAttribute()
    fingerprint = UnicodeAttribute()
    body = JSONAttribute()
    mark = JSONAttribute(null=True)
    plan_id = UnicodeAttribute(null=True)
    first_seen_at = UTCDateTimeAttribute()
    last_seen_at = UTCDateTimeAttribute()
    resolved_at = UTCDateTimeAttribute(null=True)
    version = NumberAttribute()


class PointerItem(Table):
    """Where the findings of an account are, without an index."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    id = UnicodeAttribute()
    check_id = UnicodeAttribute()


class CountItem(Table):
    """How many findings of a check are not resolved, and what they cost: `micros` is USD * 10^6."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    group = UnicodeAttribute()
    account_id = UnicodeAttribute()
    generation = NumberAttribute()
    region = UnicodeAttribute()
    check_id = UnicodeAttribute()
    active = NumberAttribute(default=0)
    priced = NumberAttribute(default=0)
    micros = NumberAttribute(default=0)
    resolved = NumberAttribute(default=0)


class StatesItem(Table):
    """The states of all checks in one region of an account, as of one inventory."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    account_id = UnicodeAttribute()
    generation = NumberAttribute()
    region = UnicodeAttribute()
    checked_at = UTCDateTimeAttribute()
    states = JSONAttribute()


class ExceptionItem(Table):
    """One exception."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute(default="exception")
    id = UnicodeAttribute()
    finding_id = UnicodeAttribute()
    check_id = UnicodeAttribute()
    resource_arn = UnicodeAttribute()
    owner = UnicodeAttribute()
    reason = UnicodeAttribute()
    expires_at = UTCDateTimeAttribute()
    created_by = UnicodeAttribute()


class ThresholdsItem(Table):
    """What the tenant set, by check: {"checks": {check_id: {name: decimal text}}}."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    checks = JSONAttribute()
    version = NumberAttribute()


class RefreshItem(Table):
    """One refresh."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute(default="findings_refresh")
    id = UnicodeAttribute()
    status = UnicodeAttribute()
    trigger = UnicodeAttribute()
    account_ids = JSONAttribute()
    check_ids = JSONAttribute()
    started_at = UTCDateTimeAttribute()
    deadline_at = UTCDateTimeAttribute()
    completed_at = UTCDateTimeAttribute(null=True)
    failures: MapAttribute[str, str] = MapAttribute(default=dict)  # type: ignore[no-untyped-call]
    expires = NumberAttribute()


class LeaseItem(Table):
    """The refresh that goes on."""

    class Meta:
        table_name = "findings"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    refresh_id = UnicodeAttribute()
    until = UTCDateTimeAttribute()
