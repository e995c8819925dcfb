"""HTTP API bodies become routes."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local import apis
from infra.local.config import LocalCloudError

URI = {"Fn::Sub": "arn:aws:apigateway:x:lambda:path/functions/${Web.Arn}/invocations"}


def operation(**extra: Any) -> dict[str, Any]:
    integration = {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": URI,
        "payloadFormatVersion": "2.0",
    }
    return {apis.INTEGRATION: integration, **extra}


def document(body: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": {"Http": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": body}}}}


def test_a_body_becomes_routes_that_share_an_integration() -> None:
    made = document(
        {
            "info": {"title": {"Ref": "AWS::StackName"}},
            "paths": {
                "/x": {"get": operation(), "post": operation()},
                "/x/{proxy+}": {apis.ANY_METHOD: operation()},
                "$default": {apis.ANY_METHOD: operation(isDefaultRoute=True)},
            },
        }
    )
    apis.expand(made)
    assert apis.declared_routes(made) == {
        "Http": ["GET /x", "POST /x", "ANY /x/{proxy+}", "$default"]
    }
    kinds = [resource["Type"] for resource in made["Resources"].values()]
    assert kinds.count("AWS::ApiGatewayV2::Integration") == 1
    assert apis.protocol(made, "Http") == "HTTP"
    assert "Body" not in made["Resources"]["Http"]["Properties"]


def test_expanding_is_stable_so_that_a_second_deploy_changes_nothing() -> None:
    bodies = [{"paths": {"/x": {"get": operation()}}} for _ in range(2)]
    first, second = (document(body) for body in bodies)
    apis.expand(first)
    apis.expand(second)
    assert first == second


def test_cors_keys_get_the_case_that_the_emulator_reads() -> None:
    made = document({"paths": {}, apis.CORS: {"allowOrigins": ["https://a"]}})
    made["Resources"]["Plain"] = {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {"CorsConfiguration": {"AllowOrigins": ["https://b"], "MaxAge": 5}},
    }
    apis.expand(made)
    cors = {
        name: resource["Properties"]["CorsConfiguration"]
        for name, resource in made["Resources"].items()
    }
    assert cors == {
        "Http": {"allowOrigins": ["https://a"]},
        "Plain": {"allowOrigins": ["https://b"], "maxAge": 5},
    }


def test_authorizers_become_resources() -> None:
    authorizer = {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": "https://i", "audience": ["a"]},
    }
    made = document(
        {
            "paths": {"/x": {"get": operation(security=[{"Jwt": ["read"]}])}},
            "components": {
                "securitySchemes": {"Jwt": {"x-amazon-apigateway-authorizer": authorizer}}
            },
        }
    )
    apis.expand(made)
    routes = [
        resource["Properties"]
        for resource in made["Resources"].values()
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
    ]
    assert routes[0]["AuthorizationType"] == "JWT"
    assert routes[0]["AuthorizationScopes"] == ["read"]
    named = made["Resources"][routes[0]["AuthorizerId"]["Ref"]]["Properties"]
    assert named["JwtConfiguration"] == {"Issuer": "https://i", "Audience": ["a"]}


def test_an_unknown_authorizer_and_a_repeated_route_are_refused() -> None:
    with pytest.raises(LocalCloudError, match="unknown authorizer Who"):
        apis.expand(document({"paths": {"/x": {"get": operation(security=[{"Who": []}])}}}))
    made = document({"paths": {"/x": {"get": operation()}}})
    apis.expand(made)
    made["Resources"]["Again"] = {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {"ApiId": {"Ref": "Http"}, "RouteKey": "GET /x"},
    }
    with pytest.raises(LocalCloudError, match="GET /x twice"):
        apis.declared_routes(made)
