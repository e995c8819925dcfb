"""What the strict double must get right: one case per fact of the real service.

Each fact names the AWS page that states it.  The summary prints ``fidelity n/n``.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.fakes.races import race
from tests.fakes.strict_aws import StrictAws, allow, deny, strict_aws, trust

CUSTOMER = "222222222222"
DYNAMODB = "amazondynamodb/latest/developerguide"


@dataclass(frozen=True)
class Fact:
    """One behaviour of AWS: the page that states it and the probe."""

    name: str
    source: str
    probe: Callable[[StrictAws], None]


FACTS: list[Fact] = []


def fact(source: str) -> Callable[[Callable[[StrictAws], None]], Callable[[StrictAws], None]]:
    """Registers a probe; ``source`` is a path below https://docs.aws.amazon.com/."""

    def register(probe: Callable[[StrictAws], None]) -> Callable[[StrictAws], None]:
        FACTS.append(Fact(probe.__name__, f"https://docs.aws.amazon.com/{source}", probe))
        return probe

    return register


def refused(code: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """The call must fail with this error code."""
    try:
        call(*args, **kwargs)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"{found} instead of {code}"
    else:
        raise AssertionError(f"{code} expected, but the call went through")


# ---------------------------------------------------------------- DynamoDB


def table() -> Any:
    """A table ``t`` with an index, and its client."""
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


def put(key: str, **attributes: Any) -> dict[str, Any]:
    """A transaction part that writes one row."""
    return {"Put": {"TableName": "t", "Item": {"pk": {"S": key}, **attributes}}}


def add_one(key: str = "counter", amount: str = "1") -> dict[str, Any]:
    """A transaction part that counts."""
    return {
        "Update": {
            "TableName": "t",
            "Key": {"pk": {"S": key}},
            "UpdateExpression": "ADD n :n",
            "ExpressionAttributeValues": {":n": {"N": amount}},
        }
    }


@fact(f"{DYNAMODB}/Constraints.html#limits-items")
def item_over_400_kb(aws: StrictAws) -> None:
    item = {"pk": {"S": "k"}, "v": {"S": "x" * 400 * 1024}}
    refused("ValidationException", table().put_item, TableName="t", Item=item)


@fact(f"{DYNAMODB}/Constraints.html#limits-items")
def update_growing_past_400_kb(aws: StrictAws) -> None:
    client = table()
    client.put_item(TableName="t", Item={"pk": {"S": "k"}, "v": {"S": "x" * 300 * 1024}})
    refused(
        "ValidationException",
        client.update_item,
        TableName="t",
        Key={"pk": {"S": "k"}},
        UpdateExpression="SET w = :w",
        ExpressionAttributeValues={":w": {"S": "x" * 110 * 1024}},
    )


@fact("amazondynamodb/latest/APIReference/API_TransactWriteItems.html")
def transaction_of_101_items(aws: StrictAws) -> None:
    items = [put(f"k{i}") for i in range(101)]
    refused("ValidationException", table().transact_write_items, TransactItems=items)


@fact("amazondynamodb/latest/APIReference/API_TransactWriteItems.html")
def one_item_twice_in_a_transaction(aws: StrictAws) -> None:
    items = [put("k"), add_one("k")]
    refused("ValidationException", table().transact_write_items, TransactItems=items)


@fact(f"{DYNAMODB}/HowItWorks.NamingRulesDataTypes.html")
def empty_key(aws: StrictAws) -> None:
    refused("ValidationException", table().put_item, TableName="t", Item={"pk": {"S": ""}})


@fact(f"{DYNAMODB}/Constraints.html#limits-partition-sort-keys")
def partition_key_over_2048_bytes(aws: StrictAws) -> None:
    item = {"pk": {"S": "k" * 2049}}
    refused("ValidationException", table().put_item, TableName="t", Item=item)


@fact("amazondynamodb/latest/APIReference/API_TransactWriteItems.html#DDB-ClientRequestToken")
def replayed_token_counts_once(aws: StrictAws) -> None:
    client = table()
    for _ in range(2):
        client.transact_write_items(TransactItems=[add_one()], ClientRequestToken="token")
    item = client.get_item(TableName="t", Key={"pk": {"S": "counter"}})["Item"]
    assert item["n"] == {"N": "1"}


@fact("amazondynamodb/latest/APIReference/API_TransactWriteItems.html#DDB-ClientRequestToken")
def token_with_other_parameters(aws: StrictAws) -> None:
    client = table()
    client.transact_write_items(TransactItems=[add_one()], ClientRequestToken="token")
    refused(
        "IdempotentParameterMismatchException",
        client.transact_write_items,
        TransactItems=[add_one(amount="2")],
        ClientRequestToken="token",
    )


@fact("amazondynamodb/latest/APIReference/API_BatchWriteItem.html")
def batch_of_26(aws: StrictAws) -> None:
    requests = [{"PutRequest": {"Item": {"pk": {"S": f"k{i}"}}}} for i in range(26)]
    refused("ValidationException", table().batch_write_item, RequestItems={"t": requests})


@fact(f"{DYNAMODB}/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number")
def number_of_39_digits(aws: StrictAws) -> None:
    client = table()
    good = {"pk": {"S": "k"}, "n": {"N": "1" * 38}}
    client.put_item(TableName="t", Item=good)
    bad = {"pk": {"S": "k"}, "n": {"N": "1" * 39}}
    refused("ValidationException", client.put_item, TableName="t", Item=bad)


@fact("amazondynamodb/latest/APIReference/API_TransactWriteItems.html")
def transaction_over_4_mb(aws: StrictAws) -> None:
    items = [put(f"k{i}", v={"S": "x" * 390 * 1024}) for i in range(11)]
    refused("ValidationException", table().transact_write_items, TransactItems=items)


@fact(f"{DYNAMODB}/Expressions.ExpressionAttributeValues.html")
def unused_expression_value(aws: StrictAws) -> None:
    refused(
        "ValidationException",
        table().put_item,
        TableName="t",
        Item={"pk": {"S": "k"}},
        ConditionExpression="attribute_not_exists(pk)",
        ExpressionAttributeValues={":unused": {"S": "x"}},
    )


@fact("amazondynamodb/latest/APIReference/API_Query.html#DDB-Query-request-ExclusiveStartKey")
def malformed_start_key(aws: StrictAws) -> None:
    client = table()
    start = {"pk": {"S": "k"}, "other": {"S": "x"}}
    refused("ValidationException", client.scan, TableName="t", ExclusiveStartKey=start)
    refused("ValidationException", client.scan, TableName="t", ExclusiveStartKey={"pk": {"N": "1"}})
    refused(
        "ValidationException",
        client.query,
        TableName="t",
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
        ExclusiveStartKey={"pk": {"S": "b"}},
    )


@fact(f"{DYNAMODB}/Constraints.html#limits-attributes")
def nesting_deeper_than_32(aws: StrictAws) -> None:
    def nested(depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {"S": "x"}
        for _ in range(depth):
            value = {"M": {"a": value}}
        return {"pk": {"S": "k"}, "v": value}

    client = table()
    client.put_item(TableName="t", Item=nested(32))
    refused("ValidationException", client.put_item, TableName="t", Item=nested(33))


@fact(f"{DYNAMODB}/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number")
def nan_is_not_a_number(aws: StrictAws) -> None:
    item = {"pk": {"S": "k"}, "n": {"N": "NaN"}}
    refused("ValidationException", table().put_item, TableName="t", Item=item)


@fact(f"{DYNAMODB}/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.SetTypes")
def empty_set(aws: StrictAws) -> None:
    item = {"pk": {"S": "k"}, "s": {"SS": []}}
    refused("ValidationException", table().put_item, TableName="t", Item=item)


@fact(f"{DYNAMODB}/HowItWorks.ReadConsistency.html")
def consistent_read_on_an_index(aws: StrictAws) -> None:
    refused(
        "ValidationException",
        table().query,
        TableName="t",
        IndexName="by-mail",
        ConsistentRead=True,
        KeyConditionExpression="mail = :m",
        ExpressionAttributeValues={":m": {"S": "x"}},
    )


@fact(f"{DYNAMODB}/howitworks-ttl.html")
def expired_rows_stay_readable_for_a_while(aws: StrictAws) -> None:
    client = table()
    client.update_time_to_live(
        TableName="t", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )
    client.put_item(TableName="t", Item={"pk": {"S": "k"}, "ttl": {"N": str(int(time.time()) - 9)}})
    assert "Item" in client.get_item(TableName="t", Key={"pk": {"S": "k"}})


@fact(f"{DYNAMODB}/Expressions.ConditionExpressions.html")
def first_conditional_put_wins(aws: StrictAws) -> None:
    client = table()

    def claim(worker: int, number: int) -> None:
        client.put_item(
            TableName="t",
            Item={"pk": {"S": f"k{number}"}},
            ConditionExpression="attribute_not_exists(pk)",
        )

    loser = client.exceptions.ConditionalCheckFailedException
    race(8, claim, 10).assert_one_winner(loses_with=loser)


@fact(f"{DYNAMODB}/GSI.html#GSI.Writes")
def index_reads_may_lag(aws: StrictAws) -> None:
    client = table()
    with aws.index_lag():
        client.put_item(TableName="t", Item={"pk": {"S": "k"}, "mail": {"S": "m"}})
        assert client.scan(TableName="t", IndexName="by-mail")["Count"] == 0
        assert client.scan(TableName="t")["Count"] == 1
    assert client.scan(TableName="t", IndexName="by-mail")["Count"] == 1


# ---------------------------------------------------------- Step Functions

PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})


def machine() -> tuple[Any, str]:
    """A client and the ARN of a state machine."""
    client = boto3.client("stepfunctions")
    created = client.create_state_machine(
        name="m", definition=PASS, roleArn="arn:aws:iam::123456789012:role/states"
    )
    return client, created["stateMachineArn"]


@fact("step-functions/latest/apireference/API_StartExecution.html")
def same_name_and_input_is_the_same_execution(aws: StrictAws) -> None:
    client, arn = machine()
    runs = [client.start_execution(stateMachineArn=arn, name="n", input="{}") for _ in range(2)]
    assert runs[0]["executionArn"] == runs[1]["executionArn"]
    assert len(client.list_executions(stateMachineArn=arn)["executions"]) == 1


@fact("step-functions/latest/apireference/API_StartExecution.html")
def same_name_with_other_input(aws: StrictAws) -> None:
    client, arn = machine()
    client.start_execution(stateMachineArn=arn, name="n", input="{}")
    other = {"stateMachineArn": arn, "name": "n", "input": '{"a": 1}'}
    refused("ExecutionAlreadyExists", client.start_execution, **other)


@fact("step-functions/latest/dg/service-quotas.html")
def execution_input_over_256_kb(aws: StrictAws) -> None:
    client, arn = machine()
    client.start_execution(stateMachineArn=arn, name="a", input=json.dumps("x" * 262_142))
    big = {"stateMachineArn": arn, "name": "b", "input": json.dumps("x" * 262_143)}
    refused("ValidationException", client.start_execution, **big)


@fact("step-functions/latest/dg/service-quotas.html")
def task_output_over_256_kb(aws: StrictAws) -> None:
    aws.stepfunctions.open_token("token")
    output = json.dumps("x" * 262_143)
    client = boto3.client("stepfunctions")
    refused("ValidationException", client.send_task_success, taskToken="token", output=output)


@fact("step-functions/latest/apireference/API_CreateStateMachine.html")
def invalid_state_machine_definition(aws: StrictAws) -> None:
    state = {"Type": "Pass", "Next": "Nowhere"}
    definition = json.dumps({"StartAt": "A", "States": {"A": state}})
    client = boto3.client("stepfunctions")
    arguments = {"name": "m", "definition": definition, "roleArn": "arn:aws:iam::1:role/x"}
    refused("InvalidDefinition", client.create_state_machine, **arguments)


@fact("step-functions/latest/apireference/API_SendTaskSuccess.html")
def unknown_task_token(aws: StrictAws) -> None:
    client = boto3.client("stepfunctions")
    refused("InvalidToken", client.send_task_success, taskToken="never", output="{}")


@fact("step-functions/latest/apireference/API_SendTaskSuccess.html")
def spent_task_token(aws: StrictAws) -> None:
    aws.stepfunctions.open_token("token")
    client = boto3.client("stepfunctions")
    client.send_task_success(taskToken="token", output="{}")
    refused("TaskTimedOut", client.send_task_failure, taskToken="token")


# --------------------------------------- KMS, SQS, EventBridge, S3 and others


def key() -> tuple[Any, str]:
    """A client and a key's id."""
    client = boto3.client("kms")
    return client, client.create_key()["KeyMetadata"]["KeyId"]


@fact("kms/latest/developerguide/encrypt_context.html")
def wrong_encryption_context(aws: StrictAws) -> None:
    client, key_id = key()
    blob = client.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"tenant": "a"})
    refused(
        "InvalidCiphertextException",
        client.decrypt,
        CiphertextBlob=blob["CiphertextBlob"],
        EncryptionContext={"tenant": "b"},
    )


@fact("kms/latest/developerguide/key-state.html")
def disabled_key(aws: StrictAws) -> None:
    client, key_id = key()
    blob = client.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    client.disable_key(KeyId=key_id)
    refused("DisabledException", client.encrypt, KeyId=key_id, Plaintext=b"x")
    refused("DisabledException", client.decrypt, CiphertextBlob=blob)
    refused("DisabledException", client.generate_data_key, KeyId=key_id, KeySpec="AES_256")
    client.enable_key(KeyId=key_id)
    client.decrypt(CiphertextBlob=blob)


@fact("kms/latest/APIReference/API_Encrypt.html")
def plaintext_over_4096_bytes(aws: StrictAws) -> None:
    client, key_id = key()
    client.encrypt(KeyId=key_id, Plaintext=b"x" * 4096)
    refused("ValidationException", client.encrypt, KeyId=key_id, Plaintext=b"x" * 4097)


@fact("AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html")
def queue_message_over_1_mib(aws: StrictAws) -> None:
    client = boto3.client("sqs")
    url = client.create_queue(QueueName="q")["QueueUrl"]
    body = "x" * (1024 * 1024 + 1)
    refused("InvalidParameterValue", client.send_message, QueueUrl=url, MessageBody=body)


@fact("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html")
def dead_letter_queue_after_the_count(aws: StrictAws) -> None:
    client = boto3.client("sqs")
    dead = client.create_queue(QueueName="dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": arn["Attributes"]["QueueArn"],
        "maxReceiveCount": "2",
    }
    url = client.create_queue(
        QueueName="q", Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "0"}
    )["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        assert client.receive_message(QueueUrl=url).get("Messages")
    assert not client.receive_message(QueueUrl=url).get("Messages")
    assert client.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "poison"


@fact("eventbridge/latest/APIReference/API_PutEvents.html")
def eleven_events_in_one_call(aws: StrictAws) -> None:
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}"}
    refused("ValidationException", boto3.client("events").put_events, Entries=[entry] * 11)


@fact("eventbridge/latest/APIReference/API_PutEventsResultEntry.html")
def event_detail_that_is_not_json(aws: StrictAws) -> None:
    entries: Any = [{"Source": "s", "DetailType": "d", "Detail": "not json"}]
    answer = boto3.client("events").put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "MalformedDetail"


def schedule(**changes: Any) -> dict[str, Any]:
    """Arguments of CreateSchedule."""
    return {
        "Name": "s",
        "ScheduleExpression": "rate(5 minutes)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
        },
        **changes,
    }


@fact("scheduler/latest/APIReference/API_CreateSchedule.html")
def schedule_of_the_same_name(aws: StrictAws) -> None:
    client = boto3.client("scheduler")
    client.create_schedule(**schedule())
    refused("ConflictException", client.create_schedule, **schedule())


@fact("scheduler/latest/UserGuide/schedule-types.html")
def bad_schedule_expression(aws: StrictAws) -> None:
    client = boto3.client("scheduler")
    good = ["cron(0 9 ? * MON-FRI *)", "cron(0/5 * L * ? *)", "rate(1 hours)", "rate(1 hour)"]
    for number, text in enumerate([*good, "at(2030-01-31T10:00:00)", "cron(0 0 ? 1 6#3 2030)"]):
        client.create_schedule(**schedule(Name=f"s{number}", ScheduleExpression=text))
    for text in (
        "cron(0 9 * * *)",
        "cron(60 9 ? * * *)",
        "cron(0 9 * * * *)",
        "cron(0 9 ? * ? *)",
        "cron(0 9 ? * FOO *)",
        "rate(0 minutes)",
        "rate(5 seconds)",
        "at(2030-02-30T10:00:00)",
        "every day",
        "",
    ):
        bad = schedule(Name="bad", ScheduleExpression=text)
        refused("ValidationException", client.create_schedule, **bad)


@fact("scheduler/latest/APIReference/API_CreateSchedule.html")
def bad_schedule_zone(aws: StrictAws) -> None:
    client = boto3.client("scheduler")
    client.create_schedule(**schedule(ScheduleExpressionTimezone="Europe/Berlin"))
    bad = schedule(Name="b", ScheduleExpressionTimezone="Mars/Olympus")
    refused("ValidationException", client.create_schedule, **bad)


@fact("secretsmanager/latest/userguide/reference_limits.html")
def secret_over_64_kb(aws: StrictAws) -> None:
    client = boto3.client("secretsmanager")
    client.create_secret(Name="a", SecretString="x" * 65_536)
    refused("ValidationException", client.create_secret, Name="b", SecretString="x" * 65_537)
    refused(
        "ValidationException", client.put_secret_value, SecretId="a", SecretBinary=b"x" * 65_537
    )


@fact("AmazonS3/latest/userguide/conditional-writes.html")
def conditional_write_on_an_existing_object(aws: StrictAws) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="k", Body=b"1", IfNoneMatch="*")
    again = {"Bucket": "bucket", "Key": "k", "Body": b"2", "IfNoneMatch": "*"}
    refused("PreconditionFailed", client.put_object, **again)


def sockets() -> Any:
    """A WebSocket management client."""
    endpoint = "https://abc.execute-api.us-east-1.amazonaws.com/stage"
    return boto3.client("apigatewaymanagementapi", endpoint_url=endpoint)


@fact("apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html")
def post_to_an_unknown_connection(aws: StrictAws) -> None:
    refused("GoneException", sockets().post_to_connection, ConnectionId="c", Data=b"x")


@fact("apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html")
def socket_message_over_128_kb(aws: StrictAws) -> None:
    aws.websocket.connect("c")
    client = sockets()
    client.post_to_connection(ConnectionId="c", Data=b"x" * 131_072)
    big = {"ConnectionId": "c", "Data": b"x" * 131_073}
    refused("PayloadTooLargeException", client.post_to_connection, **big)


# -------------------------------------------------------------- STS and IAM


def customer_role(aws: StrictAws, *policies: Any, external_id: str | None = "right") -> str:
    """A role in the customer's account that trusts the platform."""
    named = {f"p{number}": policy for number, policy in enumerate(policies)}
    trusting = trust(aws.platform.account_id, external_id)
    return aws.account(CUSTOMER).create_role("r", trusting, named)


def assume(role: str, sts: Any = None, **arguments: Any) -> dict[str, Any]:
    """Credentials of a session, as keyword arguments of ``boto3.client``."""
    arguments = {"RoleSessionName": "tenant", "ExternalId": "right", **arguments}
    granted = (sts or boto3.client("sts")).assume_role(RoleArn=role, **arguments)["Credentials"]
    return {
        "aws_access_key_id": granted["AccessKeyId"],
        "aws_secret_access_key": granted["SecretAccessKey"],
        "aws_session_token": granted["SessionToken"],
    }


@fact("STS/latest/APIReference/API_AssumeRole.html")
def role_that_does_not_exist(aws: StrictAws) -> None:
    refused("AccessDenied", assume, f"arn:aws:iam::{CUSTOMER}:role/nobody")


@fact("IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html")
def wrong_external_id(aws: StrictAws) -> None:
    role = customer_role(aws)
    assume(role)
    refused("AccessDenied", assume, role, ExternalId="other")


@fact("IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html")
def no_external_id(aws: StrictAws) -> None:
    role = customer_role(aws)
    sts = boto3.client("sts")
    refused("AccessDenied", sts.assume_role, RoleArn=role, RoleSessionName="tenant")


@fact("IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html")
def superfluous_external_id_is_ignored(aws: StrictAws) -> None:
    assume(customer_role(aws, external_id=None), ExternalId="anything")


@fact(
    "IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html"
)
def trust_conditions_that_protect_nothing(aws: StrictAws) -> None:
    role = customer_role(aws)
    random_id = "3d0c5f1e9a"
    for condition in (
        {"StringLike": {"sts:ExternalId": "*"}},
        {"Null": {"sts:ExternalId": "false"}},
        {"StringEqualsIfExists": {"sts:ExternalId": random_id}},
        {"ForAllValues:StringEquals": {"sts:ExternalId": random_id}},
        {"StringNotEquals": {"sts:ExternalId": "other"}},
    ):
        trusting = trust(aws.platform.account_id, condition=condition)
        aws.account(CUSTOMER).set_trust("r", trusting)
        assume(role, ExternalId=random_id)


@fact("STS/latest/APIReference/CommonErrors.html")
def unknown_access_key(aws: StrictAws) -> None:
    bogus: Any = {"aws_access_key_id": "AKIA" + "Z" * 16, "aws_secret_access_key": "x" * 40}
    refused("InvalidClientTokenId", boto3.client("sts", **bogus).get_caller_identity)


@fact("AWSEC2/latest/APIReference/errors-overview.html")
def ec2_call_without_permission(aws: StrictAws) -> None:
    client: Any = boto3.client("ec2", **assume(customer_role(aws, allow("s3:*"))))
    refused("UnauthorizedOperation", client.describe_instances)


@fact("STS/latest/APIReference/API_AssumeRole.html")
def malformed_session_policy(aws: StrictAws) -> None:
    role = customer_role(aws)
    for text in ("{", "{}", '{"Statement": [{"Effect": "Allow"}]}', json.dumps(trust("*"))):
        refused("MalformedPolicyDocument", assume, role, Policy=text)


@fact("STS/latest/APIReference/API_AssumeRole.html")
def session_policy_over_2048_characters(aws: StrictAws) -> None:
    text = json.dumps(allow("s3:GetObject", "arn:aws:s3:::" + "b" * 2_000))
    refused("ValidationError", assume, customer_role(aws), Policy=text)


@fact("STS/latest/APIReference/API_AssumeRole.html")
def session_longer_than_12_hours(aws: StrictAws) -> None:
    refused("ValidationError", assume, customer_role(aws), DurationSeconds=43_201)


@fact("IAM/latest/UserGuide/id_roles_update-role-settings.html")
def session_longer_than_the_role_allows(aws: StrictAws) -> None:
    refused("ValidationError", assume, customer_role(aws), DurationSeconds=3_601)


@fact("IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining")
def chained_session_longer_than_an_hour(aws: StrictAws) -> None:
    both = {"p": allow("sts:AssumeRole")}
    first = aws.platform.create_role("a", trust(aws.platform.account_id), both)
    second = aws.platform.create_role("b", trust(first), MaxSessionDuration=7_200)
    sts: Any = boto3.client("sts", **assume(first))
    assume(second, sts, DurationSeconds=3_600)
    refused("ValidationError", assume, second, sts, DurationSeconds=3_601)


@fact("IAM/latest/UserGuide/access_policies.html#policies_session")
def session_policy_only_narrows(aws: StrictAws) -> None:
    role = customer_role(aws, allow(["s3:ListAllMyBuckets", "s3:CreateBucket"]))
    narrow: Any = boto3.client(
        "s3", **assume(role, Policy=json.dumps(allow("s3:ListAllMyBuckets")))
    )
    narrow.list_buckets()
    refused("AccessDenied", narrow.create_bucket, Bucket="bucket")
    wide: Any = boto3.client("ec2", **assume(role, Policy=json.dumps(allow("*"))))
    refused("UnauthorizedOperation", wide.describe_instances)


@fact("IAM/latest/UserGuide/id_credentials_temp_use-resources.html")
def expired_session(aws: StrictAws) -> None:
    credentials = assume(customer_role(aws))
    later = aws.now() + dt.timedelta(hours=1, seconds=1)
    aws.set_clock(lambda: later)
    refused("ExpiredToken", boto3.client("sts", **credentials).get_caller_identity)


@fact("IAM/latest/UserGuide/id_roles_manage_delete.html")
def session_of_a_deleted_role(aws: StrictAws) -> None:
    credentials = assume(customer_role(aws))
    aws.account(CUSTOMER).delete_role("r")
    refused("InvalidClientTokenId", boto3.client("sts", **credentials).get_caller_identity)


@fact("IAM/latest/UserGuide/id_roles_use_revoke-sessions.html")
def older_sessions_revoked_by_issue_time(aws: StrictAws) -> None:
    credentials = assume(customer_role(aws, allow("s3:*")))
    client: Any = boto3.client("s3", **credentials)
    client.list_buckets()
    cut = (aws.now() + dt.timedelta(seconds=1)).isoformat()
    revoke = deny("*", DateLessThan={"aws:TokenIssueTime": cut})
    aws.account(CUSTOMER).put_role_policy("r", "revoke", revoke)
    refused("AccessDenied", client.list_buckets)


@fact("IAM/latest/UserGuide/id_session-tags.html")
def session_tags_need_their_own_permission(aws: StrictAws) -> None:
    role = customer_role(aws)
    tags = [{"Key": "tenant", "Value": "a"}]
    refused("AccessDenied", assume, role, Tags=tags)
    actions = ["sts:AssumeRole", "sts:TagSession"]
    aws.account(CUSTOMER).set_trust("r", trust(aws.platform.account_id, "right", actions=actions))
    assume(role, Tags=tags)


@fact(f"{DYNAMODB}/specifying-conditions.html")
def leading_keys_confine_a_session(aws: StrictAws) -> None:
    table()
    mine = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "${aws:PrincipalTag/tenant}"}}
    actions = ["sts:AssumeRole", "sts:TagSession"]
    role = aws.platform.create_role(
        "data",
        trust(aws.platform.account_id, actions=actions),
        {"p": allow("dynamodb:GetItem", "arn:aws:dynamodb:*:*:table/t", **mine)},
    )
    tags = [{"Key": "tenant", "Value": "a"}]
    client: Any = boto3.client("dynamodb", **assume(role, Tags=tags))
    client.get_item(TableName="t", Key={"pk": {"S": "a"}})
    foreign = {"TableName": "t", "Key": {"pk": {"S": "b"}}}
    refused("AccessDeniedException", client.get_item, **foreign)


# ------------------------------------------------------------------- tests


@pytest.mark.parametrize("case", FACTS, ids=lambda case: case.name)
def test_the_strict_double_is_right(
    case: Fact, record_property: Callable[[str, object], None]
) -> None:
    """The double answers as the cited page says."""
    record_property("tally", "fidelity")
    with strict_aws() as aws:
        case.probe(aws)


def test_the_facts_are_many_and_cited() -> None:
    """At least the 42 measured facts, each with its own name and source."""
    assert len(FACTS) >= 42
    assert len({case.name for case in FACTS}) == len(FACTS)
    assert all(case.source.endswith(".html") or ".html#" in case.source for case in FACTS)


def test_moto_alone_is_wrong_on_many() -> None:
    """Without its rules the double fails the facts that the strict layer is for."""
    wrong = []
    for case in FACTS:
        with strict_aws() as aws:
            aws.rules.clear()
            try:
                case.probe(aws)
            except Exception:
                wrong.append(case.name)
    assert len(wrong) >= 23, wrong
    assert {"wrong_external_id", "batch_of_26", "unknown_task_token"} <= set(wrong)
