"""PynamoDB models of the `discovery` table. One physical table, seven kinds of items.

    pk                         sk                                       kind
    T#<t>                      RUN#<run>                                RunItem
    T#<t>                      LATEST#<onboarding>                      LatestItem
    T#<t>                      INV#A#<account>                          AccountItem
    T#<t>                      INV#C#<account>#<gen>#<segment>          CountItem
    T#<t>#R#<run>              UNIT#<region>#<service>                  UnitItem
    T#<t>#R#<run>              CHUNK#<region>#<type>#<first id>         ChunkItem
    T#<t>#A#<account>#<gen>    RES#<region>#<type>#<id>                 ResourceItem

A disconnect raises the account's generation, so that the rows of the old one are out of reach at
once and can be deleted in peace, also while a new connection is already being discovered.
"""

from __future__ import annotations

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from tidegate_kit.dynamo import Table


class RunItem(Table):
    """One run."""

    class Meta:
        table_name = "discovery"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute(default="discovery_run")
    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    onboarding_id = UnicodeAttribute()
    account_id = UnicodeAttribute()
    generation = NumberAttribute()
    status = UnicodeAttribute()
    wanted = JSONAttribute()
    started_at = UTCDateTimeAttribute()
    deadline_at = UTCDateTimeAttribute()
    completed_at = UTCDateTimeAttribute(null=True)
    planned = BooleanAttribute(default=False)
    access_lost_at = UTCDateTimeAttribute(null=True)
    finish_cursor = UnicodeAttribute(default="")
    snapshot = UnicodeAttribute(null=True)
    diff = UnicodeAttribute(null=True)
    summary = JSONAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    expires = NumberAttribute()


class LatestItem(Table):
    """The latest run of one onboarding."""

    class Meta:
        table_name = "discovery"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    run_id = UnicodeAttribute()


class AccountItem(Table):
    """What is going on with one account, and where its inventory lies."""

    class Meta:
        table_name = "discovery"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    account_id = UnicodeAttribute()
    generation = NumberAttribute(default=0)
    running_run_id = UnicodeAttribute(null=True)
    running_until = UTCDateTimeAttribute(null=True)
    last_run_id = UnicodeAttribute(null=True)
    last_snapshot = UnicodeAttribute(null=True)


class CountItem(Table):
    """Living resources of one segment (first sighting, account, region, type)."""

    class Meta:
        table_name = "discovery"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    account_id = UnicodeAttribute()
    generation = NumberAttribute()
    first_seen = UnicodeAttribute()
    region = UnicodeAttribute()
    type = UnicodeAttribute()
    living = NumberAttribute()


class UnitItem(Table):
    """One (region, service) of a run: the checkpoint."""

    class Meta:
        table_name = "discovery"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    region = UnicodeAttribute()
    service = UnicodeAttribute()
    status = UnicodeAttribute()
    page = NumberAttribute()
    token = UnicodeAttribute(null=True)
    resource_count = NumberAttribute(null=True)
    listed = BooleanAttribute(default=False)
    reason = UnicodeAttribute(null=True)
    missing_actions = JSONAttribute()
    seen_tokens = JSONAttribute()
    restarts = NumberAttribute(default=0)
    expires = NumberAttribute()


class ChunkItem(Table):
    """One piece of a run's snapshot and diff, already in S3."""

    class Meta:
        table_name = "discovery"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    body = JSONAttribute()
    expires = NumberAttribute()


class ByFirstSeen(GlobalSecondaryIndex["ResourceItem"]):  # type: ignore[no-untyped-call]
    """Living resources of an account, by first sighting; sparse: vanished ones are not in it."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class ResourceItem(Table):
    """One resource. `body` holds tags, attributes, metrics and unknown names."""

    class Meta:
        table_name = "discovery"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    by_first_seen = ByFirstSeen()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    id = UnicodeAttribute()
    arn = UnicodeAttribute()
    type = UnicodeAttribute()
    name = UnicodeAttribute(null=True)
    account_id = UnicodeAttribute()
    region = UnicodeAttribute()
    state = UnicodeAttribute(null=True)
    body = JSONAttribute()
    fingerprint = UnicodeAttribute()
    search = UnicodeAttribute()
    service = UnicodeAttribute()
    unit_region = UnicodeAttribute()
    first_seen_at = UTCDateTimeAttribute()
    last_seen_at = UTCDateTimeAttribute()
    unchanged_since = UTCDateTimeAttribute()
    seen_run = UnicodeAttribute()
    first_run = UnicodeAttribute()
    changed_run = UnicodeAttribute(null=True)
    vanished_run = UnicodeAttribute(null=True)
    vanished_at = UTCDateTimeAttribute(null=True)
    expires = NumberAttribute(null=True)
