"""From accounts and inventory to the answers of contract 2.8."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from tidegate_kit.money import money_text

from tidegate.accounts import schemas
from tidegate.accounts.forecast import month_forecast
from tidegate.accounts.permissions import delta_template
from tidegate.accounts.service import AccountRow, Checkup, Overview, Removal
from tidegate.discovery.public import Resource
from tidegate.findings.public import finding_view
from tidegate.onboarding.public import Connection
from tidegate.pipelines.public import CostPoint


def account(row: AccountRow) -> schemas.Account:
    """The account object."""
    known = row.connection
    return schemas.Account(
        id=known.id,
        account_id=known.account_id,
        label=known.label,
        connection_method=known.method,
        status=known.status,
        tier=known.tier,
        regions=list(known.regions),
        role_arn=known.role_arn,
        access_key_id=known.access_key_id_masked,
        refusal=_refusal(known),
        resource_count=row.resource_count,
        created_at=known.created_at,
        connected_at=known.connected_at,
        last_verified_at=known.last_verified_at,
        last_discovery_at=known.last_discovery_at,
    )


def _refusal(known: Connection) -> schemas.RefusalView | None:
    if known.refusal is None:
        return None
    return schemas.RefusalView(code=known.refusal.code, fix=known.refusal.fix)


def disconnected(removal: Removal) -> schemas.Disconnected:
    """The answer to a disconnect, with what went with the account."""
    gone = removal.connection
    return schemas.Disconnected(
        id=gone.id,
        account_id=gone.account_id,
        status="disconnected",
        message="The account is disconnected. Its data is out of every view and is deleted.",
        cascade=schemas.Cascade(
            state=removal.state,
            resources=removal.resources,
            findings=removal.findings,
            plans=removal.plans,
        ),
        cleanup=_cleanup(gone),
    )


def _cleanup(gone: Connection) -> str:
    if gone.method == "credentials":
        return f"Delete the access key in account {gone.account_id}; Tidegate has erased its copy."
    if gone.role_arn is None:
        return f"If you made Tidegate's stack in account {gone.account_id}, delete it."
    return (
        f"Delete Tidegate's CloudFormation stack in account {gone.account_id}, "
        f"or its role {gone.role_arn}."
    )


def dashboard(overview: Overview, now: datetime) -> schemas.Dashboard:
    """The dashboard. Unknown money is null (CLI-1)."""
    return schemas.Dashboard(
        setup_required=overview.setup_required,
        accounts=_account_counts(overview),
        resources=_resource_counts(overview),
        costs=costs(overview.costs, now),
        savings=schemas.Savings(
            identified_monthly=money_text(overview.findings.identified_monthly),
            realised_to_date=money_text(overview.realised),
            unpriced_findings=overview.findings.unpriced,
            coverage_percent=overview.findings.coverage_percent,
        ),
        findings=schemas.FindingCounts(
            open=overview.findings.open,
            top=[finding_view(found) for found in overview.findings.top],
        ),
        workflows=schemas.WorkflowCounts(
            active=overview.workflows.active,
            executions_last_24h=overview.workflows.executions_last_24h,
            failed_last_24h=overview.workflows.failed_last_24h,
        ),
        experiments=schemas.ExperimentCounts(
            running=overview.experiments[0], recent=overview.experiments[1]
        ),
        approvals=schemas.ApprovalCounts(pending=overview.pending_approvals),
        alerts=alerts(overview.connections),
        generated_at=now,
    )


def costs(series: Sequence[CostPoint], now: datetime) -> schemas.Costs:
    """This month and the last one; null where no day is known."""
    today = now.astimezone(UTC).date()
    forecast = month_forecast({point.date: point.amount for point in series}, today)
    return schemas.Costs(
        month_to_date=month_to_date(series, now),
        last_month=_sum([point for point in series if point.date < _first(now)]),
        forecast_month=None if forecast is None else money_text(forecast),
        series=[
            schemas.CostPoint(date=point.date.isoformat(), amount=money_text(point.amount))
            for point in series
        ],
    )


def month_to_date(series: Sequence[CostPoint], now: datetime) -> str | None:
    """What this month has cost so far, as far as is known."""
    return _sum([point for point in series if point.date >= _first(now)])


def _first(now: datetime) -> date:
    return now.astimezone(UTC).date().replace(day=1)


def _sum(points: Sequence[CostPoint]) -> str | None:
    if not points:
        return None
    return money_text(sum((point.amount for point in points), Decimal(0)))


def _account_counts(overview: Overview) -> schemas.AccountCounts:
    count = overview.by_status
    return schemas.AccountCounts(
        total=sum(count.values()),
        connected=count.get("connected", 0),
        pending=count.get("pending", 0) + count.get("verifying", 0),
        refused=count.get("refused", 0),
        access_lost=count.get("access_lost", 0),
    )


def _resource_counts(overview: Overview) -> schemas.ResourceCounts:
    ordered = sorted(overview.totals.by_type.items(), key=lambda pair: (-pair[1], pair[0]))
    return schemas.ResourceCounts(
        total=overview.totals.total,
        by_type=[schemas.TypeCount(type=name, count=count) for name, count in ordered],
    )


def alerts(connections: Sequence[Connection]) -> list[schemas.Alert]:
    """What needs attention in the tenant's accounts."""
    found: list[schemas.Alert] = []
    for known in connections:
        name = f"account {known.account_id}"
        if known.status == "access_lost":
            text = f"Access to {name} is lost. Its data is kept; verify it again."
            found.append(_alert("critical", known.status, text))
        for warning in known.warnings:
            found.append(_alert("warning", warning.code, f"{name}: {warning.message}"))
    return found


def _alert(severity: schemas.Severity, status: str, message: str) -> schemas.Alert:
    return schemas.Alert(severity=severity, component="accounts", status=status, message=message)


def summary(overview: Overview, now: datetime) -> schemas.Summary:
    """The dashboard's figures in short."""
    return schemas.Summary(
        setup_required=overview.setup_required,
        accounts_connected=overview.connected,
        resources_total=overview.totals.total,
        open_findings=overview.findings.open,
        identified_monthly=money_text(overview.findings.identified_monthly),
        pending_approvals=overview.pending_approvals,
        month_to_date=month_to_date(overview.costs, now),
        generated_at=now,
    )


def resource(found: Resource) -> schemas.ResourceView:
    """One resource."""
    return schemas.ResourceView(
        id=found.id,
        arn=found.arn,
        type=found.type,
        name=found.name,
        account_id=found.account_id,
        region=found.region,
        state=found.state,
        tags=dict(found.tags),
        first_seen_at=found.first_seen_at,
        last_seen_at=found.last_seen_at,
    )


def permissions(checkup: Checkup, now: datetime) -> schemas.Permissions:
    """The permissions as of now, or as of the discovery that they are known from."""
    known, states = checkup.connection, checkup.features
    return schemas.Permissions(
        account_id=known.account_id,
        tier=known.tier,
        features=[
            schemas.Feature(
                feature=state.feature,
                granted=state.granted,
                missing_actions=list(state.missing_actions),
                denied_by=state.denied_by,
            )
            for state in states
        ],
        delta_template=delta_template(states, known.role_arn),
        checked_at=checkup.checked_at or now,
    )
