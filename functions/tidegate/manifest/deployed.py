"""Which function template.yaml sends each path to, by API Gateway's own selection rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidegate_kit.gateway_routes import DEFAULT, DeployedRoute, select
from tidegate_kit.http.spec import RouteSpec


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
