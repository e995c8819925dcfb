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
from tidegate_kit.dynamo import Table
from tidegate_kit.table_index import Gsi1, Indexed


class FindingsTable(Table):
    """Every item of the table."""

    class Meta:
        table_name = "findings"


class FindingItem(Indexed, FindingsTable):
    """One finding. `body`: title, severity, evidence, saving, action; `mark`: its exception."""

    # Findings of one group and status, by first sighting.
    by_status: Gsi1[FindingItem] = Gsi1()
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


class PointerItem(FindingsTable):
    """Where the findings of an account are, without an index."""

    id = UnicodeAttribute()
    check_id = UnicodeAttribute()


class CountItem(FindingsTable):
    """How many findings of a check are not resolved, and what they cost: `micros` is USD * 10^6."""

    group = UnicodeAttribute()
    account_id = UnicodeAttribute()
    generation = NumberAttribute()
    region = UnicodeAttribute()
    check_id = UnicodeAttribute()
    active = NumberAttribute(default=0)
    priced = NumberAttribute(default=0)
    micros = NumberAttribute(default=0)
    resolved = NumberAttribute(default=0)


class StatesItem(FindingsTable):
    """The states of all checks in one region of an account, as of one inventory."""

    account_id = UnicodeAttribute()
    generation = NumberAttribute()
    region = UnicodeAttribute()
    checked_at = UTCDateTimeAttribute()
    states = JSONAttribute()


class ExceptionItem(FindingsTable):
    """One exception."""

    kind = UnicodeAttribute(default="exception")
    id = UnicodeAttribute()
    finding_id = UnicodeAttribute()
    check_id = UnicodeAttribute()
    resource_arn = UnicodeAttribute()
    owner = UnicodeAttribute()
    reason = UnicodeAttribute()
    expires_at = UTCDateTimeAttribute()
    created_by = UnicodeAttribute()


class ThresholdsItem(FindingsTable):
    """What the tenant set, by check: {"checks": {check_id: {name: decimal text}}}."""

    checks = JSONAttribute()
    version = NumberAttribute()


class RefreshItem(FindingsTable):
    """One refresh."""

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


class LeaseItem(FindingsTable):
    """The refresh that goes on."""

    refresh_id = UnicodeAttribute()
    until = UTCDateTimeAttribute()
