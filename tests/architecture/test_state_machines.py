"""Every state machine in a file passes two independent linters (house rule 14)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders.machines import asl_validator_problems
from tests.conftest import ROOT
from tests.fakes.strict_aws.stepfunctions import lint

FILES = sorted((ROOT / "infra" / "statemachines").glob("*.asl.yaml"))
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


def machine_in(file: Path) -> dict[str, Any]:
    """The definition, its substitutions put as some function's ARN."""
    loaded: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+\}", FUNCTION, file.read_text()))
    return loaded


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_statelint_accepts(file: Path) -> None:
    assert lint(json.dumps(machine_in(file))) == ()


def test_asl_validator_accepts(tmp_path: Path) -> None:
    assert FILES
    machines = {file.name.split(".")[0]: machine_in(file) for file in FILES}
    assert asl_validator_problems(machines, tmp_path) == ""


def test_the_linters_see_a_mistake(tmp_path: Path) -> None:
    """Neither accepts a machine that leads to a state it has not."""
    lost = {"StartAt": "a", "States": {"a": {"Type": "Pass", "Next": "nowhere"}}}
    assert lint(json.dumps(lost)) != ()
    assert asl_validator_problems({"lost": lost}, tmp_path) != ""
