"""Items of the table `profile` (user_profiles, user_settings)."""

from __future__ import annotations

from pynamodb.attributes import JSONAttribute
from tidegate_kit.dynamo import Table


class UserDocumentItem(Table):
    """pk T#<tenant>#U#<user>, sk PROFILE or SETTINGS; `values` holds the declared fields set."""

    class Meta:
        table_name = "profile"

    values = JSONAttribute()
