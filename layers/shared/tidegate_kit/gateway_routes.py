"""Which deployed route API Gateway takes for a request, by its own selection rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DEFAULT = "$default"


@dataclass(frozen=True)
class DeployedRoute:
    """A route key of the HTTP API and the handler of the function behind it."""

    key: str
    handler: str

    @property
    def method(self) -> str:
        """The method, or ANY."""
        return "ANY" if self.key == DEFAULT else self.key.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path pattern; empty for $default."""
        return "" if self.key == DEFAULT else self.key.partition(" ")[2]


def select(routes: Sequence[DeployedRoute], method: str, path: str) -> DeployedRoute | None:
    """The route that API Gateway takes for a request path.

    Order (API Gateway developer guide, "Routes for HTTP APIs"): a full match of route and method,
    then a greedy path variable, then $default; the most specific pattern wins, and a named method
    wins over ANY.
    """
    fitting = [
        (rank, route.method != "ANY", route)
        for route in routes
        if route.method in ("ANY", method) and (rank := _rank(route, path)) is not None
    ]
    return max(fitting, key=lambda found: found[:2])[2] if fitting else None


def _rank(route: DeployedRoute, path: str) -> tuple[int, ...] | None:
    """How specific a match is, segment by segment (2 literal, 1 variable, 0 greedy); None: none."""
    if route.key == DEFAULT:
        return ()
    wanted, given = route.path.strip("/").split("/"), path.strip("/").split("/")
    ranks: list[int] = []
    for position, part in enumerate(wanted):
        if part.endswith("+}"):
            return (*ranks, 0) if len(given) > position else None
        if position >= len(given):
            return None
        if part.startswith("{"):
            ranks.append(1)
        elif part == given[position]:
            ranks.append(2)
        else:
            return None
    return tuple(ranks) if len(given) == len(wanted) else None
