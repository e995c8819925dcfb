"""Actions and savings for other domains: the executor of plans, the ledger, plans of an account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tidegate_kit.clock import Clock, system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import id_from
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery.public import ReadAgainFailed
from tidegate.findings.actions import ACTIONS, checked_parameters
from tidegate.findings.plans.account import ConnectedAccounts, may_remediate
from tidegate.findings.plans.domain import RUNNING, Entry, PlanItem
from tidegate.findings.plans.errors import Superseded
from tidegate.findings.plans.executor import Executor
from tidegate.findings.plans.repository import DynamoPlans
from tidegate.findings.savings.measure import realised
from tidegate.findings.savings.wiring import savings_service
from tidegate.onboarding import public as onboarding

_A_DAY: Final = timedelta(days=1)
_MANY: Final = 1000
OUTSIDE_PLANS: Final = "workflow"  # the journal's plan id of actions that no plan asked for


@dataclass(frozen=True)
class ActionRequest:
    """One action on one resource of a connected account, as somebody with a right to it asks."""

    account_id: str
    region: str
    action: str
    resource_arn: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class ActionOutcome:
    """How it stands: over, or still going on at AWS (`settled` False: ask again).

    `code` and `message` say why it was not done. `undo_until` None: it cannot be undone.
    """

    action_id: str
    settled: bool
    result: Mapping[str, Any]
    undo_until: datetime | None
    code: str | None = None
    message: str | None = None


class TryAgain(Exception):
    """The action could not go on now; nothing is lost, and the same key goes on."""


class InvalidAction(ValueError):
    """No such action, not its parameters, or not its kind of resource."""


def resource_types(action: str) -> tuple[str, ...]:
    """The resource types that an action takes. Raises InvalidAction."""
    if action not in ACTIONS:
        raise InvalidAction(action)
    return ACTIONS[action].types


def type_of(action: str, arn: str) -> str:
    """The resource type that an ARN names, among those of the action. Raises InvalidAction."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or any(mark in arn for mark in ("*", "?", "$")):
        raise InvalidAction("not the ARN of one resource")
    kind = parts[5].replace(":", "/").partition("/")[0]
    for known in resource_types(action):
        service, _, name = known.partition(":")
        if _ARN_KINDS.get(known, (service, name)) == (parts[2], kind):
            return known
    raise InvalidAction("the action does not act on this kind of resource")


# Where an ARN calls a type otherwise than the inventory does.
_ARN_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "ec2:nat-gateway": ("ec2", "natgateway"),
    "rds:db-instance": ("rds", "db"),
    "elb:load-balancer": ("elasticloadbalancing", "loadbalancer"),
    "elbv2:load-balancer": ("elasticloadbalancing", "loadbalancer"),
}


def execute_action(
    settings: Settings,
    scope: TenantScope,
    request: ActionRequest,
    *,
    effect_key: str,
    clock: Clock = system_clock,
) -> ActionOutcome:
    """Carry out an action now, by the executor of plans and with its journal.

    Whether it may be done is the caller's to decide, before. The same `effect_key` again goes on
    with the same action and never does it twice. Raises InvalidAction, NotFound where the account
    is not connected for remediation, AccessDeniedByAccount, ServiceUnavailable and TryAgain.
    """
    item = _item(scope, request, id_from(f"{scope.tenant_id}\n{effect_key}"))
    try:
        entry = _advanced(ConnectedAccounts(settings, scope), DynamoPlans(scope), item, clock)
    except (ReadAgainFailed, Superseded) as error:
        raise TryAgain from error
    problem = entry.problem
    return ActionOutcome(
        action_id=item.id,
        settled=entry.status != "pending",
        result=dict(entry.result),
        undo_until=entry.undo_until,
        code=None if problem is None else problem.code,
        message=None if problem is None else problem.message,
    )


def _advanced(
    accounts: ConnectedAccounts, journal: DynamoPlans, item: PlanItem, clock: Clock
) -> Entry:
    entry = journal.entry(OUTSIDE_PLANS, item.id)
    if entry is None:
        found = accounts(item).read(item.ref, clock())
        expected = "gone" if found is None else found.fingerprint
        entry = journal.write(Entry(OUTSIDE_PLANS, item.id, expected=expected), clock())
    decided = replace(item, fingerprint=entry.expected)
    return Executor(journal, accounts, clock).advance(OUTSIDE_PLANS, decided, clock())


def _item(scope: TenantScope, request: ActionRequest, key: str) -> PlanItem:
    kind = type_of(request.action, request.resource_arn)
    try:
        parameters = checked_parameters(request.action, request.parameters)
    except ValueError as error:
        raise InvalidAction(str(error)) from error
    named = request.resource_arn.split(":", 5)
    if named[4] not in ("", request.account_id) or named[3] not in ("", request.region):
        raise InvalidAction("the resource lies in another account or region")
    for connection in onboarding.connections(scope):
        if connection.account_id == request.account_id and may_remediate(connection):
            break
    else:
        raise NotFound
    return PlanItem(
        id=key,
        finding_id="",
        check_id="",
        account_id=request.account_id,
        onboarding_id=connection.id,
        region=request.region,
        arn=request.resource_arn,
        type=kind,
        tags={},
        fingerprint="",
        action=request.action,
        parameters=parameters,
        price={},
        reversible=ACTIONS[request.action].reversible,
    )


def measure_savings(scope: TenantScope, day: date) -> int:
    """Measure what executed actions saved, as far as that is due on `day`; how many windows.

    Running it again for the same day adds nothing. Raises ServiceUnavailable.
    """
    return savings_service(scope).measure(day)


def plan_executing(scope: TenantScope, account_id: str, clock: Clock = system_clock) -> bool:
    """True while a plan is carried out or undone in an account."""
    plans = DynamoPlans(scope)
    # A run that goes on is always due within minutes, so that the sweep sees it.
    for plan_id in plans.due(clock() + _A_DAY, _MANY):
        plan = plans.get(plan_id)
        if plan.status in RUNNING and any(item.account_id == account_id for item in plan.items):
            return True
    return False


def realised_to_date(scope: TenantScope, clock: Clock = system_clock) -> Decimal:
    """USD that executed actions were measured to have saved so far."""
    now = clock()
    amounts = (realised(entry, now.date()) for entry in DynamoPlans(scope).ledger(None, None))
    total = sum((amount for amount in amounts if amount is not None), Decimal(0))
    return total.quantize(Decimal("0.000001"))
