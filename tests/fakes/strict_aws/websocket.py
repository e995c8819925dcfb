"""WebSocket API management: known connections, GoneException, 128 KB messages.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.fakes.strict_aws.call import OK, BaseRule, Call

MAX_MESSAGE = 128 * 1024


class WebSockets(BaseRule):
    """The sockets that are open, and what was posted to each."""

    def __init__(self) -> None:
        self.connections: set[str] = set()
        self.messages: dict[str, list[bytes]] = defaultdict(list)
        self.closed: list[str] = []

    def connect(self, *connection_ids: str) -> None:
        """Opens sockets with these ids."""
        self.connections.update(connection_ids)

    def disconnect(self, *connection_ids: str) -> None:
        """Drops sockets, as a client that vanished does: posts are Gone from now on."""
        self.connections.difference_update(connection_ids)

    def json_messages(self, connection_id: str) -> list[Any]:
        """What one socket received, parsed."""
        return [json.loads(data) for data in self.messages[connection_id]]

    def before(self, call: Call) -> Mapping[str, Any] | None:
        """Answers PostToConnection, GetConnection and DeleteConnection."""
        if call.service != "apigatewaymanagementapi":
            return None
        connection_id = call.params.get("ConnectionId")
        if not isinstance(connection_id, str):
            return None
        data = call.params.get("Data", b"")
        data = data.read() if hasattr(data, "read") else data
        data = data.encode() if isinstance(data, str) else bytes(data)
        if len(data) > MAX_MESSAGE:
            raise call.error("PayloadTooLargeException", "Message too long", 413)
        if connection_id not in self.connections:
            raise call.error("GoneException", "", 410)
        if call.operation == "PostToConnection":
            self.messages[connection_id].append(data)
        elif call.operation == "DeleteConnection":
            self.connections.discard(connection_id)
            self.closed.append(connection_id)
        return dict(OK)
