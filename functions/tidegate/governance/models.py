"""Items of the table `governance`; pk T#<tid> unless shown.

- policy         sk POLICY#<id>
- version        sk POLICYV#<id>#<8 digits>        never changed
- policy set     sk POLICIES                       how many policies, how often changed
- decision       sk DECISION#<time>#<id>           TTL
- approval       sk APPROVAL#<id>                  gsi1 T#<tid>#APPROVALS / <time>#<id>
- due            sk DUE#<time>#<id>                of a pending approval, until it is closed
- audit entry    sk AUDIT#<12 digits>              never changed, never removed
- audit head     sk AUDITHEAD                      the last entry's sequence and hash
- audit source   sk AUDITSRC#<source id>           what is entered already; TTL
- audit key      sk AUDITKEY                       sealed; authenticates the entries
"""

from __future__ import annotations

from typing import Any, Self

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.exceptions import AttributeDeserializationError
from tidegate_kit.clock import from_epoch
from tidegate_kit.dynamo import Table
from tidegate_kit.table_index import Gsi1, Indexed

TABLE = "governance"


class GovernanceItem(Table):
    """What every item of the table has."""

    class Meta:
        table_name = TABLE


class PolicyItem(GovernanceItem):
    """A policy as it is now."""

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    text = UnicodeAttribute()
    enabled = BooleanAttribute()
    version = NumberAttribute()
    created_by = UnicodeAttribute()
    updated_by = UnicodeAttribute()


class PolicyVersionItem(GovernanceItem):
    """One version of a policy; `change` is created, updated or deleted."""

    id = UnicodeAttribute()
    name = UnicodeAttribute()
    version = NumberAttribute()
    text = UnicodeAttribute()
    enabled = BooleanAttribute()
    change = UnicodeAttribute()
    created_by = UnicodeAttribute()


class PolicySetItem(GovernanceItem):
    """Exists once the tenant has its first policies; `revision` counts every change."""

    policies = NumberAttribute()
    revision = NumberAttribute()


class DecisionItem(GovernanceItem):
    """A decision with its inputs."""

    id = UnicodeAttribute()
    at = UTCDateTimeAttribute()
    action = UnicodeAttribute()
    effect = UnicodeAttribute()
    question = JSONAttribute()
    policy_ids = ListAttribute(of=UnicodeAttribute)
    policy_versions = JSONAttribute()
    policy_set_hash = UnicodeAttribute()
    quorum = NumberAttribute()
    approver_role = UnicodeAttribute()
    expiry_hours = NumberAttribute()
    problem = UnicodeAttribute(null=True)
    expires = NumberAttribute()


class ApprovalItem(Indexed, GovernanceItem):
    """An approval; `revision` counts its writes: each one names the revision it replaces."""

    # A tenant's approvals by time of request.
    by_time: Gsi1[ApprovalItem] = Gsi1()
    id = UnicodeAttribute()
    subject_type = UnicodeAttribute()
    subject_id = UnicodeAttribute()
    subject_hash = UnicodeAttribute()
    title = UnicodeAttribute()
    description = UnicodeAttribute()
    status = UnicodeAttribute()
    requested_by = UnicodeAttribute()
    requested_at = UTCDateTimeAttribute()
    quorum = NumberAttribute()
    approver_role = UnicodeAttribute()
    votes = ListAttribute(of=MapAttribute)
    policy_ids = ListAttribute(of=UnicodeAttribute)
    expires_at = UTCDateTimeAttribute()
    closed_at = UTCDateTimeAttribute(null=True)
    closed_by = UnicodeAttribute(null=True)
    revision = NumberAttribute()


class DueItem(GovernanceItem):
    """A pending approval in the order of its expiry."""

    approval_id = UnicodeAttribute()


class AuditItem(GovernanceItem):
    """One entry: `body` is its canonical JSON; the others repeat parts of it for filters."""

    body = UnicodeAttribute()
    prev_hash = UnicodeAttribute()
    hash = UnicodeAttribute()
    mac = UnicodeAttribute()
    timestamp = UnicodeAttribute()
    actor_id = UnicodeAttribute()
    actor_email = UnicodeAttribute()
    action = UnicodeAttribute()

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """A row that we did not write so was tampered with: it comes empty and fits no chain."""
        try:
            read = super().from_raw_data(data)
            # Several texts may be read as one time: only what we would write ourselves is ours.
            if read.serialize() == data:
                return read
        except (ValueError, TypeError, AttributeError, AttributeDeserializationError):
            pass  # answered below
        moment = from_epoch(0)
        return cls(
            data["pk"]["S"], data["sk"]["S"], body="", prev_hash="", hash="", mac="",
            timestamp="", actor_id="", actor_email="", action="", created_at=moment,
            updated_at=moment,
        )  # fmt: skip


class AuditHeadItem(GovernanceItem):
    """Where the chain ends."""

    sequence = NumberAttribute()
    hash = UnicodeAttribute()
    mac = UnicodeAttribute()


class AuditSourceItem(GovernanceItem):
    """An act that is entered."""

    sequence = NumberAttribute()
    expires = NumberAttribute()


class AuditKeyItem(GovernanceItem):
    """The tenant's key of the audit log, sealed by KMS."""

    sealed = UnicodeAttribute()
