"""Governance as it is answered."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from tidegate_kit.money import money_text

from tidegate.governance.chain import Entry, Verification
from tidegate.governance.domain import Approval, Policy, RecordedDecision
from tidegate.governance.schemas import (
    ActorModel,
    ApprovalModel,
    AuditEntry,
    AuditResource,
    ChangedDecision,
    ContextModel,
    DecisionModel,
    PolicyModel,
    ResourceModel,
    SimulationModel,
    Subject,
    VerificationModel,
    VoteModel,
)
from tidegate.governance.service.simulation import Simulated
from tidegate.workflows.public import governance as workflows


def policy(found: Policy) -> PolicyModel:
    """A policy."""
    return PolicyModel(
        id=found.id, name=found.name, text=found.text, enabled=found.enabled,
        version=found.version, created_by=found.created_by, created_at=found.created_at,
        updated_at=found.updated_at,
    )  # fmt: skip


def decision(found: RecordedDecision) -> DecisionModel:
    """A recorded decision."""
    asked, made = found.question, found.decision
    context = asdict(asked.context)
    return DecisionModel(
        id=found.id,
        at=found.at,
        principal=asked.principal.id,
        action=asked.action,
        resource=_resource(found),
        context=ContextModel(hour_utc=asked.hour_utc, weekday=asked.weekday, **context),
        effect=made.effect,
        policy_ids=list(made.policy_ids),
        policy_versions=dict(made.policy_versions),
    )


def simulation(found: Simulated) -> SimulationModel:
    """What a simulation found."""
    changed = [
        ChangedDecision(
            decision_id=each.recorded.id,
            action=each.recorded.question.action,
            resource=_resource(each.recorded),
            before=each.recorded.decision.effect,
            after=each.after,
            monthly=None if each.monthly is None else money_text(each.monthly),
        )
        for each in found.shown
    ]
    return SimulationModel(
        evaluated=found.evaluated, unchanged=found.unchanged, changed=changed,
        monthly_affected=money_text(found.monthly_affected),
    )  # fmt: skip


def _resource(found: RecordedDecision) -> ResourceModel:
    return ResourceModel(**asdict(found.question.resource))


def approval(found: Approval | workflows.Approval, now: datetime) -> ApprovalModel:
    """An approval; expiry holds on read (GOV-4)."""
    if isinstance(found, Approval):
        kind, subject_id, votes = found.subject_type, found.subject_id, list(found.approvals)
        policy_ids = list(found.policy_ids)
    else:
        kind, subject_id = "workflow_step", f"{found.execution_id}/{found.step_id}"
        votes, policy_ids = list(found.votes), []  # type: ignore[arg-type]
    return ApprovalModel(
        id=found.id,
        subject=Subject(type=kind, id=subject_id, hash=found.subject_hash),
        title=found.title,
        description=found.description,
        status=found.shown_status(now),
        requested_by=found.requested_by,
        requested_at=found.requested_at,
        quorum=found.quorum,
        approver_role=found.approver_role,
        approvals=[VoteModel(**vars(vote)) for vote in votes],
        policy_ids=policy_ids,
        expires_at=found.expires_at,
    )


def audit_entry(found: Entry) -> AuditEntry:
    """An audit entry; one that was tampered with beyond reading is shown by its place alone."""
    try:
        return AuditEntry(**found.fields, prev_hash=found.prev_hash, hash=found.hash)
    except (ValueError, TypeError):
        return AuditEntry(
            sequence=found.place, timestamp=found.timestamp,
            actor=ActorModel(type="", id="", email="", ip=""), action="",
            resource=AuditResource(type="", id=""), outcome="", request_id="",
            details={"unreadable": True}, prev_hash=found.prev_hash, hash=found.hash,
        )  # fmt: skip


def verification(found: Verification) -> VerificationModel:
    """What the check of a log found."""
    return VerificationModel(**vars(found))
