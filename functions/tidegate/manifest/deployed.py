"""Which function template.yaml sends each path to, by API Gateway's own selection rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate_kit.http.spec import RouteSpec

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


def read_routes(template: Path) -> list[DeployedRoute]:
    """The HTTP API's routes in a CloudFormation template. Raises KeyError for a dangling one."""
    resources: dict[str, Any] = _parse(template)["Resources"]
    routes: list[DeployedRoute] = []
    for resource in resources.values():
        if resource["Type"] != "AWS::ApiGatewayV2::Route":
            continue
        properties = resource["Properties"]
        if resources[properties["ApiId"]]["Properties"]["ProtocolType"] != "HTTP":
            continue
        integration = properties["Target"].removeprefix("integrations/${").removesuffix("}")
        function = resources[integration]["Properties"]["IntegrationUri"].removesuffix(".Arn")
        handler = resources[function]["Properties"]["Handler"]
        routes.append(DeployedRoute(properties["RouteKey"], handler))
    return routes


def _parse(template: Path) -> dict[str, Any]:
    import yaml  # a development dependency

    class Loader(yaml.SafeLoader):
        """Reads !Ref, !Sub and !GetAtt as their text, which is all that routes need."""

    def text(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        assert isinstance(node, yaml.MappingNode)  # noqa: S101 - the third of three kinds
        return loader.construct_mapping(node, deep=True)

    Loader.add_multi_constructor("!", text)
    parsed: dict[str, Any] = yaml.load(template.read_text(encoding="utf-8"), Loader)  # noqa: S506
    return parsed


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


def problems(specs: Sequence[RouteSpec], routes: Sequence[DeployedRoute]) -> list[str]:
    """What is wrong between declared and deployed routes, one sentence each; [] if all agree."""
    found = [
        f"template.yaml: the route {key} is deployed {count} times"
        for key, count in Counter(route.key for route in routes).items()
        if count > 1
    ]
    domains = {spec.domain for spec in specs}
    for handler in sorted({route.handler for route in routes}):
        if handler not in {f"tidegate.{domain}.handler.handler" for domain in domains}:
            found.append(f"template.yaml: {handler} is deployed, but its domain declares no route")
    for spec in specs:
        for path in (spec.path, f"/api{spec.path}"):
            route = select(routes, spec.method, path)
            served_by = route.handler if route is not None else "nothing"
            if served_by != f"tidegate.{spec.domain}.handler.handler":
                found.append(
                    f"{spec.method} {path}: {spec.domain} declares it, {served_by} gets it"
                )
    return found + _useless(specs, routes)


def _useless(specs: Sequence[RouteSpec], routes: Sequence[DeployedRoute]) -> list[str]:
    prefixes = {route.path.removesuffix("/{proxy+}") for route in routes if route.key != DEFAULT}
    declared = [path for spec in specs for path in (spec.path, f"/api{spec.path}")]
    return [
        f"template.yaml: no declared route lies under the deployed path {prefix}"
        for prefix in sorted(prefixes)
        if not any(path == prefix or path.startswith(f"{prefix}/") for path in declared)
    ]
