"""Fault injection: every AWS call and side effect of a flow fails once, in four ways.

    def test_connect(...):
        enumerate_faults(
            flow=lambda world: connect(world.event),
            redeliver=lambda world: connect(world.event),
            invariants=lambda world: world.assert_connected_once(),
            fresh=world,                      # a context manager factory: a fresh double each
        )

The hook sits above the SDK's own retries, so an injected throttle reaches our code.
"""

from __future__ import annotations

import contextlib
import enum
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.fakes.dotted import resolve

World = TypeVar("World")

# The code each service itself answers with when it throttles.
THROTTLE_CODES = {
    "apigatewaymanagementapi": ("LimitExceededException", 429),
    "autoscaling": ("Throttling", 400),
    "cloudformation": ("Throttling", 400),
    "cloudwatch": ("Throttling", 400),
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "elb": ("Throttling", 400),
    "elbv2": ("Throttling", 400),
    "iam": ("Throttling", 400),
    "lambda": ("TooManyRequestsException", 429),
    "rds": ("Throttling", 400),
    "s3": ("SlowDown", 503),
    "sns": ("Throttled", 400),
    "sqs": ("RequestThrottled", 403),
    "sts": ("Throttling", 400),
}


class Killed(BaseException):
    """The process died here; not an Exception, so ``except Exception`` cannot hide it."""


class Kind(enum.Enum):
    """What goes wrong at the chosen call."""

    THROTTLE_BEFORE = "throttle-before"
    KILL_BEFORE = "kill-before"
    ANSWER_LOST_AFTER = "answer-lost-after"
    KILL_AFTER = "kill-after"


@dataclass(frozen=True)
class SideEffect:
    """A callable that acts outside AWS (HTTP, socket post), numbered in the same series.

    ``target`` is the dotted name ``package.module.attribute[.attribute]``; ``throttled`` and
    ``lost`` make the errors that the callable raises on overload and on a lost answer.
    """

    target: str
    throttled: Callable[[], Exception] = lambda: ConnectionRefusedError("refused by fault")
    lost: Callable[[], Exception] = lambda: ConnectionResetError("answer lost by fault")


def throttle_error(service: str, operation: str) -> ClientError:
    """The service's own throttling error."""
    code, status = THROTTLE_CODES.get(service, ("ThrottlingException", 400))
    return ClientError(
        {
            "Error": {"Code": code, "Message": "Rate exceeded"},
            "ResponseMetadata": {
                "RequestId": "fault",
                "HTTPStatusCode": status,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
                "HostId": "",
            },
        },
        operation,
    )


@dataclass
class Injector:
    """Counts the calls of a flow and lets number ``at`` fail; ``at=None`` is a dry run."""

    at: int | None = None
    kind: Kind = Kind.THROTTLE_BEFORE
    side_effects: Sequence[SideEffect] = ()
    counts: Callable[[str, str], bool] = lambda service, operation: True
    trace: list[str] = field(default_factory=list)
    fired: bool = False
    dead: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def _run(
        self,
        name: str,
        do: Callable[[], Any],
        throttled: Callable[[], Exception],
        lost: Callable[[], Exception],
    ) -> Any:
        with self._lock:
            if self.dead:
                raise Killed("a dead process makes no calls")
            self.trace.append(name)
            hit = len(self.trace) == self.at
            if hit:
                self.fired = True
                if self.kind is Kind.KILL_BEFORE:
                    self.dead = True
                    raise Killed(f"before {name}")
        if hit and self.kind is Kind.THROTTLE_BEFORE:
            raise throttled()
        result = do()
        if hit and self.kind is Kind.ANSWER_LOST_AFTER:
            raise lost()
        if hit and self.kind is Kind.KILL_AFTER:
            self.dead = True
            raise Killed(f"after {name}")
        return result

    @contextlib.contextmanager
    def active(self) -> Iterator[Injector]:
        """While it lasts, calls are numbered and the chosen one fails."""
        base: Any = BaseClient
        make_call = base._make_api_call

        def calling(client: Any, operation: str, params: Any) -> Any:
            service = str(client.meta.service_model.service_name)
            if not self.counts(service, operation):
                return make_call(client, operation, params)
            url = client.meta.endpoint_url
            return self._run(
                f"{service}.{operation}",
                lambda: make_call(client, operation, params),
                lambda: throttle_error(service, operation),
                lambda: ConnectionClosedError(endpoint_url=url),
            )

        with contextlib.ExitStack() as stack:
            stack.enter_context(patch.object(BaseClient, "_make_api_call", calling))
            for effect in self.side_effects:
                stack.enter_context(self._numbered(effect))
            yield self

    @contextlib.contextmanager
    def _numbered(self, effect: SideEffect) -> Iterator[None]:
        owner, attribute = resolve(effect.target)
        original = getattr(owner, attribute)

        def numbered(*args: Any, **kwargs: Any) -> Any:
            return self._run(
                effect.target,
                lambda: original(*args, **kwargs),
                effect.throttled,
                effect.lost,
            )

        with patch.object(owner, attribute, numbered):
            yield


@dataclass(frozen=True)
class FaultCase:
    """One call of the flow failing in one way, and how the flow came out of it."""

    number: int
    call: str
    kind: Kind
    outcome: str
    violation: str | None = None

    def __str__(self) -> str:
        """``3 dynamodb.PutItem kill-after: Killed -> <violation>``."""
        text = f"{self.number} {self.call} {self.kind.value}: {self.outcome}"
        return f"{text} -> {self.violation}" if self.violation else text


@dataclass(frozen=True)
class FaultReport:
    """The outcome of one enumeration."""

    name: str
    calls: tuple[str, ...]
    cases: tuple[FaultCase, ...]

    @property
    def violations(self) -> list[FaultCase]:
        """The cases after which an invariant did not hold."""
        return [case for case in self.cases if case.violation is not None]

    def __str__(self) -> str:
        """``faults: connect: 5 calls, 20 cases, 0 violated``."""
        return (
            f"faults: {self.name}: {len(self.calls)} calls, {len(self.cases)} cases, "
            f"{len(self.violations)} violated"
        )


REPORTS: list[FaultReport] = []


def _attempt(do: Callable[[], Any]) -> str:
    try:
        do()
    except (Killed, Exception) as error:
        return type(error).__name__
    return "completed"


def fault_report(
    flow: Callable[[World], Any],
    redeliver: Callable[[World], Any],
    invariants: Callable[[World], Any],
    fresh: Callable[[], AbstractContextManager[World]],
    *,
    name: str = "flow",
    kinds: Sequence[Kind] = tuple(Kind),
    side_effects: Sequence[SideEffect] = (),
    counts: Callable[[str, str], bool] = lambda service, operation: True,
    redeliveries: int = 2,
    tolerated: tuple[type[Exception], ...] = (),
    restart: Callable[[World], Any] = lambda world: None,
) -> FaultReport:
    """Runs every case and reports; :func:`enumerate_faults` also fails on violations.

    For each case: a fresh world, the flow with the fault, ``restart`` (drop in-process
    caches), the redeliveries without a fault, then the invariants.  A redelivery may raise
    only ``tolerated`` errors (such as "already done").  A fault that never fired, or a
    flow that goes on as if it had not been killed, is a violation too.
    """

    def check(world: World) -> str | None:
        try:
            for number in range(redeliveries):
                try:
                    redeliver(world)
                except tolerated:
                    continue
                except Exception as error:
                    return f"redelivery {number + 1} raised {error!r}"
            invariants(world)
        except AssertionError as error:
            return str(error) or "an invariant does not hold"
        return None

    with fresh() as world:
        dry = Injector(side_effects=side_effects, counts=counts)
        with dry.active():
            flow(world)
        invariants(world)
        broken = check(world)
        assert broken is None, f"{name}: a plain redelivery breaks it: {broken}"
    assert dry.trace, f"{name}: the flow makes no call that could fail"

    cases: list[FaultCase] = []
    for number, call in enumerate(dry.trace, 1):
        for kind in kinds:
            with fresh() as world:
                injector = Injector(number, kind, side_effects, counts)
                with injector.active():
                    outcome = _attempt(lambda w=world: flow(w))  # type: ignore[misc]
                violation: str | None = None
                if not injector.fired:
                    violation = "the fault never fired: the flow's calls are not repeatable"
                elif injector.dead and outcome != "Killed":
                    violation = f"the flow survived its own death: {outcome}"
                else:
                    restart(world)
                    violation = check(world)
                cases.append(FaultCase(number, call, kind, outcome, violation))
    report = FaultReport(name, tuple(dry.trace), tuple(cases))
    REPORTS.append(report)
    print(report)
    return report


def enumerate_faults(
    flow: Callable[[World], Any],
    redeliver: Callable[[World], Any],
    invariants: Callable[[World], Any],
    fresh: Callable[[], AbstractContextManager[World]],
    **options: Any,
) -> FaultReport:
    """Runs every fault of every call (see :func:`fault_report`) and demands 0 violations."""
    report = fault_report(flow, redeliver, invariants, fresh, **options)
    listing = "\n  ".join(str(case) for case in report.violations)
    assert not report.violations, f"{report}\n  {listing}"
    return report
