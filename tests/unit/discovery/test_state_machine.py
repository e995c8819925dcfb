"""The real definition of the discovery machine: valid, and right about errors, by execution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from statelint.linter import Linter
from tidegate.discovery import errors, tasks
from tidegate.discovery.domain import Unit
from tidegate.discovery.engine.ports import Engine
from tidegate.discovery.errors import ProviderThrottled
from tidegate.discovery.views import discovery_view
from tidegate_kit import errors as kit_errors

from tests.builders.discovery import Answers, begin_run, build_engine, scripted
from tests.fakes.asl import Machine, MachineFailed
from tests.fakes.discovery import aws_error

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "infra" / "statemachines" / "discovery.asl.yaml"


def definition() -> dict[str, Any]:
    text = FILE.read_text().replace(
        "${DiscoveryFunctionArn}", "arn:aws:lambda:us-east-1:123456789012:function:d"
    )
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def machine_of(engine: Engine) -> Machine:
    """The machine on one engine's tasks; what goes in and out passes through JSON."""

    def run_task(arguments: dict[str, Any]) -> Any:
        event = json.loads(json.dumps(arguments))
        return json.loads(json.dumps(tasks._TASKS[event["task"]](engine, event)))

    return Machine(definition(), run_task)


def events_of(engine: Engine, run_id: str) -> dict[str, str]:
    return {"tenant_id": engine.scope.tenant_id, "run_id": run_id}


REGIONS = {"Regions": [{"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"}]}
VOLUMES = {"Volumes": [{"VolumeId": "vol-1", "State": "in-use", "Size": 1}]}


def volumes_and_images(images: Any) -> Answers:
    return Answers(
        {
            ("ec2", "describe_regions"): REGIONS,
            ("ec2", "describe_volumes"): VOLUMES,
            ("ec2", "describe_images"): images,
        }
    )


def test_the_definition_is_valid() -> None:
    assert Linter.validate(definition()) == []


def test_every_error_that_is_retried_by_name_exists() -> None:
    names = {
        name
        for text in FILE.read_text().splitlines()
        for name in text.replace("[", " ").replace("]", " ").replace("-", " ").split()
        if name.startswith(("Provider", "ServiceUn", "Superseded"))
    }
    assert names == {"ProviderThrottled", "ProviderUnavailable", "ServiceUnavailable", "Superseded"}
    for name in names:
        assert hasattr(errors, name) or hasattr(kit_errors, name)


def test_a_run_goes_through() -> None:
    engine = build_engine(scripted(volumes_and_images({"Images": []})))
    run = begin_run(engine, services=("ec2-volumes", "ec2-images"))
    machine = machine_of(engine)
    assert machine.execute(events_of(engine, run.id))["done"] is True
    view = discovery_view(engine.repository, run.onboarding_id, engine.clock())
    assert view is not None
    assert (view.status, view.progress, view.resources_found) == ("completed", 100, 1)
    assert machine.entered[0] == "Prepare"
    assert machine.entered[-1] == "Done"
    assert machine.largest < 2_000, "states carry ids only"


def test_the_plan_of_all_regions_fits_the_payload_limit() -> None:
    engine = build_engine(scripted())
    run = begin_run(engine)
    units = [Unit(f"ap-southeast-{n}", name) for n in range(40) for name in engine.collectors]
    engine.repository.plan(run, units, engine.clock())
    planned = tasks._prepare(engine, {"task": "prepare", **events_of(engine, run.id)})
    assert len(planned["units"]) == len(units) > 800
    assert len(json.dumps(planned)) < 256 * 1024


def test_a_throttled_unit_is_tried_again_and_then_a_gap_of_its_own() -> None:
    throttled = aws_error("RequestLimitExceeded", status=503)
    engine = build_engine(scripted(volumes_and_images(throttled)))
    run = begin_run(engine, services=("ec2-volumes", "ec2-images"))
    machine = machine_of(engine)
    machine.execute(events_of(engine, run.id))
    assert machine.entered.count("FailUnit") == 1
    assert 60 < machine.waited < 600, "bounded waiting"
    units = {unit.service: unit for unit in engine.repository.units(run.id)}
    assert (units["ec2-volumes"].status, units["ec2-volumes"].resource_count) == ("ok", 1)
    assert (units["ec2-images"].status, units["ec2-images"].resource_count) == ("partial", None)
    assert "throttled" in str(units["ec2-images"].reason)


def test_a_throttle_that_ends_leaves_no_gap() -> None:
    left = [aws_error("Throttling"), aws_error("Throttling"), {"Images": []}]
    engine = build_engine(scripted(volumes_and_images(lambda _: left.pop(0))))
    run = begin_run(engine, services=("ec2-volumes", "ec2-images"))
    machine_of(engine).execute(events_of(engine, run.id))
    assert {unit.status for unit in engine.repository.units(run.id)} == {"ok"}


@pytest.mark.parametrize("broken", ["prepare", "finish"])
def test_a_run_that_cannot_go_on_is_closed_as_failed(broken: str) -> None:
    engine = build_engine(scripted(volumes_and_images({"Images": []})))
    run = begin_run(engine, services=("ec2-volumes",))
    machine = machine_of(engine)
    healthy = machine.run_task

    def failing(arguments: dict[str, Any]) -> Any:
        if arguments["task"] == broken:
            raise ProviderThrottled("for ever")
        return healthy(arguments)

    machine.run_task = failing
    with pytest.raises(MachineFailed, match="DiscoveryFailed"):
        machine.execute(events_of(engine, run.id))
    view = discovery_view(engine.repository, run.onboarding_id, engine.clock())
    assert view is not None
    assert view.status == "failed"
    assert engine.repository.account(run.account_id).running_run_id is None


def test_a_unit_that_cannot_even_be_failed_is_ended_by_finish() -> None:
    engine = build_engine(scripted(volumes_and_images({"Images": []})))
    run = begin_run(engine, services=("ec2-volumes", "ec2-images"))
    machine = machine_of(engine)
    healthy = machine.run_task

    def failing(arguments: dict[str, Any]) -> Any:
        if str(arguments.get("unit", "")).endswith("ec2-images"):
            raise RuntimeError("a bug")
        return healthy(arguments)

    machine.run_task = failing
    machine.execute(events_of(engine, run.id))
    units = {unit.service: unit.status for unit in engine.repository.units(run.id)}
    assert units == {"ec2-volumes": "ok", "ec2-images": "partial"}


def test_a_ping_is_answered_without_settings() -> None:
    assert tasks.handler({"tidegate_ping": True}, None) == {"pong": True}
