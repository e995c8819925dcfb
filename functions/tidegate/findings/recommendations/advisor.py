"""Asks AWS for its recommendations, once for each region and kind of resource there is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from botocore.exceptions import ClientError
from tidegate_kit.aws_session import IMPATIENT, CustomerSession, is_denied, session_policy
from tidegate_kit.observability import logger
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tidegate.discovery.public import GLOBAL
from tidegate.findings.checks import CHECKS, EVALUATORS
from tidegate.findings.recommendations.advice import Advice, Gap, Recommendation
from tidegate.findings.recommendations.registry import SOURCES, declared_actions
from tidegate.findings.recommendations.source import Incomplete, Source, Unavailable
from tidegate.onboarding import public as onboarding

NOT_ENTERED = "the account could not be entered"
DENIED = "the role has no permission"
NOT_ANSWERED = "the service did not answer"
INCOMPLETE = "the service did not tell everything"
_MAX_UNANSWERED = 2  # then a service is not asked again: a refresh does not hang on this

# Whatever goes wrong here is a gap: a refresh never fails for want of recommendations.
_EXPECTED_ERRORS = Exception


class ClientSource(Protocol):
    """A session in the customer's account."""

    def client(self, service: str, region: str) -> Any:
        """A boto3 client."""


@dataclass(frozen=True)
class _Refusal:
    """Why there is no answer, and the IAM action that it stands with."""

    action: str
    reason: str


_Answer = list[Recommendation] | _Refusal


class Advisor:
    """The recommendations for one account. `open_session` is called when first needed."""

    def __init__(self, account_id: str, open_session: Callable[[], ClientSource]) -> None:
        self._account_id = account_id
        self._open = open_session
        self._session: ClientSource | None = None
        self._entered = True
        self._settled: dict[Source, _Answer] = {}  # holds in every region
        self._unanswered: dict[str, int] = {}  # by service

    def region(self, region: str, types: Collection[str], check_ids: Collection[str]) -> Advice:
        """Recommendations about resource `types` that concern `check_ids`. Raises nothing.

        For "global" they are those of the checks that have no region, whatever the types.
        """
        found: list[Recommendation] = []
        gaps: list[Gap] = []
        for source in SOURCES:
            concerned = _concerned(source, region, types, check_ids)
            if not concerned:
                continue
            answer = self._asked(source, region)
            if isinstance(answer, _Refusal):
                gaps.append(Gap(source.service, answer.action, concerned, answer.reason))
            else:
                found += [
                    one for one in answer if source.home is None or _belongs(one, region, check_ids)
                ]
        return Advice(tuple(found), tuple(gaps))

    def _asked(self, source: Source, region: str) -> _Answer:
        """What AWS recommends, or why that is not known; asked once where one region has it all."""
        settled = self._settled.get(source)
        if settled is not None:
            return settled
        answer = self._ask(source, source.home or region)
        if source.home is not None:
            self._settled[source] = answer
        return answer

    def _ask(self, source: Source, region: str) -> _Answer:
        session = self._enter()
        if session is None:
            return _Refusal(source.action, NOT_ENTERED)
        if self._unanswered.get(source.service, 0) >= _MAX_UNANSWERED:
            return _Refusal(source.action, NOT_ANSWERED)
        try:
            client = session.client(source.service, region)
            return sorted(source.read(client, self._account_id), key=_largest_first)
        except _EXPECTED_ERRORS as error:
            logger.info("no recommendations", extra={"call": source.action, "problem": str(error)})
            return self._why(source, error)

    def _enter(self) -> ClientSource | None:
        if self._session is None and self._entered:
            try:
                self._session = self._open()
            except _EXPECTED_ERRORS as error:
                logger.info("no recommendations", extra={"problem": type(error).__name__})
                self._entered = False
        return self._session

    def _why(self, source: Source, error: Exception) -> _Answer:
        if isinstance(error, Incomplete):
            return _Refusal(source.action, INCOMPLETE)
        if isinstance(error, Unavailable):
            return self._settle(source, str(error))
        if isinstance(error, ClientError):
            problem = error.response.get("Error", {})
            told = f"{problem.get('Code')}: {problem.get('Message')}"
            for part, reason in source.refusals.items():
                if part in told:
                    return self._settle(source, reason)
            if is_denied(error):
                refusal = _Refusal(_denied_action(source, error), DENIED)
                self._settled[source] = refusal
                return refusal
        self._unanswered[source.service] = self._unanswered.get(source.service, 0) + 1
        return _Refusal(source.action, NOT_ANSWERED)

    def _settle(self, source: Source, reason: str) -> _Refusal:
        """The account does not have the service: none of its listings is asked again."""
        for one in SOURCES:
            if one.service == source.service:
                self._settled[one] = _Refusal(one.action, reason)
        return _Refusal(source.action, reason)


@cache
def _types_of(check_id: str) -> frozenset[str]:
    """The resource types of a check: two evaluators may be one check."""
    return frozenset(
        type_ for check in EVALUATORS if check.check_id == check_id for type_ in check.types
    )


def _concerned(
    source: Source, region: str, types: Collection[str], check_ids: Collection[str]
) -> tuple[str, ...]:
    """The checks of a region that a source has something to say about."""
    here = [one for one in source.check_ids if one in check_ids]
    if region == GLOBAL:
        return tuple(one for one in here if CHECKS[one].is_global)
    return tuple(
        one for one in here if not CHECKS[one].is_global and not _types_of(one).isdisjoint(types)
    )


def _belongs(one: Recommendation, region: str, check_ids: Collection[str]) -> bool:
    """True for what is told of this region; what names no region is told of everywhere."""
    if set(check_ids).isdisjoint(one.check_ids):
        return False
    if CHECKS[one.check_ids[0]].is_global:
        return region == GLOBAL
    named = one.region or ((one.arn or "").split(":") + [""] * 4)[3]
    return region != GLOBAL and named in (region, "")


def _largest_first(one: Recommendation) -> tuple[bool, Any, str, str]:
    return (one.saving is None, -(one.saving or 0), one.shown, one.finding)


def _denied_action(source: Source, error: ClientError) -> str:
    """The action that is missing: the one that AWS's text names, else that of the call."""
    text = str(error.response.get("Error", {}).get("Message"))
    called = f"{source.action.partition(':')[0]}:{error.operation_name}"
    return next((one for one in source.actions if text.endswith(one) or f"{one} " in text), called)


class NotConnected(Exception):
    """The account is not connected (any more)."""


def connected_advisor(
    settings: Settings, scope: TenantScope, onboarding_id: str, account_id: str
) -> Advisor:
    """The advisor of a connected account, cut down to reading recommendations."""

    def open_session() -> CustomerSession:
        found = onboarding.connection(scope, onboarding_id)
        if found is None or found.status != "connected" or found.account_id != account_id:
            raise NotConnected(onboarding_id)
        opened = onboarding.open_session(
            settings, found, purpose="read", policy=session_policy(declared_actions())
        )
        # Few tries: what does not answer is a gap, and the checks wait for it.
        return CustomerSession(opened.keys, IMPATIENT)

    return Advisor(account_id, open_session)
