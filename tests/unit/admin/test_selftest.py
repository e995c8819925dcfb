"""The self-test of routes turns red for each way of being wrong (GEN-2, IMP-15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tidegate import routers
from tidegate.admin.service import selftest
from tidegate.admin.service.selftest import Declared, Pong
from tidegate.admin.wiring import declared
from tidegate.manifest.deployed import read_routes
from tidegate_kit.gateway_routes import DeployedRoute

ROOT = Path(__file__).resolve().parents[3]
HEALTHY = 401


@dataclass
class Running:
    """Deployment as template.yaml and the routers say, with faults put in."""

    deployed: list[DeployedRoute] = field(
        default_factory=lambda: read_routes(ROOT / "template.yaml")
    )
    down: set[str] = field(default_factory=set)
    unmounted: set[str] = field(default_factory=set)
    mounted_too: dict[str, list[str]] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)

    def routes(self) -> list[DeployedRoute]:
        return self.deployed

    def ask(self, function: str, names: Sequence[str]) -> Pong | None:
        domain = function.split(".")[1]
        if domain in self.down:
            return None
        routes = [name for name in routers.mounted()[domain] if name not in self.unmounted]
        answers = {name: self.statuses.get(name, HEALTHY) for name in names}
        return Pong(domain, routes + self.mounted_too.get(domain, []), answers)


def manifest() -> list[Declared]:
    return [Declared(spec.domain, spec.method, spec.path) for spec in routers.all_specs()]


def test_the_shipped_manifest_is_the_route_table() -> None:
    assert sorted(one.name for one in declared()) == sorted(one.name for one in manifest())
    assert {one.name: one.domain for one in declared()} == {
        one.name: one.domain for one in manifest()
    }


def test_a_whole_deployment_passes() -> None:
    found = selftest.examine(manifest(), Running())
    assert found.ok, found
    assert found.declared == found.mounted == found.deployed == found.answered == len(manifest())


def dropped(running: Running) -> None:
    running.deployed = [route for route in running.deployed if route.key != "ANY /api/workflows"]


def misrouted(running: Running) -> None:
    running.deployed = [
        replace(route, handler="tidegate.profile.handler.handler")
        if route.key == "ANY /templates/{proxy+}"
        else route
        for route in running.deployed
    ]


def twice(running: Running) -> None:
    running.deployed = [*running.deployed, running.deployed[0]]


def undeclared(running: Running) -> None:
    running.deployed = [
        *running.deployed, DeployedRoute("ANY /debug", "tidegate.monitoring.handler.handler")
    ]  # fmt: skip


FAULTS: dict[str, tuple[Any, str]] = {
    "a dropped route": (dropped, "missing"),
    "a route to the wrong function": (misrouted, "missing"),
    "a route deployed twice": (twice, "duplicates"),
    "a route nobody declared": (undeclared, "extra"),
    "a function that does not start": (lambda it: it.down.add("calendar"), "missing"),
    "a route that is not mounted": (lambda it: it.unmounted.add("GET /workflows"), "missing"),
    "a mounted route nobody declared": (
        lambda it: it.mounted_too.update(profile=["GET /secret"]), "extra",
    ),
    "a route mounted by two": (
        lambda it: it.mounted_too.update(profile=["GET /workflows"]), "duplicates",
    ),
    "a route that answers 404": (lambda it: it.statuses.update({"GET /members": 404}), "missing"),
    "a route that breaks": (lambda it: it.statuses.update({"GET /members": 500}), "missing"),
}  # fmt: skip


@pytest.mark.hazard("B15")
@pytest.mark.bite(
    "tidegate.admin.service.selftest._useless", returns=[], cases=["a route nobody declared"]
)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_way_of_being_wrong_is_told(fault: str) -> None:
    """B15: dropped, misrouted, doubled, undeclared, unmounted, dead or failing: red, and named."""
    running = Running()
    put_in, where = FAULTS[fault]
    put_in(running)
    found = selftest.examine(manifest(), running)
    assert not found.ok
    assert vars(found)[where], found
