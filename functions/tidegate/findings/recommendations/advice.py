"""Recommendations of one region, laid beside findings of the same resource and kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from tidegate_kit.clock import iso

from tidegate.findings.domain import CheckState
from tidegate.findings.service.evaluation import Found, Outcome

EVIDENCE = "aws_recommendation"
_NAMED = 5  # resources that a note names


@dataclass(frozen=True)
class Recommendation:
    """One recommendation that saves money.

    `check_ids` are the checks of ours that mean the same; what none of them finds is noted with
    the first. `saving` is AWS's monthly amount at list price, `discounted` the one after the
    customer's discounts; None: AWS gives none.
    """

    source: str
    arn: str
    check_ids: tuple[str, ...]
    finding: str
    recommends: str | None
    saving: Decimal | None
    discounted: Decimal | None
    currency: str | None
    as_of: datetime | None

    def evidence(self) -> dict[str, Any]:
        """As it stands in a finding's evidence; AWS's amounts are never added to ours."""
        return {
            "source": self.source,
            "finding": self.finding,
            "recommends": self.recommends,
            "saving": None if self.saving is None else str(self.saving),
            "saving_after_discounts": None if self.discounted is None else str(self.discounted),
            "currency": self.currency,
            "as_of": None if self.as_of is None else iso(self.as_of),
        }


@dataclass(frozen=True)
class Gap:
    """Recommendations that could not be read: nothing is known of them for these checks."""

    source: str
    action: str
    check_ids: tuple[str, ...]
    reason: str

    def evidence(self) -> dict[str, Any]:
        """As it stands in a finding's evidence."""
        return {
            "source": self.source,
            "state": "unknown",
            "action": self.action,
            "reason": self.reason,
        }

    @property
    def note(self) -> str:
        """As it stands with a check's state."""
        return f"AWS's recommendations are not known ({self.action}: {self.reason})"


@dataclass
class Advice:
    """The recommendations of a region while its checks run."""

    recommendations: Sequence[Recommendation] = ()
    gaps: Sequence[Gap] = ()
    _by_kind: dict[tuple[str, str], Recommendation] = field(init=False, repr=False)
    _gap_of: Mapping[str, Gap] = field(init=False, repr=False)
    _used: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        self._by_kind = {
            (check_id, one.arn): one for one in self.recommendations for check_id in one.check_ids
        }
        self._gap_of = {check_id: gap for gap in self.gaps for check_id in gap.check_ids}

    def beside(self, outcome: Outcome) -> Outcome:
        """The outcome with what AWS says of the same resource and kind in its evidence."""
        check_id = outcome.check.check_id
        said = self._by_kind.get((check_id, outcome.line["arn"]))
        if said is not None:
            self._used.add(said.arn)
        beside = said or self._gap_of.get(check_id)
        if beside is None or not isinstance(outcome, Found):
            return outcome
        evidence = {**outcome.hit.evidence, EVIDENCE: beside.evidence()}
        return replace(outcome, hit=replace(outcome.hit, evidence=evidence))

    def noted(self, states: Iterable[CheckState]) -> list[CheckState]:
        """The states, whose reasons tell what AWS recommends beyond ours or could not be asked.

        The outcome of our own check stays what it is: it was read from the resources.
        """
        return [self._noted(state) for state in states]

    def _noted(self, state: CheckState) -> CheckState:
        notes = [] if state.reason is None else [state.reason]
        gap = self._gap_of.get(state.check_id)
        if gap is not None:
            notes.append(gap.note)
        more = sorted(
            one.arn
            for one in self.recommendations
            if one.check_ids[0] == state.check_id and one.arn not in self._used
        )
        if more:
            named = ", ".join(more[:_NAMED]) + (", ..." if len(more) > _NAMED else "")
            notes.append(f"AWS also recommends a change of {len(more)} not found here: {named}")
        return replace(state, reason="; ".join(notes) or None)
