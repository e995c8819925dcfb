"""DynamoDB's answers read in the short way are what botocore reads (performance.md, issue 1253)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.parsers import JSONParser, ResponseParser
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st
from tidegate_kit.dynamo import Store
from tidegate_kit.dynamo_answers import ItemsParser

NAMES = st.sampled_from(["pk", "B", "BS", "M", 'é"B"', "x"])
SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, st.text() | st.sampled_from(["B", '"B":', "BS"])),
    st.builds(lambda number: {"N": str(number)}, st.integers()),
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"SS": texts}, st.lists(st.text(min_size=1), min_size=1)),
    st.builds(lambda data: {"B": base64.b64encode(data).decode()}, st.binary()),
    st.builds(
        lambda many: {"BS": [base64.b64encode(data).decode() for data in many]},
        st.lists(st.binary(min_size=1), min_size=1),
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda items: {"L": items}, st.lists(inner, max_size=3)),
        st.builds(lambda items: {"M": items}, st.dictionaries(NAMES, inner, max_size=3)),
    ),
    max_leaves=8,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=4)
MODEL = get_session().get_service_model("dynamodb")


def read(parser: JSONParser, operation: str, body: Any, status: int = 200) -> Any:
    """What a parser makes of an answer."""
    response = {
        "status_code": status,
        "headers": {"x-amzn-requestid": "r-1"},
        "body": json.dumps(body).encode(),
    }
    shape: Any = MODEL.operation_model(operation).output_shape
    return parser.parse(response, shape)


@settings(max_examples=150)
@given(items=st.lists(ITEMS, max_size=4))
def test_items_are_read_as_botocore_reads_them(items: list[dict[str, Any]]) -> None:
    """Binary values, names that look like them and texts that quote them included."""
    usage = {"TableName": "x", "CapacityUnits": 0.5}
    first = items[0] if items else {}
    answers = {
        "Query": {"Items": items, "Count": len(items), "LastEvaluatedKey": first},
        "Scan": {"Items": items, "ScannedCount": 7, "ConsumedCapacity": usage},
        "GetItem": {"Item": first} if first else {},
        "BatchGetItem": {"Responses": {"x": items}, "UnprocessedKeys": {}},
        "TransactGetItems": {"Responses": [{"Item": item} for item in items] + [{}]},
        "UpdateItem": {"Attributes": first},
        "PutItem": {"ItemCollectionMetrics": {"SizeEstimateRangeGB": [0.0, 1.0]}},
        "DescribeTable": {"Table": {"TableName": "x", "CreationDateTime": 1.7e9}},
    }
    for operation, body in answers.items():
        assert read(ItemsParser(), operation, body) == read(JSONParser(), operation, body)


@pytest.mark.parametrize("operation", ["TransactWriteItems", "PutItem"])
def test_errors_are_read_as_botocore_reads_them(operation: str) -> None:
    """Codes, messages and the reasons of a cancelled transaction."""
    body = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "cancelled",
        "CancellationReasons": [{"Code": "ConditionalCheckFailed", "Item": {"pk": {"B": "eA=="}}}],
    }
    theirs = read(JSONParser(), operation, body, 400)
    assert read(ItemsParser(), operation, body, 400) == theirs
    assert theirs["Error"]["Code"] == "TransactionCanceledException"


def test_the_store_s_client_reads_so() -> None:
    """What is proved here is what the store's client uses."""
    client: Any = Store("prefix", "eu-west-1").connection.client
    assert isinstance(client._endpoint._response_parser_factory.create_parser("json"), ItemsParser)


def test_the_values_of_items_are_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason for the parser: no call per value, unless a binary value is among them."""
    walked: list[Any] = []
    real: Any = vars(ResponseParser)["_parse_shape"]

    def counting(self: Any, shape: Any, node: Any) -> Any:
        walked.append(node)
        return real(self, shape, node)

    monkeypatch.setattr(ResponseParser, "_parse_shape", counting)
    read(ItemsParser(), "Query", {"Items": [{"pk": {"S": "x"}}], "Count": 1})
    assert walked == []
    read(ItemsParser(), "Query", {"Items": [{"pk": {"B": "eA=="}}], "Count": 1})
    assert walked
