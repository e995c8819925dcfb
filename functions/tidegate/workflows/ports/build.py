"""The ports of one step, on this deployment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tidegate_kit.clients import single_attempt_client
from tidegate_kit.clock import Clock
from tidegate_kit.ids import IdFactory
from tidegate_kit.outbound import OutboundClient, OutboundPolicy
from tidegate_kit.tenancy import TenantScope

from tidegate.identity import public as identity
from tidegate.integrations import public as integrations
from tidegate.workflows.domain import Execution, LogEntry, LogLevel
from tidegate.workflows.nodes import Ports
from tidegate.workflows.nodes.ports import AwsCall, Notice
from tidegate.workflows.ports.accounts import session_opener
from tidegate.workflows.ports.ai import StepAi
from tidegate.workflows.ports.approvals import StepApprovals
from tidegate.workflows.ports.aws import StepAwsActions
from tidegate.workflows.ports.calendar import StepCalendar
from tidegate.workflows.ports.children import StartChild, StepChildren
from tidegate.workflows.ports.http import OutboundHttp
from tidegate.workflows.ports.journal import Journal
from tidegate.workflows.ports.mail import StepMail
from tidegate.workflows.ports.notices import LedgerNotices
from tidegate.workflows.ports.remediation import ExecutedActions
from tidegate.workflows.ports.targets import StepTargets
from tidegate.workflows.repository.approvals import ApprovalStore
from tidegate.workflows.repository.blobs import Blobs
from tidegate.workflows.repository.executions import Executions
from tidegate.workflows.repository.ledger import Ledger
from tidegate.workflows.repository.logs import Logs
from tidegate.workflows.service.records import log_entry
from tidegate.workflows.settings import WorkflowsSettings

_LEVELS: dict[str, LogLevel] = {"info": "info", "warning": "warning", "critical": "error"}


@dataclass(frozen=True)
class PortParts:
    """What the ports of one tenant's steps are made of."""

    settings: WorkflowsSettings
    scope: TenantScope
    ledger: Ledger
    executions: Executions
    approvals: ApprovalStore
    logs: Logs
    blobs: Blobs
    start_child: StartChild
    decide: Callable[[Execution, str, AwsCall], None]
    clock: Clock
    ids: IdFactory


def ports_of(parts: PortParts, execution: Execution, step_id: str, secrets: set[str]) -> Ports:
    """The ports of one step; clients are made when a port is first used."""
    journal = Journal(parts.ledger, execution, step_id, parts.ids, secrets)
    settings = parts.settings
    user = parts.scope.user(execution.principal)
    ses = partial(single_attempt_client, "sesv2", settings.aws_region)
    mailer = StepMail(ses, settings.mail_from, journal, user)
    return Ports(
        mailer=mailer,
        http=OutboundHttp(
            outbound_client(settings), journal, partial(integrations.credential, user)
        ),
        ai=StepAi(parts.scope, execution),
        approvals=StepApprovals(parts.approvals, execution, step_id, parts.clock),
        notices=_notices(parts, execution, step_id, journal, mailer),
        aws=ExecutedActions(
            settings,
            parts.scope,
            lambda call: parts.decide(execution, step_id, call),
            StepAwsActions(
                journal,
                lambda call: parts.decide(execution, step_id, call),
                session_opener(settings, parts.scope),
            ),
            parts.clock,
        ),
        targets=StepTargets(user),
        calendar=StepCalendar(user, parts.clock),
        subworkflows=StepChildren(execution, parts.executions, parts.blobs, parts.start_child),
    )


def _notices(
    parts: PortParts, execution: Execution, step_id: str, journal: Journal, mailer: StepMail
) -> LedgerNotices:
    def write(notice: Notice) -> LogEntry:
        entry = log_entry(
            parts.ids, execution, parts.clock(), _LEVELS[notice.severity],
            f"{notice.title}: {notice.message}", step_id,
            {"notice": {"title": notice.title, "message": notice.message,
                        "severity": notice.severity}},
        )  # fmt: skip
        parts.logs.write(entry)
        return entry

    def recipients() -> list[str]:
        member = identity.member(parts.scope, execution.principal)
        return [member.email] if member is not None and member.is_active else []

    def deliver(notice: Notice, effect_key: str) -> list[str]:
        data = {
            "severity": notice.severity, "component": "workflow", "status": "notice",
            "message": f"{notice.title}: {notice.message}", "title": notice.title,
            "execution_id": execution.id, "workflow_id": execution.workflow_id,
            "step_id": step_id,
        }  # fmt: skip
        return integrations.deliver(
            parts.scope, type="system.alert", data=data, source_id=f"notice:{effect_key}",
            clock=parts.clock,
        )  # fmt: skip

    return LedgerNotices(execution, journal, mailer, write, recipients, deliver)


_clients: dict[Any, OutboundClient] = {}


def outbound_client(settings: WorkflowsSettings) -> OutboundClient:
    """The one client for addresses given by users; kept for the process."""
    policy = OutboundPolicy.of(settings)
    if policy not in _clients:
        _clients[policy] = OutboundClient(policy)
    return _clients[policy]
