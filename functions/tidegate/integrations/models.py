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
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from tidegate_kit.dynamo import Table

TABLE = "integrations"


class RecordItem(Table):
    """What every item of the table has."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    id = UnicodeAttribute()
    version = NumberAttribute()


class AllAccounts(GlobalSecondaryIndex["AccountItem"]):  # type: ignore[no-untyped-call]
    """Global: the accounts of every tenant, for the hourly checks."""

    class Meta:
        index_name = "gsi1"
        projection = AllProjection()

    gsi1pk = UnicodeAttribute(hash_key=True)
    gsi1sk = UnicodeAttribute(range_key=True)


class AccountItem(RecordItem):
    """An integration account."""

    class Meta:
        table_name = TABLE

    everywhere = AllAccounts()
    gsi1pk = UnicodeAttribute(null=True)
    gsi1sk = UnicodeAttribute(null=True)
    account_type = UnicodeAttribute()
    configuration = UnicodeAttribute()


class TargetItem(RecordItem):
    """A communication target."""

    class Meta:
        table_name = TABLE

    name = UnicodeAttribute()
    email = UnicodeAttribute(null=True)
    twitter_username = UnicodeAttribute(null=True)
    instagram_username = UnicodeAttribute(null=True)
    notes = UnicodeAttribute(null=True)
    active = BooleanAttribute()


class SecretItem(RecordItem):
    """A tenant's secret; older ones do not say who stored them."""

    class Meta:
        table_name = TABLE

    value = UnicodeAttribute()
    updated_by = UnicodeAttribute(null=True)


class MessageItem(Table):
    """A message to a target by one channel: begun, then sent. Holds ids only."""

    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    state = UnicodeAttribute()
    attempt = UnicodeAttribute()
    begun_at = UTCDateTimeAttribute()
    message_id = UnicodeAttribute(null=True)
    expires = NumberAttribute()


class HealthItem(RecordItem):
    """What the checks of an account found."""

    class Meta:
        table_name = TABLE

    status = UnicodeAttribute()
    failures = NumberAttribute()
    last_checked_at = UTCDateTimeAttribute()
    last_success_at = UTCDateTimeAttribute(null=True)
    last_error = UnicodeAttribute(null=True)
