"""Items of the table `integrations`.

- user_accounts           pk T#<tid>#U#<uid>   sk ACCOUNT#<account id>   configuration sealed
                          gsi1pk ACCOUNTS (global), gsi1sk <tid>#<uid>#<account id>
- communication_targets   same pk              sk TARGET#<id>
- account health          same pk              sk HEALTH#<account id>
- messages (TTL)          same pk              sk MESSAGE#<target id>#<channel>#<key's hash>
- secrets                 pk T#<tid>           sk SECRET#<name>          value sealed
"""

from __future__ import annotations

from pynamodb.attributes import (
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from tidegate_kit.dynamo import Table
from tidegate_kit.table_index import Gsi1, SparselyIndexed

TABLE = "integrations"


class IntegrationsTable(Table):
    """Every item of the table."""

    class Meta:
        table_name = TABLE


class RecordItem(IntegrationsTable):
    """A record of a tenant or user: its id, and how often it was written."""

    id = UnicodeAttribute()
    version = NumberAttribute()


class AccountItem(SparselyIndexed, RecordItem):
    """An integration account."""

    # Global: the accounts of every tenant, for the hourly checks.
    everywhere: Gsi1[AccountItem] = Gsi1()
    account_type = UnicodeAttribute()
    configuration = UnicodeAttribute()


class TargetItem(RecordItem):
    """A communication target."""

    name = UnicodeAttribute()
    email = UnicodeAttribute(null=True)
    twitter_username = UnicodeAttribute(null=True)
    instagram_username = UnicodeAttribute(null=True)
    notes = UnicodeAttribute(null=True)
    active = BooleanAttribute()


class SecretItem(RecordItem):
    """A tenant's secret; older ones do not say who stored them."""

    value = UnicodeAttribute()
    updated_by = UnicodeAttribute(null=True)


class MessageItem(IntegrationsTable):
    """A message to a target by one channel: begun, then sent. Holds ids only."""

    state = UnicodeAttribute()
    attempt = UnicodeAttribute()
    begun_at = UTCDateTimeAttribute()
    message_id = UnicodeAttribute(null=True)
    expires = NumberAttribute()


class HealthItem(RecordItem):
    """What the checks of an account found."""

    status = UnicodeAttribute()
    failures = NumberAttribute()
    last_checked_at = UTCDateTimeAttribute()
    last_success_at = UTCDateTimeAttribute(null=True)
    last_error = UnicodeAttribute(null=True)
