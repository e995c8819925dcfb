"""What the documents name exists: make targets, files, outputs of the template."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    *(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md")),
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    document = ROOT / name
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?\bmake ([a-z-]+)\b`?", "\n".join(_code(ROOT / name))))
    assert named <= targets


def test_the_readme_names_outputs_of_the_template() -> None:
    template = (ROOT / "template.yaml").read_text()
    named = re.findall(r"`(\w+FunctionName)`", (ROOT / "README.md").read_text())
    assert named
    assert all(f"  {name}:" in template for name in named)


def _code(path) -> list[str]:  # type: ignore[no-untyped-def]
    text = path.read_text()
    return re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL) + re.findall(
        r"`([^`]+)`", text
    )
