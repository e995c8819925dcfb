"""Who may import what (CONTRIBUTING.md rules 3, 4, 5 and 7)."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys

import pytest

from tests.architecture.sources import KIT, ROOT, Source, imports_of, kit, product, within

# The kit's own stores (rule 4).
KIT_STORES = frozenset(
    {
        "tidegate_kit.budget_store",
        "tidegate_kit.dynamo",
        "tidegate_kit.table_index",
        "tidegate_kit.auth.models",
        "tidegate_kit.idempotency",
        "tidegate_kit.ratelimit",
        "tidegate_kit.runtime_config",
    }
)
BOTO3_MODULES = frozenset({"tidegate_kit.aws_session", "tidegate_kit.clients"})
# Later work goes to a queue or Step Functions, never to this process (GEN-6, IMP-20).
IN_PROCESS = ("threading", "_thread", "concurrent", "multiprocessing", "asyncio", "sched")


def is_storage(source: Source) -> bool:
    """repository.py, models.py, or a module of such a package; also of a part of a domain."""
    return not {"repository", "models"}.isdisjoint(source.place.split("/"))


def test_the_kit_never_imports_tidegate() -> None:
    assert [
        source.at(node)
        for source in kit()
        for node, name in imports_of(source)
        if within(name, "tidegate")
    ] == []


def test_domains_import_other_domains_only_through_public() -> None:
    wrong = []
    for source in product():
        for node, name in imports_of(source):
            parts = name.split(".")
            if parts[0] != "tidegate" or len(parts) < 2 or not source.domain:
                continue
            other = parts[1]
            if other == source.domain or (len(parts) == 2 and other != "routers"):
                continue  # `from tidegate.x import public` also shows as tidegate.x.public
            if len(parts) == 2 or parts[2] != "public":
                wrong.append(f"{source.at(node)} imports {name}")
    assert wrong == []


def test_only_storage_modules_import_pynamodb() -> None:
    assert [
        source.at(node)
        for source in (*product(), *kit())
        for node, name in imports_of(source)
        if within(name, "pynamodb") and source.module not in KIT_STORES and not is_storage(source)
    ] == []


def test_only_the_kits_session_modules_import_boto3() -> None:
    assert [
        source.at(node)
        for source in (*product(), *kit())
        for node, name in imports_of(source)
        if within(name, "boto3") and source.module not in BOTO3_MODULES
    ] == []


def test_nothing_runs_beside_the_request() -> None:
    wrong = []
    for source in (*product(), *kit()):
        for node, name in imports_of(source):
            threads = within(name, "fastapi.concurrency") and source.module != (
                "tidegate_kit.http.blocking"
            )
            background = name.rpartition(".")[2] in ("BackgroundTasks", "BackgroundTask")
            # A lock guards what requests share under a local server; it runs nothing.
            lock = source.root == KIT and name in ("threading", "threading.Lock", "threading.RLock")
            beside = any(within(name, part) for part in IN_PROCESS) and not lock
            if threads or background or beside:
                wrong.append(f"{source.at(node)} imports {name}")
        for part in ast.walk(source.tree):
            if isinstance(part, ast.Attribute) and part.attr in ("Thread", "Timer", "create_task"):
                wrong.append(source.at(part))
    assert [place for place in wrong if "tidegate_kit/http/" not in place] == []


def test_the_route_table_is_imported_by_tools_alone() -> None:
    assert [
        source.at(node)
        for source in (*product(), *kit())
        if source.domain or within(source.module, "tidegate_kit")
        for node, name in imports_of(source)
        if within(name, "tidegate.routers") or within(name, "tidegate.manifest")
    ] == []


def _worker_modules() -> list[str]:
    return [source.module for source in product() if source.place.split("/")[0] == "tasks"]


@pytest.mark.parametrize("module", _worker_modules())
def test_workers_do_not_import_the_http_stack(module: str) -> None:
    """performance.md rule 4: FastAPI costs a worker half of its cold start."""
    script = (
        "import importlib, json, sys; importlib.import_module(sys.argv[1]); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "functions"), str(KIT))),
    }
    done = subprocess.run(
        [sys.executable, "-c", script, module],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    heavy = [
        name
        for name in loaded
        if name in ("fastapi", "starlette", "mangum", "numpy", "cedarpy", "moto")
        or within(name, "tidegate_kit.http")
        or within(name, "tidegate.routers")
    ]
    assert heavy == []


def test_layers_hold() -> None:
    """The contracts of [tool.importlinter] in pyproject.toml, over direct and indirect imports.

    In a process of its own: the tool reconfigures logging, which would silence our logger.
    """
    code = (
        "import sys; from importlinter.cli import lint_imports;"
        " sys.exit(lint_imports(no_cache=True))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
