"""Policies, approvals and audit entries for tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from tidegate.governance import public
from tidegate.governance.domain import Actor, AuditAct, NewApproval
from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.dynamo import Transaction
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.settings import REGION
from tests.builders.workflows import BUCKET

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
HASH = "5d41402abc4b2a76b9719d911017c592"
FORBID = 'forbid (principal, action == Action::"ec2.delete_volume", resource);'


def new_approval(requested_by: str, **changes: Any) -> NewApproval:
    """An approval of a plan, by one client, within a day of now."""
    values: dict[str, Any] = {
        "id": new_id(), "subject_type": "plan", "subject_id": new_id(), "subject_hash": HASH,
        "title": "Delete 3 volumes", "description": "Unattached for 30 days.",
        "requested_by": requested_by, "quorum": 1, "approver_role": "client",
        "policy_ids": ("p1",), "expires_at": system_clock() + timedelta(hours=24), **changes,
    }  # fmt: skip
    return NewApproval(**values)


def add_approval(
    scope: TenantScope, requested_by: str, *, clock: Clock = system_clock, **changes: Any
) -> str:
    """Store a pending approval; returns its id."""
    new = new_approval(requested_by, **changes)
    writes = Transaction()
    public.add_approval(writes, scope, new, clock())
    writes.commit()
    return new.id


def act(number: int = 1, **changes: Any) -> AuditAct:
    """Something to be audited."""
    values: dict[str, Any] = {
        "source_id": new_id(), "at": NOW + timedelta(seconds=number),
        "actor": Actor("user", new_id(), f"u{number}@example.com", "203.0.113.5"),
        "action": "auth.login", "resource_type": "session", "resource_id": new_id(),
        "request_id": f"r-{number}", "details": {"number": number}, **changes,
    }  # fmt: skip
    return AuditAct(**values)


def make_bucket() -> None:
    """The bucket of the checkpoints in the AWS double."""
    os.environ["DATA_BUCKET"] = BUCKET
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
