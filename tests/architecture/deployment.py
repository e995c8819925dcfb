"""What template.yaml deploys, and an environment in which each function starts."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from tidegate_kit.settings import Settings, SettingsError, read_settings

from tests.architecture.sources import FUNCTIONS, ROOT, domains
from tests.builders.settings import ENVIRONMENT, PLATFORM_ACCOUNT, REGION
from tests.fakes.cloudformation import Resolver, load_template

# Tried, in order, for the settings of single functions: the template's are made at deploy time.
_CANDIDATES = (
    "tidegate-test-data",
    *(
        f"arn:aws:{service}:{REGION}:{PLATFORM_ACCOUNT}:{resource}"
        for service, resource in (
            ("states", "stateMachine:x"), ("lambda", "function:x"), ("sqs", "x"), ("sns", "x"),
            ("events", "event-bus/x"), ("scheduler", "schedule-group/x"),
        )
    ),
    f"arn:aws:iam::{PLATFORM_ACCOUNT}:role/x",
    f"https://sqs.{REGION}.amazonaws.com/{PLATFORM_ACCOUNT}/x",
    "1",
)  # fmt: skip


@dataclass(frozen=True)
class Function:
    """One Lambda function of the template."""

    name: str
    handler: str
    variables: frozenset[str]

    @property
    def module(self) -> str:
        """The module of its entry point."""
        return self.handler.rpartition(".")[0]

    @property
    def attribute(self) -> str:
        """The entry point's name in the module."""
        return self.handler.rpartition(".")[2]

    @property
    def domain(self) -> str:
        """Its domain."""
        return self.handler.split(".")[1]


@cache
def template() -> dict[str, Any]:
    """template.yaml, parsed."""
    return load_template(ROOT / "template.yaml")


def global_variables() -> frozenset[str]:
    """Environment variables that every function gets."""
    return frozenset(template()["Globals"]["Function"]["Environment"]["Variables"])


@cache
def functions() -> tuple[Function, ...]:
    """Every function."""
    found = Resolver(template(), {"Stage": "test"}).resources("AWS::Serverless::Function")
    return tuple(
        Function(
            name,
            properties["Handler"],
            global_variables() | frozenset(properties.get("Environment", {}).get("Variables", {})),
        )
        for name, properties in found.items()
    )


@cache
def own_settings() -> dict[str, str]:
    """A value that passes for every required setting beyond GEN-5."""
    found: dict[str, str] = {}
    for kind in (kind for kinds in settings_classes().values() for kind in kinds):
        own = [name.upper() for name, field in kind.model_fields.items() if field.is_required()]
        for name in own:
            if name not in ENVIRONMENT:
                found.setdefault(name, next(v for v in _CANDIDATES if _passes(kind, name, v)))
    return found


def _passes(kind: type[Settings], name: str, value: str) -> bool:
    try:
        read_settings(kind, {name: value})
    except SettingsError as error:
        return name not in str(error)
    return True


def environment() -> dict[str, str]:
    """Every setting of every function, with values that pass."""
    return {**ENVIRONMENT, **own_settings()}


def settings_classes() -> dict[str, list[type[Settings]]]:
    """The settings classes that each domain defines."""
    found: dict[str, list[type[Settings]]] = {}
    for domain in domains():
        if not (FUNCTIONS / "tidegate" / domain / "settings.py").exists():
            continue
        module = import_module(f"tidegate.{domain}.settings")
        found[domain] = [
            kind
            for kind in vars(module).values()
            if inspect.isclass(kind) and issubclass(kind, Settings)
            and kind.__module__ == module.__name__
        ]  # fmt: skip
    return found


def settings_of_handler(domain: str) -> type[Settings]:
    """The settings class that a domain's handler.py names."""
    path = FUNCTIONS / "tidegate" / domain / "handler.py"
    call = ast.parse(path.read_text(encoding="utf-8")).body[-1]
    named = [node.id for node in ast.walk(call) if isinstance(node, ast.Name)]
    classes = {kind.__name__: kind for kind in settings_classes().get(domain, [])}
    return next((classes[name] for name in named if name in classes), Settings)


def required(kind: type[Settings]) -> set[str]:
    """Names of the settings that a class has no default for."""
    return {name.upper() for name, field in kind.model_fields.items() if field.is_required()}


def settings_for(function: Function) -> list[type[Settings]]:
    """The class of an HTTP function; for others every class of the domain, of which one fits."""
    if function.module.endswith(".handler"):
        return [settings_of_handler(function.domain)]
    return settings_classes().get(function.domain) or [Settings]


def defines(module: str, name: str) -> bool:
    """True if the module's source defines a top-level function or variable of that name."""
    path = FUNCTIONS.joinpath(*module.split(".")).with_suffix(".py")
    if not path.exists():
        return False
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.Assign) and name in {ast.unparse(part) for part in node.targets}:
            return True
        if isinstance(node, ast.ImportFrom) and name in {
            alias.asname or alias.name for alias in node.names
        }:
            return True
    return False
