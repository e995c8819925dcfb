"""Tables and intrinsics are read from a template as CloudFormation would read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.fakes.cloudformation import Resolver, TemplateError, parse_template
from tests.fakes.tables import create_tables, dump_tables, empty_tables, load_tables

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  TablePrefix: {Type: String}
  Stage: {Type: String, Default: dev}
Mappings:
  Retention: {dev: {Days: 1}, prod: {Days: 35}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  NotProd: !Not [!Condition IsProd]
Resources:
  IdentityTable:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      TableName: !Sub "${TablePrefix}-identity"
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: pk, AttributeType: S}
        - {AttributeName: sk, AttributeType: S}
        - {AttributeName: email, AttributeType: S}
      KeySchema:
        - {AttributeName: pk, KeyType: HASH}
        - {AttributeName: sk, KeyType: RANGE}
      GlobalSecondaryIndexes:
        - IndexName: by-email
          KeySchema: [{AttributeName: email, KeyType: HASH}]
          Projection: {ProjectionType: ALL}
      TimeToLiveSpecification: {AttributeName: expires_at, Enabled: true}
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
      SSESpecification: !If [IsProd, {SSEEnabled: true, SSEType: KMS}, !Ref AWS::NoValue]
  ProdOnly:
    Type: AWS::DynamoDB::Table
    Condition: IsProd
    Properties:
      TableName: !Sub ["${TablePrefix}-${Name}", {Name: prod}]
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
Outputs:
  Arn: {Value: !GetAtt IdentityTable.Arn}
"""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


def test_tables_are_created_as_the_template_says(client: Any) -> None:
    specs = load_tables(parse_template(TEMPLATE), {"TablePrefix": "t1"})
    assert create_tables(client, specs) == {"IdentityTable": "t1-identity"}
    table = client.describe_table(TableName="t1-identity")["Table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by-email"]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    ttl = client.describe_time_to_live(TableName="t1-identity")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    recovery = client.describe_continuous_backups(TableName="t1-identity")
    assert (
        recovery["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"][
            "PointInTimeRecoveryStatus"
        ]
        == "ENABLED"
    )
    assert specs[0].partition_key == "pk"


def test_conditions_and_parameters_decide(client: Any) -> None:
    parameters = {"TablePrefix": "t2", "Stage": "prod"}
    specs = {s.logical_id: s for s in load_tables(parse_template(TEMPLATE), parameters)}
    assert specs["ProdOnly"].name == "t2-prod"
    assert specs["IdentityTable"].create["SSESpecification"] == {"Enabled": True, "SSEType": "KMS"}
    create_tables(client, specs.values())


def test_dump_and_empty(client: Any) -> None:
    specs = load_tables(parse_template(TEMPLATE), {"TablePrefix": "t3"})
    names = create_tables(client, specs).values()
    for sk in ("b", "a"):
        client.put_item(TableName="t3-identity", Item={"pk": {"S": "x"}, "sk": {"S": sk}})
    dump = dump_tables(client, names)
    assert [item["sk"]["S"] for item in dump["t3-identity"]] == ["a", "b"]
    empty_tables(client, specs)
    assert dump_tables(client, names) == {"t3-identity": []}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('!Join ["-", [a, !Ref Stage]]', "a-dev"),
        ("!Select [1, !Split [',', 'x,y']]", "y"),
        ("!FindInMap [Retention, !Ref Stage, Days]", 1),
        ("!If [NotProd, yes-value, no-value]", "yes-value"),
        ('!Sub "${!Literal}-${AWS::Region}-${IdentityTable.Arn}"', None),
        ("!GetAtt IdentityTable.Arn", "arn:table"),
    ],
)
def test_intrinsics(text: str, value: object) -> None:
    template = parse_template(TEMPLATE + f"\nProbe: {text}")
    resolver = Resolver(
        template, {"TablePrefix": "t"}, attributes={"IdentityTable.Arn": "arn:table"}
    )
    expected = "${Literal}-us-east-1-arn:table" if value is None else value
    assert resolver.resolve(template["Probe"]) == expected


@pytest.mark.parametrize("text", ["!Ref Nowhere", '!Sub "${Nowhere}"', "!GetAtt Nowhere.Arn"])
def test_unresolved_names_are_refused(text: str) -> None:
    template = parse_template(TEMPLATE + f"\nProbe: {text}")
    with pytest.raises(TemplateError, match="Nowhere"):
        Resolver(template, {"TablePrefix": "t"}).resolve(template["Probe"])


def test_a_missing_prefix_and_an_unknown_parameter_are_refused() -> None:
    with pytest.raises(TemplateError, match="TablePrefix"):
        load_tables(parse_template(TEMPLATE))
    with pytest.raises(TemplateError, match="Typo"):
        load_tables(parse_template(TEMPLATE), {"Typo": "x"})


def test_the_loader_builds_no_python_objects() -> None:
    assert parse_template("a: !!str x\nb: !python/object:os.system x")["b"] == {
        "Fn::python/object:os.system": "x"
    }
