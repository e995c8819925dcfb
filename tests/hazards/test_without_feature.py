"""What ``WITHOUT_FEATURE`` says the product lacks is looked for: no feature without its test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hazards.bites import BITES, WITHOUT_FEATURE

ROOT = Path(__file__).parents[2]
OPENAPI = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))


def product() -> list[tuple[str, str]]:
    """(name, text) of every source file of the product."""
    files = [*ROOT.glob("functions/**/*.py"), *ROOT.glob("layers/shared/**/*.py")]
    return [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in files]


def makes_csv() -> list[str]:
    """Files that write CSV, and answers declared as CSV."""
    found = [name for name, text in product() if re.search(r"csv\.(Dict)?[Ww]riter|to_csv", text)]
    for path, operations in OPENAPI["paths"].items():
        found += [
            path
            for operation in operations.values()
            for answer in operation.get("responses", {}).values()
            if any("csv" in kind for kind in answer.get("content", {}))
        ]
    return found + [
        name for name, text in product() if re.search(r"[\"'](text|application)/csv", text)
    ]


def takes_a_presigned_proof() -> list[str]:
    """Files that read a presigned call of somebody else."""
    pattern = re.compile(
        r"X-Amz-Signature|Action=GetCallerIdentity|GetCallerIdentityRe(sponse|sult)"
    )
    return [name for name, text in product() if pattern.search(text)]


@pytest.mark.parametrize(
    ("identifier", "look"), [("D12", makes_csv), ("G31", takes_a_presigned_proof)]
)
def test_the_feature_is_absent(identifier: str, look: Callable[[], list[str]]) -> None:
    assert look() == [], f"{identifier} has something to attack now: test it"
    assert WITHOUT_FEATURE[identifier]


def test_every_absence_is_looked_for_and_has_no_bite() -> None:
    assert set(WITHOUT_FEATURE) == {"D12", "G31"}
    assert not set(WITHOUT_FEATURE) & set(BITES)
