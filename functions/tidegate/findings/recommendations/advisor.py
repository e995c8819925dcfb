"""Asks AWS for its recommendations, once for each region and kind of resource there is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from botocore.exceptions import ClientError
from tidegate_kit.aws_session import IMPATIENT, CustomerSession, is_denied, session_policy
from tidegate_kit.observability import logger
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tidegate.findings.recommendations.advice import Advice, Gap, Recommendation
from tidegate.findings.recommendations.compute_optimizer import (
    SOURCE,
    SOURCES,
    Incomplete,
    Source,
    declared_actions,
    recommended,
)
from tidegate.onboarding import public as onboarding

NOT_ENTERED = "the account could not be entered"
DENIED = "the role has no permission"
NOT_OPTED_IN = "the account has not opted in to Compute Optimizer"
NOT_ANSWERED = "the service did not answer"
INCOMPLETE = "the service did not tell everything"
_MAX_UNANSWERED = 2  # then the account is not asked again: a refresh does not hang on this

# Whatever goes wrong here is a gap: a refresh never fails for want of recommendations.
_EXPECTED_ERRORS = Exception


class ClientSource(Protocol):
    """A session in the customer's account."""

    def client(self, service: str, region: str) -> Any:
        """A boto3 client."""


class Advisor:
    """The recommendations for one account. `open_session` is called when first needed."""

    def __init__(self, account_id: str, open_session: Callable[[], ClientSource]) -> None:
        self._account_id = account_id
        self._open = open_session
        self._session: ClientSource | None = None
        self._refused: dict[str, str] = {}  # operation -> reason; holds in every region
        self._unanswered = 0

    def region(self, region: str, types: Collection[str], check_ids: Collection[str]) -> Advice:
        """Recommendations about resource `types` that concern `check_ids`. Raises nothing."""
        found: list[Recommendation] = []
        gaps: list[Gap] = []
        for source in SOURCES:
            if source.type in types and not set(check_ids).isdisjoint(source.check_ids):
                answer = self._ask(source, region)
                if isinstance(answer, str):
                    gaps.append(Gap(SOURCE, source.action, source.check_ids, answer))
                else:
                    found += answer
        return Advice(tuple(found), tuple(gaps))

    def _ask(self, source: Source, region: str) -> list[Recommendation] | str:
        """What AWS recommends, or why that is not known."""
        if source.operation in self._refused:
            return self._refused[source.operation]
        if self._unanswered >= _MAX_UNANSWERED:
            return NOT_ANSWERED
        try:
            session = self._session = self._session or self._open()
        except _EXPECTED_ERRORS as error:
            logger.info("no recommendations", extra={"problem": type(error).__name__})
            self._refused |= dict.fromkeys((one.operation for one in SOURCES), NOT_ENTERED)
            return NOT_ENTERED
        try:
            client = session.client(SOURCE, region)
            return list(recommended(client, source, self._account_id))
        except _EXPECTED_ERRORS as error:
            logger.info("no recommendations", extra={"call": source.action, "problem": str(error)})
            return self._why(source, error)

    def _why(self, source: Source, error: Exception) -> str:
        if isinstance(error, Incomplete):
            return INCOMPLETE
        if isinstance(error, ClientError):
            if is_denied(error):
                self._refused[source.operation] = DENIED
                return DENIED
            if error.response.get("Error", {}).get("Code") == "OptInRequiredException":
                self._refused |= dict.fromkeys((one.operation for one in SOURCES), NOT_OPTED_IN)
                return NOT_OPTED_IN
        self._unanswered += 1
        return NOT_ANSWERED


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
