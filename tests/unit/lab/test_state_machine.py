"""The definition of the training machine: valid, and right about errors, by execution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from statelint.linter import Linter
from tidegate_kit.errors import ServiceUnavailable

from tests.fakes.asl import Machine, MachineFailed

FILE = Path(__file__).resolve().parents[3] / "infra" / "statemachines" / "lab-training.asl.yaml"
IDS = {"tenant_id": "t", "run_id": "r"}


def definition() -> dict[str, Any]:
    text = FILE.read_text().replace(
        "${LabTrainingFunctionArn}", "arn:aws:lambda:us-east-1:123456789012:function:l"
    )
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def machine(failures: list[Exception], seen: list[dict[str, Any]]) -> Machine:
    """The machine on a task that fails as told, then succeeds."""

    def task(arguments: dict[str, Any]) -> Any:
        seen.append(dict(arguments))
        if arguments["task"] == "train" and failures:
            raise failures.pop(0)
        return {**IDS, "done": True}

    return Machine(definition(), task)


def test_the_definition_is_valid() -> None:
    assert Linter.validate(definition()) == []


def test_a_training_goes_through_after_an_outage() -> None:
    seen: list[dict[str, Any]] = []
    run = machine([ServiceUnavailable(), ServiceUnavailable()], seen)
    assert run.execute(IDS)["done"] is True
    assert [call["task"] for call in seen] == ["train"] * 3
    assert run.entered[-1] == "Done"
    assert run.largest < 500, "states carry ids only"


def test_a_training_that_breaks_is_closed_as_failed() -> None:
    seen: list[dict[str, Any]] = []
    with pytest.raises(MachineFailed, match="TrainingFailed"):
        machine([ZeroDivisionError("a defect")], seen).execute(IDS)
    assert [call["task"] for call in seen] == ["train", "fail"]
    assert seen[1]["error"] == "ZeroDivisionError"
