"""Hazards of section G: trust policies, identity of request, role and account, on real roles."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tidegate.onboarding.responses import HttpResponseSender
from tidegate.onboarding.role_arn import RoleArn
from tidegate_kit.aws_session import CustomerSession
from tidegate_kit.settings import Settings

from tests.builders.members import SignedIn, sign_in
from tests.builders.onboarding import ROLE_ARN, World, make_world
from tests.builders.onboarding_hazards import ABSENT, logged, send_keys, verdict
from tests.builders.settings import CUSTOMER_ACCOUNT, PLATFORM_ACCOUNT
from tests.builders.trust_policies import CASES, TrustCase
from tests.fakes.strict_aws import StrictAws
from tests.unit.onboarding.test_role_arn import REFUSED as FOREIGN_ARNS

EVALUABLE = [case for case in CASES if case.on_double]


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


def attempt(world: World, member: SignedIn, case: TrustCase, number: int) -> Any:
    """Verify a role with this trust policy, in an account of its own."""
    request = world.create(member, f"{number + 700_000_000_000}")
    world.deploy(request, case.make(ROLE_ARN, request["external_id"]))
    return request, world.verify(member, request)


def failed_check(world: World, member: SignedIn, request: Any) -> str | None:
    checks = world.get(member, request)["checks"]
    return next((check["name"] for check in checks if check["outcome"] == "fail"), None)


def test_all_trust_policies_are_judged_right(world: World, record_property: Any) -> None:
    """Probes and reading together, on real roles: figure F5."""
    record_property("tally", "trust policies")
    for number, case in enumerate(EVALUABLE):
        client = sign_in(roles=("client",))
        request, answer = attempt(world, client, case, number)
        assert verdict(answer) == case.verified, case.name
        status = "connected" if case.verified is None else "refused"
        assert world.get(client, request)["status"] == status, case.name


@pytest.mark.hazard("G1")
@pytest.mark.bite("tidegate.onboarding.probes.Prober._refuses", returns=True)
def test_a_role_without_a_condition_is_refused(world: World, member: SignedIn) -> None:
    """G1: the probe without an id succeeds, so the role is refused, by that probe."""
    case = next(case for case in CASES if case.name == "no-condition")
    request, answer = attempt(world, member, case, 1)
    assert verdict(answer) == "EXTERNAL_ID_NOT_ENFORCED"
    assert failed_check(world, member, request) == "external_id_required"


@pytest.mark.hazard("G2")
@pytest.mark.bite("tidegate.onboarding.probes.Prober._refuses", returns=True)
def test_conditions_that_look_strict_are_refused(world: World) -> None:
    """G2: wildcard, presence, IfExists, ForAllValues, NotEquals, second way in: found by probes."""
    kinds = {
        "EXTERNAL_ID_NOT_ENFORCED": "external_id_required",
        "EXTERNAL_ID_NOT_CHECKED": "external_id_checked",
    }
    lax = [case for case in EVALUABLE if case.verified in kinds]
    assert len(lax) >= 12
    for number, case in enumerate(lax):
        client = sign_in(roles=("client",))
        request, answer = attempt(world, client, case, number)
        assert verdict(answer) == case.verified, case.name
        assert failed_check(world, client, request) == kinds[case.verified or ""], case.name


@pytest.mark.hazard("G3")
@pytest.mark.bite("tidegate.onboarding.probes.judge", returns=None)
def test_what_no_probe_finds_is_refused_by_reading(world: World) -> None:
    """G3: a second id, a prefix, another principal: every probe passes, reading refuses."""
    broad = [case for case in EVALUABLE if case.verified == "TRUST_TOO_BROAD"]
    assert {"second-id", "prefix"} <= {case.name for case in broad}
    for number, case in enumerate(broad):
        client = sign_in(roles=("client",))
        request, answer = attempt(world, client, case, number)
        assert verdict(answer) == "TRUST_TOO_BROAD", case.name
        assert failed_check(world, client, request) == "trust_policy", case.name


@pytest.mark.hazard("G3")
@pytest.mark.bite("tidegate.onboarding.probes.Prober._judge_trust", returns=None)
def test_an_unreadable_trust_policy_is_never_connected(world: World, member: SignedIn) -> None:
    """G3: without iam:GetRole nothing is known about the policy, so the role is refused."""
    request = world.create(member)
    world.deploy(request, readable=False)
    assert verdict(world.verify(member, request)) == "TRUST_UNREADABLE"


@pytest.mark.hazard("G4")
@pytest.mark.bite("tidegate.onboarding.wiring.new_id", returns=ABSENT)
def test_the_external_id_is_ours_and_stays(world: World, member: SignedIn) -> None:
    """G4: a sent External ID is refused; ours is random, one per account, and never changes."""
    sent = {"account_id": CUSTOMER_ACCOUNT, "external_id": ABSENT}
    answer = world.client.post("/onboarding/create", json=sent, headers=member.headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    made = [world.create(member, f"{number:012d}") for number in range(1, 13)]
    ids = {request["external_id"] for request in made} | {request["id"] for request in made}
    assert len(ids) == 24
    assert world.create(member, "000000000001")["external_id"] == made[0]["external_id"]
    assert world.verify(member, made[0]).status_code == 422
    world.deploy(made[0])
    assert world.verify(member, made[0]).status_code == 200
    assert world.verify(member, made[0]).status_code == 200
    assert world.get(member, made[0])["external_id"] == made[0]["external_id"]


@pytest.mark.hazard("G5")
@pytest.mark.bite(
    "tidegate.onboarding.probes.Prober._enter",
    lambda self, access, role, external_id: CustomerSession(object()),  # type: ignore[arg-type]
)
def test_another_tenants_role_is_refused_as_an_absent_one(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """G5: tenant B names tenant A's role: denied by AWS, told as of no role at all, and logged."""
    _, theirs = world.connected()
    stranger = sign_in(roles=("client",))
    mine = world.create(stranger)
    answers = [
        world.verify(
            stranger, mine, role_arn=f"arn:aws:iam::{CUSTOMER_ACCOUNT}:role/{name}"
        ).json()["error"]
        for name in (theirs["role_name"], "not-there")
    ]
    for error in answers:
        assert error["code"] == "ROLE_NOT_ASSUMABLE"
        error.pop("timestamp")
        error.pop("request_id")
    assert answers[0] == answers[1]
    assert world.get(stranger, mine)["status"] == "refused"
    assert logged(caplog).count("security: refused a role") == 2


def _any_arn(text: str, partition: str) -> RoleArn:
    return RoleArn(text, partition, CUSTOMER_ACCOUNT, "", text.rpartition("/")[2] or "x")


@pytest.mark.hazard("G6")
@pytest.mark.bite("tidegate.onboarding.verification.read_role_arn", _any_arn)
def test_odd_arns_are_refused_before_any_call(world: World, member: SignedIn) -> None:
    """G6: other partitions, users, sessions, AWS's own roles, wildcards, tricks: 422, no probe."""
    request = world.create(member)
    before = len(world.aws.calls)
    for arn in FOREIGN_ARNS:
        if not arn:
            continue  # an empty one is no ARN: the schema refuses it
        answer = world.verify(member, request, role_arn=arn)
        assert (answer.status_code, verdict(answer)) == (422, "VALIDATION_ERROR"), arn[:80]
    assert not [call for call in world.aws.calls[before:] if call[0] == "sts"]
    assert world.get(member, request)["status"] == "pending"


@pytest.mark.hazard("G7")
@pytest.mark.bite("tidegate.onboarding.probes.Prober._account", returns=CUSTOMER_ACCOUNT)
def test_the_three_accounts_must_agree(
    world: World, member: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G7: caller identity, ARN and declaration name one account, else the role is refused."""
    request = world.create(member)
    other = "arn:aws:iam::333333333333:role/theirs"
    assert verdict(world.verify(member, request, role_arn=other)) == "ACCOUNT_MISMATCH"
    world.deploy(request)
    client = CustomerSession.client

    class Elsewhere:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Account": "333333333333", "Arn": "arn:aws:sts::333333333333:assumed-role/x/y"}

    def redirected(self: CustomerSession, service: str, region: str) -> Any:
        real = client(self, service, region)
        if service != "sts":
            return real
        real.get_caller_identity = Elsewhere().get_caller_identity
        return real

    monkeypatch.setattr(CustomerSession, "client", redirected)
    assert verdict(world.verify(member, request)) == "ACCOUNT_MISMATCH"
    assert world.get(member, request)["status"] == "refused"


@pytest.mark.hazard("G8")
@pytest.mark.bite("tidegate_kit.settings.Settings.platform_account", lambda self: "000000000000")
def test_our_own_account_is_refused(world: World, member: SignedIn) -> None:
    """G8: neither our account, nor a role in it, nor keys of it can be connected."""
    create = world.client.post(
        "/onboarding/create", json={"account_id": PLATFORM_ACCOUNT}, headers=member.headers
    )
    assert verdict(create) == "VALIDATION_ERROR"
    request = world.create(member)
    answer = world.verify(member, request, role_arn=ROLE_ARN)
    assert (answer.status_code, verdict(answer)) == (422, "VALIDATION_ERROR")
    keys = world.aws.platform.create_user("ours")
    by_keys = send_keys(world, member, keys)
    assert verdict(by_keys) == "ACCOUNT_MISMATCH"


@pytest.mark.hazard("G10")
@pytest.mark.bite("tidegate.onboarding.repository.DynamoRegistrations.of_account", returns=None)
def test_connecting_twice_is_connecting_once(world: World, member: SignedIn) -> None:
    """G10: the same tenant creates, verifies and sends again: one request, id and run."""
    first = world.create(member)
    second = world.create(member)
    assert (first["id"], first["external_id"]) == (second["id"], second["external_id"])
    world.deploy(first)
    one, two = world.verify(member, first).json(), world.verify(member, first).json()
    assert one["discovery"]["run_id"] == two["discovery"]["run_id"]
    assert one["connected_at"] == two["connected_at"]
    again = world.client.post(
        "/onboarding/create", json={"account_id": CUSTOMER_ACCOUNT}, headers=member.headers
    )
    assert (again.status_code, verdict(again)) == (409, "ACCOUNT_ALREADY_CONNECTED")
    assert world.get(member, first)["external_id"] == first["external_id"]
