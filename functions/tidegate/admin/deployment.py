"""What runs, for the self-test: API Gateway's routes and the functions behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.errors import ServiceUnavailable
from tidegate_kit.gateway_routes import DeployedRoute
from tidegate_kit.observability import logger

from tidegate.admin.service.selftest import Pong


class AwsDeployment:
    """Deployment on boto3 clients of apigatewayv2 and lambda."""

    def __init__(self, gateway: Any, functions: Any, api_id: str) -> None:
        self._gateway = gateway
        self._functions = functions
        self._api_id = api_id

    def routes(self) -> list[DeployedRoute]:
        """The API's routes; `handler` is the ARN of the function behind each."""
        try:
            uris = {
                one["IntegrationId"]: str(one["IntegrationUri"])
                for one in self._items("get_integrations")
            }
            return [
                DeployedRoute(one["RouteKey"], uris[one["Target"].removeprefix("integrations/")])
                for one in self._items("get_routes")
            ]
        except (ClientError, BotoCoreError) as error:
            raise ServiceUnavailable(log=f"apigateway: {error}") from error

    def _items(self, operation: str) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            answer = getattr(self._gateway, operation)(ApiId=self._api_id, **token)
            yield from answer["Items"]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def ask(self, function: str, names: Sequence[str]) -> Pong | None:
        """What a function says of itself; None where it does not start (told in the log)."""
        event = json.dumps({"tidegate_ping": True, "routes": list(names)})
        try:
            answer = self._functions.invoke(FunctionName=function, Payload=event.encode())
            said = json.loads(answer["Payload"].read())
        except (ClientError, BotoCoreError, ValueError) as error:
            logger.error(
                "self-test: a function does not answer", function=function, cause=str(error)
            )
            return None
        if "FunctionError" in answer or not isinstance(said, dict) or "routes" not in said:
            logger.error("self-test: a function does not start", function=function)
            return None
        return Pong(str(said["domain"]), said["routes"], said.get("answers", {}))
