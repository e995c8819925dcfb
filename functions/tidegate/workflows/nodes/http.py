"""http: one outbound request through the SSRF-safe client (INT-7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from tidegate.workflows.graph.parse import too_deep
from tidegate.workflows.nodes.base import Done, Effect, NodeData, NodeType
from tidegate.workflows.nodes.context import NodeContext
from tidegate.workflows.nodes.errors import StepError
from tidegate.workflows.nodes.fields import OPEN, JsonMap, ShortText, Text, TextMap
from tidegate.workflows.nodes.ports import HttpRequest, needed

# Foreign JSON is walked later (secrets hidden, paths looked up): its depth is bounded here.
_MAX_BODY_DEPTH: Final = 100

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
Status = Annotated[int, Field(ge=100, le=599)]


class HttpData(NodeData):
    """`expect_status`: the answers that count as success; any 2xx when absent."""

    method: Method
    url: Text
    headers: TextMap | None = None
    query: JsonMap | None = None
    body: Any = None
    account_id: ShortText | None = None
    expect_status: (
        Annotated[Status | Annotated[list[Status], Field(min_length=1, max_length=50)], OPEN] | None
    ) = None


class HttpNode(NodeType[HttpData]):
    """An effect, except GET and HEAD."""

    name = "http"
    data_model = HttpData

    def effect(self, data: Mapping[str, Any]) -> Effect:
        """By method."""
        return Effect.READ if data.get("method") in ("GET", "HEAD") else Effect.EFFECT

    def check(self, data: HttpData) -> list[tuple[str, str]]:
        """The scheme, when it is not a template."""
        if "{{" in data.url[:8] or data.url.startswith(("https://", "http://")):
            return []
        return [("url", "must start with https://")]

    def sample(self, data: HttpData) -> Done:
        """The expected status and an empty answer."""
        expected = _expected(data)
        return Done({"status": expected[0] if expected else 200, "headers": {}, "body": {}})

    def summary(self, data: HttpData) -> str:
        """Method and address, without the query."""
        return f"{data.method} {data.url.split('?', 1)[0][:200]}"

    def run(self, context: NodeContext[HttpData]) -> Done:
        """[status, headers, body]. 429 and 5xx that are not expected may be retried."""
        data = context.data
        request = HttpRequest(
            method=data.method,
            url=data.url,
            headers=data.headers or {},
            query=data.query or {},
            body=data.body,
            account_id=data.account_id,
            timeout_seconds=data.timeout_seconds,
        )
        client = needed(context.ports.http, "HTTP client")
        answer = client.call(request, effect_key=context.effect_key)
        expected = _expected(data)
        if answer.status not in expected if expected else not 200 <= answer.status < 300:
            raise StepError(
                f"HTTP_{answer.status}",
                f"The answer's status {answer.status} was not expected.",
                retryable=answer.status == 429 or answer.status >= 500,
            )
        if isinstance(answer.body, dict | list) and too_deep(answer.body, _MAX_BODY_DEPTH):
            raise StepError("INVALID_ANSWER", f"The answer nests deeper than {_MAX_BODY_DEPTH}.")
        return Done({"status": answer.status, "headers": answer.headers, "body": answer.body})


def _expected(data: HttpData) -> list[int]:
    if data.expect_status is None or isinstance(data.expect_status, str):
        return []
    return [data.expect_status] if isinstance(data.expect_status, int) else data.expect_status
