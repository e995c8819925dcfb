"""Carries out one item: read, compare, prepare, journal, act, record; and the way back.

The order is the promise. The journal says `prepared` with everything an undo needs, then `acting`,
before AWS is asked to change anything; so after a kill at any point the journal and the resource
together tell what to do, and every call may be made again (G30, H1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.aws_session import AccessDeniedByAccount, is_denied
from tidegate_kit.clock import Clock
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.observability import logger
from tidegate_kit.session_policy import Grant

from tidegate.discovery.public import Found, ReadAgainFailed, ResourceRef
from tidegate.findings.actions import ACTIONS, Action, ActionRefused, Job
from tidegate.findings.plans.domain import ENDED_STEPS, Entry, PlanItem, Problem

MAX_LOOKS: Final = 48
_BUSY: Final = (
    "Throttl", "RequestLimitExceeded", "ThroughputExceeded", "TooManyRequests", "SlowDown",
    "Unavailable",
)  # fmt: skip
_MOVED = Problem("DRIFT", "The resource is not as it was approved. Nothing was done.")
_LOST = Problem("ACCESS_LOST", "The account refuses our role.")
_SLOW = Problem("STILL_MOVING", "AWS has not finished in time. Look at the resource.")
_UNCERTAIN = Problem(
    "INTERRUPTED", "The action was begun; whether AWS carried it out could not be seen."
)
_NOT_BEGUN = Problem("NOT_EXECUTED", "The run ended before the action was begun.")
_CHANGED = Problem("CHANGED_SINCE", "The resource was changed after the action. It was left so.")


class Workshop(Protocol):
    """The customer's account of an item: reading, and acting with exact rights."""

    def read(self, ref: ResourceRef, now: datetime) -> Found | None:
        """The resource as it is. Raises ReadAgainFailed, AccessDeniedByAccount."""

    def client(self, service: str, grants: Sequence[Grant]) -> Any:
        """A client whose session may do `grants` and nothing else."""


class Journal(Protocol):
    """Where entries are kept."""

    def entry(self, plan_id: str, item_id: str) -> Entry | None:
        """The entry of an item."""

    def write(self, entry: Entry, now: datetime) -> Entry:
        """Store if the stored one is the version this one was made of; the entry as stored.

        Raises Superseded. With a step to `done` or `undone` goes the savings ledger.
        """


class Open(Protocol):
    """Opens the account of an item."""

    def __call__(self, item: PlanItem) -> Workshop:
        """Raises NotFound where it is not connected for remediation."""


@dataclass(frozen=True)
class Executor:
    """Executes and undoes items. `advance` and `step_back` do what can be done without waiting."""

    journal: Journal
    open: Open
    clock: Clock

    def advance(self, plan_id: str, item: PlanItem, at: datetime) -> Entry:
        """Bring an item on; it is over when its step is an ended one, else call again.

        `at` is when the plan was made. Raises ServiceUnavailable when AWS did not answer (try
        again), Superseded when somebody else is at it.
        """
        entry = self._entry(plan_id, item)
        while entry.step not in ENDED_STEPS:
            after = self._forward(entry, item, at)
            if after.step == entry.step:
                return after
            entry = after
        return entry

    def step_back(self, plan_id: str, item: PlanItem, at: datetime) -> Entry:
        """Bring the undo of a done item on; over when `undone`, or `done` with a problem."""
        entry = self._entry(plan_id, item)
        if entry.step == "done":
            entry = self._write(entry.to("undoing"))
        if entry.step != "undoing":
            return entry
        return self._backward(entry, item, at)

    def give_up(self, plan_id: str, item: PlanItem, at: datetime) -> Entry:
        """End an item whose run cannot go on, after one last look at what was done."""
        entry = self._entry(plan_id, item)
        if entry.step in ("pending", "prepared"):
            return self._fail(item, entry, at, _NOT_BEGUN)
        if entry.step == "undoing":
            return self._write(entry.to("done", problem=_UNCERTAIN))
        if entry.step != "acting":
            return entry
        try:
            found = self.open(item).read(item.ref, self.clock())
            applied = ACTIONS[item.action].phase(found, job_of(entry, item, at)) == "applied"
        except (ServiceUnavailable, ReadAgainFailed, AccessDeniedByAccount):
            applied = False
        if applied and not ACTIONS[item.action].several_calls:
            return self._done(entry, item, entry.result)
        return self._write(entry.to("failed", problem=_UNCERTAIN))

    # ------------------------------------------------------------------ forward

    def _forward(self, entry: Entry, item: PlanItem, at: datetime) -> Entry:
        uncertain = entry.step == "acting"
        try:
            account = self.open(item)
            found = account.read(item.ref, self.clock())
            if uncertain:
                return self._resume(account, entry, item, found, at)
            if found is None or found.fingerprint != item.fingerprint:
                return self._refuse(account, entry, item, at)
            if entry.step == "pending":
                return self._prepare(account, entry, item, found, at)
            return self._act(account, self._write(entry.to("acting")), item, at)
        except (AccessDeniedByAccount, ReadAgainFailed, ActionRefused) as error:
            problem = _problem_of(error)
            return self._fail(item, entry, at, _UNCERTAIN if uncertain else problem)
        except ClientError as error:
            return self._fail(item, entry, at, _refusal(error, item.action))
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"{item.action}: {error}") from error

    def _fail(self, item: PlanItem, entry: Entry, at: datetime, problem: Problem) -> Entry:
        """End an item whose action was refused: what was prepared for it is not needed."""
        entry = self._entry(entry.plan_id, item)  # it may have moved on to `acting`
        if problem != _UNCERTAIN and entry.captured:
            self._tidy(item, entry, at)
        return self._write(entry.to("failed", problem=problem))

    def _tidy(self, item: PlanItem, entry: Entry, at: datetime) -> None:
        try:
            ACTIONS[item.action].discard(self.open(item), job_of(entry, item, at))
        except (AccessDeniedByAccount, ClientError, BotoCoreError) as error:
            # The journal still names what was made; the failure of the item is what counts.
            logger.warning("what was prepared is left", item_id=item.id, cause=str(error))

    def _refuse(self, account: Workshop, entry: Entry, item: PlanItem, at: datetime) -> Entry:
        ACTIONS[item.action].discard(account, job_of(entry, item, at))
        return self._write(entry.to("refused_drift", problem=_MOVED))

    def _prepare(
        self, account: Workshop, entry: Entry, item: PlanItem, found: Found, at: datetime
    ) -> Entry:
        action = ACTIONS[item.action]
        reason = action.problem(found, item.parameters)
        if reason is not None:
            raise ActionRefused("NOT_APPLICABLE", reason)
        captured = action.prepare(account, job_of(entry, item, at), found)
        if captured is None:
            return self._wait(entry)
        return self._write(entry.to("prepared", captured=captured))

    def _act(self, account: Workshop, entry: Entry, item: PlanItem, at: datetime) -> Entry:
        action, job = ACTIONS[item.action], job_of(entry, item, at)
        result = action.act(account, job)
        if action.phase(account.read(item.ref, self.clock()), job) == "applied":
            return self._done(entry, item, result)
        return self._wait(entry, result=result)

    def _resume(
        self, account: Workshop, entry: Entry, item: PlanItem, found: Found | None, at: datetime
    ) -> Entry:
        """Somebody was acting: what the resource says decides."""
        action = ACTIONS[item.action]
        phase = action.phase(found, job_of(entry, item, at))
        accepted = bool(entry.result)  # AWS had answered: what does not show yet will
        if phase == "applied" and (accepted or not action.several_calls):
            return self._done(entry, item, entry.result)
        if phase == "other":
            return self._write(entry.to("failed", problem=_UNCERTAIN))
        if phase == "moving" or accepted:
            return self._wait(entry)
        if phase == "before" and found is not None and found.fingerprint != item.fingerprint:
            return self._refuse(account, entry, item, at)
        return self._act(account, entry, item, at)

    # ----------------------------------------------------------------- backward

    def _backward(self, entry: Entry, item: PlanItem, at: datetime) -> Entry:
        action, job = ACTIONS[item.action], job_of(entry, item, at)
        try:
            account = self.open(item)
            found = account.read(item.ref, self.clock())
            return self._undo(action, account, job, entry, found, item)
        except (AccessDeniedByAccount, ReadAgainFailed, ActionRefused) as error:
            return self._write(entry.to("done", problem=_problem_of(error)))
        except ClientError as error:
            return self._write(entry.to("done", problem=_refusal(error, item.action)))
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"undo {item.action}: {error}") from error

    def _undo(
        self,
        action: Action,
        account: Workshop,
        job: Job,
        entry: Entry,
        found: Found | None,
        item: PlanItem,
    ) -> Entry:
        phase = action.phase(found, job)
        if phase == "before":
            return self._undone(entry, entry.restored)
        if phase == "other":
            return self._write(entry.to("done", problem=_CHANGED))
        if phase == "moving" or entry.restored:
            return self._wait(entry)
        restored = action.undo(account, job)
        if restored is None:
            return self._wait(entry)
        if action.undone(account.read(item.ref, self.clock()), job):
            return self._undone(entry, restored)
        return self._wait(entry, restored=restored)

    # ------------------------------------------------------------------ journal

    def _entry(self, plan_id: str, item: PlanItem) -> Entry:
        return self.journal.entry(plan_id, item.id) or Entry(plan_id, item.id)

    def _wait(self, entry: Entry, **changes: Any) -> Entry:
        if entry.looks >= MAX_LOOKS:
            ended = "done" if entry.step == "undoing" else "failed"
            return self._write(entry.to(ended, problem=_SLOW))  # type: ignore[arg-type]
        return self._write(entry.to(entry.step, looks=entry.looks + 1, **changes))

    def _done(self, entry: Entry, item: PlanItem, result: Mapping[str, Any]) -> Entry:
        now = self.clock()
        hours = ACTIONS[item.action].undo_hours
        until = None if hours is None else now + timedelta(hours=hours)
        return self._write(entry.to("done", result=result, acted_at=now, undo_until=until))

    def _undone(self, entry: Entry, restored: Mapping[str, Any]) -> Entry:
        return self._write(entry.to("undone", restored=restored, undone_at=self.clock()))

    def _write(self, entry: Entry) -> Entry:
        return self.journal.write(entry, self.clock())


def job_of(entry: Entry, item: PlanItem, at: datetime) -> Job:
    """The action's view of an item."""
    return Job(item.id, item.ref, item.parameters, at, entry.captured)


def _problem_of(error: AccessDeniedByAccount | ReadAgainFailed | ActionRefused) -> Problem:
    """What to say of it. Raises ServiceUnavailable where a later try may pass."""
    if isinstance(error, ActionRefused):
        return Problem(error.code, error.message)
    if isinstance(error, AccessDeniedByAccount):
        return _LOST
    if error.retryable:
        raise ServiceUnavailable(log=error.reason) from error
    missing = f" It needs {error.denied}." if error.denied else ""
    return Problem("NOT_READABLE", f"The resource could not be read: {error.reason}.{missing}")


def _refusal(error: ClientError, action: str) -> Problem:
    """What AWS's refusal means. Raises ServiceUnavailable where a later try may pass."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    if any(mark in code for mark in _BUSY) or status >= 500:
        raise ServiceUnavailable(log=f"{action}: {code}") from error
    if is_denied(error):
        return Problem("ACCESS_DENIED", "The account's role does not allow the action.")
    return Problem("AWS_REFUSED", f"AWS refused the action: {code[:64]}.")
