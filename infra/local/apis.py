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


def expand(document: Document) -> None:
    """Replace every API body by route and integration resources; mend CORS keys (in place)."""
    for name, resource in resources_of_type(document, "AWS::ApiGatewayV2::Api").items():
        props = properties(resource)
        body = props.pop("Body", None)
        if body is not None:
            _expand(document, name, resource, body)
        if "CorsConfiguration" in props:
            props["CorsConfiguration"] = camel_case(props["CorsConfiguration"])


def declared_routes(document: Document) -> dict[str, list[str]]:
    """Route keys by the logical id of their API, after ``expand``."""
    found: dict[str, list[str]] = {
        name: [] for name in resources_of_type(document, "AWS::ApiGatewayV2::Api")
    }
    for name, resource in resources_of_type(document, "AWS::ApiGatewayV2::Route").items():
        props = properties(resource)
        api = props.get("ApiId", {})
        owner = api.get("Ref") if isinstance(api, dict) else None
        if owner not in found:
            raise LocalCloudError(f"route {name} does not !Ref an API of this template")
        if props["RouteKey"] in found[owner]:
            raise LocalCloudError(f"API {owner} declares the route {props['RouteKey']} twice")
        found[owner].append(props["RouteKey"])
    return found


def protocol(document: Document, api: str) -> str:
    """``HTTP`` or ``WEBSOCKET``."""
    return str(properties(document["Resources"][api]).get("ProtocolType", "HTTP"))


def _expand(document: Document, name: str, resource: Document, body: Document) -> None:
    props = properties(resource)
    for ignored in ("FailOnWarnings", "Basepath"):
        props.pop(ignored, None)
    props["ProtocolType"] = "HTTP"
    props.setdefault("Name", body.get("info", {}).get("title", name))
    cors = props.get("CorsConfiguration") or body.get(CORS)
    if cors:
        props["CorsConfiguration"] = cors
    authorizers = _authorizers(document, name, body)
    for path, methods in body.get("paths", {}).items():
        for method, operation in methods.items():
            if INTEGRATION in operation:
                _add_route(document, name, route_key(path, method), operation, authorizers)


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
