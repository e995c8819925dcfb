"""Checks on recorded AWS answers: counts per check, and every amount computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction

from tidegate.discovery.collectors.base import Collector
from tidegate.discovery.domain import Found as Resource
from tidegate.findings.checks import CHECKS
from tidegate.findings.service.evaluation import Found, Outcome, evaluate, regions
from tidegate_kit.clock import iso

from tests.builders.findings import Line, MemoryInventory, covered, recomputed, rules
from tests.builders.settings import CUSTOMER_ACCOUNT
from tests.fakes.recorded import recordings
from tests.unit.discovery.test_recorded import (
    LISTED,
    TARGET,
    answers_for,
    operation_of,
    users_of,
)


def as_line(found: Resource, seen: str) -> Line:
    """A resource as a snapshot holds it, watched since long ago."""
    return {
        "id": found.arn,
        "arn": found.arn,
        "type": found.type,
        "name": found.name,
        "account_id": CUSTOMER_ACCOUNT,
        "region": found.region,
        "state": found.state,
        "tags": dict(found.tags),
        "attributes": dict(found.attributes),
        "metrics": dict(found.metrics),
        "unknown": list(found.unknown),
        "fingerprint": found.fingerprint,
        "service": "",
        "first_seen_at": seen,
        "unchanged_since": seen,
    }


def inventories() -> Iterator[tuple[Collector, MemoryInventory]]:
    """One inventory for every recorded listing."""
    long_ago = iso(TARGET.now.replace(year=TARGET.now.year - 2))
    for recording in recordings(errors=False):
        for collector, declared in users_of(operation_of(recording)):
            listing = LISTED.get(collector.service)
            if listing is None or listing[0] != (declared.client, declared.operation):
                continue
            session = answers_for(recording, collector).session()
            page = collector.collect(session, TARGET, None)
            lines = [as_line(found, long_ago) for found in page.resources]
            yield collector, MemoryInventory(lines, covered(TARGET.region), TARGET.now)


def test_every_amount_found_on_recorded_answers_is_computed_again(
    record_property: Callable[[str, object], None],
) -> None:
    judged: dict[str, Counter[str]] = {check_id: Counter() for check_id in CHECKS}
    priced = 0
    total = Fraction(0)
    for collector, inventory in inventories():
        told: list[Outcome] = []
        for region in regions(inventory):
            for state in evaluate(inventory, region, rules(), told.append):
                if set(CHECKS[state.check_id].types) & set(collector.types):
                    judged[state.check_id][state.state] += 1
        for one in told:
            if not isinstance(one, Found):
                continue
            judged[one.check.check_id]["findings"] += 1
            saving = one.hit.saving
            exact = recomputed(saving)
            assert (exact is None) == (saving.monthly is None), one.line["arn"]
            if exact is not None and saving.monthly is not None:
                assert abs(Fraction(saving.monthly) - exact) <= Fraction(1, 2_000_000)
                assert saving.monthly >= 0
                priced += 1
                total += exact
    for check_id, counts in sorted(judged.items()):
        print(f"  {check_id}: {dict(sorted(counts.items()))}")
    found = sum(counts["findings"] for counts in judged.values())
    print(f"found {found}, priced {priced}, {float(total):.2f} USD a month")
    record_property("findings_on_recorded_answers", found)
    assert found > 40
    assert priced > 20
