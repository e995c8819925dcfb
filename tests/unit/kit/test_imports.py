"""What a function may import: deny-lists and a module budget (performance rules 4 and 5)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = ROOT / "functions" / "tidegate"

# Slow to import and never needed to answer a call.
NEVER = {
    "email_validator", "pydantic.v1", "aws_xray_sdk", "jinja2", "numpy", "cedarpy", "networkx",
    "pydantic_settings", "dotenv", "requests", "rich", "moto", "hypothesis",
}  # fmt: skip
WEB = {"fastapi", "starlette", "mangum", "tidegate_kit.http"}
# The kit's HTTP side alone; a domain adds its own modules to it.
KIT_BUDGET = 820


def imported(statement: str) -> set[str]:
    """Every module that a fresh interpreter holds after the statement."""
    path = os.pathsep.join(str(ROOT / part) for part in ("functions", "layers/shared"))
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport json, sys\nprint(json.dumps([*sys.modules]))"],
        env={"PYTHONPATH": path, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return set(json.loads(done.stdout.splitlines()[-1]))


def modules(name: str) -> list[str]:
    """Dotted names of every domain's file of that name (or package)."""
    found = [*FUNCTIONS.glob(f"*/{name}.py"), *FUNCTIONS.glob(f"*/{name}/__init__.py")]
    return sorted(
        ".".join(path.relative_to(FUNCTIONS.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in found
    )


def denied(names: set[str], deny: set[str]) -> set[str]:
    return {name for name in names if any(name == d or name.startswith(d + ".") for d in deny)}


def test_the_http_side_of_the_kit_is_lean() -> None:
    names = imported("import tidegate_kit.http")
    assert denied(names, NEVER | {"httpx", "httpcore", "argon2"}) == set()
    assert len(names) <= KIT_BUDGET


@pytest.mark.parametrize("module", modules("routes"))
def test_a_handler_imports_nothing_slow(module: str) -> None:
    names = imported(f"import tidegate_kit.http, {module}")
    assert denied(names, NEVER) == set()


@pytest.mark.parametrize("module", modules("tasks"))
def test_a_worker_imports_no_web_framework(module: str) -> None:
    names = imported(f"import {module}")
    assert denied(names, NEVER | WEB) == set()


@pytest.mark.parametrize(
    "module",
    ["settings", "dynamo", "crypto", "clients", "aws_session", "idempotency", "ratelimit",
     "observability", "tenancy", "clock", "ids", "errors", "webhooks", "outbound",
     "auth.authenticate", "auth.tokens"],
)  # fmt: skip
def test_the_rest_of_the_kit_needs_no_web_framework(module: str) -> None:
    names = imported(f"import tidegate_kit.{module}")
    assert denied(names, NEVER | WEB) == set()


def test_deferred_models_are_built_when_they_are_needed() -> None:
    statement = (
        "import tidegate_kit.http\n"
        "from fastapi import FastAPI\n"
        "from fastapi.openapi.models import OpenAPI, Schema\n"
        "assert not Schema.__pydantic_complete__\n"
        "app = FastAPI()\n"
        "@app.get('/x')\n"
        "def x(a: int) -> dict[str, int]: return {}\n"
        "document = OpenAPI(**app.openapi())\n"
        "assert document.model_dump(by_alias=True)['paths']['/x']['get']['parameters']\n"
        "from pydantic import BaseModel\n"
        "class Mine(BaseModel):\n    a: int\n"
        "assert Mine.__pydantic_complete__ and Mine.model_config == {}\n"
    )
    imported(statement)
