"""Declared = mounted = deployed = answered (GEN-2, IMP-15), asked of what is running."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tidegate_kit.gateway_routes import DEFAULT, DeployedRoute, select

# What a route may answer to a call without token and body; anything else is no answer of it.
_NOT_ANSWERED = frozenset({404, 405, 500, 502, 503, 504})


@dataclass(frozen=True)
class Declared:
    """A route of the manifest."""

    domain: str
    method: str
    path: str

    @property
    def name(self) -> str:
        """`METHOD /path`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Pong:
    """What a function says of itself: its domain, its routes, and how it answered each asked."""

    domain: str
    routes: Sequence[str]
    statuses: Mapping[str, int] = field(default_factory=dict)


class Deployment(Protocol):
    """What runs."""

    def routes(self) -> list[DeployedRoute]:
        """The HTTP API's routes; `handler` is the function behind each. Raises 503."""

    def ask(self, function: str, names: Sequence[str]) -> Pong | None:
        """What a function answers; None where it does not start or does not answer."""


@dataclass(frozen=True)
class Findings:
    """The four counts and what is wrong."""

    declared: int
    mounted: int
    deployed: int
    answered: int
    missing: list[str]
    extra: list[str]
    duplicates: list[str]

    @property
    def ok(self) -> bool:
        """True when every list is empty and the counts agree."""
        counts = {self.declared, self.mounted, self.deployed, self.answered}
        return len(counts) == 1 and not (self.missing or self.extra or self.duplicates)


def examine(declared: Sequence[Declared], deployment: Deployment) -> Findings:
    """Compare the manifest with API Gateway and with every function behind it."""
    routes = deployment.routes()
    functions = sorted({route.handler for route in routes})
    wanted: dict[str, list[Declared]] = {name: [] for name in functions}
    serving: dict[str, str] = {}
    for one in declared:
        served = {
            found.handler
            for path in (one.path, f"/api{one.path}")
            if (found := select(routes, one.method, path)) is not None
        }
        if len(served) == 1:
            (serving[one.name],) = served
            wanted[serving[one.name]].append(one)
    pongs = {name: deployment.ask(name, [one.name for one in wanted[name]]) for name in functions}
    return _compare(declared, routes, serving, pongs)


def _compare(
    declared: Sequence[Declared],
    routes: Sequence[DeployedRoute],
    serving: Mapping[str, str],
    pongs: Mapping[str, Pong | None],
) -> Findings:
    names = [one.name for one in declared]
    mounted = [name for pong in pongs.values() if pong is not None for name in pong.routes]
    deployed, answered, missing = 0, 0, []
    for one in declared:
        pong = pongs.get(serving.get(one.name, ""))
        right = pong is not None and pong.domain == one.domain
        deployed += right
        replies = pong.statuses.get(one.name) if pong is not None and right else None
        answers = replies is not None and replies not in _NOT_ANSWERED
        answered += answers
        if not (right and answers and one.name in mounted):
            missing.append(one.name)
    keys = Counter(route.key for route in routes)
    twice = Counter(names) + Counter(mounted)
    return Findings(
        declared=len(names),
        mounted=len(set(mounted)),
        deployed=deployed,
        answered=answered,
        missing=sorted(missing),
        extra=sorted({*mounted} - {*names}) + _useless(names, routes),
        duplicates=sorted(
            {key for key, count in keys.items() if count > 1}
            | {name for name, count in Counter(names).items() if count > 1}
            | {name for name, count in Counter(mounted).items() if count > 1 and twice[name]}
        ),
    )


def _useless(names: Sequence[str], routes: Sequence[DeployedRoute]) -> list[str]:
    """Deployed prefixes under which nothing is declared."""
    paths = [name.partition(" ")[2] for name in names]
    paths += [f"/api{path}" for path in paths]
    prefixes = {route.path.removesuffix("/{proxy+}") for route in routes if route.key != DEFAULT}
    return [
        f"ANY {prefix}"
        for prefix in sorted(prefixes)
        if not any(path == prefix or path.startswith(f"{prefix}/") for path in paths)
    ]
