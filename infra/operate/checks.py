"""The checks of `make aws-check`, one function each."""

from __future__ import annotations

import json
import uuid
from typing import Any

from botocore.exceptions import ClientError

from infra.operate.awscheck import Bench, Step, assume, expect, make_role

_ENVELOPE = {"code", "message", "details", "timestamp", "request_id"}
# Service quotas that a design rests on: (service, code, least, what).
_QUOTAS = (
    ("lambda", "L-B99A9384", 100, "Lambda concurrent executions"),
    ("states", "L-AFA98F04", 1000, "Step Functions state machines"),
    ("apigateway", "L-8A5B8E43", 1000, "API Gateway requests a second"),
)


def health(bench: Bench) -> str:
    """The deployed health answers as the deployment's own settings say."""
    url = bench.target.output("ApiUrl")
    status, headers, body = bench.fetch("GET", f"{url}/health")
    told = json.loads(body)
    expect(status == 200, f"GET /health answers {status}: {told.get('env', {}).get('issues')}")
    stage = {name.lower(): value for name, value in headers.items()}.get("x-tidegate-stage")
    expect(told["stage"] == stage, f"body says {told['stage']}, header {stage}")
    return f"healthy, stage {stage}, version {told['version']}"


def unauthenticated(bench: Bench) -> str:
    """A protected route without token is 401 in our envelope, through the real gateway."""
    url = bench.target.output("ApiUrl")
    status, _, body = bench.fetch("GET", f"{url}/api/v1/settings")
    expect(status == 401, f"answers {status}")
    expect(set(json.loads(body)["error"]) == _ENVELOPE, "the body is not the envelope")
    return "401 with the envelope"


def gateway_errors(bench: Bench) -> str:
    """What API Gateway itself answers (413, 431) shows no stack, ARN or account."""
    url = bench.target.output("ApiUrl")
    status, _, body = bench.fetch("GET", f"{url}/health?{'x' * 12000}")
    text = body.decode(errors="replace")
    expect(400 <= status < 500, f"a request line of 12 kB answers {status}")
    for word in ("arn:aws", bench.account, "Traceback"):
        expect(word not in text, f"the gateway's body holds {word!r}")
    return f"{status}, nothing of ours in it"


def leading_keys(bench: Bench) -> str:
    """Credentials tagged for one tenant reach that tenant's keys and no other's."""
    mine, other = f"check-{bench.run_id}-a", f"check-{bench.run_id}-b"
    table = bench.target.table("profile")
    account = bench.account
    arn = bench.target.client("dynamodb").describe_table(TableName=table)["Table"]["TableArn"]
    trust = _trust({"AWS": f"arn:aws:iam::{account}:root"}, ["sts:AssumeRole", "sts:TagSession"])
    keys = ["T#${aws:PrincipalTag/tenant_id}", "T#${aws:PrincipalTag/tenant_id}#*"]
    policy = _allow(
        ["dynamodb:GetItem", "dynamodb:Query"], arn,
        {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys},
         "Null": {"aws:PrincipalTag/tenant_id": "false"}},
    )  # fmt: skip
    role = make_role(bench, "keys", trust, policy)
    given = assume(bench, role, Tags=[{"Key": "tenant_id", "Value": mine}])
    scoped = _with(bench, "dynamodb", given)
    scoped.get_item(TableName=table, Key=_key(f"T#{mine}"))
    for pk in (f"T#{other}", f"T#{mine}x", "PLATFORM"):
        _denied(lambda pk=pk: scoped.get_item(TableName=table, Key=_key(pk)), f"read {pk}")
    _denied(lambda: scoped.scan(TableName=table, Limit=1), "scan")
    return "own keys read; another tenant's, a look-alike's, a global row and a scan denied"


def external_id(bench: Bench) -> str:
    """A role that asks for an External ID refuses none and a wrong one."""
    secret = str(uuid.uuid4())
    hub = bench.target.output("OnboardingRoleArn")
    trust = _trust({"AWS": hub}, "sts:AssumeRole", {"StringEquals": {"sts:ExternalId": secret}})
    role = make_role(bench, "canary", trust, _allow(["ec2:DescribeRegions"], "*"))
    sts = _with(bench, "sts", assume(bench, hub))
    session = {"RoleArn": role, "RoleSessionName": "tidegate-check", "DurationSeconds": 900}
    sts.assume_role(**session, ExternalId=secret)
    _denied(lambda: sts.assume_role(**session), "assume without External ID")
    _denied(lambda: sts.assume_role(**session, ExternalId=str(uuid.uuid4())), "assume with another")
    return "right id accepted, none and another refused"


def machine_role(bench: Bench) -> str:
    """Step Functions runs a machine with its role's rights and no more."""
    account = bench.account
    states = bench.target.client("stepfunctions")
    trust = _trust({"Service": "states.amazonaws.com"}, "sts:AssumeRole")
    role = make_role(bench, "states", trust, _allow(["states:ListActivities"], "*"))
    resource = "arn:aws:states:::aws-sdk:sqs:listQueues"
    definition = {
        "StartAt": "A",
        "States": {"A": {"Type": "Task", "Resource": resource, "End": True}},
    }
    name = f"tidegate-check-{bench.run_id}"
    machine = states.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role
    )["stateMachineArn"]
    bench.undo.append(
        (f"machine {name}", lambda: states.delete_state_machine(stateMachineArn=machine))
    )
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    found = {"status": "RUNNING"}
    for _ in range(30):
        found = states.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            break
        bench.pause(1.0)
    expect(found["status"] == "FAILED", f"a call that the role forbids ended {found['status']}")
    return f"a call outside the role fails the state in account {account}"


def quotas(bench: Bench) -> str:
    """The account's quotas carry what the design rests on."""
    client = bench.target.client("service-quotas")
    told = []
    for service, code, least, what in _QUOTAS:
        value = client.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]
        expect(value >= least, f"{what}: {value:.0f} is below {least}; ask AWS for more")
        told.append(f"{what} {value:.0f}")
    return ", ".join(told)


def backups(bench: Bench) -> str:
    """Every table can be restored to a point in time."""
    dynamodb = bench.target.client("dynamodb")
    prefix = bench.target.table("")
    names = [
        name
        for page in dynamodb.get_paginator("list_tables").paginate()
        for name in page["TableNames"]
        if name.startswith(prefix)
    ]
    expect(bool(names), f"no table begins with {prefix}")
    for name in names:
        told = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        state = told["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
        expect(state == "ENABLED", f"{name}: point-in-time recovery is {state}")
    return f"point-in-time recovery is on for {len(names)} tables"


PLAN = [
    Step("health", "the deployed platform is healthy and is the one configured", "reads", health),
    Step("unauthenticated", "the gateway passes our refusals through", "reads", unauthenticated),
    Step(
        "gateway-errors", "the gateway's own errors tell nothing of ours", "reads", gateway_errors
    ),
    Step("leading-keys", "dynamodb:LeadingKeys keeps tenants apart", "makes a role", leading_keys),
    Step("external-id", "STS asks for the External ID", "makes a role", external_id),
    Step(
        "machine-role",
        "Step Functions is held to its role",
        "makes a role, a machine",
        machine_role,
    ),
    Step("quotas", "the account's quotas are large enough", "reads", quotas),
    Step("backups", "every table can be restored", "reads", backups),
]


def _trust(principal: Any, action: Any, condition: Any = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition is not None:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def _allow(actions: list[str], resource: str, condition: Any = None) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resource}
    if condition is not None:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def _key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": "CHECK"}}


def _with(bench: Bench, service: str, given: Any) -> Any:
    return bench.target.client(service, credentials=given)


def _denied(call: Any, what: str) -> None:
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        expect(code in ("AccessDenied", "AccessDeniedException"), f"{what}: {code}")
        return
    expect(False, f"{what} was allowed")
