"""Evaluation in bounded memory, and the same for the same snapshot."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from tidegate.findings.domain import CheckState
from tidegate.findings.service.evaluation import Outcome, evaluate, regions

from tests.builders.findings import Line, MemoryInventory, rules
from tests.builders.findings_cases import CASES

TEMPLATES = [case.found for case in CASES.values()] + [case.cleaned for case in CASES.values()]


class Generated(MemoryInventory):
    """An inventory of `copies` of everything that is made while it is read, as from S3."""

    copies = 1

    def lines(self, region: str | None, type_: str) -> Iterator[Line]:
        """As MemoryInventory."""
        for number in range(self.copies):
            for one in super().lines(region, type_):
                made: dict[str, Any] = {**deepcopy(one), "id": f"{one['id']}{number}"}
                made["arn"] = f"{one['arn']}-{number}"
                yield made


def peak(copies: int) -> tuple[int, int]:
    """(resources, peak bytes of one evaluation)."""
    inventory = Generated(TEMPLATES)
    object.__setattr__(inventory, "copies", copies)
    seen = 0

    def tell(outcome: Outcome) -> None:
        nonlocal seen
        seen += 1

    tracemalloc.start()
    for region in regions(inventory):
        evaluate(inventory, region, rules(), tell)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen >= copies * 30
    return copies * len(TEMPLATES), most


def test_memory_does_not_grow_with_the_inventory() -> None:
    """Only ids of volumes and of images' snapshots are kept: far less than the resources are."""
    small_count, small = peak(4)
    large_count, large = peak(40)
    grown = (large - small) / (large_count - small_count)
    assert grown < 100, f"{grown:.0f} bytes a resource are kept"


def test_the_same_snapshot_gives_the_same_answer_in_any_order() -> None:
    def told(inventory: MemoryInventory) -> list[str]:
        outcomes: list[Outcome] = []
        states: list[CheckState] = []
        for region in regions(inventory):
            states += evaluate(inventory, region, rules(), outcomes.append)
        return sorted(repr(one) for one in (*outcomes, *states))

    one = MemoryInventory(TEMPLATES)
    assert told(one) == told(one)
    assert told(replace(one, resources=list(reversed(TEMPLATES)))) == told(one)
