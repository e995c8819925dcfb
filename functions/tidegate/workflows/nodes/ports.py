"""What effect nodes need from other domains. Implementations raise StepError, never other errors.

Every call that changes something takes `effect_key`: a second call with the same key repeats the
first one's answer and does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tidegate.workflows.nodes.errors import StepError

_Port = TypeVar("_Port")


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail: a named template with variables, or subject and body."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    template: str | None
    subject: str | None
    body: str | None
    variables: Mapping[str, Any]
    account_id: str | None


class Mailer(Protocol):
    def send(self, mail: Mail, *, effect_key: str) -> str:
        """Send and give the e-mail's id."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One outbound request. `account_id` names an integration that adds credentials."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    account_id: str | None
    timeout_seconds: int


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers in lower case, and the body: JSON data when it is JSON, else text."""

    status: int
    headers: dict[str, str]
    body: Any


class HttpClient(Protocol):
    def call(self, request: HttpRequest, *, effect_key: str) -> HttpAnswer:
        """Send the request through the SSRF-safe client."""


@dataclass(frozen=True, slots=True)
class AiRequest:
    """One prompt to a model; None leaves the choice to the platform."""

    prompt: str
    system: str | None
    model: str | None
    max_tokens: int | None
    temperature: float | None
    output_schema: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class AiAnswer:
    """The model's answer; `cost` in USD or None when unknown."""

    text: str
    json: Any | None
    model: str
    usage: dict[str, int]
    cost: float | None


class Ai(Protocol):
    def infer(self, request: AiRequest, *, effect_key: str) -> AiAnswer:
        """Ask the model under the tenant's budget."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """Who may decide what, until when (seconds from now)."""

    title: str
    description: str
    approver_role: str
    approvers: tuple[str, ...]
    quorum: int
    expires_in_seconds: int


class Approvals(Protocol):
    def open(self, request: ApprovalRequest, *, task_token: str, effect_key: str) -> str:
        """Open an approval that answers the task token when decided; gives its id."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification."""

    channel: str
    title: str
    message: str
    severity: str


class Notices(Protocol):
    def notify(self, notice: Notice, *, effect_key: str) -> None:
        """Hand the notice to its channel."""


class Targets(Protocol):
    def send(
        self,
        target_ids: Sequence[str],
        channel: str,
        subject: str | None,
        text: str,
        *,
        effect_key: str,
    ) -> list[dict[str, str]]:
        """Send to each target; gives [{target_id, message_id}]. `subject` is for e-mail."""


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One event; times ISO 8601."""

    title: str
    start: str
    end: str
    time_zone: str | None
    attendees: tuple[str, ...]
    description: str | None


class Calendar(Protocol):
    def create_event(self, event: CalendarEvent, *, effect_key: str) -> str:
        """Create the event and give its id."""


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One remediation action on one resource of a customer account."""

    account_id: str
    region: str
    action: str
    resource_arn: str
    parameters: Mapping[str, Any]
    iam_actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class AwsResult:
    """What was done; `undo_until` ISO 8601, None when it cannot be undone."""

    action_id: str
    result: dict[str, Any]
    undo_until: str | None


class AwsActions(Protocol):
    def act(self, call: AwsCall, *, effect_key: str) -> AwsResult:
        """Decide by policy, prepare the undo, act (WF-16)."""


@dataclass(frozen=True, slots=True)
class SubworkflowStart:
    """A started or prepared child. `machine_arn` is set when Step Functions is to start it."""

    execution_id: str
    machine_arn: str
    name: str


class Subworkflows(Protocol):
    def start(
        self,
        workflow_id: str,
        version: int | None,
        input_data: Mapping[str, Any],
        *,
        wait: bool,
        effect_key: str,
    ) -> SubworkflowStart:
        """Create the child execution; starts it only when `wait` is false."""

    def result(self, execution_id: str) -> dict[str, Any]:
        """The output of a finished child. Raises StepError when it did not complete."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one run. A port that is not wired fails the steps that need it."""

    mailer: Mailer | None = None
    http: HttpClient | None = None
    ai: Ai | None = None
    approvals: Approvals | None = None
    notices: Notices | None = None
    targets: Targets | None = None
    calendar: Calendar | None = None
    aws: AwsActions | None = None
    subworkflows: Subworkflows | None = None


def needed(port: _Port | None, name: str) -> _Port:
    """The port, or StepError NODE_UNAVAILABLE."""
    if port is None:
        raise StepError("NODE_UNAVAILABLE", f"This installation has no {name}.")
    return port
