"""What a node type declares, and what running one gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tidegate.workflows.graph import NEXT
from tidegate.workflows.nodes.errors import StepError

if TYPE_CHECKING:
    from tidegate.workflows.nodes.context import NodeContext

DEFAULT_TIMEOUT_SECONDS = 300


class Effect(StrEnum):
    """What a run does outside. Effects that ran ask before they run again (WF-12)."""

    PURE = "pure"  # nothing outside the workflow
    READ = "read"  # asks outside, changes nothing there
    EFFECT = "effect"  # changes something outside


class RetryPolicy(BaseModel):
    """data.retry (WF-6): `max_attempts` counts all tries; intervals in seconds."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    max_attempts: Annotated[int, Field(ge=1, le=10)] = 1
    interval_seconds: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = 1
    backoff_rate: Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)] = 2
    jitter: Literal["none", "full"] = "none"


class NodeData(BaseModel):
    """The part of `data` that every type shares. Unknown keys stay in the definition, unread."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True)

    label: Annotated[str, Field(max_length=200)] | None = None
    retry: RetryPolicy | None = None
    timeout_seconds: Annotated[int, Field(ge=1, le=86400)] = DEFAULT_TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class Handles:
    """The source handles of a node: its routes, those that need an edge, the unnamed handle's."""

    routes: tuple[str, ...] = (NEXT,)
    required: tuple[str, ...] = ()
    unnamed: str | None = NEXT
    error: bool = True


_ONE_WAY = Handles()


@dataclass(frozen=True, slots=True)
class Done:
    """The step completed: its output object and the route it takes."""

    output: dict[str, Any] = field(default_factory=dict)
    route: str = NEXT


@dataclass(frozen=True, slots=True)
class Sleep:
    """Continue at this instant."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """Continue when somebody answers the task token."""

    approval_id: str


@dataclass(frozen=True, slots=True)
class Loop:
    """Run the nested definition once per item."""

    items: list[Any]


@dataclass(frozen=True, slots=True)
class Child:
    """Run another state machine and continue when it ends. All three are ids."""

    execution_id: str
    machine_arn: str
    name: str


Outcome = Done | Sleep | Pending | Loop | Child
Data = TypeVar("Data", bound=NodeData)


class NodeType(ABC, Generic[Data]):
    """One type of node. `version` is part of the content hash: raise it when results change."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    # Fields whose templates are not filled before the run.
    lazy: ClassVar[frozenset[str]] = frozenset()
    # False where what a node holds is stored or shown, so that a secret must not get there.
    secrets_allowed: ClassVar[bool] = True
    data_model: type[Data]

    def handles(self, data: Mapping[str, Any]) -> Handles:
        """Source handles of a node with this raw data, which need not be valid."""
        return _ONE_WAY

    def effect(self, data: Mapping[str, Any]) -> Effect:
        """What running a node with this raw data does outside."""
        return Effect.PURE

    def iam_actions(self, data: Mapping[str, Any]) -> frozenset[str]:
        """IAM actions the node calls in a customer account."""
        return frozenset()

    def check(self, data: Data) -> list[tuple[str, str]]:
        """(field, sentence) of rules over several fields, for save and run alike."""
        return []

    @abstractmethod
    def sample(self, data: Data) -> Done:
        """A typed example of a run, for dry runs (WF-15)."""

    def summary(self, data: Data) -> str:
        """One line: what a run would do."""
        return self.name

    @abstractmethod
    def run(self, context: NodeContext[Data]) -> Outcome:
        """Run the node on data whose templates are filled. Raises StepError."""

    def finish(self, context: NodeContext[Data], answer: Mapping[str, Any]) -> Done:
        """Complete a step that waited, with what it waited for. Raises StepError."""
        raise StepError("NOT_WAITING", f"A {self.name} step does not wait.")
