"""Items of the identity table that only this domain reads.

Users, sessions, tenants, public keys and pointers are in `tidegate_kit.auth.models`. Layout:

- identity key   pk EMAIL#<e-mail> | USERNAME#<name>   sk KEY            (global)
- listing        pk TENANTS                            sk <tid>          (global)
- listing        pk T#<tid>                            sk MEMBER#<created>#<uid>
- invitation     pk T#<tid>                            sk INVITE#<id>
- rotated token  pk T#<tid>                            sk ROTATED#<hash>
- renewed token  pk T#<tid>                            sk RENEWED#<jti>
- failed login   pk T#<tid> | LOGIN_FAILURES#<day>     sk FAILURE#<time>#<id>
- login counter  pk LOGIN#<hash of name>               sk IP#<ip>#<window>  (global)
- reset request  pk RESET#<id>                         sk REQUEST        (global)
- key lease      pk SIGNING_KEYS_LEASE                 sk LEASE          (global)
- admins         pk ADMINS                             sk ALL            (global)
- erasure        pk ERASURES                           sk USER#<tid>#<uid> | TENANT#<tid>  (global)
"""

from __future__ import annotations

from pynamodb.attributes import (
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)
from tidegate_kit.auth.models import TABLE
from tidegate_kit.dynamo import Table


class _Keyed(Table):
    class Meta:
        table_name = TABLE

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class IdentityKeyItem(_Keyed):
    """Global: whose e-mail or username this is. Existing means taken."""

    class Meta:
        table_name = TABLE

    user_id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    # Of the registration that made it, so that its repetition is recognised (H30).
    effect_key = UnicodeAttribute(null=True)


class TenantListingItem(_Keyed):
    """Global: every tenant, for schedules."""

    class Meta:
        table_name = TABLE

    tenant_id = UnicodeAttribute()


class MemberListingItem(_Keyed):
    """The members of a tenant in order of joining."""

    class Meta:
        table_name = TABLE

    user_id = UnicodeAttribute()


class InvitationItem(_Keyed):
    """An invitation; `status` is pending or accepted. Withdrawn ones are deleted."""

    class Meta:
        table_name = TABLE

    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    email = UnicodeAttribute()
    roles = UnicodeSetAttribute()
    status = UnicodeAttribute()
    token_hash = UnicodeAttribute()
    effect_key = UnicodeAttribute(null=True)
    # Older ones do not say; the audit log names him.
    invited_by = UnicodeAttribute(null=True)
    expires_at = UTCDateTimeAttribute()
    expires = NumberAttribute()


class SpentTokenItem(_Keyed):
    """A rotated refresh token (by hash) or a renewed access token (by jti)."""

    class Meta:
        table_name = TABLE

    session_id = UnicodeAttribute()
    expires = NumberAttribute()


class LoginFailureItem(_Keyed):
    """A refused login (AUTH-2); the audit log derives from it."""

    class Meta:
        table_name = TABLE

    at = UTCDateTimeAttribute()
    ip = UnicodeAttribute()
    path = UnicodeAttribute()
    status = NumberAttribute()
    code = UnicodeAttribute()
    user_id = UnicodeAttribute(null=True)
    expires = NumberAttribute()


class LoginAttemptsItem(_Keyed):
    """Unanswered attempts of one IP at one account in one window (C3)."""

    class Meta:
        table_name = TABLE

    attempts = NumberAttribute(default=0)
    expires = NumberAttribute()


class ResetRequestItem(_Keyed):
    """Somebody asked to reset the password of an address, known or not (C2)."""

    class Meta:
        table_name = TABLE

    email = UnicodeAttribute()
    expires = NumberAttribute()


class LeaseItem(_Keyed):
    """Who rotates the keys now."""

    class Meta:
        table_name = TABLE

    until = UTCDateTimeAttribute()


class AdminsItem(_Keyed):
    """Global: the active administrators."""

    class Meta:
        table_name = TABLE

    ids = UnicodeSetAttribute()


class ErasureItem(_Keyed):
    """Global: a removed user or tenant whose data is still to be erased."""

    class Meta:
        table_name = TABLE

    tenant_id = UnicodeAttribute()
    user_id = UnicodeAttribute(null=True)
    requested_by = UnicodeAttribute()
