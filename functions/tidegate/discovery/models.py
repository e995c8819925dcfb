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
from tidegate_kit.dynamo import Table
from tidegate_kit.table_index import Gsi1, SparselyIndexed


class DiscoveryTable(Table):
    """Every item of the table."""

    class Meta:
        table_name = "discovery"


class RunItem(DiscoveryTable):
    """One run."""

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


class LatestItem(DiscoveryTable):
    """The latest run of one onboarding."""

    run_id = UnicodeAttribute()


class AccountItem(DiscoveryTable):
    """What is going on with one account, and where its inventory lies."""

    account_id = UnicodeAttribute()
    generation = NumberAttribute(default=0)
    running_run_id = UnicodeAttribute(null=True)
    running_until = UTCDateTimeAttribute(null=True)
    last_run_id = UnicodeAttribute(null=True)
    last_snapshot = UnicodeAttribute(null=True)


class CountItem(DiscoveryTable):
    """Living resources of one segment (first sighting, account, region, type)."""

    account_id = UnicodeAttribute()
    generation = NumberAttribute()
    first_seen = UnicodeAttribute()
    region = UnicodeAttribute()
    type = UnicodeAttribute()
    living = NumberAttribute()


class UnitItem(DiscoveryTable):
    """One (region, service) of a run: the checkpoint."""

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


class ChunkItem(DiscoveryTable):
    """One piece of a run's snapshot and diff, already in S3."""

    body = JSONAttribute()
    expires = NumberAttribute()


class ResourceItem(SparselyIndexed, DiscoveryTable):
    """One resource. `body` holds tags, attributes, metrics and unknown names."""

    # Living resources of an account, by first sighting; sparse: vanished ones are not in it.
    by_first_seen: Gsi1[ResourceItem] = Gsi1()
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
