"""The product's source files, parsed, for the rules of CONTRIBUTING.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "functions"
KIT = ROOT / "layers" / "shared"
# Not domains: the route table and what is made from it, for development tools alone.
TOOLS = frozenset({"manifest", "routers"})


@dataclass(frozen=True)
class Source:
    """One module."""

    path: Path
    root: Path

    @property
    def module(self) -> str:
        """Its dotted name."""
        parts = self.path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def domain(self) -> str:
        """The domain folder; empty for the umbrella package, the kit and the tools."""
        parts = self.module.split(".")
        if parts[0] != "tidegate" or len(parts) < 2 or parts[1] in TOOLS:
            return ""
        return parts[1]

    @property
    def place(self) -> str:
        """The path below the domain folder, without suffix: `routes`, `repository/members`."""
        return "/".join(self.path.relative_to(self.root).with_suffix("").parts[2:])

    @property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return _parse(self.path)

    @property
    def is_package(self) -> bool:
        """True for an __init__.py."""
        return self.path.name == "__init__.py"

    def at(self, node: ast.AST) -> str:
        """`path:line` of a node."""
        return f"{self.path.relative_to(ROOT)}:{node.lineno}"  # type: ignore[attr-defined]


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def product() -> tuple[Source, ...]:
    """Every module of tidegate."""
    return tuple(Source(path, FUNCTIONS) for path in sorted(FUNCTIONS.rglob("*.py")))


@cache
def kit() -> tuple[Source, ...]:
    """Every module of tidegate_kit."""
    return tuple(Source(path, KIT) for path in sorted(KIT.rglob("*.py")))


def domains() -> list[str]:
    """Every domain folder."""
    return sorted({source.domain for source in product()} - {""})


def imports_of(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """(node, dotted name) of everything imported anywhere in the module, in full.

    `from a import b` gives both a and a.b: b may be a module.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = source.module.split(".")
                keep = len(parents) - node.level + (1 if source.is_package else 0)
                base = ".".join([*parents[:keep], *([base] if base else [])])
            yield node, base
            yield from ((node, f"{base}.{alias.name}") for alias in node.names)


def within(name: str, package: str) -> bool:
    """True if a dotted name is the package or lies in it."""
    return name == package or name.startswith(f"{package}.")
