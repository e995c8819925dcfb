"""Recommendations of one region, laid beside findings of the same resource and kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tidegate_kit.clock import iso

from tidegate.findings.checks.money import quantity, saving
from tidegate.findings.domain import CURRENCY, CheckState, PriceUsed, Saving
from tidegate.findings.service.evaluation import Found, Outcome

EVIDENCE = "aws_recommendation"
_NAMED = 5  # resources that a note names


@dataclass(frozen=True)
class Recommendation:
    """One recommendation that saves money.

    `check_ids` are the checks of ours that mean the same; what none of them finds is noted with
    the first. `saving` is AWS's monthly amount at list price, `discounted` the one after the
    customer's discounts; None: AWS gives none. `arn` and `resource_id` are None where AWS does
    not name them, `region` where the listing is the region's own. `same_change`: acting on it is
    what acting on our finding would be.
    """

    source: str
    arn: str | None
    check_ids: tuple[str, ...]
    finding: str
    recommends: str | None
    saving: Decimal | None
    discounted: Decimal | None
    currency: str | None
    as_of: datetime | None
    resource_id: str | None = None
    region: str | None = None
    same_change: bool = False

    def evidence(self) -> dict[str, Any]:
        """As it stands in a finding's evidence."""
        return {
            "source": self.source,
            "finding": self.finding,
            "recommends": self.recommends,
            "saving": None if self.saving is None else str(self.saving),
            "saving_after_discounts": None if self.discounted is None else str(self.discounted),
            "currency": self.currency,
            "as_of": None if self.as_of is None else iso(self.as_of),
        }

    @property
    def name(self) -> str:
        """What the resource is known by within its kind, account and region; "": AWS has none."""
        return (self.resource_id or "") if self.arn is None else short_id(self.arn)

    @property
    def shown(self) -> str:
        """How a note names the resource."""
        return self.arn or self.resource_id or "one that AWS does not name"

    @property
    def estimate(self) -> Saving | None:
        """Its amount as a finding's saving; None where it is no price of the same change.

        Without an amount, a currency that is ours, a date or an ARN it stays unpriced.
        """
        amount, as_of = self.saving, self.as_of
        if not self.same_change or amount is None or self.currency != CURRENCY:
            return None
        if as_of is None or self.arn is None:
            return None
        date = as_of.astimezone(UTC).date().isoformat()
        used = PriceUsed("aws_estimate", amount, "month", self.source, date)
        return saving("months * aws_estimate", [quantity("months", 1, "month")], [used], "estimate")


def short_id(arn: str) -> str:
    """What an ARN names, without the word for its type: `vol-1`, `team/image`, `resize`."""
    service, resource = (arn.split(":", 5) + [""] * 5)[2], arn.split(":", 5)[-1]
    if service == "lambda":
        return resource.partition(":")[2].partition(":")[0]  # functions have a version behind
    cut = min((at for at in (resource.find("/"), resource.find(":")) if at >= 0), default=-1)
    return resource[cut + 1 :]


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
    """The recommendations of a region while its checks run, those that come first in front.

    Several about one resource and check are one thing: the first is shown, the others under
    `also`, and at most one amount is counted.
    """

    recommendations: Sequence[Recommendation] = ()
    gaps: Sequence[Gap] = ()
    _by_kind: dict[tuple[str, str], list[int]] = field(init=False, repr=False)  # their places
    _gaps_of: dict[str, list[Gap]] = field(init=False, repr=False)
    _used: set[Recommendation] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        self._by_kind, self._gaps_of = {}, {}
        for place, one in enumerate(self.recommendations):
            for check_id in one.check_ids if one.name else ():
                self._by_kind.setdefault((check_id, one.name), []).append(place)
        for gap in self.gaps:
            for check_id in gap.check_ids:
                self._gaps_of.setdefault(check_id, []).append(gap)

    def beside(self, outcome: Outcome) -> Outcome:
        """The outcome with what AWS says of the same resource and kind in its evidence.

        Our saving stays what it is; where ours has no price, AWS's estimate of the same change
        stands in for it.
        """
        check_id = outcome.check.check_id
        said = self._said(check_id, outcome.line)
        self._used.update(said)
        beside: Sequence[Recommendation | Gap] = said or self._gaps_of.get(check_id, ())
        if not beside or not isinstance(outcome, Found):
            return outcome
        shown, *others = (one.evidence() for one in beside)
        if others:
            shown["also"] = others
        hit = replace(outcome.hit, evidence={**outcome.hit.evidence, EVIDENCE: shown})
        estimate = next((one for one in (each.estimate for each in said) if one is not None), None)
        if hit.saving.monthly is None and estimate is not None:
            hit = replace(hit, saving=estimate)
        return replace(outcome, hit=hit)

    def _said(self, check_id: str, line: Mapping[str, Any]) -> list[Recommendation]:
        """What is recommended about a resource of the inventory, each once, the first in front."""
        # Trusted Advisor knows addresses by their IP.
        known = {short_id(line["arn"]), line["attributes"].get("public_ip")}
        places = {at for name in known for at in self._by_kind.get((check_id, name), ())}
        return list(dict.fromkeys(self.recommendations[at] for at in sorted(places)))

    def noted(self, states: Iterable[CheckState]) -> list[CheckState]:
        """The states, whose reasons tell what AWS recommends beyond ours or could not be asked.

        The outcome of our own check stays what it is: it was read from the resources.
        """
        return [self._noted(state) for state in states]

    def _noted(self, state: CheckState) -> CheckState:
        notes = [] if state.reason is None else [state.reason]
        notes += [gap.note for gap in self._gaps_of.get(state.check_id, ())]
        more = self._not_found(state.check_id)
        if more:
            named = ", ".join(more[:_NAMED]) + (", ..." if len(more) > _NAMED else "")
            notes.append(f"AWS also recommends a change of {len(more)} not found here: {named}")
        return replace(state, reason="; ".join(notes) or None)

    def _not_found(self, check_id: str) -> list[str]:
        """The resources that only AWS names for a check, each once, sorted."""
        kind = [one for one in self.recommendations if one.check_ids[0] == check_id]
        seen = {one.name for one in kind if one in self._used}
        more: list[str] = []
        for one in dict.fromkeys(kind):
            if one not in self._used and (not one.name or one.name not in seen):
                seen.add(one.name)
                more.append(one.shown)
        return sorted(more)
