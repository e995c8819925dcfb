"""The strict double: accounts, sessions, gates, replay tokens, sockets and index lag."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.fakes.races import race
from tests.fakes.strict_aws import Account, StrictAws, allow, deny, strict_aws, trust

CUSTOMER = "222222222222"


@pytest.fixture
def aws() -> Iterator[StrictAws]:
    with strict_aws() as strict:
        yield strict


@pytest.fixture
def customer(aws: StrictAws) -> Account:
    return aws.account(CUSTOMER)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def assume(role_arn: str, session: boto3.Session | None = None, **params: Any) -> boto3.Session:
    client = (session or boto3.Session()).client("sts")
    credentials = client.assume_role(RoleArn=role_arn, **{"RoleSessionName": "tenant-1", **params})[
        "Credentials"
    ]
    return boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name="us-east-1",
    )


def test_the_external_id_decides(aws: StrictAws, customer: Account) -> None:
    role = customer.create_role("r", trust(aws.platform.account_id, "right"))
    assume(role, ExternalId="right")
    attempts: list[dict[str, Any]] = [{}, {"ExternalId": "other"}]
    for wrong in attempts:
        with pytest.raises(ClientError) as error:
            assume(role, **wrong)
        assert code(error) == "AccessDenied"


def test_a_session_belongs_to_the_customer_account(aws: StrictAws, customer: Account) -> None:
    customer.client("s3").create_bucket(Bucket="theirs")
    role = customer.create_role("r", trust(aws.platform.account_id), {"p": allow("s3:List*")})
    session = assume(role)
    identity = session.client("sts").get_caller_identity()
    assert identity["Account"] == CUSTOMER
    assert identity["Arn"] == f"arn:aws:sts::{CUSTOMER}:assumed-role/r/tenant-1"
    buckets = session.client("s3").list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in buckets] == ["theirs"]
    assert boto3.client("s3").list_buckets()["Buckets"] == []


def test_role_policy_and_session_policy_both_limit(aws: StrictAws, customer: Account) -> None:
    role = customer.create_role(
        "r", trust(aws.platform.account_id), {"p": allow(["ec2:Describe*", "ec2:CreateVolume"])}
    )
    ec2 = assume(role).client("ec2")
    ec2.describe_volumes()
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    with pytest.raises(ClientError) as error:
        ec2.delete_volume(VolumeId=volume)
    assert code(error) == "UnauthorizedOperation"
    assert "ec2:DeleteVolume" in str(error.value)
    narrow = assume(role, Policy=json.dumps(allow("ec2:DescribeVolumes"))).client("ec2")
    narrow.describe_volumes()
    with pytest.raises(ClientError, match="no session policy allows"):
        narrow.describe_snapshots()
    # A session policy grants nothing by itself.
    wide = assume(role, Policy=json.dumps(allow("*"))).client("ec2")
    with pytest.raises(ClientError, match="no identity-based policy"):
        wide.delete_volume(VolumeId=volume)


def test_a_resource_scoped_session_policy_names_one_volume(
    aws: StrictAws, customer: Account
) -> None:
    role = customer.create_role("r", trust(aws.platform.account_id), {"p": allow("ec2:*")})
    ec2 = customer.client("ec2")
    one, two = (
        ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"] for _ in range(2)
    )
    arn = f"arn:aws:ec2:us-east-1:{CUSTOMER}:volume/{one}"
    session = assume(role, Policy=json.dumps(allow("ec2:DeleteVolume", arn))).client("ec2")
    with pytest.raises(ClientError) as error:
        session.delete_volume(VolumeId=two)
    assert code(error) == "UnauthorizedOperation"
    session.delete_volume(VolumeId=one)
    assert [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]] == [two]


def test_leading_keys_confine_a_tagged_session(aws: StrictAws) -> None:
    platform = aws.platform
    dynamo = platform.client("dynamodb")
    for name in ("data", "other"):
        dynamo.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
    policy = allow(
        ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:BatchGetItem"],
        "arn:aws:dynamodb:*:*:table/data",
        **{
            "ForAllValues:StringLike": {
                "dynamodb:LeadingKeys": [
                    "T#${aws:PrincipalTag/tenant}",
                    "T#${aws:PrincipalTag/tenant}#*",
                ]
            }
        },
    )
    both = ["sts:AssumeRole", "sts:TagSession"]
    role = platform.create_role("data", trust(platform.account_id, actions=both), {"p": policy})
    session = assume(role, Tags=[{"Key": "tenant", "Value": "a"}])
    scoped = session.client("dynamodb")

    def key(tenant: str) -> dict[str, Any]:
        return {"pk": {"S": f"T#{tenant}"}, "sk": {"S": "1"}}

    scoped.put_item(TableName="data", Item=key("a"))
    scoped.get_item(TableName="data", Key=key("a"))
    query: Any = {
        "TableName": "data",
        "KeyConditionExpression": "#p = :p AND begins_with(sk, :s)",
        "ExpressionAttributeNames": {"#p": "pk"},
    }
    scoped.query(**query, ExpressionAttributeValues={":p": {"S": "T#a"}, ":s": {"S": "1"}})
    table = session.resource("dynamodb").Table("data")
    table.put_item(Item={"pk": "T#a#deep", "sk": "2"})
    refused: list[Any] = [
        lambda: scoped.put_item(TableName="data", Item=key("b")),
        lambda: scoped.get_item(TableName="data", Key=key("b")),
        lambda: scoped.get_item(TableName="other", Key=key("a")),
        lambda: scoped.query(
            **query, ExpressionAttributeValues={":p": {"S": "T#b"}, ":s": {"S": "1"}}
        ),
        lambda: scoped.batch_get_item(RequestItems={"data": {"Keys": [key("a"), key("b")]}}),
        lambda: scoped.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "data", "Item": key("a")}},
                {"Put": {"TableName": "data", "Item": key("b")}},
            ]
        ),
        lambda: scoped.scan(TableName="data"),
        lambda: table.put_item(Item={"pk": "T#b", "sk": "2"}),
    ]
    for attempt in refused:
        with pytest.raises(ClientError) as error:
            attempt()
        assert code(error) == "AccessDeniedException"
    # Session tags need sts:TagSession in the trust policy.
    platform.set_trust("data", trust(platform.account_id))
    with pytest.raises(ClientError) as error:
        assume(role, Tags=[{"Key": "tenant", "Value": "a"}])
    assert code(error) == "AccessDenied"


def test_credentials_end(aws: StrictAws, customer: Account) -> None:
    role = customer.create_role("r", trust(aws.platform.account_id))
    first, second, third = (assume(role) for _ in range(3))
    aws.revoke(str(first.get_credentials().access_key))  # type: ignore[union-attr]
    with pytest.raises(ClientError) as error:
        first.client("sts").get_caller_identity()
    assert code(error) == "InvalidClientTokenId"
    start = aws.now()
    aws.set_clock(lambda: start + dt.timedelta(hours=1, seconds=1))
    with pytest.raises(ClientError) as error:
        second.client("sts").get_caller_identity()
    assert code(error) == "ExpiredToken"
    aws.set_clock(lambda: start)
    customer.delete_role("r")
    with pytest.raises(ClientError) as error:
        third.client("sts").get_caller_identity()
    assert code(error) == "InvalidClientTokenId"


def test_user_keys_are_checked(aws: StrictAws, customer: Account) -> None:
    key, secret = customer.create_user("ci", {"p": allow("s3:ListAllMyBuckets")})

    def client(service: str, **changes: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            **{"aws_access_key_id": key, "aws_secret_access_key": secret, **changes},
        )

    assert client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{CUSTOMER}:user/ci"
    client("s3").list_buckets()
    with pytest.raises(ClientError) as error:
        client("ec2").describe_volumes()
    assert code(error) == "UnauthorizedOperation"
    with pytest.raises(ClientError) as error:
        client("sts", aws_secret_access_key="wrong").get_caller_identity()
    assert code(error) == "SignatureDoesNotMatch"
    with pytest.raises(ClientError) as error:
        client("sts", aws_access_key_id="AKIA0000000000000000").get_caller_identity()
    assert code(error) == "InvalidClientTokenId"
    customer.client("iam").update_access_key(UserName="ci", AccessKeyId=key, Status="Inactive")
    with pytest.raises(ClientError) as error:
        client("dynamodb").list_tables()
    assert code(error) == "UnrecognizedClientException"


def test_service_control_policy(aws: StrictAws, customer: Account) -> None:
    role = customer.create_role("r", trust(aws.platform.account_id), {"p": allow("*")})
    session = assume(role)
    scp = deny("ec2:*", StringEquals={"aws:RequestedRegion": "eu-west-1"})
    aws.organization_policy(CUSTOMER, scp)
    session.client("ec2", region_name="us-east-1").describe_volumes()
    with pytest.raises(ClientError, match="explicit deny in a service control policy"):
        session.client("ec2", region_name="eu-west-1").describe_volumes()
    aws.organization_policy(CUSTOMER)
    session.client("ec2", region_name="eu-west-1").describe_volumes()


def test_only_the_named_role_is_trusted(aws: StrictAws, customer: Account) -> None:
    platform = aws.platform
    connector = platform.create_role(
        "connector", trust({"Service": "lambda.amazonaws.com"}), {"p": allow("sts:AssumeRole")}
    )
    stranger = platform.create_role(
        "stranger", trust({"Service": "lambda.amazonaws.com"}), {"p": allow("sts:AssumeRole")}
    )
    weak = platform.create_role("weak", trust({"Service": "lambda.amazonaws.com"}))
    role = customer.create_role("r", trust(connector, "id"))
    with pytest.raises(ClientError):
        assume(role, ExternalId="id")  # the account's root is not the role
    with pytest.raises(ClientError):
        assume(role, aws.session_of(stranger), ExternalId="id")
    chained = assume(role, aws.session_of(connector), ExternalId="id")
    assert chained.client("sts").get_caller_identity()["Account"] == CUSTOMER
    customer.set_trust("r", trust(weak, "id"))
    with pytest.raises(ClientError):
        assume(role, aws.session_of(weak), ExternalId="id")  # no permission of its own
    customer.set_trust("r", trust(connector, "id"))
    with pytest.raises(ClientError) as error:
        assume(role, aws.session_of(connector), ExternalId="id", DurationSeconds=3601)
    assert code(error) == "ValidationError"
    aws.act_as(connector)
    assume(role, ExternalId="id")


def test_sessions_can_be_asserted(aws: StrictAws, customer: Account) -> None:
    role = customer.create_role("r", trust(aws.platform.account_id, "id"))
    assume(role, ExternalId="id", Policy=json.dumps(allow("s3:Get*")), DurationSeconds=900)
    (session,) = aws.sessions
    assert (session.session_name, session.external_id) == ("tenant-1", "id")
    assert session.session_policies == [allow("s3:Get*")]
    assert session.expires_at - session.issued_at == dt.timedelta(minutes=15)


@pytest.fixture
def table(aws: StrictAws) -> Any:
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "mail", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-mail",
                "KeySchema": [{"AttributeName": "mail", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return client


def test_replay_token_counts_once(aws: StrictAws, table: Any) -> None:
    add = {
        "Update": {
            "TableName": "t",
            "Key": {"pk": {"S": "c"}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }

    def count() -> str:
        return str(table.get_item(TableName="t", Key={"pk": {"S": "c"}})["Item"]["n"]["N"])

    start = aws.now()
    aws.set_clock(lambda: start)
    for _ in range(3):
        table.transact_write_items(TransactItems=[add], ClientRequestToken="token")
    assert count() == "1"
    with pytest.raises(ClientError) as error:
        table.transact_write_items(TransactItems=[add, add], ClientRequestToken="token")
    assert code(error) == "IdempotentParameterMismatchException"
    aws.set_clock(lambda: start + dt.timedelta(minutes=10))
    table.transact_write_items(TransactItems=[add], ClientRequestToken="token")
    assert count() == "2"
    for _ in range(2):
        table.transact_write_items(TransactItems=[add])
    assert count() == "4"


def test_a_failed_transaction_is_not_remembered(table: Any) -> None:
    put = {
        "Put": {
            "TableName": "t",
            "Item": {"pk": {"S": "x"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }
    table.put_item(TableName="t", Item={"pk": {"S": "x"}})
    with pytest.raises(ClientError) as error:
        table.transact_write_items(TransactItems=[put], ClientRequestToken="token")
    assert code(error) == "TransactionCanceledException"
    table.delete_item(TableName="t", Key={"pk": {"S": "x"}})
    table.transact_write_items(TransactItems=[put], ClientRequestToken="token")


def test_pynamodb_goes_through_the_layer(aws: StrictAws, table: Any) -> None:
    from pynamodb.attributes import NumberAttribute, UnicodeAttribute
    from pynamodb.exceptions import PutError
    from pynamodb.models import Model

    class Row(Model):
        class Meta:
            table_name = "t"
            region = "us-east-1"

        pk = UnicodeAttribute(hash_key=True)
        n = NumberAttribute(null=True)

    Row("a", n=1).save()
    with pytest.raises(PutError, match="more than 38 significant digits"):
        Row("b", n=10**38 + 1).save()
    assert [row.pk for row in Row.scan()] == ["a"]
    assert ("dynamodb", "PutItem", aws.platform.account_id) in aws.calls


def test_index_lag_is_a_switch(aws: StrictAws, table: Any) -> None:
    def by_mail() -> int:
        return int(
            table.query(
                TableName="t",
                IndexName="by-mail",
                KeyConditionExpression="mail = :m",
                ExpressionAttributeValues={":m": {"S": "m"}},
            )["Count"]
        )

    table.put_item(TableName="t", Item={"pk": {"S": "1"}, "mail": {"S": "m"}})
    with aws.index_lag():
        table.put_item(TableName="t", Item={"pk": {"S": "2"}, "mail": {"S": "m"}})
        assert by_mail() == 1
        assert table.scan(TableName="t")["Count"] == 2
    assert by_mail() == 2


def test_first_conditional_write_wins_under_threads(table: Any) -> None:
    def put(worker: int, rnd: int) -> None:
        table.put_item(
            TableName="t",
            Item={"pk": {"S": f"k{rnd}"}, "by": {"N": str(worker)}},
            ConditionExpression="attribute_not_exists(pk)",
        )

    loser = table.exceptions.ConditionalCheckFailedException
    race(8, put, 15).assert_one_winner(loses_with=loser)


def test_sockets(aws: StrictAws) -> None:
    client = boto3.client(
        "apigatewaymanagementapi", endpoint_url="https://x.execute-api.us-east-1.amazonaws.com/s"
    )
    aws.websocket.connect("alive")
    client.post_to_connection(ConnectionId="alive", Data=b'{"a": 1}')
    assert aws.websocket.json_messages("alive") == [{"a": 1}]
    client.post_to_connection(ConnectionId="alive", Data=b"x" * 131_072)
    with pytest.raises(client.exceptions.PayloadTooLargeException):
        client.post_to_connection(ConnectionId="alive", Data=b"x" * 131_073)
    with pytest.raises(client.exceptions.GoneException) as error:
        client.post_to_connection(ConnectionId="dead", Data=b"x")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 410
    client.delete_connection(ConnectionId="alive")
    assert aws.websocket.closed == ["alive"]
    with pytest.raises(client.exceptions.GoneException):
        client.get_connection(ConnectionId="alive")


def test_tokens_of_declared_tasks(aws: StrictAws) -> None:
    client = boto3.client("stepfunctions")
    aws.stepfunctions.open_token("tok")
    client.send_task_heartbeat(taskToken="tok")
    client.send_task_success(taskToken="tok", output="{}")
    answer = aws.stepfunctions.answer("tok")
    assert answer is not None
    assert answer[0] == "SendTaskSuccess"
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken="tok", output="{}")
    with pytest.raises(client.exceptions.InvalidToken):
        client.send_task_failure(taskToken="never")


def test_state_machines_run_registered_functions() -> None:
    definition = {
        "StartAt": "Work",
        "States": {
            "Work": {
                "Type": "Task",
                "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work",
                "Next": "Wait",
            },
            "Wait": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {
                    "FunctionName": "work",
                    "Payload": {"token.$": "$$.Task.Token"},
                },
                "End": True,
            },
        },
    }
    tokens: list[str] = []
    asked = threading.Event()
    with strict_aws(execute_state_machines=True) as aws:

        def work(event: Any, context: Any) -> Any:
            boto3.client("dynamodb").list_tables()  # handlers may call AWS
            if "token" in event:
                tokens.append(event["token"])
                asked.set()
            return {"seen": event}

        aws.register_function("work", work)
        client = boto3.client("stepfunctions")
        machine = client.create_state_machine(
            name="m",
            definition=json.dumps(definition),
            roleArn="arn:aws:iam::123456789012:role/states",
        )["stateMachineArn"]
        run = client.start_execution(stateMachineArn=machine, name="e", input='{"a": 1}')
        assert asked.wait(10)
        client.send_task_success(taskToken=tokens[0], output='{"done": true}')
        for _ in range(200):
            state = client.describe_execution(executionArn=run["executionArn"])
            if state["status"] != "RUNNING":
                break
            threading.Event().wait(0.02)
        assert (state["status"], json.loads(state["output"])) == ("SUCCEEDED", {"done": True})
        with pytest.raises(client.exceptions.InvalidToken):
            client.send_task_success(taskToken="never", output="{}")


def test_a_function_that_uses_threads_does_not_hang(aws: StrictAws) -> None:
    def handler(event: Any, context: Any) -> int:
        counts: list[int] = []

        def work() -> None:
            counts.append(len(boto3.client("dynamodb").list_tables()["TableNames"]))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        return len(counts)

    aws.register_function("f", handler)
    payload, failure = aws.invoke("f", "{}")
    assert (payload, failure) == (b"4", None)
    role = aws.platform.create_role("fn", trust({"Service": "lambda.amazonaws.com"}))
    client = boto3.client("lambda")
    client.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Role=role,
        Handler="h.h",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
    )
    assert client.invoke(FunctionName="f", Payload=b"{}")["Payload"].read() == b"4"
