"""HTTP APIs: from the OpenAPI body that SAM writes to the routes that the emulator understands."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from infra.local.config import LocalCloudError
from infra.local.documents import Document, properties, resources_of_type

ANY_METHOD = "x-amazon-apigateway-any-method"
INTEGRATION = "x-amazon-apigateway-integration"
CORS = "x-amazon-apigateway-cors"


def expand(document: Document) -> dict[str, list[str]]:
    """Replace every API body by route and integration resources (in place).

    Returns the declared route keys by the API's logical id.
    """
    declared: dict[str, list[str]] = {}
    for name, resource in resources_of_type(document, "AWS::ApiGatewayV2::Api").items():
        body = properties(resource).pop("Body", None)
        if body is not None:
            declared[name] = _expand(document, name, resource, body)
    return declared


def _expand(document: Document, name: str, resource: Document, body: Document) -> list[str]:
    props = properties(resource)
    for ignored in ("FailOnWarnings", "Basepath"):
        props.pop(ignored, None)
    props["ProtocolType"] = "HTTP"
    props.setdefault("Name", body.get("info", {}).get("title", name))
    cors = props.get("CorsConfiguration") or body.get(CORS)
    if cors:
        props["CorsConfiguration"] = camel_case(cors)
    authorizers = _authorizers(document, name, body)
    keys = []
    for path, methods in body.get("paths", {}).items():
        for method, operation in methods.items():
            if INTEGRATION not in operation:
                continue
            key = route_key(path, method)
            keys.append(key)
            _add_route(document, name, key, operation, authorizers)
    if len(set(keys)) != len(keys):
        raise LocalCloudError(f"API {name} declares a route twice: {sorted(keys)}")
    return sorted(keys)


def route_key(path: str, method: str) -> str:
    """``GET /x``, ``ANY /x`` or ``$default``."""
    if path.lstrip("/") == "$default":
        return "$default"
    return f"{'ANY' if method == ANY_METHOD else method.upper()} {path}"


def camel_case(cors: Document) -> Document:
    """CORS settings under the names that the emulator reads (AllowOrigins -> allowOrigins)."""
    return {key[:1].lower() + key[1:]: value for key, value in cors.items()}


def _add_route(
    document: Document, api: str, key: str, operation: Document, authorizers: dict[str, Document]
) -> None:
    declared = operation[INTEGRATION]
    integration = f"{api}Integration{_digest(declared)}"
    document["Resources"].setdefault(
        integration,
        {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": api},
                "IntegrationType": str(declared.get("type", "aws_proxy")).upper(),
                "IntegrationMethod": declared.get("httpMethod", "POST"),
                "IntegrationUri": declared["uri"],
                "PayloadFormatVersion": str(declared.get("payloadFormatVersion", "2.0")),
            },
        },
    )
    route: Document = {
        "ApiId": {"Ref": api},
        "RouteKey": key,
        "Target": {"Fn::Join": ["/", ["integrations", {"Ref": integration}]]},
    }
    for requirement in operation.get("security", []):
        for scheme, scopes in requirement.items():
            if scheme not in authorizers:
                raise LocalCloudError(f"route {key} of {api} names unknown authorizer {scheme}")
            route |= authorizers[scheme]
            if scopes:
                route["AuthorizationScopes"] = scopes
    document["Resources"][f"{api}Route{_digest(key)}"] = {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": route,
    }


def _authorizers(document: Document, api: str, body: Document) -> dict[str, Document]:
    """Add authorizer resources; return what a route that uses one must say."""
    found: dict[str, Document] = {}
    schemes = body.get("components", {}).get("securitySchemes", {})
    for scheme, declared in schemes.items():
        settings = declared.get("x-amazon-apigateway-authorizer")
        if settings is None:
            continue
        logical = f"{api}Authorizer{_digest(scheme)}"
        kind = str(settings.get("type", "jwt")).upper()
        props: Document = {"ApiId": {"Ref": api}, "Name": scheme, "AuthorizerType": kind}
        source = settings.get("identitySource")
        if source is not None:
            props["IdentitySource"] = source if isinstance(source, list) else [source]
        if "jwtConfiguration" in settings:
            jwt = settings["jwtConfiguration"]
            props["JwtConfiguration"] = {
                "Issuer": jwt.get("issuer"),
                "Audience": jwt.get("audience"),
            }
        for ours, theirs in (
            ("authorizerUri", "AuthorizerUri"),
            ("authorizerPayloadFormatVersion", "AuthorizerPayloadFormatVersion"),
            ("enableSimpleResponses", "EnableSimpleResponses"),
            ("authorizerResultTtlInSeconds", "AuthorizerResultTtlInSeconds"),
        ):
            if ours in settings:
                props[theirs] = settings[ours]
        document["Resources"][logical] = {
            "Type": "AWS::ApiGatewayV2::Authorizer",
            "Properties": props,
        }
        found[scheme] = {
            "AuthorizationType": "JWT" if kind == "JWT" else "CUSTOM",
            "AuthorizerId": {"Ref": logical},
        }
    return found


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]
