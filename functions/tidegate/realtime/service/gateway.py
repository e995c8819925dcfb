"""Writing to sockets through API Gateway's management API."""

from __future__ import annotations

from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tidegate_kit.errors import ServiceUnavailable

_GONE = frozenset({"GoneException", "NotFoundException", "410"})


class Gateway(Protocol):
    """Open sockets by connection id."""

    def post(self, connection_id: str, text: str) -> bool:
        """Send a frame; False if the connection is gone. Raises ServiceUnavailable."""

    def close(self, connection_id: str) -> None:
        """End a connection; one that is gone already is no error."""


class ApiGateway:
    """Gateway on a boto3 apigatewaymanagementapi client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def post(self, connection_id: str, text: str) -> bool:
        return self._call("post_to_connection", ConnectionId=connection_id, Data=text.encode())

    def close(self, connection_id: str) -> None:
        self._call("delete_connection", ConnectionId=connection_id)

    def _call(self, operation: str, **arguments: Any) -> bool:
        try:
            getattr(self._client, operation)(**arguments)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _GONE:
                return False
            raise ServiceUnavailable(log=f"{operation}: {error}") from error
        except BotoCoreError as error:
            raise ServiceUnavailable(log=f"{operation}: {error}") from error
        return True
