"""From findings to the answers of contract 2.10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from tidegate.findings import schemas
from tidegate.findings.checks import CHECKS
from tidegate.findings.domain import (
    CheckState,
    Finding,
    FindingException,
    PriceUsed,
    Quantity,
    RegionStates,
    Saving,
)
from tidegate.findings.repository import Thresholds
from tidegate.findings.service.queries import Summary
from tidegate.findings.service.simulation import Side, Simulation


def money(amount: Decimal) -> str:
    """An amount as text: two places, more where they are not zero. Nothing is rounded."""
    text = number(amount)
    whole, _, places = text.partition(".")
    return f"{whole}.{places:0<2}"


def number(value: Decimal) -> str:
    """A decimal as plain text without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def finding(found: Finding) -> schemas.FindingView:
    """One finding."""
    resource = found.resource
    return schemas.FindingView(
        id=found.id,
        group=found.group,
        check_id=found.check_id,
        title=found.title,
        severity=found.severity,
        account_id=found.account_id,
        region=found.region,
        resource=schemas.ResourceView(
            arn=resource.arn,
            type=resource.type,
            id=resource.id,
            name=resource.name,
            tags=dict(resource.tags),
        ),
        status=found.status,
        evidence=dict(found.evidence),
        fingerprint=found.fingerprint,
        saving=saving(found.saving),
        action=_action(found),
        exception=_mark(found),
        first_seen_at=found.first_seen_at,
        last_seen_at=found.last_seen_at,
    )


def saving(of: Saving) -> schemas.SavingView:
    """A saving with all that it takes to compute it again (FND-2)."""
    return schemas.SavingView(
        monthly=None if of.monthly is None else money(of.monthly),
        currency="USD",
        formula=of.formula,
        quantities=[_quantity(quantity) for quantity in of.quantities],
        prices=[_price(price) for price in of.prices],
        confidence=of.confidence,
        effective_monthly=None if of.effective_monthly is None else money(of.effective_monthly),
    )


def _quantity(of: Quantity) -> schemas.QuantityView:
    return schemas.QuantityView(name=of.name, value=number(of.value), unit=of.unit)


def _price(of: PriceUsed) -> schemas.PriceView:
    return schemas.PriceView(
        name=of.name,
        unit_price=None if of.unit_price is None else number(of.unit_price),
        unit=of.unit,
        source=of.source,
        date=of.date,
        effective_unit_price=(
            None if of.effective_unit_price is None else number(of.effective_unit_price)
        ),
    )


def _action(found: Finding) -> schemas.ActionView | None:
    if found.action is None:
        return None
    return schemas.ActionView(
        id=found.action.id,
        reversible=found.action.reversible,
        undo_hours=found.action.undo_hours,
    )


def _mark(found: Finding) -> schemas.MarkView | None:
    mark = found.exception
    if mark is None:
        return None
    return schemas.MarkView(
        id=mark.id, owner=mark.owner, reason=mark.reason, expires_at=mark.expires_at
    )


def summary(of: Summary) -> schemas.SummaryView:
    """The summary."""
    return schemas.SummaryView(
        identified_monthly=money(of.identified_monthly),
        open=of.open,
        priced=of.priced,
        unpriced=of.unpriced,
        coverage=schemas.CoverageView(
            found=of.found, clean=of.clean, unknown=of.unknown, percent=of.percent
        ),
        by_check=[
            schemas.CheckTotalView(
                check_id=total.check_id,
                open=total.open,
                monthly=None if total.monthly is None else money(total.monthly),
            )
            for total in of.by_check
        ],
        as_of=of.as_of,
    )


def checks(
    states: Mapping[str, Sequence[tuple[RegionStates, CheckState]]],
) -> schemas.CheckList:
    """Every check of a group, by account and region."""
    return schemas.CheckList(
        checks=[
            schemas.CheckView(
                check_id=check_id,
                title=CHECKS[check_id].title,
                required_actions=list(CHECKS[check_id].required_actions),
                states=[_state(region, state) for region, state in known],
            )
            for check_id, known in states.items()
        ]
    )


def _state(region: RegionStates, state: CheckState) -> schemas.StateView:
    return schemas.StateView(
        account_id=region.account_id,
        region=state.region,
        state=state.state,
        findings=state.findings,
        missing_actions=list(state.missing_actions),
        reason=state.reason,
        checked_at=state.checked_at,
    )


def exception(of: FindingException, now: datetime) -> schemas.ExceptionView:
    """One exception."""
    return schemas.ExceptionView(
        id=of.id,
        finding_id=of.finding_id,
        check_id=of.check_id,
        resource_arn=of.resource_arn,
        owner=of.owner,
        reason=of.reason,
        expires_at=of.expires_at,
        created_by=of.created_by,
        created_at=of.created_at,
        active=of.active(now),
    )


def thresholds(of: Thresholds) -> schemas.ThresholdsView:
    """Thresholds as numbers."""
    return schemas.ThresholdsView(
        checks={
            check_id: {name: _plain(value) for name, value in values.items()}
            for check_id, values in of.items()
        }
    )


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def simulation(of: Simulation, asked: datetime) -> schemas.SimulationView:
    """A simulation; without any inventory it tells of the time that was asked for."""
    return schemas.SimulationView(
        snapshot_at=of.snapshot_at or asked,
        before=_side(of.before),
        after=_side(of.after),
        changed=[
            schemas.ChangedView(
                check_id=one.check_id,
                resource_arn=one.resource_arn,
                before=one.before,
                after=one.after,
            )
            for one in of.changed
        ],
    )


def _side(of: Side) -> schemas.SideView:
    return schemas.SideView(found=of.found, monthly=money(of.monthly))
