"""From HTTP calls to the services of findings."""

from __future__ import annotations

import uuid

from tidegate_kit.errors import Detail, Unprocessable
from tidegate_kit.http import CurrentCall
from tidegate_kit.ids import new_id
from tidegate_kit.settings import settings_of

from tidegate.discovery import public as discovery
from tidegate.findings import schemas, wiring
from tidegate.findings.checks import CHECKS
from tidegate.findings.domain import Group
from tidegate.findings.service import refresh as refreshes
from tidegate.findings.service import simulation
from tidegate.findings.service.exceptions import ExceptionService, NewException
from tidegate.findings.service.queries import Queries
from tidegate.findings.service.simulation import Simulation
from tidegate.findings.service.thresholds import ThresholdService, checked, known_checks
from tidegate.findings.settings import FindingsSettings


def queries(call: CurrentCall) -> Queries:
    """Reads of the caller's tenant."""
    return wiring.queries_of(call.principal.tenant, lambda: call.now)


def exceptions(call: CurrentCall) -> ExceptionService:
    """Exceptions of the caller's tenant."""
    return wiring.exception_service(call.principal.tenant, lambda: call.now)


def thresholds(call: CurrentCall) -> ThresholdService:
    """Thresholds of the caller's tenant."""
    return wiring.threshold_service(call.principal.tenant, lambda: call.now)


def refresh(call: CurrentCall, body: schemas.RefreshStart, group: Group) -> schemas.RefreshStarted:
    """Start a refresh of the caller's tenant; a repeated call starts the same one again."""
    settings: FindingsSettings = settings_of(FindingsSettings)
    scope = call.principal.tenant
    own = [check_id for check_id, check in CHECKS.items() if check.group == group]
    started = refreshes.start(
        wiring.parts_of(scope, clock=lambda: call.now),
        refreshes.launcher(
            settings.findings_refresh_machine_arn, settings.aws_region, scope.tenant_id
        ),
        refresh_id=_refresh_id(call),
        account_ids=body.account_ids,
        check_ids=own if body.check_ids is None else body.check_ids,
        trigger="api",
    )
    return schemas.RefreshStarted(execution_id=started.id, status="running")


def _refresh_id(call: CurrentCall) -> str:
    if call.effect_key is None:
        return new_id()
    return str(uuid.UUID(hex=call.effect_key[:32], version=4))


def new_exception(body: schemas.ExceptionCreate) -> NewException:
    """What the client asks for. Raises Unprocessable where it names both subjects, or none."""
    by_check = body.check_id is not None and body.resource_arn is not None
    partly = body.check_id is not None or body.resource_arn is not None
    if (body.finding_id is None) != by_check or (body.finding_id is not None and partly):
        text = "give either finding_id, or check_id and resource_arn"
        raise Unprocessable(details=[Detail("finding_id", text)])
    return NewException(
        finding_id=body.finding_id,
        check_id=body.check_id,
        resource_arn=body.resource_arn,
        owner=body.owner,
        reason=body.reason,
        expires_at=body.expires_at,
    )


def simulated(call: CurrentCall, body: schemas.SimulateBody) -> Simulation:
    """Try thresholds on the inventories of the caller's tenant."""
    scope = call.principal.tenant
    known = discovery.generations(scope)
    accounts = list(known) if body.account_ids is None else body.account_ids
    if any(account not in known for account in accounts):
        text = "names an account that was not discovered"
        raise Unprocessable(details=[Detail("account_ids", text)])
    return simulation.simulate(
        wiring.inventory_of(scope),
        list(dict.fromkeys(accounts)),
        known_checks(body.check_ids),
        wiring.prices(),
        wiring.exceptions_of(scope).thresholds()[0],
        checked(body.thresholds or {}),
        body.snapshot_at,
    )
