"""A transaction that fails rolls table and stream back, with the cheap snapshots too."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import dynamodb_backends

from tests.fakes.strict_aws import StrictAws

TABLE = "things"


@pytest.fixture
def table(strict_aws: StrictAws) -> str:
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.put_item(TableName=TABLE, Item={"pk": {"S": "a"}, "n": {"N": "1"}})
    return TABLE


def records() -> int:
    (tables,) = [regions["us-east-1"].tables for _, regions in dynamodb_backends.items()]
    shard = tables[TABLE].stream_shard
    assert shard is not None
    return len(shard.items)


def add_one(condition: str) -> None:
    boto3.client("dynamodb").transact_write_items(
        TransactItems=[
            {
                "Update": {
                    "TableName": TABLE,
                    "Key": {"pk": {"S": "a"}},
                    "UpdateExpression": "ADD n :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            },
            {
                "Put": {
                    "TableName": TABLE,
                    "Item": {"pk": {"S": "b"}},
                    "ConditionExpression": condition,
                }
            },
        ]
    )


def test_a_failed_transaction_leaves_nothing(table: str) -> None:
    client = boto3.client("dynamodb")
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        add_one("attribute_exists(pk)")
    assert client.scan(TableName=table)["Items"] == [{"pk": {"S": "a"}, "n": {"N": "1"}}]
    assert records() == 1
    client.put_item(TableName=table, Item={"pk": {"S": "c"}})
    assert records() == 2


def test_a_good_transaction_stays(table: str) -> None:
    add_one("attribute_not_exists(pk)")
    kept = boto3.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "a"}})
    assert kept["Item"]["n"] == {"N": "2"}
    assert records() == 3
