"""Items of the table `profile` (user_profiles, user_settings)."""

from __future__ import annotations

from pynamodb.attributes import JSONAttribute, UnicodeAttribute
from tidegate_kit.dynamo import Table


class UserDocumentItem(Table):
    """pk T#<tenant>#U#<user>, sk PROFILE or SETTINGS; `values` holds the declared fields set."""

    class Meta:
        table_name = "profile"

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    values = JSONAttribute()
