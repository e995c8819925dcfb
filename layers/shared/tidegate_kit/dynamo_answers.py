"""Reads DynamoDB's answers without walking every value of them.

botocore looks at each value of an answer beside its model, which costs more than all else of a
query (PynamoDB's issue 1253). In DynamoDB's JSON only binary values need it: whatever else items
hold is a string, a boolean, a list or a map, as `json.loads` gives it.
"""

from __future__ import annotations

from typing import Any, Final

from botocore.parsers import JSONParser, ResponseParserFactory
from botocore.session import Session

# Outputs that hold nothing but items, counts, capacities and metrics of collections.
_ITEMS: Final = frozenset(
    f"{operation}Output"
    for operation in (
        "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan",
        "BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems",
    )
)  # fmt: skip
# Names of the binary types. Within a text the quotes would be escaped; where a text or a name is
# just this, the long way is taken for nothing.
_BINARY: Final = (b'"B"', b'"BS"')


class ItemsParser(JSONParser):
    """botocore's parser, with a short way for answers that hold no binary value."""

    def _handle_json_body(self, raw_body: bytes, shape: Any) -> Any:
        if shape.name not in _ITEMS or any(mark in raw_body for mark in _BINARY):
            return super()._handle_json_body(raw_body, shape)  # type: ignore[misc]
        return self._parse_body_as_json(raw_body)  # type: ignore[attr-defined]


class _Factory(ResponseParserFactory):
    def create_parser(self, protocol_name: str) -> Any:
        if protocol_name == "json":
            return ItemsParser(**self._defaults)  # type: ignore[attr-defined]
        return super().create_parser(protocol_name)


def read_items_directly(session: Session) -> None:
    """Lets the clients that `session` makes from now on read answers in the short way."""
    session.register_component("response_parser_factory", _Factory())
