"""Every alarm has its runbook, and the nested stack gets what it asks for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.fakes.cloudformation import load_template

ROOT = Path(__file__).resolve().parents[3]
NESTED = load_template(ROOT / "infra" / "observability.yaml")


def alarms() -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in NESTED["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


def anchors() -> set[str]:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_alarm_names_its_runbook() -> None:
    known = anchors()
    assert len(alarms()) >= 12
    for name, alarm in alarms().items():
        found = re.search(r"docs/operations\.md#([a-z-]+)$", alarm["AlarmDescription"])
        assert found is not None, name
        assert found[1] in known, name


def test_every_alarm_tells_somebody_and_says_what_silence_means() -> None:
    for name, alarm in alarms().items():
        assert alarm["AlarmActions"], name
        assert alarm["TreatMissingData"] in ("breaching", "notBreaching"), name


def test_the_root_gives_every_parameter() -> None:
    root = load_template(ROOT / "template.yaml")
    given = root["Resources"]["ObservabilityStack"]["Properties"]["Parameters"]
    assert set(given) == set(NESTED["Parameters"])
