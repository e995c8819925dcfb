"""Items of the table `onboarding`. Layout:

- registration  pk T#<tid>           sk ACCOUNT#<id>
- slot          pk T#<tid>           sk SLOT#<12 digits>              one living registration each
- outcome       pk T#<tid>           sk CALLBACK#<id>#<request id>    TTL `expires`
- pointer       pk ONBOARDING#<id>   sk TENANT                        (global)
- claim         pk AWS#<12 digits>   sk CLAIM                         (global)
- listing       pk CONNECTED         sk <tid>#<id>                    (global)
"""

from __future__ import annotations

from pynamodb.attributes import (
    BinaryAttribute,
    JSONAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from tidegate_kit.dynamo import Table

TABLE = "onboarding"


class OnboardingTable(Table):
    """Every item of the table."""

    class Meta:
        table_name = TABLE


class AccountItem(OnboardingTable):
    """One registration. `revision` counts its writes: each one names the revision it replaces."""

    revision = NumberAttribute()
    id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    account_id = UnicodeAttribute()
    method = UnicodeAttribute()
    tier = UnicodeAttribute()
    regions = ListAttribute(of=UnicodeAttribute)
    label = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    actor = UnicodeAttribute()
    external_id = UnicodeAttribute(null=True)
    role_name = UnicodeAttribute(null=True)
    role_arn = UnicodeAttribute(null=True)
    template_key = BinaryAttribute(null=True, legacy_encoding=False)
    template_copy = UnicodeAttribute(null=True)
    checks = JSONAttribute(null=True)
    refusal_code = UnicodeAttribute(null=True)
    refusal_fix = UnicodeAttribute(null=True)
    lease_token = UnicodeAttribute(null=True)
    lease_until = UTCDateTimeAttribute(null=True)
    connected_at = UTCDateTimeAttribute(null=True)
    last_verified_at = UTCDateTimeAttribute(null=True)
    disconnected_at = UTCDateTimeAttribute(null=True)
    discovery_run_id = UnicodeAttribute(null=True)
    last_discovery_run_id = UnicodeAttribute(null=True)
    last_discovery_at = UTCDateTimeAttribute(null=True)
    sealed_keys = UnicodeAttribute(null=True)
    access_key_masked = UnicodeAttribute(null=True)
    keys_set_at = UTCDateTimeAttribute(null=True)
    keys_due_at = UTCDateTimeAttribute(null=True)
    stack_id = UnicodeAttribute(null=True)
    stack_removed_at = UTCDateTimeAttribute(null=True)
    alert = UnicodeAttribute(null=True)
    alert_at = UTCDateTimeAttribute(null=True)


class SlotItem(OnboardingTable):
    """The tenant's living registration of an AWS account. Existing means: there is one."""

    onboarding_id = UnicodeAttribute()


class OutcomeItem(OnboardingTable):
    """What a stack call-back was answered; a repeated one gets the same answer."""

    status = UnicodeAttribute()
    reason = UnicodeAttribute()
    physical_id = UnicodeAttribute()
    expires = NumberAttribute()


class PointerItem(OnboardingTable):
    """Global: whose registration this id is, for callers without a token."""

    tenant_id = UnicodeAttribute()


class ClaimItem(OnboardingTable):
    """Global: who holds an AWS account. Existing means taken (ONB-6)."""

    account_id = UnicodeAttribute()
    tenant_id = UnicodeAttribute()
    onboarding_id = UnicodeAttribute()
    claimed_at = UTCDateTimeAttribute()


class ConnectedItem(OnboardingTable):
    """Global: a registration that holds its claim, for the daily re-probe."""

    tenant_id = UnicodeAttribute()
    onboarding_id = UnicodeAttribute()
