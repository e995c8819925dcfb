"""What every collector is made of: declared reads, pages, and nested reads that may be denied."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Protocol, TypeVar

from tidegate_kit.clock import iso

from tidegate.discovery.collectors.outcomes import Failure, classify
from tidegate.discovery.domain import Found

T = TypeVar("T")
R = TypeVar("R")

_EXPECTED_ERRORS = Exception  # classify() tells them apart; kills are BaseException and pass


class ClientSource(Protocol):
    """A session in the customer's account (tidegate_kit.aws_session.CustomerSession)."""

    def client(self, service: str, region: str) -> Any:
        """A boto3 client."""


@dataclass(frozen=True)
class Read:
    """One API read: boto3 client and method names, and the IAM action that it needs."""

    client: str
    operation: str
    action: str


@dataclass(frozen=True)
class Target:
    """Where a unit reads. `region` is a region name, also for global services (their home)."""

    account_id: str
    region: str
    now: datetime

    @property
    def partition(self) -> str:
        """aws, aws-cn or aws-us-gov, by the region's name."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """An ARN of this account; `region` "" for services without one."""
        place = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{place}:{self.account_id}:{resource}"


class ReadFailed(Exception):
    """A read whose failure decides about the whole page."""

    def __init__(self, failure: Failure, read: Read) -> None:
        super().__init__(f"{read.client}.{read.operation}: {failure.kind} ({failure.code})")
        self.failure = failure
        self.read = read


class Vanished(Exception):
    """The resource was deleted between the listing and a nested read: leave it out."""


@dataclass(frozen=True)
class Answer:
    """What a nested read gave: data, a known absence (data None), or nothing known."""

    data: Mapping[str, Any] | None
    known: bool = True


UNKNOWN = Answer(None, known=False)


@dataclass(frozen=True)
class Page:
    """One page: the checkpoint unit. `next_token` None is the last."""

    resources: tuple[Found, ...]
    next_token: str | None
    missing_actions: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class Reader:
    """The calls of one page. Only declared reads pass."""

    def __init__(self, session: ClientSource, target: Target, declared: Iterable[Read]) -> None:
        self.target = target
        self._session = session
        self._declared = frozenset(declared)
        self._missing: set[str] = set()
        self._reasons: set[str] = set()

    def call(self, read: Read, **parameters: Any) -> dict[str, Any]:
        """The main listing. None parameters are left out. Raises ReadFailed."""
        self._check(read)
        try:
            return self._send(read, self.target.region, parameters)
        except _EXPECTED_ERRORS as error:
            raise ReadFailed(classify(error, read.action), read) from error

    def required(self, read: Read, **parameters: Any) -> dict[str, Any]:
        """A part of the listing itself, about one listed thing. Raises Vanished, ReadFailed."""
        try:
            return self.call(read, **parameters)
        except ReadFailed as failed:
            if failed.failure.kind == "gone":
                raise Vanished from failed
            raise

    def nested(
        self,
        read: Read,
        *,
        absent: Sequence[str] = (),
        region: str | None = None,
        **parameters: Any,
    ) -> Answer:
        """A read about what the listing gave.

        Error codes in `absent` are a known absence. A missing permission or a refusal gives
        UNKNOWN and is kept for the page. Raises Vanished when the resource is gone, ReadFailed
        when the page should be tried again.
        """
        self._check(read)
        try:
            return Answer(self._send(read, region or self.target.region, parameters))
        except _EXPECTED_ERRORS as error:
            failure = classify(error, read.action)
            if failure.code in absent:
                return Answer(None)
            if failure.kind == "gone":
                raise Vanished from error
            if failure.retryable or failure.kind in ("expired", "credentials", "token"):
                raise ReadFailed(failure, read) from error
            if failure.kind == "denied":
                # What counts is what the customer can grant: the action this read declares.
                self._missing.add(failure.action or read.action)
            self._reasons.add(f"{read.action}: {failure.reason}")
            return UNKNOWN

    def page(self, resources: Iterable[Found], next_token: str | None) -> Page:
        """The finished page with what its nested reads missed. Empty tokens end the listing."""
        return Page(
            tuple(resources),
            next_token or None,
            tuple(sorted(self._missing)),
            tuple(sorted(self._reasons)),
        )

    def _check(self, read: Read) -> None:
        # The session policy holds the declared actions only: say so before AWS does.
        if read not in self._declared:
            raise LookupError(f"{read.client}.{read.operation} is not declared")

    def _send(self, read: Read, region: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in parameters.items() if value is not None}
        client = self._session.client(read.client, region)
        answer: dict[str, Any] = getattr(client, read.operation)(**given)
        return answer


@dataclass
class Draft:
    """A resource while it is put together."""

    arn: str
    type: str
    region: str
    name: str | None = None
    state: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def take(self, name: str, answer: Answer, read: Callable[[Mapping[str, Any]], Any]) -> None:
        """Set attribute `name` from a nested read: absent -> None, unknown -> named as unknown."""
        if not answer.known:
            self.unknown.add(name)
        else:
            self.attributes[name] = None if answer.data is None else plain(read(answer.data))

    def take_tags(self, answer: Answer, read: Callable[[Mapping[str, Any]], Any]) -> None:
        """Set the tags from a nested read."""
        if not answer.known:
            self.unknown.add("tags")
        elif answer.data is not None:
            self.tags = tag_map(read(answer.data))

    @property
    def short_id(self) -> str:
        """What follows the last slash of the ARN: what CloudWatch calls most resources."""
        return self.arn.rsplit("/", 1)[-1]

    def measure(self, name: str, value: Any, *, known: bool = True) -> None:
        """Set measurement `name`; unknown ones are named `metrics.<name>`."""
        if known:
            self.metrics[name] = plain(value)
        else:
            self.unknown.add(f"metrics.{name}")

    def found(self) -> Found:
        """The finished resource."""
        return Found(
            arn=self.arn,
            type=self.type,
            region=self.region,
            name=self.name or self.tags.get("Name"),
            state=self.state,
            tags=dict(self.tags),
            attributes=self.attributes,
            metrics=self.metrics,
            unknown=tuple(sorted(self.unknown)),
        )


class Collector(ABC):
    """One service. Subclasses declare what they read and turn one answer into one page."""

    service: ClassVar[str]
    types: ClassVar[tuple[str, ...]]
    is_global: ClassVar[bool] = False
    reads: ClassVar[tuple[Read, ...]]

    @property
    def actions(self) -> tuple[str, ...]:
        """The IAM actions this collector calls, sorted."""
        return tuple(sorted({read.action for read in self.reads}))

    def collect(self, session: ClientSource, target: Target, token: str | None) -> Page:
        """Read one page. Raises ReadFailed."""
        return self.read_page(Reader(session, target, self.reads), token)

    @abstractmethod
    def read_page(self, reader: Reader, token: str | None) -> Page:
        """Read the page that `token` (None: the first) names."""


def plain(value: Any) -> Any:
    """`value` as JSON: times as ISO 8601 UTC, decimals as text, sets and tuples as lists."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, bytes | bytearray):
        return value.hex()
    return value


def pick(answer: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """`{ours: answer[theirs]}` for each theirs that the answer has; absent stays absent."""
    return {ours: plain(answer[theirs]) for ours, theirs in names.items() if theirs in answer}


def tag_map(tags: Any) -> dict[str, str]:
    """Tags as a mapping, from the list forms (Key/Value, key/value) or a mapping."""
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    found: dict[str, str] = {}
    for tag in tags or ():
        key = tag.get("Key", tag.get("key", tag.get("TagKey")))
        value = tag.get("Value", tag.get("value", tag.get("TagValue", "")))
        if key is not None:
            found[str(key)] = str(value or "")
    return found


def each(items: Iterable[T], make: Callable[[T], R]) -> list[R]:
    """`make` of every item, leaving out those that vanished meanwhile."""
    found: list[R] = []
    for item in items:
        try:
            found.append(make(item))
        except Vanished:
            continue
    return found


def read_tags(
    reader: Reader,
    draft: Draft,
    read: Read,
    select: Callable[[Mapping[str, Any]], Any],
    **parameters: Any,
) -> None:
    """Tags from their own call; unknown where the resource vanished in between."""
    try:
        draft.take_tags(reader.nested(read, **parameters), select)
    except Vanished:
        draft.unknown.add("tags")
