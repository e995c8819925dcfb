"""The OpenAPI 3.1 document of every route (GEN-2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from tidegate_kit.auth.authenticate import ACCESS_COOKIE
from tidegate_kit.http import Router
from tidegate_kit.http.route import MEDIA
from tidegate_kit.http.spec import RouteSpec

from tidegate.manifest import failures
from tidegate.manifest.example import example_of
from tidegate.manifest.names import with_plain_names

CONTRACT_VERSION = "1.0"
_DESCRIPTION = (
    "Tidegate connects AWS accounts, finds waste and acts on it under approval. Every path works "
    "with and without the prefix /api. Every error has the shape of the schema Error."
)
_FIELDS = {
    "name": "fields",
    "in": "query",
    "required": False,
    "description": "Comma-separated names: only these fields of each item (id always).",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body give the first answer again, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}
_SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of POST /auth/login.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": ACCESS_COOKIE,
        "description": "Set by POST /auth/login?session=cookie. State-changing calls also need "
        "X-CSRF-Token with the value that GET /auth/csrf gives.",
    },
}


def document(routers: Sequence[Router]) -> dict[str, Any]:
    """The document. Depends on the route table alone: the same table, the same document."""
    routes = [route for router in routers for route in router.api.routes]
    made = get_openapi(
        title="Tidegate",
        version=CONTRACT_VERSION,
        description=_DESCRIPTION,
        routes=routes,
        servers=[
            {"url": url, "variables": {"base": {"default": "http://localhost:8000"}}}
            for url in ("{base}/api", "{base}")
        ],
        tags=[{"name": router.domain} for router in routers],
    )
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    # The framework's own 422 is never sent (C18).
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Error"] = failures.SCHEMA
    made = with_plain_names(made)
    components = made["components"]
    components["securitySchemes"] = _SECURITY_SCHEMES
    components["examples"], components["responses"] = {}, {}
    for route in routes:
        if isinstance(route, APIRoute):
            _complete(made["paths"][route.path], route, components)
    return made


def _complete(operations: dict[str, Any], route: APIRoute, components: dict[str, Any]) -> None:
    spec: RouteSpec = vars(route.endpoint)["__tidegate_spec__"]
    operation = operations[spec.method.lower()]
    operation["operationId"] = f"{spec.domain}_{route.endpoint.__name__}"
    operation["x-tidegate-permission"] = spec.permission
    operation["x-tidegate-rate"] = spec.rate
    operation["security"] = [] if spec.public else [{"bearer": []}, {"cookie": []}]
    parameters = operation.setdefault("parameters", [])
    if spec.idempotent:
        parameters.append(_IDEMPOTENCY_KEY)
    takes_input = bool(parameters) or "requestBody" in operation
    if spec.method == "GET" and _is_model(route.response_model):
        parameters.append(_FIELDS)
    if "requestBody" in operation:
        # FastAPI does not know that the kit reads the body.
        (described,) = operation["requestBody"]["content"].values()
        operation["requestBody"]["content"] = {MEDIA[spec.body]: described}
    operation["responses"].pop("422", None)
    _add_examples(operation, components["schemas"])
    for status, kinds in failures.by_status(spec, takes_input=takes_input).items():
        if str(status) in operation["responses"]:  # a route that documents this answer itself
            continue
        operation["responses"][str(status)] = failures.response(status, kinds, components)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    parts = [operation.get("requestBody", {}), *operation["responses"].values()]
    for part in parts:
        for media in part.get("content", {}).values():
            if media.get("schema") and not media.keys() & {"example", "examples"}:
                media["example"] = example_of(media["schema"], schemas)
