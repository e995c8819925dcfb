"""One manifest: declared = mounted = deployed = answered (GEN-2, GEN-4, GEN-15, IMP-11 to 16)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from tidegate import routers
from tidegate.manifest import deployed
from tidegate.manifest.deployed import DeployedRoute, select
from tidegate_kit.auth.permissions import ALL_PERMISSIONS, ANY_USER, PUBLIC
from tidegate_kit.http import Router
from tidegate_kit.http.app import build_app, mounted_routes
from tidegate_kit.settings import Settings

from tests.architecture.deployment import environment, functions
from tests.architecture.sources import KIT, ROOT, Source, imports_of, product
from tests.builders.settings import settings

TEMPLATE = ROOT / "template.yaml"
# GEN-15, in the manifest's spelling. The CORS preflight is no route.
PUBLIC_ROUTES = frozenset(
    {
        "POST /auth/register",
        "POST /auth/login",
        "POST /token",
        "POST /auth/refresh",
        "POST /auth/password/forgot",
        "POST /auth/password/reset",
        "GET /.well-known/jwks.json",
        "GET /health",
        "GET /monitoring/health",
        "GET /docs",
        "GET /redoc",
        "GET /openapi.json",
        "GET /onboarding/template/{id}",
        "POST /hooks/{hook_id}",
    }
)


def answer() -> dict[str, str]:
    """An endpoint for routers of tests."""
    return {}


def test_declared_is_mounted_is_deployed() -> None:
    specs = routers.all_specs()
    names = {spec.name for spec in specs}
    assert {name for mounted in routers.mounted().values() for name in mounted} == names
    assert deployed.problems(specs, deployed.read_routes(TEMPLATE)) == []


def test_every_domain_with_routes_is_in_the_table() -> None:
    with_routes = {s.domain for s in product() if s.place.split("/")[0] == "routes"}
    assert {router.domain for router in routers.ROUTERS} == with_routes


def run_python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, with every setting of every function."""
    path = os.pathsep.join((str(ROOT / "functions"), str(KIT)))
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**environment(), "PYTHONPATH": path, "PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def answered() -> dict[str, list[str]]:
    """What each deployed HTTP handler says that it mounts, each started in a process of its own."""
    script = (
        "import importlib, json, sys\n"
        "for name in sys.argv[1:]:\n"
        "    module = importlib.import_module(name)\n"
        "    print(json.dumps(module.handler({'tidegate_ping': True}, None)))\n"
    )
    handlers = [function.module for function in functions() if function.attribute == "handler"
                and function.module.endswith(".handler")]  # fmt: skip
    done = run_python(script, *handlers)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"pong"')]
    assert len(lines) == len(handlers)
    return {line["domain"]: line["routes"] for line in lines}


def test_each_deployed_handler_starts_and_mounts_its_domains_routes(
    answered: dict[str, list[str]],
) -> None:
    assert answered == routers.mounted()


def test_every_route_states_its_permission() -> None:
    for spec in routers.all_specs():
        assert spec.permission in (PUBLIC, ANY_USER) or spec.permission in ALL_PERMISSIONS
    with pytest.raises(TypeError, match="permission"):
        Router("example").get("/x")
    with pytest.raises(ValueError, match="unknown permission"):
        Router("example").get("/x", permission="accounts:read")


def test_exactly_the_contracted_routes_are_public() -> None:
    public = {spec.name for spec in routers.all_specs() if spec.public}
    names = {spec.name for spec in routers.all_specs()}
    assert public == PUBLIC_ROUTES & names


def test_no_mounted_path_holds_the_prefix() -> None:
    """IMP-13: /api is stripped once, by the edge."""
    for spec in routers.all_specs():
        assert not spec.path.startswith("/api/")
        assert spec.path == "/" or not spec.path.endswith("/")
    for path in ("/api/x", "/x/"):
        with pytest.raises(ValueError, match="without /api"):
            Router("example").get(path, permission=PUBLIC)


def test_routes_are_declared_in_routes_modules_only() -> None:
    def declares(source: Source) -> bool:
        return any(name == "tidegate_kit.http.Router" for _, name in imports_of(source))

    assert [
        source.module
        for source in product()
        if source.domain and declares(source) and source.place.split("/")[0] != "routes"
    ] == []


@pytest.mark.hazard("B15")
@pytest.mark.bite("tidegate_kit.http.routing.RouteSpec.clashes", returns=False)
def test_a_repeated_route_stops_its_router() -> None:
    """B15: the same method and path twice in a domain, also with another parameter name."""
    router = Router("example")
    router.get("/things/{id}", permission=PUBLIC)(answer)
    with pytest.raises(ValueError, match="declared twice"):
        router.get("/things/{name}", permission=PUBLIC)(answer)


@pytest.mark.hazard("H25")
@pytest.mark.bite("tidegate_kit.http.app.check_unique", lambda specs: specs)
def test_two_domains_that_claim_one_route_stop_the_start(environment: None) -> None:
    """H25: two routers with one (method, path) cannot be mounted together."""
    first, second = Router("first"), Router("second")
    first.get("/things/{id}", permission=PUBLIC)(answer)
    second.get("/things/{other}", permission=PUBLIC)(answer)
    with pytest.raises(ValueError, match="both first and second"):
        build_app([first, second], _platform())


@pytest.mark.hazard("B15")
@pytest.mark.bite("tidegate_kit.http.app.check_mounted", returns=None)
def test_a_route_past_the_manifest_stops_the_start(environment: None) -> None:
    """B15: mounted but not declared."""
    router = Router("example")
    router.get("/known", permission=PUBLIC)(answer)
    router.api.routes.append(APIRoute("/secret", answer, methods=["POST"]))
    with pytest.raises(ValueError, match="POST /secret"):
        build_app([router], _platform())


@pytest.mark.hazard("B15")
@pytest.mark.bite("tidegate_kit.http.app.check_mounted", returns=None)
def test_a_declared_route_that_is_not_mounted_stops_the_start(environment: None) -> None:
    """B15: in the manifest but not mounted."""
    router = Router("example")
    router.get("/known", permission=PUBLIC)(answer)
    router.api.routes.clear()
    with pytest.raises(ValueError, match="GET /known"):
        build_app([router], _platform())


def _platform() -> Any:
    from tidegate_kit.http.app import build_platform

    return build_platform(settings(Settings))


_BROKEN = """
import importlib, sys

class Broken:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "tidegate.accounts.routes":
            raise ImportError("cannot import name 'gone'")

sys.meta_path.insert(0, Broken)
importlib.import_module(sys.argv[1])
print("started")
"""


@pytest.mark.hazard("H25")
@pytest.mark.parametrize("module", ["tidegate.accounts.handler", "tidegate.routers"])
def test_a_broken_router_stops_start_up_and_the_table(module: str) -> None:
    """H25: an import error is never swallowed: no handler, no table without the domain."""
    done = run_python(_BROKEN, module)
    assert done.returncode != 0
    assert "ImportError: cannot import name 'gone'" in done.stderr
    assert "started" not in done.stdout


def test_the_matcher_selects_as_api_gateway_does() -> None:
    keys = ["ANY /x", "ANY /x/{proxy+}", "GET /x/{id}", "GET /x/one", "ANY /x/one/{proxy+}",
            "POST /x/{id}/go", "$default"]  # fmt: skip
    deployed_routes = [DeployedRoute(key, key) for key in keys]

    def chosen(method: str, path: str) -> str:
        found = select(deployed_routes, method, path)
        return found.key if found is not None else "none"

    assert chosen("GET", "/x") == "ANY /x"
    assert chosen("GET", "/x/one") == "GET /x/one"
    assert chosen("GET", "/x/two") == "GET /x/{id}"
    assert chosen("PUT", "/x/two") == "ANY /x/{proxy+}"
    assert chosen("GET", "/x/one/two") == "ANY /x/one/{proxy+}"
    assert chosen("POST", "/x/two/go") == "POST /x/{id}/go"
    assert chosen("POST", "/x/two/stay") == "ANY /x/{proxy+}"
    assert chosen("GET", "/xy") == "$default"
    assert chosen("GET", "/api/x") == "$default"
    assert select(deployed_routes[:1], "GET", "/y") is None


_ACCOUNTS = "tidegate.accounts.handler.handler"


@pytest.mark.hazard("B15")
@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        pytest.param(
            lambda routes: [r for r in routes if r.key != "ANY /api/client/{proxy+}"],
            "GET /api/client/accounts: accounts declares it, tidegate.monitoring.handler.handler",
            id="one-spelling-not-deployed",
        ),
        pytest.param(
            lambda routes: [*routes, DeployedRoute("ANY /client", "tidegate.x.handler.handler")],
            "the route ANY /client is deployed 2 times",
            id="deployed-twice",
        ),
        pytest.param(
            lambda routes: [*routes, DeployedRoute("GET /old", _ACCOUNTS)],
            "no declared route lies under the deployed path /old",
            id="deployed-not-declared",
        ),
        pytest.param(
            lambda routes: [
                *routes, DeployedRoute("GET /client/dashboard", "tidegate.lab.handler.handler"),
            ],
            "GET /client/dashboard: accounts declares it, tidegate.lab.handler.handler gets",
            id="sent-elsewhere",
        ),
    ],
)  # fmt: skip
@pytest.mark.bite("tidegate.manifest.deployed.problems", returns=[])
def test_a_difference_from_the_template_is_found(changed: Any, complaint: str) -> None:
    """B15: declared but not deployed, deployed but not declared, deployed twice or elsewhere."""
    routes = changed(deployed.read_routes(TEMPLATE))
    found = deployed.problems(routers.all_specs(), routes)
    if not any(complaint in problem for problem in found):
        pytest.fail(f"not found: {complaint}; only {found}")


def test_the_commands_work(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert routers.main(["list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == len(routers.all_specs())
    assert routers.main(["check", "--template", str(TEMPLATE)]) == 0
    text = TEMPLATE.read_text(encoding="utf-8").replace('"ANY /health"', '"ANY /healthy"')
    (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
    assert routers.main(["check", "--template", str(tmp_path / "t.yaml")]) == 1
    assert "/healthy" in capsys.readouterr().err


def test_mounted_routes_show_what_is_no_route() -> None:
    router = Router("example")
    router.api.mount("/files", build_app([], _platform()))
    assert mounted_routes(router) == ["Mount /files"]
