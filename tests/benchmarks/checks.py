"""All checks over 100,000 resources, as a ratio to reading the snapshot once.

    python -m tests.benchmarks.checks [resources]

The snapshot lies in memory as it would in S3: gzip JSON lines in chunks of 250.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

from tidegate.discovery.inventory import Inventory
from tidegate.discovery.snapshots import Snapshots
from tidegate.findings.service.evaluation import Outcome, evaluate, regions
from tidegate_kit.ids import new_id
from tidegate_kit.tenancy import TenantScope

from tests.builders.findings import NOW, covered, rules
from tests.builders.findings_cases import CASES
from tests.builders.settings import CUSTOMER_ACCOUNT
from tests.fakes.discovery import MemoryObjects

_CHUNK = 250
_CLEAN_FOR_ONE_FOUND = 9


def snapshot(count: int) -> Inventory:
    """`count` resources of all types, a tenth of them with something to find."""
    scope, objects = TenantScope(new_id()), MemoryObjects()
    prefix = f"inventory/{scope.tenant_id}/{CUSTOMER_ACCOUNT}/0/chunks"
    chunks: list[Mapping[str, Any]] = []
    each = count // len(CASES)
    for case in CASES.values():
        lines = [
            {**(case.cleaned if n % 10 < _CLEAN_FOR_ONE_FOUND else case.found),
             "id": new_id(), "arn": f"{case.found['arn']}-{n}"}
            for n in range(each)
        ]  # fmt: skip
        for start in range(0, each, _CHUNK):
            part = lines[start : start + _CHUNK]
            text = b"\n".join(json.dumps(line).encode() for line in part)
            digest = hashlib.sha256(text).hexdigest()
            objects.put(f"{prefix}/{digest}.jsonl.gz", gzip.compress(text, 6, mtime=0))
            chunks.append(
                {"region": part[0]["region"], "type": part[0]["type"], "sha256": digest,
                 "count": len(part)}
            )  # fmt: skip
    return Inventory(
        CUSTOMER_ACCOUNT, new_id(), 0, new_id(), "0" * 64, NOW, covered(), tuple(chunks),
        Snapshots(scope, objects),
    )  # fmt: skip


def read(inventory: Inventory) -> int:
    """Every line once."""
    return sum(1 for type_ in inventory.types() for _ in inventory.lines(None, type_))


def measured(count: int = 100_000) -> dict[str, float]:
    """Seconds of reading and of all checks, their ratio, findings, and grown memory in MiB."""
    inventory = snapshot(count)
    resources = read(inventory)  # warms up
    started = time.process_time()
    read(inventory)
    reading = time.process_time() - started
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = 0

    def tell(outcome: Outcome) -> None:
        nonlocal found
        found += 1

    started = time.process_time()
    for region in regions(inventory):
        evaluate(inventory, region, rules(), tell)
    checking = time.process_time() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "resources": resources, "reading_s": reading, "checks_s": checking,
        "ratio": checking / reading, "outcomes": found, "grown_mib": grown / 1024,
    }  # fmt: skip


if __name__ == "__main__":
    for name, value in measured(int((sys.argv[1:] or ["100000"])[0])).items():
        print(f"{name}: {value:.2f}")
