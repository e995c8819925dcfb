"""What effect nodes do outside: decided first, done once, with the narrowest rights."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from tidegate.integrations import public as integrations
from tidegate.integrations.service.accounts import Upsert
from tidegate.integrations.wiring import accounts_of
from tidegate.workflows.domain import Blob, Execution, digest
from tidegate.workflows.nodes import StepError
from tidegate.workflows.nodes.ports import AwsCall, HttpRequest
from tidegate.workflows.ports.aws import StepAwsActions
from tidegate.workflows.ports.http import OutboundHttp
from tidegate.workflows.ports.journal import Journal
from tidegate.workflows.repository.ledger import DynamoLedger
from tidegate_kit.clock import system_clock
from tidegate_kit.errors import NotFound
from tidegate_kit.ids import new_id
from tidegate_kit.outbound import OutboundAnswer
from tidegate_kit.settings import Settings
from tidegate_kit.tenancy import TenantScope, UserScope

ARN = "arn:aws:ec2:eu-west-1:222222222222:instance/i-0123456789abcdef0"
CALL = AwsCall(
    "222222222222", "eu-west-1", "ec2.stop_instance", ARN, {}, frozenset({"ec2:StopInstances"})
)


@pytest.fixture
def journal(platform: Settings) -> Journal:
    text = "{}"
    execution = Execution(
        id=new_id(), workflow_id=new_id(), workflow_version=1, status="running", trigger="api",
        principal=new_id(), started_at=system_clock(), input=Blob(2, digest(text), text=text),
        timeout_seconds=60,
    )  # fmt: skip
    return Journal(DynamoLedger(TenantScope(new_id())), execution, "act", new_id, {"hunter2-key"})


class Account:
    """A customer's account that counts what it is asked."""

    def __init__(self) -> None:
        self.policies: list[dict[str, Any]] = []
        self.stopped: list[str] = []

    def open(self, account_id: str, policy: str) -> Any:
        if account_id != "222222222222":
            raise NotFound
        self.policies.append(json.loads(policy))
        return self

    def client(self, service: str, region: str) -> Any:
        return self

    def stop_instances(self, InstanceIds: list[str]) -> dict[str, Any]:
        self.stopped += InstanceIds
        change = {
            "PreviousState": {"Name": "running"}, "CurrentState": {"Name": "stopping"},
        }  # fmt: skip
        return {"StoppingInstances": [change]}


def denied(call: AwsCall) -> None:
    raise StepError("POLICY_DENIED", "no")


def test_an_action_is_decided_then_done_once_with_one_right(journal: Journal) -> None:
    account = Account()
    with pytest.raises(StepError, match="POLICY_DENIED"):
        StepAwsActions(journal, denied, account.open).act(CALL, effect_key="k")
    assert (account.policies, account.stopped) == ([], [])
    port = StepAwsActions(journal, lambda call: None, account.open)
    results = [port.act(CALL, effect_key="k") for _ in range(2)]
    assert results[0].result == results[1].result
    assert results[0].result["before"] == "running"
    assert account.stopped == ["i-0123456789abcdef0"]
    (statement,) = account.policies[0]["Statement"]
    assert (statement["Action"], statement["Resource"]) == (["ec2:StopInstances"], [ARN])


@pytest.mark.parametrize(
    "changed",
    [
        {"resource_arn": ARN.replace("222222222222", "333333333333")},
        {"resource_arn": ARN.replace("i-0123456789abcdef0", "*")},
        {"region": "us-east-1"},
        {"resource_arn": ARN.replace(":instance/i-", ":volume/vol-")},
        {"action": "ec2.terminate_instance"},
    ],
)
def test_an_action_reaches_nothing_but_its_resource(
    journal: Journal, changed: dict[str, str]
) -> None:
    account = Account()
    fields = {name: getattr(CALL, name) for name in CALL.__slots__} | changed
    port = StepAwsActions(journal, lambda call: None, account.open)
    with pytest.raises(StepError, match="INVALID_DATA"):
        port.act(AwsCall(**fields), effect_key="k")
    assert account.policies == []


class Target:
    """An outbound client whose answers are given."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.sent: list[dict[str, Any]] = []

    def request(self, method: str, url: str, **options: Any) -> OutboundAnswer:
        self.sent.append({"method": method, "url": url, **options})
        body = json.dumps({"echo": "hunter2-key"}).encode()
        headers = {"content-type": "application/json", "set-cookie": "a=b"}
        return OutboundAnswer(self.statuses.pop(0), headers, body)


def request(method: str = "POST", **changes: Any) -> HttpRequest:
    fields: dict[str, Any] = {
        "method": method, "url": "https://example.com/x?a=1", "headers": {}, "query": {},
        "body": {"n": 1}, "account_id": None, "timeout_seconds": 5,
    }  # fmt: skip
    return HttpRequest(**{**fields, **changes})


def no_account(account_id: str, url: str) -> integrations.Credential:
    raise AssertionError("no account is named")


def test_a_request_that_changes_something_is_sent_once(journal: Journal) -> None:
    target = Target(503, 201)
    port = OutboundHttp(target, journal, no_account)  # type: ignore[arg-type]
    assert port.call(request(), effect_key="key").status == 503
    first = port.call(request(), effect_key="key")
    again = port.call(request(), effect_key="key")
    assert (first.status, again.status, len(target.sent)) == (201, 201, 2)
    assert "set-cookie" not in first.headers
    # What is kept for repetitions holds no secret (E21).
    assert again.body == {"echo": "***"}
    assert target.sent[0]["headers"]["Idempotency-Key"] == "key"


def test_a_secret_may_authorise_and_a_user_may_not(journal: Journal) -> None:
    target = Target(200)
    port = OutboundHttp(target, journal, no_account)  # type: ignore[arg-type]
    headers = {"Authorization": "Bearer hunter2-key", "X-Kind": "plain"}
    port.call(request("GET", headers=headers, body=None, query={"q": ["x", 2]}), effect_key="k")
    (sent,) = target.sent
    assert sent["secret_headers"] == {"Authorization": "Bearer hunter2-key"}
    assert sent["headers"] == {"X-Kind": "plain"}
    assert sent["url"] == "https://example.com/x?a=1&q=x&q=2"


CRM_KEY = "crm-key-canary-4711"


class Echo(Target):
    """A target that answers with the headers it was sent."""

    def request(self, method: str, url: str, **options: Any) -> OutboundAnswer:
        super().request(method, url, **options)
        sent = {**options["headers"], **options["secret_headers"]}
        headers = {"content-type": "application/json", "x-echo": str(sent)}
        return OutboundAnswer(200, headers, json.dumps({"echo": sent, CRM_KEY: 1}).encode())


@pytest.fixture
def crm_user(platform: Settings) -> UserScope:
    scope = UserScope(new_id(), new_id())
    crm = {"base_url": "https://crm.example.com/v1", "api_key": CRM_KEY}
    accounts = [Upsert("crm", "crm", crm), Upsert("mail", "email", {"provider": "ses"})]
    accounts_of(scope).put(accounts, lambda index: "")
    return scope


@pytest.mark.hazard("E21")
@pytest.mark.bite("tidegate.workflows.ports.http.redact", lambda value, secrets: value)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_account_authorises_and_its_key_is_handed_on_to_nobody(
    journal: Journal, crm_user: UserScope, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """E21: the key reaches the account's own host, and neither the answer, the record nor a log."""
    target = Echo(200)
    credential = partial(integrations.credential, crm_user)
    port = OutboundHttp(target, journal, credential)  # type: ignore[arg-type]
    wish = request(method, url="https://CRM.example.com:443/v2/x", account_id="crm")
    answers = [port.call(wish, effect_key="k") for _ in range(2 if method == "POST" else 1)]
    (sent,) = target.sent
    assert sent["secret_headers"] == {"Authorization": f"Bearer {CRM_KEY}"}
    assert "Authorization" not in sent["headers"]
    for answer in answers:
        assert answer.body["echo"]["Authorization"] == "Bearer ***"
        assert CRM_KEY not in str(answer)
    assert CRM_KEY not in caplog.text


@pytest.mark.hazard("F13")
@pytest.mark.bite(
    "tidegate.integrations.service.credentials.CredentialService._belongs", lambda *_: True
)
def test_a_key_never_leaves_for_another_origin(journal: Journal, crm_user: UserScope) -> None:
    """F13: an account authorises calls of its own scheme, host and port, and nobody else's."""
    target = Target(200)
    port = OutboundHttp(
        target,  # type: ignore[arg-type]
        journal,
        partial(integrations.credential, crm_user),
    )
    for url in (
        "https://example.com/v1",
        "https://crm.example.com.evil.example/v1",
        "https://evil.crm.example.com/v1",
        "https://crm.example.com:8443/v1",
        "http://crm.example.com/v1",
        "https://crm.example.com@evil.example/v1",
        "https://evil.example/crm.example.com",
    ):
        with pytest.raises(StepError, match="ADDRESS_REFUSED"):
            port.call(request("GET", url=url, body=None, account_id="crm"), effect_key="k")
    assert target.sent == []


def test_only_an_own_account_with_a_key_authorises(journal: Journal, crm_user: UserScope) -> None:
    """Absent, without a key, a colleague's and another tenant's are all the same."""
    target = Target()
    url = "https://crm.example.com/v1"
    colleague = UserScope(crm_user.tenant_id, new_id())
    stranger = UserScope(new_id(), crm_user.user_id)
    for scope, account_id in (
        (crm_user, "nothing"), (crm_user, "a#b"), (crm_user, "mail"),
        (colleague, "crm"), (stranger, "crm"),
    ):  # fmt: skip
        port = OutboundHttp(
            target,  # type: ignore[arg-type]
            journal,
            partial(integrations.credential, scope),
        )
        with pytest.raises(StepError, match="UNKNOWN_ACCOUNT"):
            port.call(request("GET", url=url, body=None, account_id=account_id), effect_key="k")
    assert target.sent == []
