"""What a remediation action is (FND-12): declared rights, preparation, the act and its undo.

An action never decides whether it may run: policy, approval and drift are the plan's business. It
knows how to tell where a resource stands (`phase`), so that an executor that died anywhere can read
the resource again and go on without doing anything twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict
from tidegate_kit.session_policy import Grant

from tidegate.discovery.public import Found, ResourceRef

# before: as it was approved; applied: as the action leaves it; between: some of its calls are done;
# moving: AWS is at it; other: somebody else changed it.
Phase = Literal["before", "between", "moving", "applied", "other"]
UNDO_HOURS = 72
MARK = "tidegate:plan-item"  # the tag of what we make in a customer's account
_GONE = ("NotFound", "NoSuch", "DoesNotExist")


class Parameters(BaseModel):
    """Parameters of an action; unknown ones are refused, for they were approved as they are."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NoParameters(Parameters):
    """An action without parameters."""


@dataclass(frozen=True)
class Job:
    """One action on one resource.

    `key` (a UUID4) names the job towards AWS: client tokens and marks are made of it, so a
    repetition is known as one. `at` is when the action was decided on. `captured` is what `prepare`
    gave, {} before.
    """

    key: str
    ref: ResourceRef
    parameters: Mapping[str, Any]
    at: datetime
    captured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The resource's ARN as IAM knows it: images and snapshots are named without an account."""
        parts = self.ref.arn.split(":", 5)
        if parts[2] == "ec2" and parts[5].startswith(("image/", "snapshot/")):
            parts[4] = ""
        return ":".join(parts)

    @property
    def partition(self) -> str:
        """The partition of the resource: aws."""
        return self.ref.arn.split(":", 2)[1]

    def sibling(self, kind: str, identifier: str) -> str:
        """The ARN of another EC2 resource of the same account and region."""
        account = "" if kind in ("image", "snapshot") else self.ref.account_id
        return f"arn:{self.partition}:ec2:{self.ref.region}:{account}:{kind}/{identifier}"


class Account(Protocol):
    """The customer's account, entered anew for each set of rights."""

    def client(self, service: str, grants: Sequence[Grant]) -> Any:
        """A client in the job's region whose session may do `grants` and nothing else."""


class ActionRefused(Exception):
    """The action cannot be done on this resource; nothing was changed. `code` is for clients."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Action(ABC):
    """One kind of action. Instances hold no state."""

    id: ClassVar[str]
    title: ClassVar[str]
    service: ClassVar[str]  # boto3's name of the service
    types: ClassVar[tuple[str, ...]]
    reversible: ClassVar[bool]
    parameters: ClassVar[type[Parameters]] = NoParameters
    # IAM actions by step; a test holds them against the customer's role and the calls made.
    prepares: ClassVar[tuple[str, ...]] = ()
    acts: ClassVar[tuple[str, ...]]
    undoes: ClassVar[tuple[str, ...]] = ()
    # What a service does for the session, with its rights: a policy grants it through that alone.
    through: ClassVar[tuple[str, ...]] = ()
    # True where the act is more than one call: "applied" then does not say that all are done.
    several_calls: ClassVar[bool] = False

    @property
    def undo_hours(self) -> int | None:
        """How long an undo is offered (FND-9)."""
        return UNDO_HOURS if self.reversible else None

    @property
    def iam_actions(self) -> frozenset[str]:
        """Everything it may call, besides reading the resource again."""
        return frozenset({*self.prepares, *self.acts, *self.undoes})

    def problem(self, found: Found, parameters: Mapping[str, Any]) -> str | None:
        """Why it cannot be done on the resource as it is, in a sentence; None where it can."""
        return None

    def prepare(self, account: Account, job: Job, found: Found) -> Mapping[str, Any] | None:
        """What the undo will need, made or noted down, as JSON; None: not ready, ask again.

        Nothing that the customer has is changed. May be repeated.
        """
        return {}

    def discard(self, account: Account, job: Job) -> None:  # noqa: B027 - most make nothing
        """Take away what `prepare` made, when the action is not done after all. Repeatable."""

    @abstractmethod
    def phase(self, found: Found | None, job: Job) -> Phase:
        """Where the resource stands. `found` None: it is gone."""

    @abstractmethod
    def act(self, account: Account, job: Job) -> Mapping[str, Any]:
        """Do it; what to tell the customer, as JSON. May be repeated."""

    def undo(self, account: Account, job: Job) -> Mapping[str, Any] | None:
        """Undo it; None: it goes on, call again. May be repeated."""
        raise ActionRefused("NOT_REVERSIBLE", "This action cannot be undone.")

    def undone(self, found: Found | None, job: Job) -> bool:
        """True when the undo's work shows."""
        return self.phase(found, job) == "before"


def is_gone(error: ClientError) -> bool:
    """True for the error codes that mean: there is no such thing (any more)."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return any(mark in code for mark in _GONE)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as EC2 takes them; those of AWS itself (aws:) cannot be set."""
    return [
        {"Key": name, "Value": value}
        for name, value in sorted(tags.items())
        if not name.lower().startswith("aws:")
    ]


def gone_phase(found: Found | None) -> Phase:
    """The phase of an action that deletes: applied when the resource is gone."""
    if found is None:
        return "applied"
    return "moving" if (found.state or "").lower() in ("deleting", "deleted") else "before"
