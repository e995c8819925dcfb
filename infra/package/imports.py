"""Prove that every entry module imports with nothing but the layers and the code on the path."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.documents import Document, properties, resources_of_type

ENTRY_FILES = ("handler.py", "tasks.py")
# -I: no environment, no user site; -S: no site-packages. What is left is the standard library.
PROGRAM = """
import importlib, sys
sys.path[:0] = sys.argv[2].split(":")
importlib.import_module(sys.argv[1])
"""


@dataclass(frozen=True)
class Proof:
    """The result of importing one module."""

    module: str
    complaint: str
    """Empty when it imports."""


def entry_modules(functions: Path) -> list[str]:
    """``tidegate.<domain>.handler`` and ``.tasks`` of every domain."""
    return sorted(
        ".".join(path.relative_to(functions).with_suffix("").parts)
        for name in ENTRY_FILES
        for path in functions.rglob(name)
        if path.parent.parent.name == "tidegate"
    )


def handler_modules(document: Document) -> dict[str, str]:
    """Function id to the module of its Handler."""
    found = {}
    for name, resource in resources_of_type(document, "AWS::Serverless::Function").items():
        handler = str(properties(resource).get("Handler", ""))
        found[name] = handler.rpartition(".")[0]
    return found


# What a variable names, by a part of its name: handlers check the shape of their settings.
_RESOURCES = {
    "ROLE_ARN": "iam::111111111111:role/proof",
    "TOPIC_ARN": "sns:us-east-1:111111111111:proof",
    "MACHINE_ARN": "states:us-east-1:111111111111:stateMachine:proof",
    "TABLE_ARN": "dynamodb:us-east-1:111111111111:table/proof",
    "FUNCTION_ARN": "lambda:us-east-1:111111111111:function:proof",
    "_ARN": "kms:us-east-1:111111111111:key/00000000-0000-4000-8000-000000000000",
    "_REF": "secretsmanager:us-east-1:111111111111:secret:proof",
}


def environment_of(document: Document) -> dict[str, str]:
    """A made-up value for every variable that any function of the template gets.

    Handlers read their settings when they are imported; nothing is called with them.
    """
    defaults = {
        name: str(how["Default"])
        for name, how in document.get("Parameters", {}).items()
        if "Default" in how
    }
    globals_ = document.get("Globals", {}).get("Function", {})
    functions = resources_of_type(document, "AWS::Serverless::Function").values()
    found: dict[str, str] = {}
    for props in [globals_, *(properties(resource) for resource in functions)]:
        variables = props.get("Environment", {}).get("Variables", {})
        for name, value in variables.items():
            found[name] = _made_up(name, value, defaults)
    return found | {
        "AWS_ACCESS_KEY_ID": "proof",
        "AWS_SECRET_ACCESS_KEY": "proof",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "proof",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # nothing may be called at import
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _made_up(name: str, value: Any, defaults: dict[str, str]) -> str:
    if not isinstance(value, dict):
        return str(value)
    default = defaults.get(str(value.get("Ref")))
    if default:
        return default
    if name.endswith("_URL") or name == "JWT_ISSUER":
        return ("wss" if "WS" in name else "https") + "://proof.example"
    for part, resource in _RESOURCES.items():
        if part in name:
            return f"arn:aws:{resource}"
    return "" if default == "" else "proof"


def prove(
    python: Path, modules: Sequence[str], path: Sequence[Path], environment: dict[str, str]
) -> list[Proof]:
    """Import each module in an interpreter of its own."""

    def attempt(module: str) -> Proof:
        done = subprocess.run(
            [str(python), "-I", "-S", "-B", "-c", PROGRAM, module, ":".join(map(str, path))],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=120,
        )
        last = done.stderr.strip().splitlines()
        return Proof(module, "" if done.returncode == 0 else (last[-1] if last else "no message"))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(attempt, modules))
