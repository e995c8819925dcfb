"""Between items of the `findings` table and domain objects."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tidegate_kit.clock import from_epoch
from tidegate_kit.tenancy import TenantScope, key

from tidegate.findings.domain import (
    CheckState,
    Count,
    Finding,
    FindingException,
    FindingResource,
    Refresh,
    RegionStates,
)
from tidegate.findings.models import (
    CountItem,
    ExceptionItem,
    FindingItem,
    RefreshItem,
    StatesItem,
)
from tidegate.findings.repository.bodies import (
    action_body,
    action_of,
    mark_body,
    mark_of,
    saving_body,
    saving_of,
)

MICROS = Decimal(1_000_000)


def moment_key(moment: datetime) -> str:
    """A time as a sortable key part of fixed width: epoch milliseconds."""
    return f"{int(moment.timestamp() * 1000):014d}"


def status_pk(scope: TenantScope, group: str, status: str) -> str:
    """Index partition of a group and stored status."""
    return f"{scope.pk}#{key('F', group, status)}"


def place(finding: Finding) -> str:
    """Where a finding stands in its index partition: first sighting, id."""
    return key(moment_key(finding.first_seen_at), finding.id)


def active_sk(finding: Finding) -> str:
    """Sort key of the pointer of a finding that is not resolved."""
    return key(
        "ACTIVE", finding.account_id, str(finding.generation), finding.unit_region,
        finding.check_id, finding.id,
    )  # fmt: skip


def gone_sk(finding: Finding) -> str:
    """Sort key of the pointer of a resolved finding."""
    moment = finding.resolved_at or from_epoch(0)
    return key("GONE", finding.account_id, str(finding.generation), moment_key(moment), finding.id)


def count_sk(finding: Finding) -> str:
    """Sort key of the count that a finding is part of."""
    return key(
        "COUNT", finding.account_id, str(finding.generation), finding.region, finding.check_id
    )


def micros(finding: Finding) -> int:
    """Its saving in millionths of a dollar; 0 while unpriced."""
    return int((finding.saving.monthly or Decimal(0)) * MICROS)


def finding_item(scope: TenantScope, finding: Finding, now: datetime) -> FindingItem:
    """The item of a finding."""
    return FindingItem(
        scope.pk,
        key("FINDING", finding.id),
        gsi1pk=status_pk(scope, finding.group, finding.status),
        gsi1sk=place(finding),
        id=finding.id,
        group=finding.group,
        check_id=finding.check_id,
        account_id=finding.account_id,
        onboarding_id=finding.onboarding_id,
        generation=finding.generation,
        region=finding.region,
        unit_region=finding.unit_region,
        resource={
            "arn": finding.resource.arn,
            "type": finding.resource.type,
            "id": finding.resource.id,
            "name": finding.resource.name,
            "tags": dict(finding.resource.tags),
        },
        status=finding.status,
        fingerprint=finding.fingerprint,
        body={
            "title": finding.title,
            "severity": finding.severity,
            "evidence": dict(finding.evidence),
            "saving": saving_body(finding.saving),
            "action": action_body(finding.action),
        },
        mark=mark_body(finding.exception),
        plan_id=finding.plan_id,
        first_seen_at=finding.first_seen_at,
        last_seen_at=finding.last_seen_at,
        resolved_at=finding.resolved_at,
        version=finding.version,
        created_at=finding.first_seen_at,
        updated_at=now,
    )


def finding_of(item: FindingItem) -> Finding:
    """The finding of an item, with its stored status."""
    body = item.body
    resource = item.resource
    return Finding(
        id=item.id,
        group=item.group,  # type: ignore[arg-type]
        check_id=item.check_id,
        title=body["title"],
        severity=body["severity"],
        account_id=item.account_id,
        onboarding_id=item.onboarding_id,
        region=item.region,
        resource=FindingResource(
            arn=resource["arn"],
            type=resource["type"],
            id=resource["id"],
            name=resource["name"],
            tags=resource["tags"],
        ),
        status=item.status,  # type: ignore[arg-type]
        evidence=body["evidence"],
        fingerprint=item.fingerprint,
        saving=saving_of(body["saving"]),
        action=action_of(body["action"]),
        first_seen_at=item.first_seen_at,
        last_seen_at=item.last_seen_at,
        exception=mark_of(item.mark),
        plan_id=item.plan_id,
        resolved_at=item.resolved_at,
        generation=int(item.generation),
        unit_region=item.unit_region,
        version=int(item.version),
    )


def count_of(item: CountItem) -> Count:
    """The count of an item."""
    return Count(
        group=item.group,  # type: ignore[arg-type]
        account_id=item.account_id,
        region=item.region,
        check_id=item.check_id,
        active=int(item.active or 0),
        priced=int(item.priced or 0),
        monthly=Decimal(int(item.micros or 0)) / MICROS,
        resolved=int(item.resolved or 0),
    )


def states_item(scope: TenantScope, states: RegionStates, now: datetime) -> StatesItem:
    """The item of a region's states."""
    return StatesItem(
        scope.pk,
        key("STATES", states.account_id, str(states.generation), states.region),
        account_id=states.account_id,
        generation=states.generation,
        region=states.region,
        checked_at=states.checked_at,
        states=[
            [
                s.check_id,
                s.state,
                s.findings,
                list(s.missing_actions),
                s.reason,
                s.settled,
                s.checked_at.isoformat(),
            ]
            for s in states.states
        ],
        created_at=now,
        updated_at=now,
    )


def states_of(item: StatesItem) -> RegionStates:
    """The states of an item."""
    return RegionStates(
        item.account_id,
        int(item.generation),
        item.region,
        item.checked_at,
        tuple(
            CheckState(
                check_id=check,
                region=item.region,
                state=state,
                findings=findings,
                missing_actions=tuple(missing),
                reason=reason,
                settled=settled,
                checked_at=datetime.fromisoformat(checked_at),
            )
            for check, state, findings, missing, reason, settled, checked_at in item.states
        ),
    )


def exception_item(scope: TenantScope, exception: FindingException, now: datetime) -> ExceptionItem:
    """The item of an exception."""
    return ExceptionItem(
        scope.pk,
        key("EXCEPTION", exception.id),
        id=exception.id,
        finding_id=exception.finding_id,
        check_id=exception.check_id,
        resource_arn=exception.resource_arn,
        owner=exception.owner,
        reason=exception.reason,
        expires_at=exception.expires_at,
        created_by=exception.created_by,
        created_at=exception.created_at,
        updated_at=now,
    )


def exception_of(item: ExceptionItem) -> FindingException:
    """The exception of an item."""
    return FindingException(
        id=item.id,
        finding_id=item.finding_id,
        check_id=item.check_id,
        resource_arn=item.resource_arn,
        owner=item.owner,
        reason=item.reason,
        expires_at=item.expires_at,
        created_by=item.created_by,
        created_at=item.created_at,
    )


def refresh_of(item: RefreshItem) -> Refresh:
    """The refresh of an item."""
    return Refresh(
        id=item.id,
        status=item.status,  # type: ignore[arg-type]
        trigger=item.trigger,
        account_ids=tuple(item.account_ids),
        check_ids=tuple(item.check_ids),
        started_at=item.started_at,
        deadline_at=item.deadline_at,
        completed_at=item.completed_at,
        failures={name: item.failures[name] for name in item.failures},
    )
