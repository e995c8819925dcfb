"""Exceptions of a tenant (FND-4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate_kit.clock import Clock
from tidegate_kit.errors import Detail, NotFound, ServiceUnavailable, Unprocessable

from tidegate.findings.checks import CHECKS
from tidegate.findings.domain import (
    Change,
    Finding,
    FindingException,
    exception_id,
    finding_id,
)
from tidegate.findings.errors import ChangedMeanwhile
from tidegate.findings.exceptions import under
from tidegate.findings.repository import ExceptionStore, FindingStore

_LONGEST = timedelta(days=366)
_TRIES = 5


@dataclass(frozen=True)
class NewException:
    """What a client asks for: a finding, or a check and a resource."""

    finding_id: str | None
    check_id: str | None
    resource_arn: str | None
    owner: str
    reason: str
    expires_at: datetime


class ExceptionService:
    """Creates, lists and ends exceptions."""

    def __init__(
        self, tenant_id: str, store: ExceptionStore, findings: FindingStore, clock: Clock
    ) -> None:
        self._tenant_id = tenant_id
        self._store = store
        self._findings = findings
        self._clock = clock

    def all(self) -> list[FindingException]:
        """Every exception, expired ones too, newest first."""
        return self._store.all()

    def create(self, wanted: NewException, by: str) -> FindingException:
        """Store an exception; its finding leaves the totals with it.

        Raises ExceptionExists while one is in force, NotFound for an absent finding,
        Unprocessable for an unknown check or an expiry that is past or over a year away.
        """
        now = self._clock()
        check_id, arn = self._subject(wanted)
        if not now < wanted.expires_at <= now + _LONGEST:
            text = "must be in the future, a year away at most"
            raise Unprocessable(details=[Detail("expires_at", text)])
        exception = FindingException(
            id=exception_id(self._tenant_id, check_id, arn),
            finding_id=finding_id(self._tenant_id, check_id, arn),
            check_id=check_id,
            resource_arn=arn,
            owner=wanted.owner,
            reason=wanted.reason,
            expires_at=wanted.expires_at,
            created_by=by,
            created_at=now,
        )
        for _ in range(_TRIES):
            change = self._change(exception.finding_id, exception, now)
            try:
                self._store.add(exception, change, now)
            except ChangedMeanwhile:
                continue
            return exception
        raise ServiceUnavailable(log="the finding changes all the time")

    def delete(self, exception_id_: str) -> None:
        """End an exception; its finding is open again. Raises NotFound."""
        now = self._clock()
        for _ in range(_TRIES):
            exception = self._store.exception(exception_id_)
            if exception is None:
                raise NotFound
            try:
                change = self._change(exception.finding_id, None, now)
                self._store.remove(exception_id_, change, now)
            except ChangedMeanwhile:
                continue
            return
        raise ServiceUnavailable(log="the finding changes all the time")

    def _subject(self, wanted: NewException) -> tuple[str, str]:
        if wanted.finding_id is not None:
            finding = self._findings.get(wanted.finding_id)
            if finding is None:
                raise NotFound
            return finding.check_id, finding.resource.arn
        if wanted.check_id not in CHECKS or wanted.resource_arn is None:
            raise Unprocessable(details=[Detail("check_id", "names a check that does not exist")])
        return wanted.check_id, wanted.resource_arn

    def _change(
        self, finding_id_: str, exception: FindingException | None, now: datetime
    ) -> Change | None:
        finding = self._findings.get(finding_id_)
        if finding is None or finding.status not in ("open", "excepted"):
            return None
        after: Finding = under(finding, exception, now)
        return Change(finding, replace(after, version=finding.version + 1))
