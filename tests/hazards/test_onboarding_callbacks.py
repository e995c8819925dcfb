"""Hazards of section G: call-backs, keys, sessions and tenants, on real roles."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tidegate.onboarding import public as onboarding
from tidegate.onboarding import tasks, wiring
from tidegate.onboarding.responses import HttpResponseSender
from tidegate_kit.aws_session import CustomerSession
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.outbound import OutboundAnswer, OutboundClient
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope

from tests.builders.members import SignedIn, sign_in
from tests.builders.onboarding import BUCKET, World, make_world
from tests.builders.onboarding_hazards import ABSENT, logged, send_keys, verdict
from tests.builders.settings import CUSTOMER_ACCOUNT, PLATFORM_ACCOUNT, REGION
from tests.fakes.strict_aws import StrictAws, allow
from tests.fakes.tables import dump_tables
from tests.unit.onboarding.test_callback import FORGED, STACK
from tests.unit.onboarding.test_responses import REFUSED as FOREIGN_URLS

URL = "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/a%7Cb?X=1"


@pytest.fixture
def world(platform: Settings, strict_aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(platform, strict_aws, monkeypatch)


@pytest.fixture
def member(world: World) -> SignedIn:
    return sign_in(roles=("client",))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have gone to CloudFormation."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(
        HttpResponseSender, "send", lambda self, url, body: sent.append(json.loads(body))
    )
    return sent


def stored(world: World, *names: str) -> dict[str, Any]:
    prefix = world.settings.table_prefix
    client = boto3.client("dynamodb", region_name=REGION)
    return dump_tables(client, [f"{prefix}-{name}" for name in names or ("onboarding",)])


def records(world: World, request: dict[str, Any], kind: str, **changes: Any) -> dict[str, Any]:
    arn = f"arn:aws:iam::{request['account_id']}:role/{request['role_name']}"
    properties = {
        "OnboardingId": request["id"], "ExternalId": request["external_id"],
        "AccountId": request["account_id"], "RoleArn": arn, "Tier": "read",
    }  # fmt: skip
    message: dict[str, Any] = {
        "RequestType": kind, "ResponseURL": URL, "RequestId": f"{kind}-1",
        "StackId": STACK.replace(CUSTOMER_ACCOUNT, request["account_id"]),
        "LogicalResourceId": "Connection", "ResourceType": "Custom::TidegateConnection",
        "PhysicalResourceId": f"tidegate-{request['id']}", "ResourceProperties": properties,
    }  # fmt: skip
    for name, value in changes.items():
        target = properties if name.startswith("p_") else message
        target[name.removeprefix("p_")] = value
    topic = world.settings.callback_topic_arn
    return {"Records": [{"Sns": {"TopicArn": topic, "Message": json.dumps(message)}}]}


@pytest.mark.hazard("G11")
@pytest.mark.bite("tidegate.onboarding.callback.believable", returns=True)
def test_forged_call_backs_change_nothing(
    world: World, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """G11: forged, of a wrong stack or account: one fixed refusal, and no item is written."""
    _, request = world.connected()
    monkeypatch.setattr(wiring, "patience", lambda: pytest.fail("a forged message was believed"))
    before = stored(world)
    for kind, name in itertools.product(["Create", "Update", "Delete"], FORGED):
        tasks.stack_callback(records(world, request, kind, **FORGED[name]), None)
        assert answers[-1]["Status"] == "FAILED", (kind, name)
    assert len({answer["Reason"] for answer in answers}) == 1
    assert len(answers) == 3 * len(FORGED)
    assert stored(world) == before


@pytest.mark.hazard("G11")
@pytest.mark.bite("tidegate.onboarding.repository.DynamoRegistrations.outcome", returns=None)
def test_late_and_repeated_call_backs_are_harmless(
    world: World, member: SignedIn, answers: list[dict[str, Any]]
) -> None:
    """G11: a repetition gets the first answer; one that comes after the end revives nothing."""
    request = world.create(member)
    world.deploy(request)
    create = records(world, request, "Create")
    tasks.stack_callback(create, None)
    world.customer().delete_role(request["role_name"])
    tasks.stack_callback(records(world, request, "Delete"), None)
    tasks.stack_callback(create, None)
    assert answers[0] == answers[2]
    assert answers[0]["Status"] == "SUCCESS"
    tasks.stack_callback(records(world, request, "Create", RequestId="late"), None)
    assert answers[-1]["Status"] == "FAILED"
    assert world.get(member, request)["status"] == "disconnected"


@pytest.mark.hazard("G12")
@pytest.mark.bite("tidegate.onboarding.callback._physical", returns="tidegate-x")
def test_all_orders_end_alike(world: World, answers: list[dict[str, Any]]) -> None:
    """G12: Create, Update and Delete in all 6 orders: the same final state."""
    states = set()
    for number, order in enumerate(itertools.permutations(["Create", "Update", "Delete"])):
        client = sign_in(roles=("client",))
        request = world.create(client, f"{number + 800_000_000_000}")
        world.deploy(request)
        for kind in order:
            if kind == "Delete":
                world.customer(request["account_id"]).delete_role(request["role_name"])
            tasks.stack_callback(records(world, request, kind), None)
        claim = wiring.registry.holder_of(request["account_id"])
        states.add((world.get(client, request)["status"], claim))
    assert states == {("disconnected", None)}


@pytest.mark.hazard("G12")
@pytest.mark.bite("tidegate.onboarding.callback.StackCallback._owns", returns=True)
def test_the_end_of_another_stack_leaves_the_connection(
    world: World, member: SignedIn, answers: list[dict[str, Any]]
) -> None:
    """G12: the Delete of a failed or foreign stack never removes a living connection."""
    request = world.create(member)
    world.deploy(request)
    tasks.stack_callback(records(world, request, "Create"), None)
    world.customer().delete_role(request["role_name"])
    for number, change in enumerate(
        [
            {"PhysicalResourceId": "tidegate-failed-Create-1"},
            {"PhysicalResourceId": f"tidegate-{ABSENT}"},
            {"StackId": STACK.replace("/tidegate/", "/second/")},
        ]
    ):
        tasks.stack_callback(
            records(world, request, "Delete", RequestId=f"d{number}", **change), None
        )
        assert answers[-1]["Status"] == "SUCCESS"
        assert world.get(member, request)["status"] == "connected"


@pytest.mark.hazard("G13")
@pytest.mark.bite("tidegate.onboarding.service.signature_holds", returns=True)
def test_a_guessed_template_link_opens_nothing(world: World, member: SignedIn) -> None:
    """G13: links are signed, expire, and the template names no secret but its own External ID."""
    request = world.create(member)
    link = request["template_url"].removeprefix("http://127.0.0.1:8000")
    text = world.client.get(link).text
    assert set(re.findall(r"\b[0-9]{12}\b", text)) == {PLATFORM_ACCOUNT}
    uuids = set(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", text))
    assert uuids == {request["id"], request["external_id"]}
    path, _, query = link.partition("?")
    expires = int(re.findall(r"exp=([0-9]+)", query)[0])
    other = world.create(sign_in(roles=("client",)))
    for guess in [
        path,
        f"{path}?exp={expires}&sig=",
        f"{path}?exp={expires}&sig={'A' * 43}",
        f"{path}?exp={expires + 1}&{query.partition('&')[2]}",
        f"{path}?{query[:-2]}",
        f"/onboarding/template/{other['id']}?{query}",
        f"/onboarding/template/{ABSENT}?{query}",
    ]:
        answer = world.client.get(guess)
        assert (answer.status_code, verdict(answer)) == (401, "INVALID_SIGNATURE"), guess


@pytest.mark.hazard("G34")
@pytest.mark.bite("tidegate.onboarding.responses.HttpResponseSender.allowed", returns=True)
def test_only_cloudformations_host_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G34: a response address elsewhere gets no answer at all; nothing changes."""
    dialled: list[str] = []

    def request(self: Any, method: str, url: str, **options: Any) -> OutboundAnswer:
        dialled.append(url)
        return OutboundAnswer(200, {}, b"")

    monkeypatch.setattr(OutboundClient, "request", request)
    _, made = world.connected()
    before = stored(world)
    for url in FOREIGN_URLS:
        if "useast1" not in url:  # the bucket of this platform's own region
            tasks.stack_callback(records(world, made, "Update", ResponseURL=url), None)
    assert dialled == []
    assert stored(world) == before
    tasks.stack_callback(records(world, made, "Update"), None)
    assert dialled == [URL]


@pytest.mark.hazard("G20")
@pytest.mark.bite("tidegate.onboarding.credentials.masked", lambda access_key_id: access_key_id)
def test_keys_are_never_shown_and_die_with_the_connection(
    world: World, member: SignedIn, caplog: pytest.LogCaptureFixture
) -> None:
    """G20: keys are stored sealed, never returned or logged, and destroyed by a disconnect."""
    keys = world.customer().create_user("admin", {"all": allow("*")})
    answer = send_keys(world, member, keys)
    assert answer.status_code == 201
    warned = [warning["code"] for warning in answer.json()["warnings"]]
    assert warned == ["LONG_LIVED_KEYS", "OVER_PRIVILEGED_KEYS"]
    shown = world.get(member, answer.json())
    wrong = send_keys(world, member, (keys[0], "wrong-canary-secret-wrong-canary-secret"))
    assert (wrong.status_code, verdict(wrong)) == (422, "INVALID_AWS_CREDENTIALS")
    names = ("onboarding", "discovery", "platform")
    everything = answer.text + wrong.text + json.dumps(shown) + repr(stored(world, *names))
    log = logged(caplog)
    assert "request refused" in log
    everything += log
    for canary in (*keys, "wrong-canary-secret"):
        assert canary not in everything
    sealed = [row["sealed_keys"]["S"] for row in stored(world)["tidegate-test-onboarding"]
              if "sealed_keys" in row]  # fmt: skip
    assert len(sealed) == 1
    scope = TenantScope(member.tenant_id)
    onboarding.disconnect(world.settings, scope, answer.json()["id"], actor="u", clock=system_clock)
    assert sealed[0] not in repr(stored(world))


@pytest.mark.hazard("G20")
@pytest.mark.bite("tidegate.onboarding.keys._as_refusal", lambda error: NotFound())
def test_wrong_and_root_keys_store_nothing(
    world: World, member: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G20: wrong, revoked and root keys are refused, and nothing is written."""
    keys = world.customer().create_user("reader")
    iam = world.customer().client("iam")
    before = stored(world)
    for given in [("AKIANOTAKEYNOTAKEY12", "x" * 40), (keys[0], "y" * 40)]:
        assert verdict(send_keys(world, member, given)) == "INVALID_AWS_CREDENTIALS"
    iam.update_access_key(UserName="reader", AccessKeyId=keys[0], Status="Inactive")
    assert verdict(send_keys(world, member, keys)) == "INVALID_AWS_CREDENTIALS"
    iam.update_access_key(UserName="reader", AccessKeyId=keys[0], Status="Active")

    class Root:
        def get_caller_identity(self) -> dict[str, str]:
            return {
                "Account": CUSTOMER_ACCOUNT, "Arn": f"arn:aws:iam::{CUSTOMER_ACCOUNT}:root"
            }  # fmt: skip

    monkeypatch.setattr(CustomerSession, "client", lambda self, service, region: Root())
    assert verdict(send_keys(world, member, keys)) == "ROOT_KEYS_REFUSED"
    assert stored(world) == before


@pytest.mark.hazard("G21")
@pytest.mark.bite("tidegate.onboarding.callback.believable", returns=True)
def test_a_message_with_one_tenants_id_and_anothers_account_is_refused(
    world: World, answers: list[dict[str, Any]]
) -> None:
    """G21: tenant A's request named with tenant B's account, stack and role: refused."""
    mine = world.create(sign_in(roles=("client",)))
    _, theirs = world.connected("444444444444")
    arn = f"arn:aws:iam::444444444444:role/{theirs['role_name']}"
    forged = records(
        world, mine, "Create", p_AccountId="444444444444", p_RoleArn=arn,
        StackId=STACK.replace(CUSTOMER_ACCOUNT, "444444444444"),
    )  # fmt: skip
    before = stored(world)
    tasks.stack_callback(forged, None)
    assert answers[-1]["Status"] == "FAILED"
    assert answers[-1]["Reason"] == "Tidegate does not accept this message."
    assert stored(world) == before


@pytest.mark.hazard("G22")
@pytest.mark.bite("tidegate.onboarding.probes.session_policy", returns=None)
def test_every_session_is_named_scoped_and_short(world: World) -> None:
    """G22: each assumed role carries the tenant's name, a policy of its own and 15 minutes."""
    member, request = world.connected()
    found = onboarding.connection(TenantScope(member.tenant_id), request["id"])
    assert found is not None
    policy = json.dumps(allow("ec2:DescribeInstances"))
    onboarding.open_session(world.settings, found, purpose="read", policy=policy)
    tasks.reprobe_accounts({}, None)
    customer = [s for s in world.aws.sessions if f"::{CUSTOMER_ACCOUNT}:" in s.role_arn]
    assert len(customer) == 3
    for session in world.aws.sessions:
        assert session.session_name == f"tidegate-{member.tenant_id}"
        assert (session.expires_at - session.issued_at).total_seconds() == 900
    for session in customer:
        assert len(session.session_policies) == 1
        assert session.session_tags["tidegate:tenant"] == member.tenant_id
        (statement,) = session.session_policies[0]["Statement"]
        assert set(statement["Action"]) <= {"iam:GetRole", "ec2:DescribeInstances"} or (
            statement["Action"] == "ec2:DescribeInstances"
        )


def _spoiled_template() -> str:
    path = Path(tasks.__file__).with_name("customer-role.yaml")
    return path.read_text().replace("- ec2:DescribeVolumes\n", "- ec2:*\n")


@pytest.mark.hazard("G23")
@pytest.mark.bite("tidegate.onboarding.template.template_source", _spoiled_template)
def test_the_template_reads_only(world: World, member: SignedIn) -> None:
    """G23: the deployed role of tier read may write nothing, and names every action in full."""
    request = world.create(member)
    arn = world.deploy_template(member, request)
    iam = world.customer().client("iam")
    names = iam.list_role_policies(RoleName=request["role_name"])["PolicyNames"]
    assert names == ["tidegate-read"]
    document = iam.get_role_policy(RoleName=request["role_name"], PolicyName=names[0])
    listed = [s["Action"] for s in document["PolicyDocument"]["Statement"]]
    actions = [a for item in listed for a in (item if isinstance(item, list) else [item])]
    assert not [a for a in actions if "*" in a]
    assert not [a for a in actions if not a.split(":")[1].startswith(("Get", "List", "Describe"))]
    for action in ("ec2:DeleteVolume", "s3:GetObject", "iam:CreateUser", "sts:AssumeRole"):
        assert world.aws.simulate(arn, action, "*").value == "implicitDeny"


@pytest.mark.hazard("G24")
@pytest.mark.bite("tidegate.onboarding.keys.is_clock_skew", returns=False)
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than"),
        ("SignatureDoesNotMatch", "Signature not yet current: 20260101T000000Z is still later"),
        ("RequestTimeTooSkewed", "The difference between the request time and now is too large."),
    ],
)
def test_a_wrong_clock_is_told_and_retried(
    world: World, member: SignedIn, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    """G24: a clock 10 minutes off says so, blames neither key nor role, and stores nothing."""
    keys = world.customer().create_user("reader")
    before = stored(world)
    client = CustomerSession.client

    class Skewed:
        def __getattr__(self, name: str) -> Any:
            def call(**request: Any) -> Any:
                raise ClientError({"Error": {"Code": code, "Message": message}}, name)

            return call

    with monkeypatch.context() as patched:
        patched.setattr(CustomerSession, "client", lambda self, service, region: Skewed())
        answer = send_keys(world, member, keys)
        assert (answer.status_code, verdict(answer)) == (503, "SERVICE_UNAVAILABLE")
        assert "clock" in answer.json()["error"]["message"]
        assert stored(world) == before
        request = world.create(member, "444444444444")
        answer = world.verify(member, request)
        assert answer.status_code == 503
        assert "clock" in answer.json()["error"]["message"]
        assert world.get(member, request)["status"] == "pending"
    assert CustomerSession.client is client
    assert send_keys(world, member, keys).status_code == 201


@pytest.mark.hazard("G25")
@pytest.mark.bite("tidegate.onboarding.repository._release", lambda tx, old: None)
def test_nothing_is_left_of_a_deleted_tenant(world: World, answers: list[dict[str, Any]]) -> None:
    """G25: connections, keys, claims, copies go with the tenant; later call-backs are refused."""
    member, request = world.connected()
    world.create(member, "444444444444")
    keys = world.customer("555555555555").create_user("reader")
    assert send_keys(world, member, keys).status_code == 201
    scope = TenantScope(member.tenant_id)
    gone = onboarding.forget_tenant(wiring.settings(), scope, actor="admin", clock=system_clock)
    assert sorted(gone) == [CUSTOMER_ACCOUNT, "444444444444", "555555555555"]
    assert stored(world)["tidegate-test-onboarding"] == []
    assert "Contents" not in boto3.client("s3", region_name=REGION).list_objects_v2(Bucket=BUCKET)
    tasks.stack_callback(records(world, request, "Update"), None)
    assert answers[-1]["Status"] == "FAILED"
    assert stored(world)["tidegate-test-onboarding"] == []
    assert tasks.reprobe_accounts({}, None)["probed"] == 0
    other = sign_in(roles=("client",))
    again = world.create(other)
    world.deploy(again)
    assert world.verify(other, again).status_code == 200


@pytest.mark.hazard("H2")
@pytest.mark.bite("tidegate.onboarding.repository.DynamoRegistrations.outcome", returns=None)
def test_repeated_and_reordered_events_end_alike(
    world: World, member: SignedIn, answers: list[dict[str, Any]]
) -> None:
    """H2: each call-back and stream record three times, mixed: one connection, one end."""
    request = world.create(member)
    world.deploy(request)
    create, update = (records(world, request, kind) for kind in ("Create", "Update"))
    for event in (create, update, create, update, update, create):
        tasks.stack_callback(event, None)
    assert {answer["Status"] for answer in answers} == {"SUCCESS"}
    run = wiring.store_of(member.tenant_id).get(request["id"])
    assert run is not None
    world.customer().delete_role(request["role_name"])
    delete = records(world, request, "Delete")
    for event in (delete, create, delete, update, delete):
        tasks.stack_callback(event, None)
    assert {answer["Status"] for answer in answers} == {"SUCCESS"}
    rows = stored(world)["tidegate-test-onboarding"]
    images = [{"dynamodb": {"NewImage": row, "SequenceNumber": "1"}} for row in rows] * 3
    assert tasks.follow_registrations({"Records": images}, None) == {"batchItemFailures": []}
    assert stored(world)["tidegate-test-onboarding"] == rows
    assert world.get(member, request)["status"] == "disconnected"
