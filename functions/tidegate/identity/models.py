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
from tidegate_kit.auth.models import IdentityTable


class IdentityKeyItem(IdentityTable):
    """Global: whose e-mail or username this is. Existing means taken."""

    user_id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    # Of the registration that made it, so that its repetition is recognised (H30).
    effect_key = UnicodeAttribute(null=True)


class TenantListingItem(IdentityTable):
    """Global: every tenant, for schedules."""

    tenant_id = UnicodeAttribute()


class MemberListingItem(IdentityTable):
    """The members of a tenant in order of joining."""

    user_id = UnicodeAttribute()


class InvitationItem(IdentityTable):
    """An invitation; `status` is pending or accepted. Withdrawn ones are deleted."""

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


class SpentTokenItem(IdentityTable):
    """A rotated refresh token (by hash) or a renewed access token (by jti)."""

    session_id = UnicodeAttribute()
    expires = NumberAttribute()


class LoginFailureItem(IdentityTable):
    """A refused login (AUTH-2); the audit log derives from it."""

    at = UTCDateTimeAttribute()
    ip = UnicodeAttribute()
    path = UnicodeAttribute()
    status = NumberAttribute()
    code = UnicodeAttribute()
    user_id = UnicodeAttribute(null=True)
    expires = NumberAttribute()


class LoginAttemptsItem(IdentityTable):
    """Unanswered attempts of one IP at one account in one window (C3)."""

    attempts = NumberAttribute(default=0)
    expires = NumberAttribute()


class ResetRequestItem(IdentityTable):
    """Somebody asked to reset the password of an address, known or not (C2)."""

    email = UnicodeAttribute()
    expires = NumberAttribute()


class LeaseItem(IdentityTable):
    """Who rotates the keys now."""

    until = UTCDateTimeAttribute()


class AdminsItem(IdentityTable):
    """Global: the active administrators."""

    ids = UnicodeSetAttribute()


class ErasureItem(IdentityTable):
    """Global: a removed user or tenant whose data is still to be erased."""

    tenant_id = UnicodeAttribute()
    user_id = UnicodeAttribute(null=True)
    requested_by = UnicodeAttribute()
