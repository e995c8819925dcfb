"""`make aws-check` with stand-ins: its plan, its refusals, its cleaning up (no AWS here)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from infra.operate import awscheck, checks
from infra.operate.__main__ import main, parser
from infra.operate.awscheck import Bench, CheckFailed, Outcome, Step
from infra.operate.target import OperationError, Target

OUTPUTS = {
    "ApiUrl": "https://api.example.com", "ErasureFunctionName": "tidegate-main-erasure",
    "OnboardingRoleArn": "arn:aws:iam::111122223333:role/tidegate-main-onboarding",
}  # fmt: skip
ENVELOPE = {"code": "X", "message": "", "details": [], "timestamp": "", "request_id": ""}


class Service:
    """Records calls; answers from a table of (operation -> answer or exception)."""

    def __init__(self, name: str, log: list[str], answers: dict[str, Any]) -> None:
        self._name, self._log, self._answers = name, log, answers

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self._log.append(f"{self._name}.{operation}")
            answer = self._answers.get(f"{self._name}.{operation}", {})
            answer = answer(**arguments) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, operation)


class World:
    """An account as the checks want it; `answers` change one thing."""

    def __init__(self, **answers: Any) -> None:
        self.log: list[str] = []
        self.said: list[str] = []
        self.answers: dict[str, Any] = {
            "sts.get_caller_identity": {"Account": "111122223333"},
            "sts.assume_role": self.assume,
            "iam.create_role": lambda RoleName, **_: {
                "Role": {"Arn": f"arn:aws:iam::111122223333:role/{RoleName}"}
            },
            "dynamodb.describe_table": {"Table": {"TableArn": "arn:aws:dynamodb:::table/t"}},
            "dynamodb.get_item": self.read,
            "dynamodb.scan": denied("Scan"),
            **answers,
        }

    def assume(self, RoleArn: str, ExternalId: str | None = None, **_: Any) -> Any:
        self.external = getattr(self, "external", None) or ExternalId
        if "canary" in RoleArn and ExternalId != self.external:
            return denied("AssumeRole")
        return {"Credentials": {"AccessKeyId": "a"}}

    def read(self, TableName: str, Key: Any) -> Any:
        return {} if Key["pk"]["S"].endswith("-a") else denied("GetItem")

    def client(self, service: str, credentials: Any = None) -> Any:
        return Service(service, self.log, self.answers)

    def bench(self, fetched: Any = None) -> Bench:
        target = Target("tidegate", self.client, self.said.append, OUTPUTS)
        return Bench(target, pause=lambda _: None, fetch=lambda *_: fetched)


def test_without_credentials_it_refuses_and_says_what_to_do() -> None:
    world = World(**{"sts.get_caller_identity": NoCredentialsError()})
    target = world.bench().target
    with pytest.raises(OperationError, match="Sign in"):
        awscheck.main(target, checks.PLAN, go=True)
    assert world.log == ["sts.get_caller_identity"]


def test_the_command_without_credentials_ends_with_a_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(**{"cloudformation.describe_stacks": NoCredentialsError()})
    monkeypatch.setattr("infra.operate.__main__.clients", world.client)
    assert main(["aws-check", "--yes"]) == 2
    assert "Sign in to the platform's account" in capsys.readouterr().err
    assert world.log == ["cloudformation.describe_stacks"]


def test_without_yes_it_only_tells_the_plan() -> None:
    world = World()
    assert awscheck.main(world.bench().target, checks.PLAN, go=False) == 0
    assert world.log == ["sts.get_caller_identity"]
    for step in checks.PLAN:
        assert any(line.startswith(f"- {step.name}: ") for line in world.said)
    assert "Nothing was done" in world.said[-1]


def test_what_was_made_is_removed_also_when_a_check_fails() -> None:
    world = World(**{"dynamodb.scan": {}})  # a scan that AWS should have denied
    (outcome,) = awscheck.run(world.bench(), [Step("k", "", "", checks.leading_keys)])
    assert (outcome.ok, outcome.detail) == (False, "scan was allowed")
    made = [call for call in world.log if call.startswith("iam.")]
    assert made == [
        "iam.create_role", "iam.put_role_policy", "iam.delete_role_policy", "iam.delete_role",
    ]  # fmt: skip


def test_one_broken_check_does_not_hide_the_others() -> None:
    def breaks(bench: Bench) -> str:
        raise denied("X")

    def fails(bench: Bench) -> str:
        raise CheckFailed("so it is")

    plan = [Step("a", "", "", breaks), Step("b", "", "", fails), Step("c", "", "", lambda _: "x")]
    outcomes = awscheck.run(World().bench(), plan)
    assert [one.ok for one in outcomes] == [False, False, True]
    assert outcomes[1:] == [Outcome("b", False, "so it is"), Outcome("c", True, "x")]


def test_each_check_sees_what_it_is_for() -> None:
    """Right as AWS should be, and red when one thing is wrong."""
    good = World()
    assert "denied" in checks.leading_keys(good.bench())
    assert "refused" in checks.external_id(World().bench())
    wrong = World(**{"dynamodb.get_item": {}})
    with pytest.raises(CheckFailed, match="was allowed"):
        checks.leading_keys(wrong.bench())
    open_role = World(**{"sts.assume_role": {"Credentials": {}}})
    with pytest.raises(CheckFailed, match="without External ID was allowed"):
        checks.external_id(open_role.bench())


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (
            checks.health,
            (200, {"X-Tidegate-Stage": "main"}, {"stage": "main", "version": "1"}),
            (200, {"X-Tidegate-Stage": "other"}, {"stage": "main", "version": "1"}),
        ),
        (checks.unauthenticated, (401, {}, {"error": ENVELOPE}), (200, {}, {"error": ENVELOPE})),
        (checks.unauthenticated, (401, {}, {"error": ENVELOPE}), (401, {}, {"error": {}})),
        (checks.gateway_errors, (414, {}, {"message": "no"}), (500, {}, {"message": "no"})),
        (checks.gateway_errors, (414, {}, {"m": "no"}), (414, {}, {"m": "arn:aws:lambda"})),
    ],
)
def test_checks_of_the_api(check: Any, good: Any, bad: Any) -> None:
    def fetched(answer: Any) -> Any:
        status, headers, body = answer
        return status, headers, json.dumps(body).encode()

    assert check(World().bench(fetched(good)))
    with pytest.raises(CheckFailed):
        check(World().bench(fetched(bad)))


def test_the_command_line_knows_every_command() -> None:
    for words in (["forget-tenant", "x", "--by", "me"], ["restore", "profile"], ["redrive"],
                  ["revoke-everything"], ["aws-check"]):  # fmt: skip
        assert parser().parse_args(words).command == words[0]
